//! The DHT's datagrams, over the session's UDP port.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tailwater_dht::{DatagramBatch, Datagrams, Family};
use tokio::sync::{Mutex, mpsc};

use super::udp_port::DhtShare;
use super::udp_sockets::PortSockets;
use crate::ip_filter::SharedFilter;

/// What the node receives from and sends by.
#[derive(Debug)]
pub(crate) struct DhtDatagrams {
    sockets: Arc<PortSockets>,
    filter: SharedFilter,
    inbox: Mutex<mpsc::Receiver<(SocketAddr, Bytes)>>,
}

impl From<DhtShare> for DhtDatagrams {
    fn from(share: DhtShare) -> Self {
        Self {
            sockets: share.sockets,
            filter: share.filter,
            inbox: Mutex::new(share.inbox),
        }
    }
}

impl Datagrams for DhtDatagrams {
    fn local_addr(&self, family: Family) -> Option<SocketAddr> {
        self.sockets.local_addr(family == Family::V4)
    }

    async fn receive(&self, batch: &mut DatagramBatch) {
        // There is one node, so no other task waits for this lock.
        let mut inbox = self.inbox.lock().await;
        let Some((from, payload)) = inbox.recv().await else {
            // The session closes, and the node with it.
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
        if !self.filter.contains(to.ip()) {
            self.sockets.send(to, payload).await;
        }
    }
}
