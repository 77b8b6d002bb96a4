//! Handshakes (BEP 3): from an address or an accepted connection to a peer whose id and extensions are known.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tailwater_metainfo::{InfoHash, PeerId};
use tailwater_wire::limits::HANDSHAKE_LEN;
use tailwater_wire::{Handshake, HandshakeError, Reserved};
use tokio::time::timeout;

use super::permits::ConnectionPermit;
use crate::peer::Direction;
use crate::transport::{ConnectError, Dialer, Stream};

/// Time for both handshakes to pass, after the connection has been made.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The content of our handshake.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ours {
    pub(crate) info_hash: InfoHash,
    pub(crate) peer_id: PeerId,
    pub(crate) reserved: Reserved,
}

impl From<Ours> for Handshake {
    fn from(ours: Ours) -> Self {
        Self {
            reserved: ours.reserved,
            info_hash: ours.info_hash,
            peer_id: ours.peer_id,
        }
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
    /// Bytes that were received behind the handshake.
    pub(crate) received: BytesMut,
    /// Given back after the socket.
    pub(crate) permit: ConnectionPermit,
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
    #[error("it hung up during the handshake")]
    HungUp,
    #[error("it serves another torrent")]
    WrongTorrent,
    #[error("it asked for a torrent that we do not have")]
    UnknownTorrent,
}

/// Connects to an address and shakes hands. The caller holds the permit already.
pub(crate) async fn dial(
    dialer: &Dialer,
    addr: SocketAddr,
    ours: Ours,
    permit: ConnectionPermit,
) -> Result<Handshaken, DialError> {
    let mut stream = dialer.connect(addr).await?;
    let exchange = async {
        stream.write_all(&Handshake::from(ours).to_bytes()).await?;
        receive(&mut stream).await
    };
    let (theirs, received) = within(HANDSHAKE_TIMEOUT, exchange).await?;
    if theirs.info_hash != ours.info_hash {
        return Err(DialError::WrongTorrent);
    }
    Ok(Handshaken {
        stream,
        addr,
        id: theirs.peer_id,
        direction: Direction::Outgoing,
        agreed: theirs.reserved & ours.reserved,
        received,
        permit,
    })
}

/// Answers an incoming connection. `find` returns the content of our handshake for a torrent, or nothing if there is no
/// such torrent.
pub(crate) async fn answer(
    mut call: Call,
    find: impl Fn(InfoHash) -> Option<Ours>,
) -> Result<(InfoHash, Handshaken), DialError> {
    let exchange = async {
        let (theirs, received) = receive(&mut call.stream).await?;
        let ours = find(theirs.info_hash).ok_or(DialError::UnknownTorrent)?;
        call.stream
            .write_all(&Handshake::from(ours).to_bytes())
            .await?;
        Ok((theirs, ours, received))
    };
    let (theirs, ours, received) = within(HANDSHAKE_TIMEOUT, exchange).await?;
    let peer = Handshaken {
        stream: call.stream,
        addr: call.addr,
        id: theirs.peer_id,
        direction: Direction::Incoming,
        agreed: theirs.reserved & ours.reserved,
        received,
        permit: call.permit,
    };
    Ok((theirs.info_hash, peer))
}

/// The extensions that we support; the DHT only if the session has a node.
pub(crate) const fn reserved(dht: bool) -> Reserved {
    let always = Reserved::EXTENSION_PROTOCOL.union(Reserved::FAST);
    match dht {
        true => always.union(Reserved::DHT),
        false => always,
    }
}

async fn receive(stream: &mut Stream) -> Result<(Handshake, BytesMut), DialError> {
    let mut received = BytesMut::with_capacity(HANDSHAKE_LEN);
    loop {
        if let Some(handshake) = Handshake::decode(&mut received)? {
            return Ok((handshake, received));
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Err(DialError::HungUp);
        }
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
