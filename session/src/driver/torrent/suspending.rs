//! Suspends a torrent while its files are worked on, and keeps what it resumes with.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use super::{Running, TorrentTask};
use crate::driver::message::{Request, TorrentMessage};
use crate::driver::upkeep::Upkeep;
use crate::torrent::{ReaderConfig, ReaderKey, ReaderUpdate, Stats};

/// Why a torrent has stopped running.
pub(crate) enum Ended {
    /// It is closed.
    Closed,
    /// Its files are worked on.
    Suspended(Box<Suspended>),
}

/// A suspended torrent, whose files are worked on.
pub(crate) struct Suspended {
    pub(crate) task: TorrentTask,
    pub(crate) upkeep: Upkeep,
    pub(crate) continued: Continued,
}

/// The state that a torrent resumes with.
#[derive(Default)]
pub(crate) struct Continued {
    /// Peers that the user named.
    pub(super) peers: Vec<SocketAddr>,
    /// Peers that the torrent was connected with.
    pub(super) connected: Vec<SocketAddr>,
    pub(super) readers: Vec<(ReaderKey, ReaderConfig, ReaderUpdate)>,
    /// What was asked meanwhile.
    pub(super) deferred: Vec<Request>,
    pub(super) transferred: Transferred,
}

/// The transfer totals of the torrent's earlier state machines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transferred {
    downloaded: u64,
    uploaded: u64,
    wasted: u64,
}

impl Transferred {
    pub(super) const fn plus(self, mut stats: Stats) -> Stats {
        stats.downloaded += self.downloaded;
        stats.uploaded += self.uploaded;
        stats.wasted += self.wasted;
        stats
    }

    pub(super) const fn with(self, (downloaded, uploaded): (u64, u64)) -> (u64, u64) {
        (downloaded + self.downloaded, uploaded + self.uploaded)
    }
}

impl Continued {
    /// A torrent that begins with these peers.
    pub(crate) fn with_peers(peers: Vec<SocketAddr>) -> Self {
        Self {
            peers,
            ..Self::default()
        }
    }
}

impl Running {
    /// Ends every connection and waits for it. Requests of handles are kept meanwhile.
    pub(super) async fn suspend(
        mut self: Box<Self>,
        upkeep: Upkeep,
        messages: VecDeque<TorrentMessage>,
    ) -> Suspended {
        let now = Instant::now();
        let peers = self.engine.peer_stats(now);
        let connected = peers.iter().filter_map(|peer| peer.dial_addr).collect();
        let readers = self.engine.readers();
        let stats = self.before.plus(self.engine.stats(now));
        self.engine.handle_closing();
        self.carry_out(now);
        self.publish(now);
        for (_, link) in self.links.drain() {
            link.mailbox.close();
        }
        self.ending.cancel();
        self.tasks.close();
        let mut deferred = Vec::new();
        // Connections wait for their facts to be handled, or for them to be dropped.
        messages.into_iter().for_each(|it| keep(&mut deferred, it));
        loop {
            tokio::select! {
                biased;
                Some(message) = self.task.messages.recv() => keep(&mut deferred, message),
                () = self.tasks.wait() => break,
            }
        }
        self.task.web_seeds.stop();
        Suspended {
            task: self.task,
            upkeep,
            continued: Continued {
                peers: self.peers,
                connected,
                readers,
                deferred,
                transferred: Transferred {
                    downloaded: stats.downloaded,
                    uploaded: stats.uploaded,
                    wasted: stats.wasted,
                },
            },
        }
    }
}

/// Keeps a request of a handle; messages of connections and trackers are of no use when the connections are gone.
fn keep(deferred: &mut Vec<Request>, message: TorrentMessage) {
    if let TorrentMessage::Request(request) = message {
        deferred.push(request);
    }
}
