//! The inputs and outputs of a torrent's state machine.

use std::fmt;
use std::net::SocketAddr;

use tailwater_metainfo::{PeerId, PieceIndex};

use super::{ConnectionKind, Origin, PeerKey, ReaderKey};
use crate::peer::{Command, Direction};

/// A peer whose handshake is done.
#[derive(Clone, Copy, Debug)]
pub struct NewPeer {
    /// The other end of the connection.
    pub addr: SocketAddr,
    /// Its peer id.
    pub id: PeerId,
    /// The side that opened the connection.
    pub direction: Direction,
    /// Both sides speak the fast extension (BEP 6).
    pub fast: bool,
    /// How it is connected.
    pub kind: ConnectionKind,
}

/// Why a peer is refused or disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is ourselves.
    Ourselves,
    /// We are connected to it already.
    Duplicate,
    /// Its address is banned.
    Banned,
    /// The torrent has as many peers as it may.
    TooManyPeers,
    /// The torrent has as many peers as it may, this one is of no use just now, and another has come that may be.
    Outranked,
    /// Its address, or its /64 of IPv6, has as many connections as one may have.
    TooManyOfAddress,
    /// Nothing has moved, and neither side has wanted anything, for a long time.
    Inactive,
    /// It belongs to a tracker that has been left, and the torrent is private (BEP 27).
    OtherTracker,
    /// Neither side has anything that the other lacks.
    NothingToShare,
    /// The torrent contradicts itself and is given up.
    Contradiction,
}

/// The reason, for people: to be read after a colon.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ourselves => "it is this client",
            Self::Duplicate => "it is connected already",
            Self::Banned => "its address is banned",
            Self::TooManyPeers => "the torrent has its share of peers",
            Self::Outranked => "it is of no use now, and another peer may be",
            Self::TooManyOfAddress => "its address has as many connections as one may have",
            Self::Inactive => "nothing has moved for a long time",
            Self::OtherTracker => "it belongs to a tracker that has been left",
            Self::NothingToShare => "neither side has anything that the other lacks",
            Self::Contradiction => "the torrent contradicts itself",
        })
    }
}

/// An output of the torrent's state machine: what its driver is to do.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver has to handle every one: what is new breaks it on purpose"
)]
pub enum Output {
    /// Hand a command to a peer's connection.
    Command {
        /// Which peer's.
        peer: PeerKey,
        /// The command.
        command: Command,
    },
    /// Open a connection; answer with [`handle_connected`](super::Engine::handle_connected) or
    /// [`handle_connect_failed`](super::Engine::handle_connect_failed).
    Connect(SocketAddr),
    /// Close a connection; it is gone from the machine already.
    Disconnect {
        /// Which peer's.
        peer: PeerKey,
        /// Why.
        reason: Refusal,
    },
    /// Check the hashes of pieces, together if that is cheaper; answer for each with
    /// [`handle_verdict`](super::Engine::handle_verdict).
    Verify(Vec<PieceIndex>),
    /// The hashes of blocks of a piece have become known (BEP 52): judge those that are stored by them; answer for wrong ones
    /// with [`handle_wrong`](super::Engine::handle_wrong).
    Judge(PieceIndex),
    /// The hashes of the trees of these pieces of a hybrid torrent have become known after they were verified by their SHA-1
    /// (BEP 52): compare them again, in the background; where the hashes disagree, [`give_up`](super::Engine::give_up).
    Recheck(Vec<PieceIndex>),
    /// Take digests of a valid piece's blocks; answer with [`handle_digests`](super::Engine::handle_digests).
    Digest(PieceIndex),
    /// A reader waits for a piece that there is no room for; see [`Engine::wanted_space`](super::Engine::wanted_space).
    Starved(ReaderKey),
    /// A reader needs a piece that there is no room for: what only waits to be sent is to give its memory back.
    RoomNeeded,
    /// A notice that users may want to see.
    Notice(Notice),
}

/// A notice for users and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver has to handle every one: what is new breaks it on purpose"
)]
pub enum Notice {
    /// A piece is held and verified.
    PieceVerified(PieceIndex),
    /// A piece did not match its hash and is fetched again.
    PieceFailed(PieceIndex),
    /// A piece was evicted to make room for others.
    PieceEvicted(PieceIndex),
    /// An address or a web seed sent corrupt data and is banned.
    Banned(Origin),
    /// Every wanted piece is held.
    Completed,
    /// The last hashes that were missing have come (BEP 52).
    HashesKnown,
}

/// Why the torrent requests nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Halt {
    /// The user paused the torrent: nothing is requested, and no connection is made.
    Paused,
    /// The storage failed: nothing is requested until it works again.
    Storage,
    /// The two hashes of a piece of this hybrid torrent disagree (BEP 52): nothing is requested, sent or accepted, for ever.
    Contradiction,
}
