//! Web seeds of a torrent, as its user wants them. They are put in the place of those of its metadata whenever it is added to
//! the session.

use std::sync::Arc;

use tailwater_http::Url;

use super::change::ChangeKind;
use super::entry::Entry;
use super::error::ControlError;
use super::id::TorrentId;
use super::service::{Control, Inner};
use super::url::{MAX_URL_LEN, is_url};

/// The most web seeds of a torrent: as many as the session takes.
const MAX_WEB_SEEDS: usize = 64;

impl Control {
    /// The URLs of a torrent's web seeds (BEP 19), whether it runs or not.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or its metadata is not known.
    pub async fn web_seed_urls(&self, id: TorrentId) -> Result<Vec<String>, ControlError> {
        let entry = self.inner.entry(id)?;
        let metainfo = self.inner.stored_metainfo(&entry).await?;
        Ok(metainfo.web_seeds().to_vec())
    }

    /// Replaces the web seeds of a torrent. One that is in the session leaves it for a moment, and its peers are dialled again.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, its metadata is not known, a URL is none of HTTP, there are too many, or the torrent is
    /// busy; then nothing is changed.
    pub async fn set_web_seeds(
        &self,
        id: TorrentId,
        urls: Vec<String>,
    ) -> Result<(), ControlError> {
        check(&urls)?;
        self.change(id, |inner, entry| async move {
            inner.set_web_seeds(&entry, urls).await
        })
        .await
    }
}

impl Inner {
    async fn set_web_seeds(
        self: &Arc<Self>,
        entry: &Arc<Entry>,
        urls: Vec<String>,
    ) -> Result<(), ControlError> {
        let metainfo = self.stored_metainfo(entry).await?;
        let before = metainfo.web_seeds().to_vec();
        if metainfo.with_web_seeds(urls.clone()).web_seeds() == before {
            return Ok(());
        }
        let was_running = self.step_aside(entry).await?;
        let kept = entry.state().options.web_seeds.replace(urls);
        let saved = self.save(entry, None).await.map_err(ControlError::from);
        if saved.is_err() {
            entry.state().options.web_seeds = kept;
        }
        self.log.push(Some(entry.id), ChangeKind::Changed);
        let back = match was_running {
            true => self.come_back(entry).await,
            false => Ok(()),
        };
        saved.and(back)
    }
}

fn check(urls: &[String]) -> Result<(), ControlError> {
    let invalid = |why: String| Err(ControlError::Invalid(why));
    if urls.len() > MAX_WEB_SEEDS {
        return invalid(format!("more than {MAX_WEB_SEEDS} web seeds"));
    }
    match urls.iter().find(|url| !is_web_seed(url)) {
        Some(url) => {
            let url: String = url.chars().take(200).collect();
            invalid(format!("{url:?} is not the URL of a web seed"))
        }
        None => Ok(()),
    }
}

/// Whether a text is a URL that a web seed can have.
fn is_web_seed(text: &str) -> bool {
    text.len() <= MAX_URL_LEN && is_url(text) && Url::parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_web_seed_has_a_url_of_http() {
        for url in ["http://a/", "HTTPS://a.example:1/b?c=d"] {
            assert!(is_web_seed(url), "{url}");
        }
        let long = format!("http://a/{}", "x".repeat(MAX_URL_LEN));
        for url in [
            "",
            "a",
            "ftp://a/",
            "http://",
            "http://a b/",
            "file:///etc",
            &long,
        ] {
            assert!(!is_web_seed(url), "{url}");
        }
        let many = vec!["http://a/".to_owned(); MAX_WEB_SEEDS + 1];
        assert!(check(&many).is_err() && check(&many[1..]).is_ok());
    }
}
