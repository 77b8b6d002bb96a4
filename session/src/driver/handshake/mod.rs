//! Handshakes (BEP 3), plain or encrypted (MSE): from an address or an accepted connection to a peer whose id and
//! extensions are known.
//!
//! | question | file |
//! |---|---|
//! | Which handshake does an outgoing connection try first, and what when it fails? | `dial.rs` |
//! | How is an incoming connection answered? | here, [`answer`] |
//! | Under which name of a hybrid torrent do both sides meet? | here, [`Ours`] |
//! | How is an encrypted handshake done? | `encrypted.rs`; the state machines are `tailwater_wire::mse` |
//! | What can encrypted handshakes cost us? | `budget.rs` |

mod budget;
mod dial;
mod encrypted;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::RwLock;
use tailwater_metainfo::{InfoHash, InfoHashes, PeerId};
use tailwater_wire::limits::HANDSHAKE_LEN;
use tailwater_wire::mse::{self, MseError};
use tailwater_wire::{Handshake, HandshakeError, Reserved};
use tokio::time::timeout;

use super::permits::ConnectionPermit;
use super::registry::Registry;
use crate::encryption::Encryption;
use crate::peer::Direction;
use crate::torrent::{ConnectionKind, Encrypted};
use crate::transport::{ConnectError, Stream};

pub(crate) use budget::ExchangeBudget;
pub(crate) use dial::PeerDialer;

/// Time for both handshakes to pass, after the connection has been made.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of handshakes, which can be changed while the session runs. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct HandshakeSettings {
    encryption: Arc<RwLock<Encryption>>,
}

impl HandshakeSettings {
    pub(crate) fn new(encryption: Encryption) -> Self {
        Self {
            encryption: Arc::new(RwLock::new(encryption)),
        }
    }

    pub(crate) fn encryption(&self) -> Encryption {
        *self.encryption.read()
    }

    pub(crate) fn set_encryption(&self, encryption: Encryption) {
        *self.encryption.write() = encryption;
    }
}

/// The content of our handshakes for a torrent.
///
/// A hybrid torrent has a name in each of two swarms (BEP 52). We dial under the v1 name and say by a reserved bit that we
/// know the other: the peer may answer under it, which changes the connection over to v2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ours {
    pub(crate) hashes: InfoHashes,
    pub(crate) peer_id: PeerId,
    pub(crate) reserved: Reserved,
}

impl Ours {
    /// The handshake that opens a connection under this name, or answers one.
    fn under(&self, name: InfoHash) -> Handshake {
        let is_upgradable = self.hashes.v2.is_some() && !self.hashes.is_v2(name);
        let reserved = match is_upgradable {
            true => self.reserved | Reserved::V2,
            false => self.reserved,
        };
        Handshake {
            reserved,
            info_hash: name,
            peer_id: self.peer_id,
        }
    }

    /// The answer to a handshake that came: under the same name, or under the v2 name if the peer can change over to it.
    /// A peer that sets the bit for a torrent that we know as a v1 torrent alone is answered as any other.
    fn answer(&self, theirs: &Handshake) -> Handshake {
        let changes_over = theirs.reserved.v2() && !self.hashes.is_v2(theirs.info_hash);
        let upgrade = self.hashes.upgrade().filter(|_| changes_over);
        self.under(upgrade.unwrap_or(theirs.info_hash))
    }

    /// Whether a peer may answer a handshake under `name` with this one.
    fn accepts(&self, name: InfoHash, answer: &Handshake) -> bool {
        answer.info_hash == name || self.hashes.upgrade() == Some(answer.info_hash)
    }
}

/// A peer that has completed its handshake.
#[derive(Debug)]
pub(crate) struct Handshaken {
    pub(crate) stream: Stream,
    pub(crate) addr: SocketAddr,
    pub(crate) id: PeerId,
    pub(crate) direction: Direction,
    /// The extensions that both sides support.
    pub(crate) agreed: Reserved,
    /// Both sides met under the v2 name of the torrent, so that they exchange hashes (BEP 52).
    pub(crate) v2: bool,
    pub(crate) encrypted: Encrypted,
    /// Bytes that were received behind the handshake.
    pub(crate) received: BytesMut,
    /// Given back after the socket.
    pub(crate) permit: ConnectionPermit,
}

impl Handshaken {
    /// How it is connected.
    pub(crate) const fn kind(&self) -> ConnectionKind {
        ConnectionKind {
            transport: self.stream.transport(),
            encrypted: self.encrypted,
        }
    }
}

/// An incoming connection before its handshake.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) stream: Stream,
    pub(crate) addr: SocketAddr,
    pub(crate) permit: ConnectionPermit,
}

/// Why a dial did not lead to a peer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Encryption(#[from] MseError),
    #[error("its handshake is not encrypted, which is required")]
    PlainRefused,
    #[error("its handshake is encrypted or no handshake, and encryption is off")]
    EncryptionRefused,
    #[error("too many encrypted handshakes in a short time")]
    TooManyExchanges,
    #[error("its address is filtered")]
    Filtered,
    #[error("it hung up during the handshake")]
    HungUp,
    #[error("it serves another torrent")]
    WrongTorrent,
    #[error("it asked for a torrent that we do not have")]
    UnknownTorrent,
}

/// Answers an incoming connection: plain or encrypted, which its first bytes tell. `desk` finds the torrent.
pub(crate) async fn answer(
    mut call: Call,
    desk: &Desk<'_>,
) -> Result<(InfoHash, Handshaken), DialError> {
    let stream = &mut call.stream;
    let exchange = async {
        let opened = open(stream, call.addr.ip(), desk).await?;
        let (theirs, received) = receive(stream, opened.received).await?;
        if opened
            .info_hash
            .is_some_and(|named| named != theirs.info_hash)
        {
            return Err(DialError::WrongTorrent);
        }
        let ours = desk
            .find(theirs.info_hash)
            .ok_or(DialError::UnknownTorrent)?;
        let answer = ours.answer(&theirs);
        stream.write_all(&answer.to_bytes()).await?;
        let is_v2 = ours.hashes.is_v2(answer.info_hash);
        Ok((theirs, answer, is_v2, opened.encrypted, received))
    };
    let (theirs, answer, is_v2, encrypted, received) = within(HANDSHAKE_TIMEOUT, exchange).await?;
    let peer = Handshaken {
        stream: call.stream,
        addr: call.addr,
        id: theirs.peer_id,
        direction: Direction::Incoming,
        agreed: theirs.reserved & answer.reserved,
        v2: is_v2,
        encrypted,
        received,
        permit: call.permit,
    };
    Ok((theirs.info_hash, peer))
}

/// What answers incoming handshakes: the torrents, and the settings.
pub(crate) struct Desk<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) reserved: Reserved,
    pub(crate) settings: &'a HandshakeSettings,
    pub(crate) budget: &'a ExchangeBudget,
}

impl Desk<'_> {
    /// Our side of handshakes for a torrent, if there is one that takes incoming connections.
    fn find(&self, name: InfoHash) -> Option<Ours> {
        Some(Ours {
            hashes: self.registry.accepts(name)?,
            peer_id: self.registry.peer_id(),
            reserved: self.reserved,
        })
    }
}

/// An incoming connection, as far as its encryption is agreed upon.
struct Opened {
    encrypted: Encrypted,
    /// The torrent that an encrypted handshake named.
    info_hash: Option<InfoHash>,
    received: BytesMut,
}

async fn open(stream: &mut Stream, ip: IpAddr, desk: &Desk<'_>) -> Result<Opened, DialError> {
    let policy = desk.settings.encryption();
    let mut received = BytesMut::with_capacity(HANDSHAKE_LEN.max(mse::PUBLIC_KEY_LEN));
    let is_plain = loop {
        if let Some(is_plain) = mse::is_plain_handshake(&received) {
            break is_plain;
        }
        read(stream, &mut received).await?;
    };
    match (is_plain, policy) {
        (true, Encryption::Require) => return Err(DialError::PlainRefused),
        (true, _) => {
            return Ok(Opened {
                encrypted: Encrypted::Nothing,
                info_hash: None,
                received,
            });
        }
        (false, Encryption::Off) => return Err(DialError::EncryptionRefused),
        (false, _) => {}
    }
    // Nothing is computed for a stranger before the whole public key is there, and not for too many.
    while received.len() < mse::PUBLIC_KEY_LEN {
        read(stream, &mut received).await?;
    }
    if !desk.budget.take(ip) {
        return Err(DialError::TooManyExchanges);
    }
    let find = |obfuscated: &[u8; 20]| desk.registry.reveal(obfuscated);
    let (info_hash, secured) = encrypted::respond(stream, received, policy, find).await?;
    Ok(Opened {
        encrypted: secured.encrypted,
        info_hash: Some(info_hash),
        received: secured.received,
    })
}

/// The extensions that we support; the DHT only if the session has a node.
pub(crate) const fn reserved(dht: bool) -> Reserved {
    let always = Reserved::EXTENSION_PROTOCOL.union(Reserved::FAST);
    match dht {
        true => always.union(Reserved::DHT),
        false => always,
    }
}

/// Waits for the peer's handshake; `received` is what has come so far.
async fn receive(
    stream: &mut Stream,
    mut received: BytesMut,
) -> Result<(Handshake, BytesMut), DialError> {
    loop {
        if let Some(handshake) = Handshake::decode(&mut received)? {
            return Ok((handshake, received));
        }
        read(stream, &mut received).await?;
    }
}

async fn read(stream: &mut Stream, received: &mut BytesMut) -> Result<(), DialError> {
    received.reserve(HANDSHAKE_LEN);
    match stream.read_buf(received).await? {
        0 => Err(DialError::HungUp),
        _ => Ok(()),
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, DialError>>,
) -> Result<T, DialError> {
    timeout(limit, work)
        .await
        .unwrap_or(Err(DialError::TimedOut(limit)))
}
