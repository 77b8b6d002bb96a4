//! The driver over datagrams that are sent and received elsewhere.
#![cfg(feature = "tokio")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic, too")]

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tailwater_utp::driver::{Datagrams, Receiver, UtpSocket};
use tailwater_utp::{Config, Transmit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// One end of a network of two ports, in memory.
#[derive(Debug)]
struct Port {
    to_other: mpsc::UnboundedSender<(Vec<u8>, usize)>,
    segments: usize,
    /// Whether the "system" takes nothing now.
    is_full: AtomicBool,
    refused: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Port {
    fn open(&self) {
        self.is_full.store(false, Ordering::SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }
}

impl Datagrams for Port {
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        assert!(transmit.datagrams().count() <= self.segments);
        if self.is_full.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let sent = (transmit.contents.to_vec(), transmit.segment_len);
        // The other end may be gone.
        let _ = self.to_other.send(sent);
        Ok(())
    }

    fn poll_send_ready(&self, context: &mut Context<'_>, _to: SocketAddr) -> Poll<io::Result<()>> {
        *self.waker.lock().unwrap() = Some(context.waker().clone());
        if self.is_full.load(Ordering::SeqCst) {
            Poll::Pending
        } else {
            Poll::Ready(Ok(()))
        }
    }

    fn max_segments(&self) -> usize {
        self.segments
    }
}

fn addr(number: u8) -> SocketAddr {
    ([10, 0, 0, number], 6881).into()
}

async fn receive(
    mut arriving: mpsc::UnboundedReceiver<(Vec<u8>, usize)>,
    from: SocketAddr,
    mut receiver: Receiver,
) {
    while let Some((contents, segment_len)) = arriving.recv().await {
        receiver.handle(from, &contents, segment_len);
        receiver.flush();
    }
}

/// Two sockets, and their ports.
fn sockets(segments: usize) -> ((UtpSocket, Arc<Port>), (UtpSocket, Arc<Port>)) {
    let (to_second, from_first) = mpsc::unbounded_channel();
    let (to_first, from_second) = mpsc::unbounded_channel();
    let port = |to_other| {
        Arc::new(Port {
            to_other,
            segments,
            is_full: AtomicBool::new(false),
            refused: AtomicUsize::new(0),
            waker: Mutex::new(None),
        })
    };
    let (first, second) = (port(to_second), port(to_first));
    let (one, receiver) = UtpSocket::from_datagrams(Arc::clone(&first) as _, Config::new(1));
    tokio::spawn(receive(from_second, addr(2), receiver));
    let (other, receiver) = UtpSocket::from_datagrams(Arc::clone(&second) as _, Config::new(2));
    tokio::spawn(receive(from_first, addr(1), receiver));
    ((one, first), (other, second))
}

#[tokio::test]
async fn streams_run_over_any_datagrams_one_by_one_or_in_runs() {
    for segments in [1, 3, 64] {
        let ((one, _), (other, _)) = sockets(segments);
        let (ours, theirs) = tokio::join!(one.connect(addr(2)), other.accept());
        let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
        assert_eq!((ours.peer_addr(), theirs.peer_addr()), (addr(2), addr(1)));
        let sent: Vec<u8> = (0..=250).cycle().take(1_000_000).collect();
        let writing = async {
            ours.write_all(&sent).await.unwrap();
            drop(ours);
        };
        let mut received = Vec::new();
        let (_, outcome) = tokio::join!(writing, theirs.read_to_end(&mut received));
        assert_eq!(outcome.unwrap(), sent.len());
        assert!(received == sent);
    }
}

#[tokio::test]
async fn what_a_full_system_does_not_take_is_sent_later() {
    let ((one, port), (other, _)) = sockets(64);
    let (ours, theirs) = tokio::join!(one.connect(addr(2)), other.accept());
    let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
    let sent: Vec<u8> = (0..=250).cycle().take(300_000).collect();
    let mut received = vec![0; sent.len()];
    for round in 0..20 {
        port.is_full.store(true, Ordering::SeqCst);
        let before = port.refused.load(Ordering::SeqCst);
        let part = &sent[round * 15_000..(round + 1) * 15_000];
        ours.write_all(part).await.unwrap();
        assert!(port.refused.load(Ordering::SeqCst) > before);
        port.open();
        let part = &mut received[round * 15_000..(round + 1) * 15_000];
        theirs.read_exact(part).await.unwrap();
    }
    assert!(received == sent);
    // Nothing was lost, so nothing was sent twice.
    assert_eq!(ours.stats().timeouts, 0);
}
