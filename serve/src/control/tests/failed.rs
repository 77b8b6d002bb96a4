//! Torrents that cannot start: what is said of them, what can be changed, and what is left alone.

use std::net::SocketAddr;

use super::*;

/// A torrent in the way of which another file of its name is.
async fn failed(control: &Control, dir: &Path, peers: Vec<SocketAddr>) -> TorrentId {
    std::fs::write(dir.join("data/x"), b"mine!").unwrap();
    let params = AddParams {
        peers,
        ..AddParams::default()
    };
    let source = AddSource::TorrentFile(hello());
    let id = control.add(source, params).await.unwrap();
    until_state(control, id, TorrentState::Error).await;
    id
}

#[tokio::test]
async fn a_file_in_the_way_is_not_deleted_with_its_torrent() {
    let dir = TempDir::new().unwrap();
    let control = start(dir.path()).await;
    let id = failed(&control, dir.path(), Vec::new()).await;
    let left = control.remove_and_say(id, true).await.unwrap();
    let file = dir.path().join("data/x");
    assert_eq!(left, [file.as_path()]);
    assert_eq!(std::fs::read(file).unwrap(), b"mine!");
    control.close().await;
}

#[tokio::test]
async fn one_that_could_not_start_has_nothing_and_its_files_can_be_chosen() {
    let dir = TempDir::new().unwrap();
    let control = start(dir.path()).await;
    let id = failed(&control, dir.path(), Vec::new()).await;
    let view = control.torrent(id).unwrap();
    assert_eq!((view.have, view.left), (0, 5));
    assert!(view.progress < 0.01, "{}", view.progress);
    let files = control.files(id).await.unwrap();
    assert_eq!((files.len(), files[0].have), (1, 0));
    assert_eq!(files[0].priority, FilePriority::Normal);
    let change = FileChange {
        index: 0,
        priority: FilePriority::Skip,
    };
    control.set_files(id, vec![change]).await.unwrap();
    let files = control.files(id).await.unwrap();
    assert_eq!(files[0].priority, FilePriority::Skip);
    assert_eq!(control.torrent(id).unwrap().left, 0);
    // Nothing is wanted of the file in the way any more.
    control.resume(id).await.unwrap();
    until_state(&control, id, TorrentState::Seeding).await;
    control.close().await;
}

#[tokio::test]
async fn peers_that_are_named_are_connected_to_after_an_error_and_a_restart() {
    let dir = TempDir::new().unwrap();
    let other = Session::builder().listen("127.0.0.1:0".parse().unwrap());
    let other = other.start().unwrap();
    let options = tailwater_session::AddOptions::to_folder(dir.path().join("other"));
    other.add(hello(), options.paused(true)).await.unwrap();
    let peer = other.listen_addr().unwrap();
    let control = start(dir.path()).await;
    let id = failed(&control, dir.path(), vec![peer]).await;
    std::fs::remove_file(dir.path().join("data/x")).unwrap();
    control.resume(id).await.unwrap();
    until_peers(&control, id, 1).await;
    // As a killed process leaves it: nothing is saved at the end.
    control.inner.session.close().await;
    drop(control);
    let control = start(dir.path()).await;
    until_peers(&control, id, 1).await;
    control.close().await;
    other.close().await;
}

#[tokio::test]
async fn peers_of_the_daemon_are_connected_to_by_every_torrent() {
    let dir = TempDir::new().unwrap();
    let other = Session::builder().listen("127.0.0.1:0".parse().unwrap());
    let other = other.start().unwrap();
    let options = tailwater_session::AddOptions::to_folder(dir.path().join("other"));
    other.add(hello(), options.paused(true)).await.unwrap();
    let peer = other.listen_addr().unwrap();
    let control = start(dir.path()).await;
    control.connect_all(vec![peer]).await;
    for source in [
        AddSource::TorrentFile(hello()),
        AddSource::Link(other.torrents()[0].info_hash().to_string()),
    ] {
        let id = control.add(source, AddParams::default()).await.unwrap();
        until_peers(&control, id, 1).await;
        control.remove(id, false).await.unwrap();
    }
    control.close().await;
    other.close().await;
}
