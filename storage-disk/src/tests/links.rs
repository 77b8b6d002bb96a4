//! Symbolic links below the download folder, and other things that are no files.

use super::{Rig, SystemFiles, mixed};
use crate::system::below::Links;
use crate::{Completion, StorageError};
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;

async fn written(rig: &mut Rig) -> Option<StorageError> {
    rig.write(rig.payload.blocks()).await;
    rig.torrent.flush().await.unwrap();
    match rig.events.try_recv() {
        Ok(Completion::WriteFailed { error, .. }) => Some(error),
        Ok(other) => panic!("{other:?}"),
        Err(_) => None,
    }
}

#[tokio::test]
async fn a_link_that_is_planted_while_a_torrent_runs_is_not_followed() {
    let mut rig = Rig::new(mixed()).await;
    assert_eq!(written(&mut rig).await, None);
    // The files are opened anew after this, as those of many torrents are.
    rig.pool.files().forget_torrent(0);
    let outside = rig.dir.path().join("outside");
    fs::create_dir_all(outside.join("er")).unwrap();
    for (name, len) in [("c", 40_000), ("er/b", 1)] {
        fs::write(outside.join(name), vec![0; len]).unwrap();
    }
    let planted = rig.root().join("t/deep");
    fs::remove_dir_all(&planted).unwrap();
    symlink(&outside, &planted).unwrap();
    let error = written(&mut rig).await.unwrap();
    let StorageError::Symlink { path, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(path, planted);
    assert_eq!(fs::read(outside.join("c")).unwrap(), vec![0; 40_000]);
}

#[tokio::test]
async fn a_download_reads_through_no_link_and_names_the_one_it_found() {
    for planted in ["t", "t/deep", "t/d"] {
        let rig = Rig::new(mixed()).await;
        let elsewhere = rig.dir.path().join("elsewhere");
        rig.payload.save(&elsewhere);
        let link = rig.root().join(planted);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(elsewhere.join(planted), &link).unwrap();
        let error = rig.torrent.check(|_, _| {}).await.unwrap_err();
        assert!(
            matches!(&error, StorageError::Symlink { path, .. } if *path == link),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_seed_may_have_its_files_elsewhere() {
    for planted in ["t", "t/deep", "t/d"] {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let payload = mixed();
        let elsewhere = dir.path().join("elsewhere");
        payload.save(&elsewhere);
        payload.save(&dir.path().join("down"));
        let link = dir.path().join("down").join(planted);
        match link.is_dir() {
            true => fs::remove_dir_all(&link).unwrap(),
            false => fs::remove_file(&link).unwrap(),
        }
        symlink(elsewhere.join(planted), &link).unwrap();
        let rig = Rig::linked(payload, Arc::new(SystemFiles), &[], dir, Links::Followed).await;
        assert!(rig.torrent.check(|_, _| {}).await.unwrap().is_all());
        let block = rig.payload.blocks()[8];
        assert_eq!(rig.read(block).await, Ok(rig.payload.bytes(block)));
    }
}

#[tokio::test]
async fn the_download_folder_itself_may_be_a_link() {
    let mut rig = Rig::new(mixed()).await;
    let disk = rig.dir.path().join("disk");
    fs::create_dir(&disk).unwrap();
    symlink(&disk, rig.root()).unwrap();
    rig.torrent.prepare().await.unwrap();
    assert_eq!(written(&mut rig).await, None);
    assert!(disk.join("t/deep/er/b").exists());
}

#[tokio::test]
async fn a_pipe_in_a_files_place_is_an_error_and_holds_nobody_up() {
    let mut rig = Rig::new(mixed()).await;
    fs::create_dir_all(rig.root().join("t")).unwrap();
    let pipe = rig.root().join("t/a");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let error = written(&mut rig).await.unwrap();
    assert!(matches!(&error, StorageError::Io { path, .. } if *path == pipe));
    assert!(error.to_string().contains("it is not a file"), "{error}");
}

#[tokio::test]
async fn a_folder_that_is_not_readable_can_be_passed() {
    use std::os::unix::fs::PermissionsExt;
    let mut rig = Rig::new(mixed()).await;
    let folder = rig.root().join("t");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o300)).unwrap();
    let error = written(&mut rig).await;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(error, None);
}
