//! Local service discovery (BEP 14): a task that announces the session's public torrents by multicast, and receives the
//! announces of neighbours.

mod group;
mod interfaces;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tailwater_wire::LsdGroup;
use tailwater_wire::limits::MAX_LSD_LEN;
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use self::group::Group;
use self::interfaces::Surroundings;
use crate::discovery::local::{Ignored, LocalDiscovery};
use crate::driver::message::TorrentMessage;
use crate::driver::registry::Registry;
use crate::torrent::PeerSource;
use crate::transport::Uplink;

/// How often the interfaces are looked at: machines move.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Announces and listens until the session closes.
///
/// `listen` is where the session takes connections: only interfaces on which it does are used, and without it nothing
/// is announced. Private torrents are neither announced nor given peers (BEP 27): the registry keeps them back. A
/// failure is a debug line, and is tried again when the interfaces are looked at.
pub(crate) async fn run(
    registry: Arc<Registry>,
    listen: Option<SocketAddr>,
    seed: u64,
    link: Uplink,
    closing: CancellationToken,
) {
    let port = listen.map(|addr| addr.port());
    let task = Task {
        machine: LocalDiscovery::new(port, seed),
        registry,
        listen,
        link,
        v4: None,
        v6: None,
        around: Surroundings::default(),
    };
    tokio::select! {
        () = closing.cancelled() => {}
        () = task.run() => {}
    }
}

struct Task {
    machine: LocalDiscovery,
    registry: Arc<Registry>,
    listen: Option<SocketAddr>,
    link: Uplink,
    v4: Option<Group>,
    v6: Option<Group>,
    around: Surroundings,
}

impl Task {
    async fn run(mut self) {
        let mut changes = self.registry.subscribe();
        changes.mark_changed();
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once. It comes before the torrents: what is sent before the interfaces are known is lost.
        look.tick().await;
        self.look_around().await;
        // One byte more than is read, so that a packet that was cut is known for too long.
        let (mut v4, mut v6) = ([0; MAX_LSD_LEN + 1], [0; MAX_LSD_LEN + 1]);
        loop {
            let now = Instant::now();
            while let Some(announce) = self.machine.poll_transmit(now) {
                tracing::debug!(torrents = announce.info_hashes.len(), "a local announce");
                for group in [&self.v4, &self.v6].into_iter().flatten() {
                    group.send(&announce, &self.around);
                }
            }
            let wake = self.machine.poll_timeout();
            tokio::select! {
                _ = look.tick() => self.look_around().await,
                () = self.link.changed() => {
                    (self.v4, self.v6) = (None, None);
                    self.look_around().await;
                }
                changed = changes.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let torrents = self.registry.public_torrents();
                    self.machine.handle_torrents(Instant::now(), &torrents);
                }
                received = receive(self.v4.as_ref(), &mut v4) => match received {
                    Some((len, from)) => self.hear(from, &v4[..len]),
                    None => self.v4 = None,
                },
                received = receive(self.v6.as_ref(), &mut v6) => match received {
                    Some((len, from)) => self.hear(from, &v6[..len]),
                    None => self.v6 = None,
                },
                () = sleep_until(wake.unwrap_or(now).into()), if wake.is_some() => {}
            }
        }
    }

    /// Lists the interfaces, and joins the groups on those that are new.
    async fn look_around(&mut self) {
        let (listen, interface) = (self.listen, self.link.interface().cloned());
        if !self.link.is_up() {
            // Without neighbours, nothing is sent.
            self.around = Surroundings::default();
            return self.machine.handle_networks(Instant::now(), Vec::new());
        }
        // Some systems take their time to tell.
        let looking =
            tokio::task::spawn_blocking(move || Surroundings::look(listen, interface.as_ref()));
        let around = match looking.await {
            Ok(around) => around,
            Err(error) => return tracing::debug!("looking at the interfaces: {error}"),
        };
        let has_changed = around != self.around;
        let networks = around.networks.clone();
        self.around = around;
        let has_v4 = open(&mut self.v4, LsdGroup::V4, &self.link);
        let has_v6 = open(&mut self.v6, LsdGroup::V6, &self.link);
        for (group, is_new) in [(&self.v4, has_v4), (&self.v6, has_v6)] {
            if let Some(group) = group.as_ref().filter(|_| is_new || has_changed) {
                group.join(&self.around);
            }
        }
        self.machine.handle_networks(Instant::now(), networks);
    }

    /// Passes a neighbour on to the torrents that it has.
    fn hear(&mut self, from: SocketAddr, packet: &[u8]) {
        let found = match self.machine.handle_packet(Instant::now(), from, packet) {
            Ok(found) => found,
            // These come all the time.
            Err(reason @ (Ignored::Own | Ignored::OtherTorrents)) => {
                return tracing::trace!(%from, "a local announce is ignored: {reason}");
            }
            Err(reason) => return tracing::debug!(%from, "a local announce is ignored: {reason}"),
        };
        for info_hash in found.info_hashes {
            tracing::debug!(%info_hash, peer = %found.addr, "a local peer");
            if let Some(messages) = self.registry.find_public(info_hash) {
                // A torrent whose queue is full gets this neighbour with its next announce.
                let _ = messages.try_send(TorrentMessage::Candidates(
                    PeerSource::Local,
                    vec![found.addr],
                ));
            }
        }
    }
}

/// Opens the group's socket if it is not open. Whether it has been opened now.
fn open(group: &mut Option<Group>, which: LsdGroup, link: &Uplink) -> bool {
    if group.is_some() {
        return false;
    }
    match Group::open(which, link) {
        Ok(opened) => *group = Some(opened),
        Err(error) => tracing::debug!(?which, "no local discovery: {error}"),
    }
    group.is_some()
}

/// The next packet of a group, if there is a socket; `None` when that has failed.
async fn receive(group: Option<&Group>, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
    let Some(group) = group else {
        return std::future::pending().await;
    };
    let received = group.receive(buf).await;
    received
        .inspect_err(|error| tracing::debug!("local discovery: {error}"))
        .ok()
}
