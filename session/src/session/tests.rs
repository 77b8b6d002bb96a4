//! A torrent before it runs, while its files have not been checked yet.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tailwater_metainfo::{Creator, Metainfo, PeerId};
use tailwater_wire::{Handshake, Reserved};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::Session;
use crate::driver::message::MESSAGE_QUEUE;
use crate::error::AddError;
use crate::options::{AddOptions, StorageKind};
use crate::status::Phase;
use tailwater_storage_disk::{IoConfig, Job};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Nothing here takes a tenth of it; it ends a test that hangs.
async fn within<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, work).await.expect("it hangs")
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Keeps some I/O threads of a session busy while it exists.
struct Barrier(Arc<(Mutex<bool>, Condvar)>);

impl Barrier {
    /// No file is opened or looked at.
    fn of_readers(session: &Session) -> Self {
        let barrier = Self::new();
        for _ in 0..IoConfig::default().read_threads {
            session
                .inner
                .storages
                .disk
                .pool()
                .submit_read(barrier.job())
                .unwrap();
        }
        barrier
    }

    /// Nothing is hashed or written.
    fn of_write_threads(session: &Session) -> Self {
        let barrier = Self::new();
        for thread in 0..session.inner.storages.disk.pool().write_threads() {
            session
                .inner
                .storages
                .disk
                .pool()
                .submit(thread, barrier.job())
                .unwrap();
        }
        barrier
    }

    fn new() -> Self {
        Self(Arc::new((Mutex::new(true), Condvar::new())))
    }

    fn job(&self) -> Job {
        let gate = Arc::clone(&self.0);
        Box::new(move |_| {
            let shut = gate.0.lock().unwrap();
            drop(gate.1.wait_while(shut, |shut| *shut).unwrap());
        })
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() = false;
        self.0.1.notify_all();
    }
}

/// A folder with one file, and its torrent.
fn share() -> (TempDir, Metainfo) {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("film"), vec![7; 100_000]).unwrap();
    let created = Creator::new()
        .create(&dir.path().join("film"), |_| ControlFlow::Continue(()))
        .unwrap();
    (dir, created.metainfo)
}

fn session() -> Session {
    Session::builder().listen(LOOPBACK).start().unwrap()
}

fn on_disk(dir: &TempDir) -> AddOptions {
    AddOptions::new(StorageKind::Disk(dir.path().into())).announce(false)
}

#[tokio::test]
async fn a_torrent_whose_adding_was_given_up_can_be_added_again() {
    let (dir, metainfo) = share();
    let session = session();
    let barrier = Barrier::of_readers(&session);
    {
        let mut adding = pin!(session.add(&metainfo, on_disk(&dir)));
        assert!(poll_once(adding.as_mut()).is_pending());
        let again = session.add(&metainfo, on_disk(&dir)).await;
        assert!(matches!(again, Err(AddError::Duplicate(_))));
    }
    drop(barrier);
    let torrent = within(session.add(&metainfo, on_disk(&dir))).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    within(session.close()).await;
}

#[tokio::test]
async fn a_torrent_that_is_being_added_when_the_session_closes_is_not_added() {
    let (dir, metainfo) = share();
    let session = session();
    let barrier = Barrier::of_readers(&session);
    let mut adding = pin!(session.add(&metainfo, on_disk(&dir)));
    assert!(poll_once(adding.as_mut()).is_pending());
    session.begin_close();
    drop(barrier);
    assert_eq!(within(adding).await.map(drop), Err(AddError::Closed));
    within(session.closed()).await;
}

/// A torrent that cannot look at its files yet.
async fn opening(session: &Session, options: AddOptions, metainfo: &Metainfo) -> crate::Torrent {
    let torrent = within(session.add(metainfo, options)).await.unwrap();
    assert_eq!(torrent.status().phase, Phase::Starting);
    torrent
}

#[tokio::test]
async fn callers_are_refused_while_a_torrent_is_being_checked() {
    let (dir, metainfo) = share();
    let session = session();
    let check = Barrier::of_write_threads(&session);
    let torrent = opening(&session, on_disk(&dir), &metainfo).await;
    let handshake = Handshake {
        reserved: Reserved::default(),
        info_hash: torrent.info_hash(),
        peer_id: PeerId::new([9; 20]),
    };
    let call = async || {
        let addr = session.listen_addr().unwrap();
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(&handshake.to_bytes()).await.unwrap();
        let mut reply = vec![0; 68];
        // A connection that is closed with bytes unread may be reset instead.
        within(stream.read_exact(&mut reply)).await.is_ok()
    };
    for _ in 0..3 {
        assert!(!call().await, "no caller is let in");
    }
    drop(check);
    within(torrent.wait_complete()).await.unwrap();
    assert!(call().await);
    within(session.close()).await;
}

#[tokio::test]
async fn the_peers_that_the_user_named_are_dialled_however_full_the_queue_is() {
    let (_seed, metainfo) = share();
    let dir = TempDir::new().unwrap();
    let session = session();
    let check = Barrier::of_write_threads(&session);
    let peer = TcpListener::bind(LOOPBACK).await.unwrap();
    let options = on_disk(&dir).peers([peer.local_addr().unwrap()]);
    let torrent = opening(&session, options, &metainfo).await;
    for _ in 0..MESSAGE_QUEUE {
        within(torrent.add_peers(Vec::new())).await.unwrap();
    }
    drop(check);
    within(peer.accept()).await.unwrap();
    within(session.close()).await;
}

/// Shakes hands from one address of the loopback interface.
async fn call(session: &Session, torrent: &crate::Torrent, host: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, host], 0).into()).unwrap();
    let addr = session.listen_addr().unwrap();
    let mut stream = socket.connect(addr).await.unwrap();
    let handshake = Handshake {
        reserved: Reserved::default(),
        info_hash: torrent.info_hash(),
        peer_id: PeerId::new([host; 20]),
    };
    stream.write_all(&handshake.to_bytes()).await.unwrap();
    stream
}

/// Reads until the other side hangs up.
async fn hung_up(mut stream: TcpStream) {
    let mut bytes = [0; 1_024];
    while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_torrent_may_have_fewer_peers_than_the_session_says() {
    let (dir, metainfo) = share();
    let session = session();
    let options = on_disk(&dir).max_peers(1);
    let torrent = within(session.add(&metainfo, options)).await.unwrap();
    within(torrent.wait_complete()).await.unwrap();
    let first = call(&session, &torrent, 2).await;
    let second = call(&session, &torrent, 3).await;
    within(async {
        tokio::select! {
            () = hung_up(first) => {}
            () = hung_up(second) => {}
        }
    })
    .await;
    assert!(torrent.peers().await.unwrap().len() <= 1);
    within(session.close()).await;
}
