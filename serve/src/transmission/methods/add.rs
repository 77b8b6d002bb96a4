//! `torrent_add`

use std::path::Path;

use data_encoding::BASE64;
use serde_json::{Map, Value};

use super::{Outcome, of};
use crate::control::{
    AddParams, AddSource, ControlError, FileChange, FilePriority, FileView, TorrentId,
};
use crate::transmission::failure::{Failure, Kind};
use crate::transmission::fields::file_changes;
use crate::transmission::params::Params;
use crate::transmission::server::Shared;

/// Parameters that choose files.
const OF_FILES: [&str; 5] = [
    "files_unwanted",
    "files_wanted",
    "priority_high",
    "priority_low",
    "priority_normal",
];

pub(super) async fn add(shared: &Shared, params: Params<'_>) -> Outcome {
    let mut source = source(params)?;
    let mut wished = options(params)?;
    if params.flag("paused").is_none() {
        wished.paused = shared.remembered.adds_paused();
    }
    if OF_FILES.iter().any(|name| params.value(name).is_some()) {
        wished.priorities = match &source {
            AddSource::Link(link) if is_magnet(link) => unseen_files(params),
            _ => {
                let (file, changes) = known_files(shared, source, params).await?;
                source = file;
                changes
            }
        };
    }
    match shared.control.add(source, wished).await {
        Ok(id) => shown(shared, "torrent_added", id),
        Err(ControlError::Duplicate(id)) => shown(shared, "torrent_duplicate", id),
        Err(error) => Err(refused(error)),
    }
}

fn is_magnet(link: &str) -> bool {
    let scheme = link.get(.."magnet:".len());
    let is_scheme = scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("magnet:"));
    is_scheme || link.parse::<TorrentId>().is_ok()
}

fn is_url(link: &str) -> bool {
    let begins = |scheme: &str| {
        let start = link.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    begins("http://") || begins("https://")
}

/// What is to be added. Paths of this machine's files are not read: a client sends what is in them.
fn source(params: Params<'_>) -> Result<AddSource, Failure> {
    let text = |name: &str| params.text(name).filter(|text| !text.is_empty());
    match (text("filename").map(str::trim), text("metainfo")) {
        (Some(link), _) if is_magnet(link) || is_url(link) => Ok(AddSource::Link(link.to_owned())),
        (Some(_), _) => Err(Failure::new(
            Kind::UnrecognizedInfo,
            "unrecognized info: filename is neither a magnet link nor a URL",
        )),
        (None, Some(base64)) => {
            // Some clients break lines.
            let plain: Vec<u8> = base64
                .bytes()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            let bytes = BASE64.decode(&plain);
            let bytes = bytes.map_err(|_| Failure::new(Kind::UnrecognizedInfo, ""))?;
            Ok(AddSource::TorrentFile(bytes))
        }
        (None, None) => Err(Failure::params("no filename or metainfo specified")),
    }
}

fn options(params: Params<'_>) -> Result<AddParams, Failure> {
    let folder = params.text("download_dir").filter(|dir| !dir.is_empty());
    if folder.is_some_and(|dir| !Path::new(dir).is_absolute()) {
        let detail = "download directory path is not absolute";
        return Err(Failure::new(Kind::RelativePath, detail));
    }
    let labels = params.texts("labels").into_iter().flatten();
    Ok(AddParams {
        folder: folder.map(str::to_owned),
        labels: labels.map(str::to_owned).collect(),
        paused: params.flag("paused").unwrap_or(false),
        sequential: params.flag("sequential_download").unwrap_or(false),
        max_peers: super::set::peers(params),
        attributes: super::set::priority(params).unwrap_or_default(),
        ..AddParams::default()
    })
}

/// Of a torrent whose files are known: it, and what is changed of them.
async fn known_files(
    shared: &Shared,
    source: AddSource,
    params: Params<'_>,
) -> Result<(AddSource, Vec<FileChange>), Failure> {
    let inspection = shared.control.inspect(source.clone(), Vec::new()).await;
    let inspection = inspection.map_err(refused)?;
    let files: Vec<FileView> = inspection
        .files
        .into_iter()
        .map(|file| FileView {
            index: file.index,
            path: file.path,
            size: file.size,
            have: 0,
            priority: FilePriority::Normal,
            first_piece: 0,
            piece_count: 0,
        })
        .collect();
    let changes = file_changes(params, &files)?;
    // One of a URL has been fetched, and need not be again.
    let fetched = inspection
        .torrent
        .and_then(|base64| BASE64.decode(base64.as_bytes()).ok());
    let source = fetched.map_or(source, AddSource::TorrentFile);
    Ok((source, changes))
}

/// Of a link, whose files are not known yet: what is named, by number.
fn unseen_files(params: Params<'_>) -> Vec<FileChange> {
    let named = |name: &str, priority| {
        let places = params.ints(name).into_iter().flatten();
        let places = places.filter_map(|place| usize::try_from(place).ok());
        places
            .map(|index| FileChange { index, priority })
            .collect::<Vec<_>>()
    };
    let priorities = [
        named("priority_low", FilePriority::Low),
        named("priority_normal", FilePriority::Normal),
        named("priority_high", FilePriority::High),
        // Last, so that a priority does not make it wanted.
        named("files_unwanted", FilePriority::Skip),
    ];
    priorities.concat()
}

/// What is answered of a torrent that was added, or was there.
fn shown(shared: &Shared, name: &str, id: TorrentId) -> Outcome {
    let view = shared.control.torrent(id)?;
    let torrent = Map::from_iter([
        ("hash_string".to_owned(), id.to_string().into()),
        ("id".to_owned(), view.number.into()),
        ("name".to_owned(), view.name.into()),
    ]);
    Ok(of(name, Value::Object(torrent)))
}

fn refused(error: ControlError) -> Failure {
    match error {
        ControlError::Invalid(reason) => {
            let message = Kind::CorruptTorrent.message();
            Failure::new(Kind::CorruptTorrent, format!("{message}: {reason}"))
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_json(json: &Value) -> Result<AddSource, Failure> {
        source(Params(json.as_object().unwrap()))
    }

    #[test]
    fn a_source_is_a_link_a_url_or_a_file() {
        let link = |text: &str| match of_json(&json!({"filename": text})) {
            Ok(AddSource::Link(link)) => link,
            other => panic!("{other:?}"),
        };
        let hash = "0123456789abcdef0123456789abcdef01234567";
        for text in [
            "magnet:?xt=urn:btih:x",
            "MAGNET:?x",
            "http://a/b",
            "HTTPS://a",
            hash,
        ] {
            assert_eq!(link(text), text);
        }
        let file = of_json(&json!({"metainfo": "ZDE6\n"}));
        assert!(matches!(file, Ok(AddSource::TorrentFile(bytes)) if bytes == b"d1:"));
        for (wrong, kind) in [
            (json!({"filename": "/etc/passwd"}), Kind::UnrecognizedInfo),
            (
                json!({"filename": "file:///etc/passwd"}),
                Kind::UnrecognizedInfo,
            ),
            (json!({"filename": "é"}), Kind::UnrecognizedInfo),
            (json!({"metainfo": "?"}), Kind::UnrecognizedInfo),
            (json!({"filename": "", "metainfo": ""}), Kind::Params),
            (json!({"filename": 5}), Kind::Params),
        ] {
            assert_eq!(of_json(&wrong).unwrap_err().kind, kind, "{wrong}");
        }
    }

    #[test]
    fn options_are_taken_over() {
        let json = json!({"download_dir": "/d", "labels": ["a", 5], "paused": 1, "peer_limit": 7});
        let options = options(Params(json.as_object().unwrap())).unwrap();
        assert_eq!(options.folder.as_deref(), Some("/d"));
        assert_eq!(
            (options.labels, options.paused),
            (vec!["a".to_owned()], true)
        );
        assert_eq!(options.max_peers, Some(7));
        let relative = json!({"download_dir": "d"});
        let refused = super::options(Params(relative.as_object().unwrap()));
        assert_eq!(refused.unwrap_err().kind, Kind::RelativePath);
    }
}
