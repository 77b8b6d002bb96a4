//! Where a torrent comes from: a file, a URL, a magnet link.

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};
use tailwater_metainfo::{Limits, Metainfo};
use tailwater_session::FetchError;

use crate::args::{Json, Network};
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::link::Link;
use crate::magnet::{self, Audience, Loaded};
use crate::progress::Progress;
use crate::running::Running;
use crate::start::{self, Table};

/// The longest time to connect to a web server.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// The longest silence of a web server.
const SILENT_FOR: Duration = Duration::from_secs(20);
/// The longest time for a whole torrent file, however slowly it comes.
const FETCH_WITHIN: Duration = Duration::from_secs(120);
/// A web server that takes longer is worth a word.
const SLOW: Duration = Duration::from_secs(2);
/// How many redirects in a row are followed.
const MAX_REDIRECTS: usize = 5;

/// A torrent as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    File(PathBuf),
    Url(String),
    /// Read when it is used, so that a wrong one is a failure like a wrong file.
    Magnet(String),
}

/// What a source holds.
pub(crate) enum Given {
    Torrent(Metainfo),
    /// The rest has to come from peers.
    Link(Link),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let has_scheme = |scheme: &str| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        Ok(if has_scheme("magnet:") {
            Self::Magnet(text.to_owned())
        } else if has_scheme("http://") || has_scheme("https://") {
            Self::Url(text.to_owned())
        } else {
            Self::File(PathBuf::from(text))
        })
    }
}

impl Source {
    /// Reads it and checks it, as far as that goes without peers.
    pub(crate) async fn open(&self, progress: &Progress) -> Result<Given, CliError> {
        let (origin, bytes) = match self {
            Self::File(path) => (path.display().to_string(), read(path)?),
            Self::Url(url) => (url.clone(), fetch(url, progress).await?),
            Self::Magnet(link) => return Ok(Given::Link(link.parse()?)),
        };
        let metainfo = Metainfo::from_bytes(&bytes);
        metainfo
            .map(Given::Torrent)
            .map_err(|error| CliError::Malformed { origin, error })
    }

    /// The same for a transfer or a check, which need v1 piece hashes so far.
    pub(crate) async fn open_v1(&self, progress: &Progress) -> Result<Given, CliError> {
        match self.open(progress).await? {
            Given::Torrent(metainfo) if metainfo.info().info_hashes().v1.is_none() => {
                Err(CliError::V2Only(metainfo.info().name().to_owned()))
            }
            Given::Link(link) => Ok(Given::Link(fetchable(link)?)),
            given @ Given::Torrent(_) => Ok(given),
        }
    }

    /// Reads it, and has the metadata of a link fetched by a session that does nothing else.
    pub(crate) async fn load(
        &self,
        network: &Network,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Loaded, CliError> {
        let link = match interrupt.guard(self.open(progress)).await? {
            Given::Torrent(metainfo) => return Ok(Loaded::of(metainfo)),
            Given::Link(link) => fetchable(link)?,
        };
        let mut builder = start::builder(network, Table::Kept);
        if let Some(dir) = start::resume_dir() {
            builder = builder.state_dir(dir);
        }
        let running = Running::start_silently(builder, progress)?;
        let audience = Audience {
            progress: progress.clone(),
            // Standard output is for what the command is asked for.
            json: Json::OFF,
            seen: None,
        };
        let fetching = magnet::fetch(&running.session, &link, network, &audience);
        let loaded = interrupt.guard(fetching).await;
        running.close().await;
        loaded
    }
}

/// Refuses a link whose metadata the session would not fetch, before anything is started.
fn fetchable(link: Link) -> Result<Link, CliError> {
    match &link {
        Link::Torrent(magnet) if magnet.hashes.v1.is_none() => Err(CliError::Metadata {
            name: magnet::name(magnet),
            error: FetchError::V2Only,
        }),
        Link::Torrent(_) | Link::Published(_) => Ok(link),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let limit = Limits::default().len;
    let file = File::open(path).map_err(CliError::io("open", path))?;
    let mut bytes = Vec::new();
    // One byte more than the limit shows that it is exceeded.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(CliError::io("read", path))?;
    match bytes.len() > limit {
        true => Err(CliError::TooLong {
            origin: path.display().to_string(),
            limit,
        }),
        false => Ok(bytes),
    }
}

async fn fetch(url: &str, progress: &Progress) -> Result<Vec<u8>, CliError> {
    let fetching = get(url);
    tokio::pin!(fetching);
    tokio::select! {
        fetched = &mut fetching => return fetched,
        () = tokio::time::sleep(SLOW) => progress.note(format_args!("fetching {url} …")),
    }
    fetching.await
}

async fn get(url: &str) -> Result<Vec<u8>, CliError> {
    let limit = Limits::default().len;
    let failed = |error: reqwest::Error| CliError::Fetch {
        url: url.to_owned(),
        reason: innermost(&error),
    };
    let mut response = client()
        .map_err(failed)?
        .get(url)
        .send()
        .await
        .map_err(failed)?;
    if !response.status().is_success() {
        return Err(CliError::Fetch {
            url: url.to_owned(),
            reason: format!("the server answered {}", response.status()),
        });
    }
    let mut bytes = Vec::new();
    while let Some(part) = response.chunk().await.map_err(failed)? {
        if part.len() > limit - bytes.len() {
            return Err(CliError::TooLong {
                origin: url.to_owned(),
                limit,
            });
        }
        bytes.extend_from_slice(&part);
    }
    Ok(bytes)
}

fn client() -> reqwest::Result<reqwest::Client> {
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = reqwest::Client::builder()
        .user_agent(concat!("tailwater/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::limited(MAX_REDIRECTS))
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(SILENT_FOR)
        .timeout(FETCH_WITHIN);
    match ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
        Ok(tls) => builder
            .tls_backend_preconfigured(tls.with_root_certificates(roots).with_no_client_auth())
            .build(),
        // Without the provider's protocol versions there is no TLS; plain HTTP goes on working.
        Err(_) => builder.build(),
    }
}

/// The cause at the bottom: what stands above it only repeats that a request failed.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let source = |text: &str| text.parse::<Source>().unwrap();
        assert_eq!(source("a.torrent"), Source::File("a.torrent".into()));
        assert_eq!(
            source("httpd.torrent"),
            Source::File("httpd.torrent".into())
        );
        assert_eq!(source("HTTPS://a/b"), Source::Url("HTTPS://a/b".into()));
        assert_eq!(
            source("Magnet:?xt=urn:btih:00"),
            Source::Magnet("Magnet:?xt=urn:btih:00".into())
        );
        assert_eq!(source("é"), Source::File("é".into()));
    }
}
