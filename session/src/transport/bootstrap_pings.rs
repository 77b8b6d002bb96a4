//! Finds the addresses of bootstrap nodes whose names only the proxy can resolve: each is sent a ping (BEP 5) by its name,
//! and the address that answers is its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::udp_sockets::PortSockets;

/// How long a name has to be resolved and its host to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Bytes of a transaction id: enough that a stranger does not guess one.
const ID_LEN: usize = 8;

/// Pings that wait for an answer: one for each bootstrap host at most.
#[derive(Clone, Debug, Default)]
pub(super) struct AwaitedPongs(Arc<Mutex<Vec<Awaited>>>);

#[derive(Debug)]
struct Awaited {
    /// The transaction id as it stands in a message.
    id: [u8; ID_LEN],
    found: oneshot::Sender<SocketAddr>,
}

impl AwaitedPongs {
    /// Takes notice of a datagram of the DHT if it answers a ping.
    pub(super) fn hand_out(&self, from: SocketAddr, datagram: &[u8]) {
        let mut awaited = self.0.lock();
        // Nearly always, none is awaited.
        let answered = awaited.iter().position(|ping| has_id(datagram, &ping.id));
        if let Some(answered) = answered {
            // What does not wait any more needs no address.
            let _ = awaited.swap_remove(answered).found.send(from);
        }
    }
}

fn has_id(datagram: &[u8], id: &[u8; ID_LEN]) -> bool {
    let entry = [&b"1:t8:"[..], id].concat();
    datagram.windows(entry.len()).any(|window| window == entry)
}

/// Asks for the addresses of hosts.
#[derive(Debug)]
pub(crate) struct BootstrapPings {
    sockets: Arc<PortSockets>,
    awaited: AwaitedPongs,
}

impl BootstrapPings {
    pub(super) const fn new(sockets: Arc<PortSockets>, awaited: AwaitedPongs) -> Self {
        Self { sockets, awaited }
    }

    /// The address of a node, by its name.
    ///
    /// # Cancel safety
    ///
    /// An answer that comes after the future was dropped means nothing.
    pub(crate) async fn locate(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let mut random = [0; ID_LEN / 2 + 20];
        getrandom::fill(&mut random).ok()?;
        let (id, node) = random.split_first_chunk::<{ ID_LEN / 2 }>()?;
        let id: [u8; ID_LEN] = data_encoding::HEXLOWER
            .encode(id)
            .into_bytes()
            .try_into()
            .ok()?;
        let (found, located) = oneshot::channel();
        self.awaited.0.lock().push(Awaited { id, found });
        self.sockets.send_named(host, port, &ping(node, id));
        let located = timeout(ANSWER_WITHIN, located).await;
        self.awaited.0.lock().retain(|awaited| awaited.id != id);
        located.ok()?.ok()
    }
}

/// A ping that is read-only (BEP 43): its sender is no node to remember.
fn ping(node: &[u8], id: [u8; ID_LEN]) -> Vec<u8> {
    let mut ping = b"d1:ad2:id20:".to_vec();
    ping.extend(node);
    ping.extend(b"e1:q4:ping2:roi1e1:t8:");
    ping.extend(id);
    ping.extend(b"1:y1:qe");
    ping
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_its_id_and_counts_once() {
        let awaited = AwaitedPongs::default();
        let (found, mut located) = oneshot::channel();
        awaited.0.lock().push(Awaited {
            id: *b"01234567",
            found,
        });
        let from = "192.0.2.7:1".parse().unwrap();
        awaited.hand_out(
            from,
            b"d1:rd2:id20:aaaaaaaaaaaaaaaaaaaae1:t8:012345681:y1:re",
        );
        assert!(located.try_recv().is_err());
        let answer = b"d1:rd2:id20:aaaaaaaaaaaaaaaaaaaae1:t8:012345671:y1:re";
        awaited.hand_out(from, answer);
        assert_eq!(located.try_recv(), Ok(from));
        awaited.hand_out(from, answer);
        assert!(awaited.0.lock().is_empty());
    }

    #[test]
    fn a_ping_is_one() {
        let ping = ping(&[b'n'; 20], *b"01234567");
        let expected = b"d1:ad2:id20:nnnnnnnnnnnnnnnnnnnne1:q4:ping2:roi1e1:t8:012345671:y1:qe";
        assert_eq!(ping, expected);
    }
}
