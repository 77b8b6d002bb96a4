//! The other clients behind one interface.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::discovery_lab::Machine;
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

/// Where a client runs and by what it may find peers: on loopback, and by nothing but what it is told, unless set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setting<'a> {
    /// A machine that it has for itself.
    pub(crate) machine: Option<&'a Machine>,
    /// Nodes to begin with in the DHT.
    pub(crate) dht: &'a [SocketAddr],
    /// Peer exchange. Ours does it in any case.
    pub(crate) exchange: bool,
    /// Local discovery.
    pub(crate) local: bool,
    /// Next to nothing is sent of the payload, and it takes its time to come.
    pub(crate) mean: bool,
    /// The most bytes a second that libtorrent sends.
    pub(crate) max_up: Option<&'a str>,
    /// Encryption (MSE): by the client's own default, unless set. Ours has an option of its own.
    pub(crate) encrypted: Option<After>,
    /// Connections over uTP alone. Otherwise over TCP alone.
    pub(crate) utp: bool,
}

/// What a client insists on after an encrypted handshake; it takes no plain one then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// RC4.
    Rc4,
    /// Plaintext, where the client can choose it; the others leave it open.
    Plaintext,
}

impl<'a> Setting<'a> {
    pub(crate) fn on(machine: &'a Machine) -> Self {
        Self {
            machine: Some(machine),
            ..Self::default()
        }
    }

    /// A client that takes encrypted handshakes alone.
    pub(crate) fn encrypted(after: After) -> Self {
        Self {
            encrypted: Some(after),
            ..Self::default()
        }
    }

    /// A client that speaks uTP alone.
    pub(crate) fn utp() -> Self {
        Self {
            utp: true,
            ..Self::default()
        }
    }

    /// A command that runs `program` there.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        match self.machine {
            Some(machine) => machine.command(program),
            None => Command::new(program),
        }
    }
}

/// The upload limit of a slow client, in bytes a second: enough for the protocol, and any payload here takes hours.
pub(crate) const MEAN_UP: &str = "2048";

/// The download limit of a slow client, in bytes a second: it stays connected to a seeder for longer than a test runs.
pub(crate) const MEAN_DOWN: &str = "32768";

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
        self.seed_in(Setting::default(), place, torrent)
    }

    /// The same in a setting.
    pub(crate) fn seed_in(self, setting: Setting<'_>, place: &Place, torrent: &Path) -> Peer {
        let (process, addr) = match self {
            Self::Libtorrent => libtorrent::seed_in(setting, torrent, &place.data(), &[]),
            Self::Transmission => transmission::seed(setting, place, torrent),
            Self::Aria2 => aria2::seed(setting, torrent, &place.data()),
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
        self.leech_in(Setting::default(), place, torrent, out)
    }

    /// The same in a setting, by whatever it finds peers there.
    pub(crate) fn leech_in(
        self,
        setting: Setting<'_>,
        place: &Place,
        torrent: &Path,
        out: &Path,
    ) -> Peer {
        let (process, addr) = match self {
            Self::Libtorrent => libtorrent::leech_in(setting, torrent, out, &[]),
            Self::Transmission => transmission::leech(setting, place, torrent, out),
            Self::Aria2 => aria2::leech(setting, torrent, out),
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
        self.leech_from_in(Setting::default(), place, out, start);
    }

    /// The same in a setting.
    pub(crate) fn leech_from_in(
        self,
        setting: Setting<'_>,
        place: &Place,
        out: &Path,
        start: impl FnOnce(&Path, &[SocketAddr]) -> Ours,
    ) {
        match self {
            Self::Libtorrent => {
                let torrent = place.torrent(&[]);
                let ours = start(&torrent, &[]);
                let (process, addr) = libtorrent::leech_in(setting, &torrent, out, &[ours.addr]);
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
                ours.event_by_now("tracker_answered");
                let peer = self.leech_in(setting, place, &torrent, out);
                peer.complete(place, out);
            }
            // It takes no address of a peer, and none on loopback from a tracker: we connect to it.
            Self::Transmission => {
                let torrent = place.torrent(&[]);
                let peer = self.leech_in(setting, place, &torrent, out);
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
