use super::{FaultState, Faulty, Payload, Rig, mixed, right};
use crate::{Completion, Operation, StorageError};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;

async fn faulty(payload: Payload) -> (Rig, Arc<FaultState>) {
    let files = Faulty::default();
    let state = Arc::clone(&files.state);
    let dir = Arc::new(tempfile::tempdir().unwrap());
    (Rig::with(payload, Arc::new(files), &[], dir).await, state)
}

#[tokio::test]
async fn a_full_disk_pauses_and_resuming_needs_only_what_was_lost() {
    let (mut rig, state) = faulty(mixed()).await;
    rig.torrent.prepare().await.unwrap();
    let blocks = rig.payload.blocks();
    *state.space.lock().unwrap() = Some(150_000);
    let mut lost = BTreeSet::new();
    let mut refused = None;
    for &block in &blocks {
        match rig.torrent.write(rig.payload.with_bytes([block])).await {
            Ok(()) => {}
            Err(error) => {
                lost.insert(block);
                refused = Some(error);
            }
        }
    }
    let first = rig.events.recv().await.unwrap();
    let Completion::WriteFailed { error, lost: some } = first else {
        panic!("{first:?}");
    };
    assert!(error.is_full());
    assert!(error.to_string().starts_with("writing "), "{error}");
    lost.extend(some);
    let refused = refused.unwrap_or_else(|| error.clone());
    assert!(
        refused.is_full(),
        "writes and verifications say the same: {refused}"
    );
    assert_eq!(rig.torrent.verify(vec![rig.payload.piece(0)]), Err(refused));

    *state.space.lock().unwrap() = None;
    rig.torrent.resume().await.unwrap();
    while let Ok(completion) = rig.events.try_recv() {
        let Completion::WriteFailed { lost: some, .. } = completion else {
            panic!("{completion:?}");
        };
        lost.extend(some);
    }
    assert!(!lost.is_empty() && lost.len() < blocks.len());
    rig.write(lost).await;
    rig.verify_all().await;
    rig.payload.assert_saved(&rig.root());
}

#[tokio::test]
async fn what_is_queued_behind_a_failed_write_is_not_judged() {
    let (mut rig, state) = faulty(mixed()).await;
    let piece = rig.payload.piece(0);
    *state.space.lock().unwrap() = Some(0);
    state.hold();
    rig.write(rig.payload.geometry.blocks(piece)).await;
    rig.torrent.verify(vec![piece]).unwrap();
    state.release();

    let failed = rig.events.recv().await.unwrap();
    let Completion::WriteFailed { error, lost } = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(lost, rig.payload.geometry.blocks(piece).collect::<Vec<_>>());
    let unknown = Completion::VerifyFailed { piece, error };
    assert_eq!(rig.events.recv().await, Some(unknown));
}

#[tokio::test]
async fn nothing_is_written_behind_a_failed_write_even_if_it_would_fit() {
    let (mut rig, state) = faulty(mixed()).await;
    let blocks = rig.payload.blocks();
    let short = *blocks.last().unwrap();
    *state.space.lock().unwrap() = Some(30_000);
    state.hold();
    rig.write(blocks[..2].iter().copied()).await;
    rig.write([short]).await;
    state.release();
    // What is written by one call is lost together.
    for expected in [&blocks[..2], &[short]] {
        let failed = rig.events.recv().await.unwrap();
        let Completion::WriteFailed { error, lost } = failed else {
            panic!("{failed:?}");
        };
        assert!(error.is_full());
        assert_eq!(lost, expected);
    }
}

#[tokio::test]
async fn a_broken_disk_is_not_a_wrong_piece() {
    let (mut rig, state) = faulty(mixed()).await;
    let piece = rig.payload.piece(0);
    // A block that comes twice has the piece read back.
    for _ in 0..2 {
        rig.write(rig.payload.geometry.blocks(piece)).await;
    }
    *state.read_error.lock().unwrap() = Some(ErrorKind::Other);
    let answer = rig.verify(0).await;
    let Completion::VerifyFailed {
        error: StorageError::Io {
            operation, path, ..
        },
        ..
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert_eq!((operation, path), (Operation::Read, rig.root().join("t/a")));
    *state.read_error.lock().unwrap() = None;
    assert_eq!(rig.verify(0).await, right(piece));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_found_by_preparing() {
    let (rig, state) = faulty(mixed()).await;
    *state.open_error.lock().unwrap() = Some(ErrorKind::ReadOnlyFilesystem);
    let error = rig.torrent.prepare().await.unwrap_err();
    let StorageError::Io {
        operation,
        path,
        kind,
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(*operation, Operation::Open);
    assert_eq!(*path, rig.root().join("t/empty-first"));
    assert_eq!(*kind, ErrorKind::ReadOnlyFilesystem);
}

#[tokio::test]
async fn a_file_in_the_place_of_the_folder_is_said() {
    let rig = Rig::new(mixed()).await;
    std::fs::write(rig.root(), b"not a folder").unwrap();
    let error = rig.torrent.prepare().await.unwrap_err();
    assert!(error.to_string().contains("down"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_planted_link_is_not_followed() {
    for planted in ["t", "t/deep", "t/a"] {
        let mut rig = Rig::new(mixed()).await;
        let outside = rig.dir.path().join("outside");
        std::fs::create_dir_all(outside.join("er")).unwrap();
        let link = rig.root().join(planted);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&outside, &link).unwrap();
        rig.write(rig.payload.blocks()).await;
        let failed = rig.events.recv().await.unwrap();
        let Completion::WriteFailed { error, .. } = failed else {
            panic!("{failed:?}");
        };
        assert!(matches!(error, StorageError::Symlink { .. }), "{error}");
        assert!(!outside.join("er/b").exists());
        assert!(!outside.join("a").exists());
    }
}
