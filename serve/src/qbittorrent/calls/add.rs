//! `torrents/add`

use super::limits::{minutes, rate, ratio};
use super::{Answer, Outcome, labels};
use crate::control::{AddParams, AddSource, OwnLimits, TorrentId, TorrentPatch};
use crate::qbittorrent::categories::{Labels, is_category_name};
use crate::qbittorrent::failure::Failure;
use crate::qbittorrent::params::{Params, refused_file};
use crate::qbittorrent::server::Shared;

/// The most links of a request.
const MAX_LINKS: usize = 100;

pub(super) async fn add(shared: &Shared, params: &Params) -> Outcome {
    let links = params.list("urls", '\n');
    if links.len() > MAX_LINKS {
        return Err(Failure::params(format!("more than {MAX_LINKS} URLs")));
    }
    // Before anything is added, as one that is no torrent fails all.
    for file in &params.files {
        let source = AddSource::TorrentFile(file.bytes.to_vec());
        if shared.control.inspect(source, Vec::new()).await.is_err() {
            return Err(Failure::media_type(refused_file(&file.name)));
        }
    }
    let wished = match options(shared, params).await {
        Ok(wished) => wished,
        Err(error) => {
            shared
                .journal
                .warn(format!("cannot add a torrent: {}", error.text()));
            return Ok(Answer::Text("Fails.".to_owned()));
        }
    };
    let links = links
        .into_iter()
        .map(|link| (link, AddSource::Link(link.to_owned())));
    let files = params.files.iter().map(|file| {
        (
            file.name.as_str(),
            AddSource::TorrentFile(file.bytes.to_vec()),
        )
    });
    let mut has_added = false;
    for (name, source) in links.chain(files) {
        if let AddSource::Link(link) = &source
            && !is_link(link)
        {
            shared
                .journal
                .warn(format!("cannot add {}: it is no link", short(name)));
            continue;
        }
        match shared.control.add(source, wished.clone()).await {
            Ok(id) => {
                has_added = true;
                to_top(shared, params, id).await;
            }
            Err(error) => shared
                .journal
                .warn(format!("cannot add {}: {error}", short(name))),
        }
    }
    let answer = if has_added { "Ok." } else { "Fails." };
    Ok(Answer::Text(answer.to_owned()))
}

fn short(name: &str) -> String {
    name.chars().take(200).collect()
}

/// A magnet link, an info-hash or a URL; paths of this machine's files are not read.
fn is_link(link: &str) -> bool {
    let begins = |scheme: &str| {
        let start = link.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    ["magnet:", "http://", "https://"].into_iter().any(begins) || link.parse::<TorrentId>().is_ok()
}

async fn to_top(shared: &Shared, params: &Params, id: TorrentId) {
    if params.flag("addToTopOfQueue") != Some(true) {
        return;
    }
    let patch = TorrentPatch {
        queue_position: Some(1),
        ..TorrentPatch::default()
    };
    // It has been added; its place is worth no failure.
    let _ = shared.control.patch(id, patch).await;
}

/// The options; a category and tags that are not known are made.
async fn options(shared: &Shared, params: &Params) -> Result<AddParams, Failure> {
    let known = Labels::of(&shared.control);
    let category = params.filled("category").unwrap_or_default();
    if !category.is_empty() && !known.is_category(category) {
        if !is_category_name(category) {
            return Err(Failure::conflict("Incorrect category name"));
        }
        labels::make_category(shared, &known, category, None).await?;
    }
    let tags = params.list("tags", ',');
    labels::make_tags(shared, &tags).await?;
    let known = Labels::of(&shared.control);
    let tags = tags.into_iter().filter(|tag| !known.is_category(tag));
    let own: Vec<String> = tags.map(str::to_owned).collect();
    let mut wished = plain(params);
    wished.labels = known.with_category(&own, category);
    if params.flag("stopped").or(params.flag("paused")).is_none() {
        wished.paused = shared.adds_paused();
    }
    Ok(wished)
}

/// Those that need nothing of the daemon.
fn plain(params: &Params) -> AddParams {
    let limit = |name: &str| params.int(name).and_then(minutes);
    let text = |name: &str| params.filled(name).map(str::to_owned);
    AddParams {
        folder: text("savepath"),
        // What it was called before version 5.
        paused: params
            .flag("stopped")
            .or(params.flag("paused"))
            .unwrap_or(false),
        sequential: params.flag("sequentialDownload").unwrap_or(false),
        forced: params.flag("forced").unwrap_or(false),
        title: text("rename"),
        download_limit: rate(params, "dlLimit"),
        upload_limit: rate(params, "upLimit"),
        seeding: OwnLimits {
            ratio_limit: params.float("ratioLimit").and_then(ratio),
            idle_limit: limit("inactiveSeedingTimeLimit"),
            seeding_time_limit: limit("seedingTimeLimit"),
        },
        ..AddParams::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Limit;

    #[test]
    fn options_are_taken_over() {
        let query = b"savepath=/d&stopped=true&sequentialDownload=true&forced=true&rename=A%20B&dlLimit=5&upLimit=-1\
            &ratioLimit=1.5&seedingTimeLimit=2&inactiveSeedingTimeLimit=-1";
        let wished = plain(&Params::of_query(query).unwrap());
        assert_eq!(
            (wished.folder.as_deref(), wished.title.as_deref()),
            (Some("/d"), Some("A B"))
        );
        assert!(wished.paused && wished.sequential && wished.forced);
        assert_eq!(
            (wished.download_limit, wished.upload_limit),
            (Some(5), None)
        );
        assert_eq!(wished.seeding.ratio_limit, Some(Limit::At(1.5)));
        assert_eq!(wished.seeding.seeding_time_limit, Some(Limit::At(120)));
        assert_eq!(wished.seeding.idle_limit, Some(Limit::NONE));
        assert!(plain(&Params::of_query(b"paused=true").unwrap()).paused);
        assert_eq!(plain(&Params::default()), AddParams::default());
    }

    #[test]
    fn no_path_is_a_link() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        for link in ["magnet:?x", "MAGNET:?x", "http://a", "HTTPS://a", hash] {
            assert!(is_link(link), "{link}");
        }
        for link in [
            "",
            "/etc/passwd",
            "file:///etc/passwd",
            "é",
            "ftp://a",
            "bc://bt/x",
        ] {
            assert!(!is_link(link), "{link}");
        }
    }
}
