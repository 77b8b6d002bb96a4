use super::{Rig, key, mixed};
use crate::operations::opening::{Choices, Opening};
use crate::system::metadata::FileState;
use crate::{ResumeData, ResumeKey, ResumeStore, StorageError};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;
use tailwater_metainfo::InfoHash;
use tailwater_storage::{Access, Reply, Totals};

pub(crate) async fn data_of(rig: &Rig) -> ResumeData {
    let have = rig.torrent.verified().as_bytes().to_vec();
    ResumeData {
        key: key(rig.dir.path()),
        top: rig.torrent.top(),
        have,
        unsynced: Vec::new(),
        by_sha1: rig.torrent.by_sha1(),
        files: rig.torrent.file_states().await.unwrap(),
        uploaded: 5,
        downloaded: 6,
    }
}

async fn half_done() -> Rig {
    let mut rig = Rig::new(mixed()).await;
    rig.torrent.prepare().await.unwrap();
    for index in [0, 3, 5] {
        rig.write(rig.payload.geometry.blocks(rig.payload.piece(index)))
            .await;
        rig.verify(index).await;
    }
    rig
}

/// Of a hybrid torrent: the tree of a piece may become known between two runs.
#[tokio::test]
async fn what_a_sha1_alone_vouches_for_is_checked_once_its_tree_is_known() {
    let rig = half_done().await;
    let piece = rig.payload.piece(3);
    rig.torrent.shared.by_sha1.set(piece);
    let store = ResumeStore::new(rig.pool.clone(), rig.dir.path().join("state"));
    let by_one = data_of(&rig).await;
    store.save(by_one.clone()).await.unwrap();
    rig.torrent.confirm(piece);
    let by_both = data_of(&rig).await;
    assert_eq!(by_both.by_sha1, []);

    let rig = rig.again(&[]).await;
    let store = ResumeStore::new(rig.pool.clone(), rig.dir.path().join("state"));
    let loaded = store.load(&by_one.key).await.unwrap().unwrap();
    assert_eq!(loaded, by_one);
    // Nothing is to become known of these pieces any more.
    assert_eq!(rig.torrent.adopt(&loaded).await, Ok(false));
    assert!(rig.torrent.verified().is_none());
    assert_eq!(rig.torrent.adopt(&by_both).await, Ok(true));
}

#[tokio::test]
async fn what_was_saved_is_taken_over_by_the_next_run() {
    let rig = half_done().await;
    let store = ResumeStore::new(rig.pool.clone(), rig.dir.path().join("state"));
    let data = data_of(&rig).await;
    assert_eq!(store.load(&data.key).await, Ok(None));
    store.save(data.clone()).await.unwrap();
    store.save(data.clone()).await.unwrap();

    let rig = rig.again(&[]).await;
    let store = ResumeStore::new(rig.pool.clone(), rig.dir.path().join("state"));
    let loaded = store.load(&data.key).await.unwrap().unwrap();
    assert_eq!(loaded, data);
    assert_eq!(rig.torrent.adopt(&loaded).await, Ok(true));
    assert_eq!(rig.torrent.verified().count(), 3);
    let block = rig
        .payload
        .geometry
        .nth_block(rig.payload.piece(3), 1)
        .unwrap();
    assert_eq!(rig.read(block).await, Ok(rig.payload.bytes(block)));
    store.remove(&data.key).await.unwrap();
    store.remove(&data.key).await.unwrap();
    assert_eq!(store.load(&data.key).await, Ok(None));
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_saved_already_is_not_written_again() {
    use std::os::unix::fs::MetadataExt;
    let rig = half_done().await;
    let folder = rig.dir.path().join("state");
    let store = ResumeStore::new(rig.pool.clone(), folder.clone());
    let mut data = data_of(&rig).await;
    // Each time it is written, it is another file.
    store.save(data.clone()).await.unwrap();
    let mut files = std::fs::read_dir(&folder).unwrap();
    let file = files.next().unwrap().unwrap().path();
    let kept = std::fs::File::open(&file).unwrap();
    let first = kept.metadata().unwrap().ino();
    store.save(data.clone()).await.unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().ino(), first);
    data.uploaded += 1;
    store.save(data.clone()).await.unwrap();
    assert_ne!(std::fs::metadata(&file).unwrap().ino(), first);
    assert_eq!(store.load(&data.key).await, Ok(Some(data)));
}

#[tokio::test]
async fn what_the_device_holds_is_vouched_for_even_if_it_is_too_busy_to_be_asked() {
    let mut rig = half_done().await;
    let store = ResumeStore::new(rig.pool.clone(), rig.dir.path().join("state"));
    let opening = Opening {
        access: Access::Download,
        choices: Choices::default(),
        resume: Some(store.clone()),
        rooms: Arc::default(),
        relocation: None,
        owns_files: std::sync::atomic::AtomicBool::default(),
    };
    let have = rig.torrent.verified().as_bytes().to_vec();
    let totals = |uploaded| Totals {
        uploaded,
        downloaded: 0,
    };
    let saved = opening.save(&rig.torrent, totals(1), Reply::never()).await;
    assert_eq!(saved, Ok(()));
    // There is no time to wait for the device.
    let busy = || Reply::ready(());
    opening.save(&rig.torrent, totals(2), busy()).await.unwrap();
    let data = store.load(rig.torrent.key()).await.unwrap().unwrap();
    assert_eq!((data.have, data.uploaded), (have, 2));

    rig.write(rig.payload.geometry.blocks(rig.payload.piece(1)))
        .await;
    rig.verify(1).await;
    opening.save(&rig.torrent, totals(3), busy()).await.unwrap();
    let data = store.load(rig.torrent.key()).await.unwrap().unwrap();
    assert_eq!((data.have, data.uploaded), (Vec::new(), 3));
}

#[tokio::test]
async fn the_same_torrent_in_two_folders_has_two_records() {
    let rig = half_done().await;
    let store = ResumeStore::new(rig.pool.clone(), rig.dir.path().join("state"));
    let here = data_of(&rig).await;
    let there = ResumeData {
        key: ResumeKey::new(here.key.info_hash, Path::new("/elsewhere")),
        uploaded: 7,
        ..here.clone()
    };
    for data in [&here, &there] {
        store.save(data.clone()).await.unwrap();
    }
    for data in [&here, &there] {
        assert_eq!(store.load(&data.key).await, Ok(Some(data.clone())));
    }
    store.remove(&there.key).await.unwrap();
    assert_eq!(store.load(&there.key).await, Ok(None));
    assert_eq!(store.load(&here.key).await, Ok(Some(here)));
}

#[tokio::test]
async fn files_that_changed_are_not_trusted() {
    let change: [fn(&std::path::Path); 4] = [
        |root| std::fs::remove_file(root.join("t/a")).unwrap(),
        |root| std::fs::write(root.join("t/empty-last"), b"x").unwrap(),
        |root| {
            let file = std::fs::OpenOptions::new()
                .write(true)
                .open(root.join("t/d"));
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
            file.unwrap().set_modified(time).unwrap();
        },
        |root| std::fs::write(root.join(format!(".{}.parts", "07".repeat(20))), b"x").unwrap(),
    ];
    for change in change {
        let rig = half_done().await;
        let data = data_of(&rig).await;
        change(&rig.root());
        let rig = rig.again(&[]).await;
        assert_eq!(rig.torrent.adopt(&data).await, Ok(false));
        assert!(rig.torrent.verified().is_none());
    }
}

#[tokio::test]
async fn a_bitfield_of_another_size_is_not_trusted() {
    let rig = half_done().await;
    let mut data = data_of(&rig).await;
    data.have.push(0);
    assert_eq!(rig.torrent.adopt(&data).await, Ok(false));
}

#[tokio::test]
async fn a_damaged_resume_file_is_an_error_that_names_it() {
    let rig = Rig::new(mixed()).await;
    let folder = rig.dir.path().join("state");
    let store = ResumeStore::new(rig.pool.clone(), folder.clone());
    let data = data_of(&rig).await;
    store.save(data.clone()).await.unwrap();
    let path = std::fs::read_dir(&folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let bytes = std::fs::read(&path).unwrap();
    let of = |key| ResumeData {
        key,
        ..data.clone()
    };
    let other = of(ResumeKey::new(InfoHash::new([8; 20]), Path::new("/down")));
    let elsewhere = of(ResumeKey::new(InfoHash::new([7; 20]), Path::new("/down")));
    for bad in [
        &bytes[..bytes.len() - 1],
        b"",
        b"le",
        b"de",
        &other.to_bytes(),
        &elsewhere.to_bytes(),
    ] {
        std::fs::write(&path, bad).unwrap();
        let error = store.load(&data.key).await.unwrap_err();
        assert!(matches!(&error, StorageError::Resume { path: named, .. } if *named == path));
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_saved_is_for_its_owner_alone() {
    use crate::replace;
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let rig = half_done().await;
    let made = rig.dir.path().join("state/resume");
    let chosen = rig.dir.path().join("chosen");
    std::fs::create_dir(&chosen).unwrap();
    std::fs::set_permissions(&chosen, std::fs::Permissions::from_mode(0o755)).unwrap();
    let data = data_of(&rig).await;
    for folder in [&made, &chosen] {
        let resume = ResumeStore::new(rig.pool.clone(), folder.clone());
        for _ in 0..2 {
            resume.save(data.clone()).await.unwrap();
        }
        replace(folder, &folder.join("other.torrent"), b"de").unwrap();
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
        assert_eq!(files.len(), 2, "nothing else is left");
        for file in files {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
    }
    assert_eq!(mode(&made), 0o700);
    assert_eq!(mode(&rig.dir.path().join("state")), 0o700);
    assert_eq!(mode(&chosen), 0o755, "the user's own choice");
}

#[tokio::test]
async fn two_that_save_the_same_torrent_at_once_do_not_mix() {
    let rig = half_done().await;
    let folder = rig.dir.path().join("state");
    let store = ResumeStore::new(rig.pool.clone(), folder.clone());
    let data = data_of(&rig).await;
    let of = |uploaded| ResumeData {
        uploaded,
        have: vec![0; 1 << 16],
        ..data.clone()
    };
    for round in 0..50 {
        let (one, other) = tokio::join!(store.save(of(round)), store.save(of(round + 100)));
        assert_eq!((one, other), (Ok(()), Ok(())));
        let loaded = store.load(&data.key).await.unwrap().unwrap();
        assert!([round, round + 100].contains(&loaded.uploaded));
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

proptest! {
    #[test]
    fn resume_data_round_trips(
        have in prop::collection::vec(any::<u8>(), 0..20),
        unsynced in prop::collection::vec(any::<u8>(), 0..20),
        files in prop::collection::vec(prop::option::of((0..=i64::MAX as u64, any::<i64>())), 0..20),
        root in ".{0,20}",
        uploaded in 0..=i64::MAX as u64,
        downloaded in 0..=i64::MAX as u64,
    ) {
        let files = files.into_iter().map(|file| file.map(|(len, mtime_ns)| FileState { len, mtime_ns }));
        let data = ResumeData {
            key: ResumeKey::new(InfoHash::new([3; 20]), Path::new(&root)),
            top: root.into_bytes(),
            have,
            unsynced,
            by_sha1: Vec::new(),
            files: files.collect(),
            uploaded,
            downloaded,
        };
        prop_assert_eq!(ResumeData::from_bytes(&data.to_bytes()), Ok(data));
    }

    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(ResumeData::from_bytes(&bytes).is_err());
    }
}
