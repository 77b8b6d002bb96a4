//! Ports of a host: for connections, and for datagrams.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use tailwater_dht::{DatagramBatch, Datagrams, Family};
use tokio::sync::{Mutex, mpsc};

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
    inbox: Mutex<mpsc::Receiver<(SocketAddr, Bytes)>>,
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
            inbox: Mutex::new(inbox),
        }
    }
}

impl Datagrams for MemoryDatagrams {
    fn local_addr(&self, family: Family) -> Option<SocketAddr> {
        (Family::of(&self.addr) == family).then_some(self.addr)
    }

    async fn receive(&self, batch: &mut DatagramBatch) {
        let mut inbox = self.inbox.lock().await;
        let Some((from, payload)) = inbox.recv().await else {
            return std::future::pending().await;
        };
        batch.push(from, &payload);
        while !batch.is_full()
            && let Ok((from, payload)) = inbox.try_recv()
        {
            batch.push(from, &payload);
        }
    }

    async fn send(&self, to: SocketAddr, payload: &[u8]) {
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
