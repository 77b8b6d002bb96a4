//! The datagrams of UDP trackers, over the session's UDP port: a response goes to whom the request came from, by its
//! transaction id (BEP 15).

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use parking_lot::Mutex;
use tailwater_tracker::{UdpConversation, UdpRelay, UdpTarget};
use tokio::sync::mpsc;

use super::udp_sockets::PortSockets;

/// Responses that wait for one conversation. A tracker sends one for each request.
const QUEUE: usize = 8;

/// A response and its sender; `None` when none will come any more.
type Response = Option<(SocketAddr, Bytes)>;

/// Requests that wait for a response, by their transaction ids.
#[derive(Clone, Debug, Default)]
pub(super) struct TrackerResponses(Arc<Mutex<HashMap<[u8; 4], mpsc::Sender<Response>>>>);

impl TrackerResponses {
    /// Passes a response on; one that nothing waits for is dropped.
    pub(super) fn hand_out(&self, from: SocketAddr, datagram: &[u8]) {
        let id = datagram.get(4..8).and_then(|id| id.first_chunk());
        let waiting = id.and_then(|id| self.0.lock().get(id).cloned());
        if let Some(waiting) = waiting {
            // Full: more responses than requests.
            let _ = waiting.try_send(Some((from, Bytes::copy_from_slice(datagram))));
        }
    }

    /// No response will come any more.
    pub(super) fn end(&self) {
        for waiting in self.0.lock().values() {
            // Full: it has something to read, and asks again in vain.
            let _ = waiting.try_send(None);
        }
    }
}

/// What the tracker client sends and receives by.
#[derive(Debug)]
pub(crate) struct TrackerDatagrams {
    sockets: Arc<PortSockets>,
    responses: TrackerResponses,
}

impl TrackerDatagrams {
    pub(super) const fn new(sockets: Arc<PortSockets>, responses: TrackerResponses) -> Self {
        Self { sockets, responses }
    }
}

impl UdpRelay for TrackerDatagrams {
    fn open(&self) -> Option<Box<dyn UdpConversation>> {
        if !self.sockets.may_carry() {
            return None;
        }
        let (sender, inbox) = mpsc::channel(QUEUE);
        Some(Box::new(Conversation {
            sockets: Arc::clone(&self.sockets),
            responses: self.responses.clone(),
            sender,
            inbox,
            asked: Mutex::default(),
        }))
    }
}

#[derive(Debug)]
struct Conversation {
    sockets: Arc<PortSockets>,
    responses: TrackerResponses,
    sender: mpsc::Sender<Response>,
    inbox: mpsc::Receiver<Response>,
    /// The transaction ids of its requests: a handful, as an exchange ends.
    asked: Mutex<Vec<[u8; 4]>>,
}

impl UdpConversation for Conversation {
    fn send(&self, to: UdpTarget<'_>, request: &[u8]) {
        // Action and transaction id follow the connection id.
        if let Some(id) = request.get(12..16).and_then(|id| id.first_chunk()) {
            self.asked.lock().push(*id);
            let mut waiting = self.responses.0.lock();
            waiting.insert(*id, self.sender.clone());
        }
        match to {
            UdpTarget::Addr(addr) => self.sockets.send_now(addr, request),
            UdpTarget::Name(host, port) => self.sockets.send_named(host, port, request),
        }
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(SocketAddr, Bytes)>> {
        let response = ready!(self.inbox.poll_recv(context)).flatten();
        Poll::Ready(
            response.ok_or_else(|| {
                io::Error::new(io::ErrorKind::Unsupported, "the proxy carries no UDP")
            }),
        )
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let mut waiting = self.responses.0.lock();
        for id in self.asked.lock().iter() {
            waiting.remove(id);
        }
    }
}
