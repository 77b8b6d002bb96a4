//! The source that a torrent is added from: a magnet link, a URL, a file, bytes.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tailwater_http::{AddressPolicy, Client, ClientConfig, Proxy as HttpProxy, UrlTrust};
use tailwater_metainfo::{InfoHash, InfoHashV2, Limits, Magnet, Metainfo};
use tailwater_types::system::message;

use crate::error::AddError;
use crate::transport::Uplink;

/// The longest time to connect to the web server that has a .torrent file.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// The longest silence of a web server.
const SILENT_FOR: Duration = Duration::from_secs(20);
/// The longest time for a whole torrent file, however slowly it comes.
const FETCH_WITHIN: Duration = Duration::from_secs(120);
/// How many redirects in a row are followed.
const MAX_REDIRECTS: usize = 5;

/// The source that a torrent is added from; see [`Session::add`](crate::Session::add).
///
/// It is made of a [`Metainfo`], a [`Magnet`], the bytes of a .torrent file, a path, or text: a magnet link, an
/// `http` or `https` URL of a .torrent file, an info-hash of 40 hexadecimal digits (v2: of 64), or else a path.
///
/// ```
/// use std::path::Path;
/// use tailwater_session::Source;
///
/// let _: [Source; 4] = [
///     "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567".into(),
///     "https://example.org/debian.torrent".into(),
///     Path::new("debian.torrent").into(),
///     std::fs::read("debian.torrent").unwrap_or_default().into(),
/// ];
/// ```
#[derive(Clone, Debug)]
pub struct Source(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Metainfo(Box<Metainfo>),
    Magnet(Box<Magnet>),
    Bytes(Bytes),
    Path(PathBuf),
    Url(String),
    /// A magnet link that has not been read yet.
    Link(String),
}

/// What can be had from a source without asking peers.
pub(crate) enum Found {
    Metainfo(Box<Metainfo>),
    Magnet(Box<Magnet>),
}

impl Source {
    /// Reads or fetches the source, or says that peers have to be asked. A URL is fetched through the proxy, or else
    /// through that of the environment.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed anywhere; when the future is dropped, what was under way is given up.
    pub(crate) async fn open(
        self,
        proxy: Option<HttpProxy>,
        link: &Uplink,
    ) -> Result<Found, AddError> {
        let (origin, bytes) = match self.0 {
            Kind::Metainfo(metainfo) => return Ok(Found::Metainfo(metainfo)),
            Kind::Magnet(magnet) => return Ok(Found::Magnet(magnet)),
            Kind::Link(link) => return Ok(Found::Magnet(Box::new(link.parse()?))),
            Kind::Bytes(bytes) => ("the bytes given".to_owned(), bytes),
            Kind::Url(url) => {
                let bytes = fetch(&url, proxy, link).await?;
                (url, bytes.into())
            }
            Kind::Path(path) => {
                let origin = path.display().to_string();
                let reading = tokio::task::spawn_blocking(move || read(&path));
                let read = reading
                    .await
                    .unwrap_or_else(|_| Err(io::Error::other("interrupted")));
                let failed = |error| AddError::Unreadable {
                    origin: origin.clone(),
                    reason: message(&error).to_string(),
                };
                let bytes = read.map_err(failed)?;
                (origin, bytes.into())
            }
        };
        let metainfo = Metainfo::from_bytes(&bytes);
        let metainfo = metainfo.map_err(|source| AddError::NoTorrent { origin, source })?;
        Ok(Found::Metainfo(Box::new(metainfo)))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let limit = Limits::default().len;
    let mut bytes = Vec::new();
    let limited = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)?
        .take(limited)
        .read_to_end(&mut bytes)?;
    match bytes.len() > limit {
        true => Err(io::Error::other(format!("larger than {limit} bytes"))),
        false => Ok(bytes),
    }
}

/// The user chose the URL, so it may lead anywhere; a redirect may not lead where its sender cannot.
async fn fetch(url: &str, proxy: Option<HttpProxy>, link: &Uplink) -> Result<Vec<u8>, AddError> {
    let failed = |reason: String| AddError::Unreadable {
        origin: url.to_owned(),
        reason,
    };
    let mut config = ClientConfig::default()
        .timeout(FETCH_WITHIN)
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(SILENT_FOR)
        .max_body_len(Limits::default().len)
        .max_redirects(MAX_REDIRECTS)
        .allow_downgrade(true)
        .address_policy(AddressPolicy::outward_redirects())
        .proxy(proxy.unwrap_or_else(HttpProxy::from_env));
    if let Some(interface) = link.interface() {
        link.up().await;
        config = config.interface(interface.clone());
    }
    let request = Client::new(config).get(url).trust(UrlTrust::Named);
    let response = request.send().await;
    let response = response.map_err(|error| failed(error.to_string()))?;
    if !response.status().is_success() {
        return Err(failed(format!("the server answered {}", response.status())));
    }
    let bytes = response.bytes().await;
    bytes.map_err(|error| failed(error.to_string()))
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        let text = text.trim();
        let has_scheme = |scheme: &str| {
            text.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        if let Ok(hash) = text.parse::<InfoHash>() {
            return Magnet::new(hash.into()).into();
        }
        if let Ok(hash) = text.parse::<InfoHashV2>() {
            return Magnet::new(hash.into()).into();
        }
        Self(if has_scheme("magnet:") {
            Kind::Link(text.to_owned())
        } else if has_scheme("http://") || has_scheme("https://") {
            Kind::Url(text.to_owned())
        } else {
            Kind::Path(PathBuf::from(text))
        })
    }
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&String> for Source {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self(Kind::Path(path.to_path_buf()))
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self(Kind::Path(path))
    }
}

impl From<&PathBuf> for Source {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }
}

impl From<&[u8]> for Source {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Bytes(bytes))
    }
}

impl From<url::Url> for Source {
    fn from(url: url::Url) -> Self {
        url.as_str().into()
    }
}

impl From<Metainfo> for Source {
    fn from(metainfo: Metainfo) -> Self {
        Self(Kind::Metainfo(Box::new(metainfo)))
    }
}

impl From<&Metainfo> for Source {
    fn from(metainfo: &Metainfo) -> Self {
        metainfo.clone().into()
    }
}

impl From<Magnet> for Source {
    fn from(magnet: Magnet) -> Self {
        Self(Kind::Magnet(Box::new(magnet)))
    }
}

impl From<&Magnet> for Source {
    fn from(magnet: &Magnet) -> Self {
        magnet.clone().into()
    }
}
