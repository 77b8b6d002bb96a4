//! Ports of a host: for connections, and for datagrams.

use std::io;
use std::net::SocketAddr;
use std::task::Poll;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{MemoryNetwork, MemoryStream};

/// Accepts connections of a [`MemoryNetwork`]. Dropped, it is closed.
#[derive(Debug)]
pub struct MemoryListener {
    network: MemoryNetwork,
    addr: SocketAddr,
    inbox: mpsc::Receiver<MemoryStream>,
}

impl MemoryListener {
    pub(super) const fn new(
        network: MemoryNetwork,
        addr: SocketAddr,
        inbox: mpsc::Receiver<MemoryStream>,
    ) -> Self {
        Self {
            network,
            addr,
            inbox,
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// None today.
    ///
    /// # Cancel safety
    ///
    /// No connection is lost when the future is dropped.
    pub async fn accept(&mut self) -> io::Result<MemoryStream> {
        // The network holds the other end for as long as this lives.
        self.inbox
            .recv()
            .await
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.network.state.lock().listeners.remove(&self.addr);
    }
}

/// A port for datagrams. Dropped, it is closed.
#[derive(Debug)]
pub(crate) struct MemoryDatagrams {
    network: MemoryNetwork,
    addr: SocketAddr,
    inbox: Mutex<Inbox>,
}

#[derive(Debug)]
struct Inbox {
    queue: mpsc::Receiver<(SocketAddr, Bytes)>,
    /// Taken out of the queue to see whether there is one.
    next: Option<(SocketAddr, Bytes)>,
}

impl MemoryDatagrams {
    pub(super) fn new(
        network: MemoryNetwork,
        addr: SocketAddr,
        inbox: mpsc::Receiver<(SocketAddr, Bytes)>,
    ) -> Self {
        Self {
            network,
            addr,
            inbox: Mutex::new(Inbox {
                queue: inbox,
                next: None,
            }),
        }
    }

    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until a datagram is there. Only one task waits.
    pub(crate) async fn readable(&self) {
        std::future::poll_fn(|context| {
            let mut inbox = self.inbox.lock();
            if inbox.next.is_some() {
                return Poll::Ready(());
            }
            match inbox.queue.poll_recv(context) {
                Poll::Ready(Some(datagram)) => {
                    inbox.next = Some(datagram);
                    Poll::Ready(())
                }
                // The network is gone: there will be no more.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
        .await;
    }

    /// Hands over all datagrams that are there.
    pub(crate) fn receive_all(&self, mut handle: impl FnMut(SocketAddr, &[u8])) {
        let mut inbox = self.inbox.lock();
        while let Some((from, datagram)) = inbox.next.take().or_else(|| inbox.queue.try_recv().ok())
        {
            handle(from, &datagram);
        }
    }

    /// Sends a datagram.
    pub(crate) fn send_now(&self, to: SocketAddr, payload: &[u8]) {
        let port = self.network.state.lock().ports.get(&to).cloned();
        if let Some(port) = port {
            // Full: lost, as on any network.
            let _ = port.try_send((self.addr, Bytes::copy_from_slice(payload)));
        }
    }
}

impl Drop for MemoryDatagrams {
    fn drop(&mut self) {
        self.network.state.lock().ports.remove(&self.addr);
    }
}
