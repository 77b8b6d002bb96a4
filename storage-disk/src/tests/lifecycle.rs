use super::{Faulty, FileSpan, Payload, Rig, mixed};
use crate::{IoConfig, IoPool, StorageError};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn writers_wait_while_the_queue_is_full() {
    let files = Faulty::default();
    let state = Arc::clone(&files.state);
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let rig = Rig::with(mixed(), Arc::new(files), &[], dir).await;
    state.hold();
    let blocks = rig.payload.blocks();
    let (first, second) = blocks.split_at(14);
    rig.write(first.iter().copied()).await;
    {
        let mut more = pin!(rig.write(second.iter().copied()));
        assert!(poll_once(more.as_mut()).is_pending(), "256 KiB are full");
        state.release();
        more.await;
    }
    rig.torrent.flush().await.unwrap();
    assert_eq!(
        std::fs::metadata(rig.root().join("t/d")).unwrap().len(),
        300_001
    );
}

#[tokio::test]
async fn close_waits_for_pending() {
    let files = Faulty::default();
    let state = Arc::clone(&files.state);
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let rig = Rig::with(mixed(), Arc::new(files), &[], dir).await;
    state.hold();
    let blocks = rig.payload.blocks();
    rig.write(blocks[..3].iter().copied()).await;
    {
        let mut close = pin!(rig.torrent.close());
        assert!(poll_once(close.as_mut()).is_pending());
        assert_eq!(
            rig.torrent.verify(vec![rig.payload.piece(0)]),
            Err(StorageError::Closed)
        );
        state.release();
        close.await;
    }
    let written = std::fs::read(rig.root().join("t/a")).unwrap();
    assert_eq!(written[..3 * 16_384], rig.payload.data[..3 * 16_384]);
}

#[tokio::test]
async fn after_close_everything_is_refused_and_no_file_is_open() {
    let rig = Rig::new(mixed()).await;
    rig.write(rig.payload.blocks()).await;
    rig.torrent.flush().await.unwrap();
    assert!(rig.pool.files().open_files() > 0);
    rig.torrent.close().await;
    rig.torrent.close().await;
    assert_eq!(rig.pool.files().open_files(), 0);

    let closed = Err(StorageError::Closed);
    let block = rig.payload.blocks()[0];
    assert_eq!(
        rig.torrent.write(rig.payload.with_bytes([block])).await,
        closed
    );
    assert_eq!(rig.torrent.digests(block.piece()), closed);
    assert_eq!(rig.torrent.prepare().await, closed);
    assert_eq!(rig.torrent.flush().await, closed);
    assert_eq!(rig.torrent.resume().await, closed);
    assert_eq!(rig.torrent.check(|_, _| {}).await.map(drop), closed);
    assert_eq!(rig.read(block).await.map(drop), closed);
}

#[tokio::test]
async fn a_closed_pool_has_no_threads_and_refuses() {
    let rig = Rig::new(mixed()).await;
    rig.write(rig.payload.blocks()).await;
    tokio::join!(rig.pool.close(), rig.pool.close());
    // The queue was emptied before the threads ended.
    assert_eq!(
        std::fs::metadata(rig.root().join("t/d")).unwrap().len(),
        300_001
    );
    let block = rig.payload.blocks()[0];
    assert_eq!(rig.read(block).await, Err(StorageError::Closed));
    assert_eq!(
        rig.torrent.write(rig.payload.with_bytes([block])).await,
        Err(StorageError::Closed)
    );
    rig.torrent.close().await;
    rig.pool.close().await;
}

#[tokio::test]
async fn two_torrents_of_one_pool_share_nothing_but_threads() {
    let one = Rig::new(mixed()).await;
    let mut other = Rig::new(mixed()).await;
    one.torrent.close().await;
    other.write(other.payload.blocks()).await;
    other.verify_all().await;
}

#[tokio::test]
async fn a_dropped_torrent_leaves_no_file_open() {
    let rig = Rig::new(mixed()).await;
    rig.write(rig.payload.blocks()).await;
    rig.torrent.flush().await.unwrap();
    let pool = rig.pool.clone();
    drop(rig.torrent);
    // The last job may hold the torrent for a moment after its barrier is reached.
    pool.close().await;
    assert_eq!(pool.files().open_files(), 0);
}

#[tokio::test]
async fn a_job_that_panics_does_not_stop_its_thread() {
    let rig = Rig::new(mixed()).await;
    let lost: Result<(), _> = rig
        .pool
        .run(|| std::panic::resume_unwind(Box::new("test")))
        .await;
    assert_eq!(lost, Err(StorageError::Closed));
    assert_eq!(rig.pool.run(|| 1).await, Ok(1));
    assert_eq!(rig.pool.run(|| 2).await, Ok(2));
    rig.pool.close().await;
}

#[test]
fn a_pool_is_dropped_without_a_runtime() {
    let config = IoConfig {
        threads: 1,
        ..IoConfig::default()
    };
    drop(IoPool::new(config).unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_made_by_a_path_that_can_be_moved_and_what_is_there_stays() {
    let mut payload = Payload::new(&[("t/real/data", 40_000, false)], 16_384, 1);
    for (path, target) in [("t/a/b/near", "t/real/data"), ("t/folder", "t/real")] {
        payload.spans.push(FileSpan {
            is_part: false,
            path: path.into(),
            offset: 40_000,
            length: 0,
            pad: false,
            link: Some(target.into()),
            executable: false,
        });
    }
    let rig = Rig::new(payload).await;
    rig.torrent.prepare().await.unwrap();
    rig.torrent.prepare().await.unwrap();
    rig.write(rig.payload.blocks()).await;
    rig.torrent.flush().await.unwrap();
    let near = rig.root().join("t/a/b/near");
    assert!(near.symlink_metadata().unwrap().is_symlink());
    // No name of the torrent's own folder is in it.
    for (link, way) in [("t/a/b/near", "../../real/data"), ("t/folder", "real")] {
        let read = std::fs::read_link(rig.root().join(link)).unwrap();
        assert_eq!(read.to_str(), Some(way), "{link}");
    }
    for path in ["t/a/b/near", "t/folder/data"] {
        let found = std::fs::read(rig.root().join(path)).unwrap();
        assert_eq!(found, rig.payload.content(&rig.payload.spans[0]), "{path}");
    }
}

/// What can be run when it is shared can be run when it has arrived (BEP 47), as far as the user's umask allows it.
#[cfg(unix)]
#[tokio::test]
async fn programs_are_made_executable_and_other_files_are_not() {
    use std::os::unix::fs::PermissionsExt;
    let mut payload = Payload::new(
        &[("t/program", 20_000, false), ("t/text", 5, false)],
        16_384,
        1,
    );
    payload.spans[0].executable = true;
    let rig = Rig::new(payload).await;
    rig.torrent.prepare().await.unwrap();
    rig.write(rig.payload.blocks()).await;
    rig.torrent.flush().await.unwrap();
    let mode = |path| {
        let found = std::fs::metadata(rig.root().join(path)).unwrap();
        found.permissions().mode() & 0o100
    };
    assert_eq!((mode("t/program"), mode("t/text")), (0o100, 0));
}
