//! Dialling a peer: which handshake is tried first, what follows when it fails, and what is remembered of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use tailwater_types::BoundedMap;
use tailwater_wire::Handshake;

use super::encrypted::{self, Secured};
use super::{DialError, HANDSHAKE_TIMEOUT, HandshakeSettings, Handshaken, Ours, receive, within};
use crate::driver::permits::ConnectionPermit;
use crate::encryption::Encryption;
use crate::peer::Direction;
use crate::torrent::Encrypted;
use crate::transport::{Dialer, Stream};

/// While a plain handshake is left to try, an encrypted one is given up after this time. A peer that does not know MSE
/// either hangs up at once or waits for the rest of a plain handshake that never comes.
const FALLBACK_AFTER: Duration = Duration::from_secs(2);
/// Peers of which we remember that the first choice did not work.
const MAX_REMEMBERED: usize = 4_096;

/// Dials peers and shakes hands with them. Clones share what they remember.
#[derive(Clone, Debug)]
pub(crate) struct PeerDialer {
    dialer: Dialer,
    settings: HandshakeSettings,
    /// The handshake that worked where another one was tried first.
    worked: Arc<Mutex<BoundedMap<SocketAddr, Opening>>>,
}

/// How a connection is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    Plain,
    Encrypted,
}

/// A handshake that failed.
struct Failed {
    error: DialError,
    /// Whether the other opening might succeed.
    try_other: bool,
}

impl PeerDialer {
    pub(crate) fn new(dialer: Dialer, settings: HandshakeSettings) -> Self {
        Self {
            dialer,
            settings,
            worked: Arc::new(Mutex::new(BoundedMap::new(MAX_REMEMBERED))),
        }
    }

    /// Connects to an address and shakes hands. The caller holds the permit already.
    ///
    /// # Cancel safety
    ///
    /// The attempt ends when the future is dropped.
    pub(crate) async fn dial(
        &self,
        addr: SocketAddr,
        ours: Ours,
        permit: ConnectionPermit,
    ) -> Result<Handshaken, DialError> {
        let (first, second) = self.openings(addr);
        let (opening, outcome) = match self.open(addr, ours, first, second).await {
            Err(Failed {
                error,
                try_other: true,
            }) if let Some(second) = second => {
                tracing::debug!(%addr, "{first:?} handshake: {error}; trying the other");
                (second, self.open(addr, ours, second, None).await)
            }
            outcome => (first, outcome),
        };
        let (stream, theirs, secured) = outcome.map_err(|failed| failed.error)?;
        self.remember(addr, opening);
        if theirs.info_hash != ours.info_hash {
            return Err(DialError::WrongTorrent);
        }
        Ok(Handshaken {
            stream,
            addr,
            id: theirs.peer_id,
            direction: Direction::Outgoing,
            agreed: theirs.reserved & ours.reserved,
            encrypted: secured.encrypted,
            received: secured.received,
            permit,
        })
    }

    /// The handshake to try first, and the one to try when that fails.
    fn openings(&self, addr: SocketAddr) -> (Opening, Option<Opening>) {
        let (first, second) = match self.settings.encryption() {
            Encryption::Off => return (Opening::Plain, None),
            Encryption::Require => return (Opening::Encrypted, None),
            Encryption::Allow => (Opening::Plain, Opening::Encrypted),
            Encryption::Prefer => (Opening::Encrypted, Opening::Plain),
        };
        match self.worked.lock().get(&addr) {
            Some(&worked) if worked == second => (second, Some(first)),
            _ => (first, Some(second)),
        }
    }

    fn remember(&self, addr: SocketAddr, opening: Opening) {
        let first_choice = match self.settings.encryption() {
            Encryption::Off | Encryption::Allow => Opening::Plain,
            Encryption::Prefer | Encryption::Require => Opening::Encrypted,
        };
        let mut worked = self.worked.lock();
        match opening == first_choice {
            true => drop(worked.remove(&addr)),
            false => worked.insert(addr, opening),
        }
    }

    async fn open(
        &self,
        addr: SocketAddr,
        ours: Ours,
        opening: Opening,
        other: Option<Opening>,
    ) -> Result<(Stream, Handshake, Secured), Failed> {
        let connected = self.dialer.connect(addr).await;
        let mut stream = connected.map_err(|error| Failed::for_good(error.into()))?;
        let handshake = Handshake::from(ours);
        let secured = match opening {
            Opening::Plain => {
                let exchange = async {
                    stream.write_all(&handshake.to_bytes()).await?;
                    receive(&mut stream, BytesMut::new()).await
                };
                let exchanged = within(HANDSHAKE_TIMEOUT, exchange).await;
                let (theirs, received) = exchanged.map_err(Failed::of_plain)?;
                let encrypted = Encrypted::Nothing;
                let secured = Secured {
                    encrypted,
                    received,
                };
                return Ok((stream, theirs, secured));
            }
            Opening::Encrypted => {
                let limit = other.map_or(HANDSHAKE_TIMEOUT, |_| FALLBACK_AFTER);
                let exchange = encrypted::initiate(&mut stream, &handshake);
                within(limit, exchange)
                    .await
                    .map_err(Failed::of_encrypted)?
            }
        };
        let exchange = receive(&mut stream, secured.received);
        let exchanged = within(HANDSHAKE_TIMEOUT, exchange).await;
        let (theirs, received) = exchanged.map_err(Failed::for_good)?;
        let secured = Secured {
            received,
            ..secured
        };
        Ok((stream, theirs, secured))
    }
}

impl Failed {
    const fn for_good(error: DialError) -> Self {
        let try_other = false;
        Self { error, try_other }
    }

    /// A peer that takes encrypted connections alone hangs up at our handshake. One that is silent, or answers something
    /// else, would not answer the other handshake either.
    fn of_plain(error: DialError) -> Self {
        let try_other = matches!(error, DialError::HungUp | DialError::Io(_));
        Self { error, try_other }
    }

    /// Whatever goes wrong before the encryption is agreed upon may be for lack of it.
    const fn of_encrypted(error: DialError) -> Self {
        let try_other = true;
        Self { error, try_other }
    }
}
