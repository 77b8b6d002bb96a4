//! Silent callers and busy torrents do not delay other callers.

use tailwater_metainfo::{InfoHash, PeerId};
use tailwater_wire::Handshake;
use tailwater_wire::limits::HANDSHAKE_LEN;
use tokio::sync::mpsc;

use super::*;
use crate::driver::permits::DialLimit;
use crate::driver::registry::Reach;
use crate::ip_filter::SharedFilter;
use crate::torrent::Transport;
use crate::transport::{Dialer, Network};

/// Nothing here takes a tenth of it, but the time limits of the handshakes in their hundreds take longer.
const WATCHDOG: Duration = Duration::from_secs(20);
const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

struct Station {
    addr: SocketAddr,
    registry: Arc<Registry>,
    closing: CancellationToken,
}

impl Station {
    fn new(permits: usize) -> Self {
        let listener = Network::default().listen(Some(LOOPBACK)).unwrap();
        let station = Self {
            addr: listener.local_addr().unwrap(),
            registry: Arc::new(Registry::new(PeerId::new([1; 20]))),
            closing: CancellationToken::new(),
        };
        let reception = Reception::new(
            Arc::clone(&station.registry),
            ConnectionPermits::new(permits, DialLimit::default()),
            Reserved::FAST,
            HandshakeSettings::default(),
            SharedFilter::default(),
        );
        tokio::spawn(reception.listen(listener, station.closing.clone()));
        station
    }

    fn torrent(
        &self,
        byte: u8,
        queue: usize,
    ) -> (mpsc::Sender<TorrentMessage>, mpsc::Receiver<TorrentMessage>) {
        let (sender, receiver) = mpsc::channel(queue);
        let name = InfoHash::new([byte; 20]);
        assert!(
            self.registry
                .insert(name.into(), Reach::Public, sender.clone())
        );
        (sender, receiver)
    }

    async fn connect(&self) -> Stream {
        let dialer = Dialer::new(Network::default(), None);
        dialer.connect(self.addr, Transport::Tcp).await.unwrap()
    }

    /// Shakes hands; `None` if it is hung up on.
    async fn call(&self, torrent: u8) -> Option<Stream> {
        let mut stream = self.connect().await;
        let handshake = Handshake {
            reserved: Reserved::FAST,
            info_hash: InfoHash::new([torrent; 20]),
            peer_id: PeerId::new([2; 20]),
        };
        stream.write_all(&handshake.to_bytes()).await.ok()?;
        let mut answer = bytes::BytesMut::with_capacity(HANDSHAKE_LEN);
        while answer.len() < HANDSHAKE_LEN {
            stream
                .read_buf(&mut answer)
                .await
                .ok()
                .filter(|&len| len > 0)?;
        }
        Some(stream)
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

#[tokio::test]
async fn silent_sockets_shut_no_caller_out() {
    let station = Station::new(1_000);
    let (_sender, mut queue) = station.torrent(7, 8);
    let call = async {
        let mut silent = Vec::new();
        for _ in 0..300 {
            // Sockets that are not accepted wait in the kernel, until its queue is full too.
            silent.push(station.connect().await);
        }
        let _stream = station.call(7).await.expect("a caller was hung up on");
        queue.recv().await
    };
    let taken = timeout(WATCHDOG, call).await.expect("the watchdog bit");
    assert!(matches!(taken, Some(TorrentMessage::Handshaken(_))));
}

#[tokio::test]
async fn callers_of_a_torrent_that_takes_none_hold_up_no_callers_of_another() {
    let station = Station::new(1_000);
    let (busy, _never_read) = station.torrent(7, 1);
    busy.send(TorrentMessage::ExternalIp(LOOPBACK.ip()))
        .await
        .unwrap();
    let (_sender, mut queue) = station.torrent(8, 8);
    let call = async {
        let mut stuck = Vec::new();
        for _ in 0..150 {
            stuck.push(station.call(7).await);
        }
        let _stream = station.call(8).await.expect("a caller was hung up on");
        queue.recv().await
    };
    let taken = timeout(WATCHDOG, call).await.expect("the watchdog bit");
    assert!(matches!(taken, Some(TorrentMessage::Handshaken(_))));
}
