//! The other clients, behind one face.

use std::net::SocketAddr;
use std::path::Path;

use crate::ours::Ours;
use crate::place::Place;
use crate::process::Process;
use crate::{aria2, libtorrent, transmission};

/// Another client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Libtorrent,
    Transmission,
    Aria2,
}

/// A client that runs.
pub(crate) struct Peer {
    pub(crate) process: Process,
    /// Where it listens for peers.
    pub(crate) addr: SocketAddr,
    client: Client,
}

impl Client {
    /// Seeds the payload; returns when the client has checked it and answers.
    pub(crate) fn seed(self, place: &Place, torrent: &Path) -> Peer {
        let (process, addr) = match self {
            Self::Libtorrent => libtorrent::seed(torrent, &place.data(), &[]),
            Self::Transmission => transmission::seed(place, torrent),
            Self::Aria2 => aria2::seed(torrent, &place.data()),
        };
        let client = self;
        Peer {
            process,
            addr,
            client,
        }
    }

    /// Downloads into `out` from those that the tracker names or that connect.
    pub(crate) fn leech(self, place: &Place, torrent: &Path, out: &Path) -> Peer {
        let (process, addr) = match self {
            Self::Libtorrent => libtorrent::leech(torrent, out, &[]),
            Self::Transmission => transmission::leech(place, torrent, out),
            Self::Aria2 => aria2::leech(torrent, out),
        };
        let client = self;
        Peer {
            process,
            addr,
            client,
        }
    }

    /// Downloads into `out` from the session that `start` starts, by the way that this client can be led to it. `start`
    /// gets the torrent to use and the peers to connect to, and returns when the session has the payload.
    pub(crate) fn leech_from(
        self,
        place: &Place,
        out: &Path,
        start: impl FnOnce(&Path, &[SocketAddr]) -> Ours,
    ) {
        match self {
            Self::Libtorrent => {
                let torrent = place.torrent(&[]);
                let ours = start(&torrent, &[]);
                let (process, addr) = libtorrent::leech(&torrent, out, &[ours.addr]);
                let client = self;
                Peer {
                    process,
                    addr,
                    client,
                }
                .complete(place, out);
            }
            // It takes no address of a peer; a tracker names us.
            Self::Aria2 => {
                let (_tracker, url) = place.tracker();
                let torrent = place.torrent(&[&url]);
                let ours = start(&torrent, &[]);
                ours.event("tracker_answered");
                self.leech(place, &torrent, out).complete(place, out);
            }
            // It takes no address of a peer, and none on loopback from a tracker: we connect to it.
            Self::Transmission => {
                let torrent = place.torrent(&[]);
                let peer = self.leech(place, &torrent, out);
                let _ours = start(&torrent, &[peer.addr]);
                peer.complete(place, out);
            }
        }
    }
}

impl Peer {
    /// Waits until it has everything in `out`, which must be the payload.
    #[track_caller]
    pub(crate) fn complete(mut self, place: &Place, out: &Path) {
        match self.client {
            Client::Libtorrent => libtorrent::complete(&self.process),
            Client::Transmission => transmission::complete(&self.process),
            Client::Aria2 => aria2::complete(&mut self.process),
        }
        match self.client {
            Client::Transmission => place.assert_arrived_but_for_empty_files(out),
            Client::Libtorrent | Client::Aria2 => place.assert_arrived(out),
        }
    }
}
