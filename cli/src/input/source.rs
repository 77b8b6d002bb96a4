//! Opens a source: reads a file or standard input, fetches a URL, parses a link.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use tailwater_bencode::{Options, decode_prefix};
use tailwater_http::header::{self, HeaderValue};
use tailwater_http::{
    AddressPolicy, Client, ClientConfig, ErrorKind, HttpError, Proxy as HttpProxy, UrlTrust,
};
use tailwater_metainfo::{Limits, Metainfo};
use tailwater_session::{Interface, Proxy};

use super::authorities;
use super::link::Link;
use super::magnet::{self, Audience, Loaded};
use crate::args::{Json, Network, STDIN, Source};
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::out::Harmless;
use crate::progress::Progress;
use crate::running::Running;
use crate::start::{self, Table};

/// The longest time to connect to a web server.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// The longest silence of a web server.
const SILENT_FOR: Duration = Duration::from_secs(20);
/// The longest time for a whole torrent file, however slowly it comes.
const FETCH_WITHIN: Duration = Duration::from_secs(120);
/// After this time the user is told that the web server is slow.
const SLOW: Duration = Duration::from_secs(2);
/// How often a network interface is looked for that is not there.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many redirects in a row are followed.
const MAX_REDIRECTS: usize = 5;

/// Characters of a link in an error: its hash, and the beginning of its name.
const LINK_SHOWN: usize = 80;

/// The content of standard input.
pub(crate) enum Content {
    /// Torrent files, one behind the other; at least one.
    Torrents(Vec<Vec<u8>>),
    Text(String),
}

/// The content of a source: a torrent, or a link.
pub(crate) enum Given {
    Torrent(Metainfo),
    /// The rest has to come from peers.
    Link(Link),
}

impl Source {
    /// Reads it and checks it, as far as that goes without peers. A URL is fetched through the proxy, or else through
    /// that of the environment.
    pub(crate) async fn open(&self, via: Via<'_>, progress: &Progress) -> Result<Given, CliError> {
        let (origin, bytes) = match self {
            Self::File(path) => {
                let limit = Limits::default().len;
                (path.display().to_string(), read(path, limit)?)
            }
            Self::Url(url) => (url.clone(), fetch(url, via, progress).await?),
            Self::Magnet(link) => return Ok(Given::Link(parse(link)?)),
            Self::Bytes(bytes) => (STDIN.to_owned(), bytes.clone()),
            Self::Stdin => match standard_input(Limits::default().len).await? {
                Content::Torrents(torrents) => (STDIN.to_owned(), super::only(torrents, "holds")?),
                Content::Text(text) => {
                    let named = super::only_source(&text)?;
                    return Box::pin(named.open(via, progress)).await;
                }
            },
        };
        let metainfo = Metainfo::from_bytes(&bytes);
        metainfo
            .map(Given::Torrent)
            .map_err(|error| CliError::Malformed { origin, error })
    }

    /// Reads it, and has the metadata of a link fetched by a session that does nothing else.
    pub(crate) async fn load(
        &self,
        network: &Network,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Loaded, CliError> {
        let link = match interrupt
            .guard(self.open(Via::of(network), progress))
            .await?
        {
            Given::Torrent(metainfo) => return Ok(Loaded::of(metainfo)),
            Given::Link(link) => link,
        };
        let mut builder = start::builder(network, Table::Kept).await?;
        if let Some(dir) = start::resume_dir() {
            builder = builder.state_dir(dir);
        }
        let running = Running::start_silently(builder, progress)?;
        let audience = Audience {
            progress: progress.clone(),
            // Standard output is for what the command is asked for.
            json: Json::OFF,
            seen: None,
            patience: None,
        };
        let fetching = magnet::fetch(&running.session, &link, network, &audience);
        let loaded = interrupt.guard(fetching).await;
        running.close().await;
        loaded
    }
}

/// Reads a link; an error names it.
fn parse(text: &str) -> Result<Link, CliError> {
    let link = text.parse::<Link>();
    link.map_err(|error| CliError::Source {
        source_name: match text.char_indices().nth(LINK_SHOWN) {
            Some((end, _)) => format!("{}…", Harmless(&text[..end])),
            None => Harmless(text).to_string(),
        },
        error: Box::new(error),
    })
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Vec<u8>, CliError> {
    let file = File::open(path).map_err(CliError::io("open", path))?;
    limited(file, limit, path.display().to_string())?.map_err(CliError::io("read", path))
}

/// The outer error is that it is too long.
fn limited(from: impl Read, limit: usize, origin: String) -> Result<io::Result<Vec<u8>>, CliError> {
    let mut bytes = Vec::new();
    // One byte more than the limit shows that it is exceeded.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match from.take(most).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() > limit => Err(CliError::TooLong { origin, limit }),
        Ok(_) => Ok(Ok(bytes)),
        Err(error) => Ok(Err(error)),
    }
}

/// Reads standard input to its end.
///
/// # Cancel safety
///
/// A thread goes on reading when the future is dropped; the process can end meanwhile.
pub(crate) async fn standard_input(limit: usize) -> Result<Content, CliError> {
    let failed = |source| CliError::System {
        operation: "read standard input",
        source,
    };
    let reading =
        tokio::task::spawn_blocking(move || limited(io::stdin().lock(), limit, STDIN.to_owned()));
    let bytes = reading
        .await
        .map_err(|error| failed(error.into()))??
        .map_err(failed)?;
    let is_torrent = begins_like_a_torrent(&bytes);
    match String::from_utf8(bytes) {
        Ok(text) if !is_torrent => Ok(Content::Text(text)),
        Ok(text) => Ok(Content::Torrents(torrents(text.as_bytes()))),
        // Anything else goes to the torrent parser, which reports its error.
        Err(error) => Ok(Content::Torrents(torrents(error.as_bytes()))),
    }
}

/// A torrent is a dictionary, and no source begins like one: a file "d8:…" would have to.
fn begins_like_a_torrent(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'd') && bytes.get(1).is_some_and(u8::is_ascii_digit)
}

/// Torrent files that were put one behind the other, as `cat *.torrent` does. Data that is no torrent is left in one
/// piece, so that the torrent parser reports its error.
fn torrents(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut torrents = Vec::new();
    loop {
        // A torrent may be decoded further than it is canonical: where it ends is all that is asked here.
        let end = decode_prefix(bytes, &Options::lenient()).map_or(bytes.len(), |(_, end)| end);
        let (torrent, rest) = bytes.split_at(end);
        torrents.push(torrent.to_owned());
        bytes = rest.trim_ascii_start();
        // Other bytes after a torrent are accepted, as they are in a file.
        if !begins_like_a_torrent(bytes) {
            return torrents;
        }
    }
}

async fn fetch(url: &str, via: Via<'_>, progress: &Progress) -> Result<Vec<u8>, CliError> {
    let fetching = get(url, Limits::default().len, via);
    tokio::pin!(fetching);
    tokio::select! {
        fetched = &mut fetching => return fetched,
        () = tokio::time::sleep(SLOW) => progress.note(format_args!("fetching {url} …")),
    }
    fetching.await
}

/// Waits until an interface is there: nothing is fetched by another one.
pub(crate) async fn until_there(interface: &Interface) {
    while !interface.refresh() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The ways of a request: through a proxy, by an interface.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Via<'a> {
    proxy: Option<&'a Proxy>,
    interface: Option<&'a Interface>,
}

impl<'a> Via<'a> {
    /// As the flags say.
    pub(crate) const fn of(network: &'a Network) -> Self {
        Self {
            proxy: network.proxy.as_ref(),
            interface: network.interface.as_ref(),
        }
    }

    /// Through a proxy, or by an interface.
    pub(crate) const fn through(
        proxy: Option<&'a Proxy>,
        interface: Option<&'a Interface>,
    ) -> Self {
        Self { proxy, interface }
    }
}

/// Fetches what a URL that the user named leads to, through the proxy or that of the environment.
pub(crate) async fn get(url: &str, limit: usize, via: Via<'_>) -> Result<Vec<u8>, CliError> {
    let failed = |error: HttpError| match error.into_kind() {
        ErrorKind::TooLong { limit } => CliError::TooLong {
            origin: url.to_owned(),
            limit,
        },
        kind => CliError::Fetch {
            url: url.to_owned(),
            reason: reason(kind),
        },
    };
    let mut config = ClientConfig::default()
        .timeout(FETCH_WITHIN)
        .connect_timeout(CONNECT_WITHIN)
        .read_timeout(SILENT_FOR)
        .max_body_len(limit)
        .max_redirects(MAX_REDIRECTS)
        .allow_downgrade(true)
        .address_policy(AddressPolicy::outward_redirects())
        .root_certificates(&authorities::read()?)
        .proxy(via.proxy.map_or_else(HttpProxy::from_env, HttpProxy::from));
    if let Some(interface) = via.interface {
        until_there(interface).await;
        config = config.interface(interface.clone());
    }
    let request = Client::new(config)
        .get(url)
        .trust(UrlTrust::Named)
        .header(header::ACCEPT, HeaderValue::from_static("*/*"));
    let response = request.send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Err(CliError::Fetch {
            url: url.to_owned(),
            reason: format!("the server answered {}", response.status()),
        });
    }
    response.bytes().await.map_err(failed)
}

/// The cause of a failed fetch, for an error that already names the URL.
fn reason(error: ErrorKind) -> String {
    match error {
        ErrorKind::Timeout { .. }
        | ErrorKind::Io {
            kind: io::ErrorKind::TimedOut,
            ..
        } => "no answer in time".to_owned(),
        ErrorKind::TooManyRedirects { .. } => "too many redirects".to_owned(),
        ErrorKind::InvalidUrl { reason } | ErrorKind::Tls { reason } => reason,
        ErrorKind::Io { message, .. } => message,
        other => other.to_string(),
    }
}
