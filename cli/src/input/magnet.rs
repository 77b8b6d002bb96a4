//! Fetches the metadata of magnet links from peers, and shows the progress.

use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::{Duration, Instant};

use tailwater_metainfo::{Info, InfoHashes, Magnet, Metainfo};
use tailwater_serve::fetching::{Attempt, words};
use tailwater_session::{FetchProgress, Follow, MetadataFetch, Session};
use tokio::sync::watch;
use tokio::time::timeout;

use super::link::Link;
use crate::args::{Json, Network};
use crate::error::CliError;
use crate::json::Line;
use crate::known::About;
use crate::out::{self, Harmless};
use crate::progress::{OFTEN, Progress};

/// Time between two events about one fetch.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// A torrent, with the peers and the selection of its magnet link.
pub(crate) struct Loaded {
    pub(crate) metainfo: Metainfo,
    /// Peers to begin with.
    pub(crate) peers: Vec<SocketAddr>,
    /// Addresses that sent false metadata.
    pub(crate) banned: Vec<IpAddr>,
    /// The files that the link selects (BEP 53); `None` for all.
    pub(crate) selected: Option<Vec<usize>>,
}

impl Loaded {
    /// A torrent that needed no fetching.
    pub(crate) const fn of(metainfo: Metainfo) -> Self {
        Self {
            metainfo,
            peers: Vec::new(),
            banned: Vec::new(),
            selected: None,
        }
    }

    /// Whether no possible source of peers is known.
    pub(crate) fn is_lonely(&self, network: &Network) -> bool {
        // The DHT and the local network name no peers of private torrents (BEP 27).
        let is_searched = !self.metainfo.info().is_private() && is_searched(network);
        !is_searched
            && self.metainfo.trackers().is_empty()
            && self.metainfo.web_seeds().is_empty()
            && self.metainfo.http_seeds().is_empty()
            && self.peers.is_empty()
            && network.peer.is_empty()
    }
}

/// Where a fetch is shown.
#[derive(Clone, Debug)]
pub(crate) struct Audience {
    pub(crate) progress: Progress,
    /// Print events as JSON.
    pub(crate) json: Json,
    /// A receiver of its progress, such as the stream's page.
    pub(crate) seen: Option<watch::Sender<Attempt>>,
    /// How long it may have no peers before it is given up; `None` for no limit.
    pub(crate) patience: Option<Duration>,
}

/// Fetches the metadata of what a link names, however long it takes.
pub(crate) async fn fetch(
    session: &Session,
    link: &Link,
    network: &Network,
    audience: &Audience,
) -> Result<Loaded, CliError> {
    match link {
        Link::Torrent(magnet) => fetch_torrent(session, magnet, network, audience).await,
        Link::Published(published) => {
            let mut follow = session.follow(*published);
            let magnet = resolve(&mut follow, network, audience).await?;
            fetch_torrent(session, &magnet, network, audience).await
        }
    }
}

/// Waits for the next version of a publication, and names its torrent.
pub(crate) async fn resolve(
    follow: &mut Follow,
    network: &Network,
    audience: &Audience,
) -> Result<Magnet, CliError> {
    if network.no_dht {
        return Err(CliError::NeedsDht);
    }
    // While it waits for a newer version, the terminal shows the current one already.
    let meter = (!follow.has_found()).then(|| audience.progress.endless("publication"));
    if let Some(meter) = &meter {
        meter.set(0, "looking for it in the DHT");
    }
    let given_up = |waited| CliError::GivenUp {
        name: "publication".to_owned(),
        lack: "the DHT did not have it",
        waited,
    };
    // Once it was found, no newer version is no failure.
    let patience = audience.patience.filter(|_| !follow.has_found());
    let next = match patience {
        Some(patience) => {
            let waiting = timeout(patience, follow.next()).await;
            waiting.map_err(|_| given_up(patience))?
        }
        None => follow.next().await,
    };
    let found = next.ok_or(CliError::Interrupted)?;
    if audience.json.is_on() {
        if audience.json.has_events() {
            out::json(&Line::Publication(found))?;
        }
    } else {
        let (version, hash) = (found.version, found.info_hash);
        audience
            .progress
            .note(format_args!("version {version} is torrent {hash}"));
    }
    Ok(Magnet::new(InfoHashes {
        v1: Some(found.info_hash),
        v2: None,
    }))
}

/// Whether peers are looked for without trackers.
const fn is_searched(network: &Network) -> bool {
    !network.no_dht || !network.no_lsd
}

/// Fetches a torrent's metadata.
pub(crate) async fn fetch_torrent(
    session: &Session,
    magnet: &Magnet,
    network: &Network,
    audience: &Audience,
) -> Result<Loaded, CliError> {
    let name = name(magnet);
    let failed = |error| CliError::Metadata {
        name: name.clone(),
        error,
    };
    if let Some(info_hash) = magnet.hashes.wire() {
        // Trackers may answer before the torrent's own name is known.
        let about = About {
            name: name.clone(),
            ..About::default()
        };
        audience.progress.known().insert(info_hash, about);
    }
    let mut fetch = session.fetch(magnet);
    let is_named = !magnet.trackers.is_empty() || !magnet.peers.is_empty();
    if !is_named && network.peer.is_empty() && !is_searched(network) {
        audience.progress.note(format_args!(
            "warning: the link of {name} names no trackers and no peers: waiting for peers to connect; name one with `--peer HOST:PORT`"
        ));
    }
    // A fetch that is over already, because its metadata was saved, needs no peers.
    let peers = network.peers_by_addr().collect();
    let _ = fetch.add_peers(peers).await;
    follow(&mut fetch, &name, network, audience).await?;
    let metainfo = fetch.wait().await.map_err(failed)?;
    if audience.json.has_events() {
        out::json(&Line::metadata(
            fetch.info_hash(),
            &fetch.progress(),
            Some(&metainfo),
        ))?;
    }
    let selected = selected(metainfo.info(), magnet)?;
    Ok(Loaded {
        peers: fetch.peers(),
        banned: fetch.banned(),
        metainfo,
        selected,
    })
}

/// Shows the progress until the fetch ends.
async fn follow(
    fetch: &mut MetadataFetch,
    name: &str,
    network: &Network,
    audience: &Audience,
) -> Result<(), CliError> {
    let mut resolving = pin!(network.peers_by_name(&audience.progress));
    let mut is_resolved = false;
    let meter = audience.progress.meter(name, 0, OFTEN);
    meter.without_bar();
    let mut told: Option<(Instant, FetchProgress)> = None;
    let (mut blocks, mut alive_at) = (0, Instant::now());
    loop {
        let progress = fetch.progress();
        if progress.blocks_have > blocks {
            (blocks, alive_at) = (progress.blocks_have, Instant::now());
        }
        if let Some(patience) = audience.patience
            && alive_at.elapsed() >= patience
        {
            return Err(CliError::GivenUp {
                name: name.to_owned(),
                lack: "no metadata came",
                waited: patience,
            });
        }
        meter.set(0, words(&progress));
        if let Some(seen) = &audience.seen {
            seen.send_replace(Attempt {
                name: name.to_owned(),
                info_hash: Some(fetch.info_hash()),
                progress,
            });
        }
        let is_news = told.is_none_or(|(at, told)| at.elapsed() >= TELL_EVERY && told != progress);
        if audience.json.has_events() && is_news {
            out::json(&Line::metadata(fetch.info_hash(), &progress, None))?;
            told = Some((Instant::now(), progress));
        }
        // A delayed event is printed when its time has come.
        tokio::select! {
            changed = timeout(TELL_EVERY, fetch.changed()) => {
                if let Ok(Err(_)) = changed {
                    return Ok(());
                }
            }
            peers = &mut resolving, if !is_resolved => {
                is_resolved = true;
                let _ = fetch.add_peers(peers).await;
            }
        }
    }
}

/// The link's name, or else its hash, safe to print.
pub(crate) fn name(magnet: &Magnet) -> String {
    let hash = || magnet.hashes.wire().map(|hash| hash.to_string());
    let name = magnet.name.clone().or_else(hash).unwrap_or_default();
    Harmless(&name).to_string()
}

/// The files of `so`. Numbers beyond the torrent's files mean nothing (BEP 53).
fn selected(info: &Info, magnet: &Magnet) -> Result<Option<Vec<usize>>, CliError> {
    if magnet.select_only.is_empty() {
        return Ok(None);
    }
    let files = (0_u32..).zip(info.files().iter().enumerate());
    let selected: Vec<_> = files
        .filter(|(number, (_, file))| magnet.selects(*number) && !file.is_pad())
        .map(|(_, (index, _))| index)
        .collect();
    match selected.is_empty() {
        true => Err(CliError::NothingSelected(info.name().to_owned())),
        false => Ok(Some(selected)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_strangers_are_made_harmless() {
        let link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567";
        let named = |more: &str| name(&format!("{link}{more}").parse().unwrap());
        assert_eq!(named(""), "0123456789abcdef0123456789abcdef01234567");
        assert_eq!(named("&dn=a%1b%5b2J"), "a\\u{1b}[2J");
    }
}
