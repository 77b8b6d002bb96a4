//! The service layer with a session that knows no one: what is kept, and what is refused.

mod failed;

use std::path::Path;

use tailwater_session::Session;
use tempfile::TempDir;

use super::*;

/// A torrent of one file of 5 bytes, in pieces of 16 KiB; `name` makes another one.
fn torrent(name: &str) -> Vec<u8> {
    let mut bytes = format!(
        "d4:infod6:lengthi5e4:name{}:{name}12:piece lengthi16384e6:pieces20:",
        name.len()
    )
    .into_bytes();
    bytes.extend_from_slice(&[7; 20]);
    bytes.extend_from_slice(b"ee");
    bytes
}

pub(super) async fn start(dir: &Path) -> Control {
    let session = Session::builder()
        .listen("127.0.0.1:0".parse().unwrap())
        .state_dir(dir.join("state/resume"))
        .start()
        .unwrap();
    let config = ControlConfig::new(session, dir.join("state"), dir.join("data"));
    let control = Control::start(config).await.unwrap();
    control.ready().await;
    control
}

/// A torrent of a file `x` with "hello" in it.
pub(super) fn hello() -> Vec<u8> {
    const SHA1: &[u8] =
        b"\xaa\xf4\xc6\x1d\xdc\xc5\xe8\xa2\xda\xbe\xde\x0f\x3b\x48\x2c\xd9\xae\xa9\x43\x4d";
    let mut bytes = torrent("x");
    let end = bytes.len() - 2;
    bytes[end - 20..end].copy_from_slice(SHA1);
    bytes
}

pub(super) async fn add(control: &Control, name: &str) -> TorrentId {
    let source = AddSource::TorrentFile(torrent(name));
    let params = AddParams {
        labels: vec!["a".to_owned()],
        ..AddParams::default()
    };
    control.add(source, params).await.unwrap()
}

#[tokio::test]
async fn torrents_and_settings_outlast_the_process() {
    let dir = TempDir::new().unwrap();
    let control = start(dir.path()).await;
    let first = add(&control, "first").await;
    let second = add(&control, "second").await;
    let link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=third";
    let third = control
        .add(AddSource::Link(link.to_owned()), AddParams::default())
        .await
        .unwrap();
    control.pause(first).await.unwrap();
    control.pause(third).await.unwrap();
    let patch = r#"{"labels":["b","c"],"download_limit":5000,"ratio_limit":1.5,"sequential":true}"#;
    let patch = serde_json::from_str(patch).unwrap();
    control.patch(second, patch).await.unwrap();
    let settings = r#"{"upload_limit":77,"max_peers":3}"#;
    let settings = serde_json::from_str(settings).unwrap();
    control.set_settings(settings).await.unwrap();
    let newest = control.log().newest();
    // Nothing is saved at the end that was not saved before: that is what a killed process leaves.
    control.inner.session.close().await;
    drop(control);

    let control = start(dir.path()).await;
    let torrents = control.torrents();
    let known: Vec<_> = torrents.iter().map(|it| (it.id, it.number)).collect();
    assert_eq!(known, [(first, 1), (second, 2), (third, 3)]);
    assert_eq!(torrents[0].state, TorrentState::Paused);
    assert_eq!(torrents[0].labels, ["a"]);
    assert_eq!(torrents[1].labels, ["b", "c"]);
    assert_eq!(torrents[1].download_limit, Some(5_000));
    assert_eq!(torrents[1].ratio_limit, Some(Limit::At(1.5)));
    assert!(torrents[1].sequential);
    assert_eq!(torrents[2].state, TorrentState::Paused);
    assert_eq!(torrents[2].name, "third");
    let settings = control.settings();
    assert_eq!((settings.upload_limit, settings.max_peers), (Some(77), 3));
    assert_eq!(control.inner.session.upload_limit(), Some(77));
    assert_eq!(
        control.log().since(newest),
        Err(Missed {
            newest: control.log().newest()
        })
    );
    control.close().await;
}

#[tokio::test]
async fn a_torrent_is_there_once_and_gone_when_removed() {
    let dir = TempDir::new().unwrap();
    let control = start(dir.path()).await;
    let begin = control.log().newest();
    let (a, b) = tokio::join!(
        control.add(AddSource::TorrentFile(torrent("x")), AddParams::default()),
        control.add(AddSource::TorrentFile(torrent("x")), AddParams::default()),
    );
    let added: Vec<_> = [&a, &b].into_iter().flatten().collect();
    assert_eq!(added.len(), 1, "{a:?} {b:?}");
    let id = *added[0];
    assert!(matches!(
        [a, b].into_iter().find_map(Result::err),
        Some(ControlError::Duplicate(_))
    ));
    control.remove(id, true).await.unwrap();
    assert!(matches!(
        control.remove(id, true).await,
        Err(ControlError::NotFound(_))
    ));
    assert!(control.torrents().is_empty());
    let events = control.log().since(begin).unwrap();
    let names: Vec<_> = events.iter().map(|change| change.kind.name()).collect();
    assert_eq!(names.first(), Some(&"added"));
    assert_eq!(names.last(), Some(&"removed"));
    control.close().await;
    let control = start(dir.path()).await;
    assert!(control.torrents().is_empty());
    control.close().await;
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_and_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let control = start(dir.path()).await;
    let file = || AddSource::TorrentFile(torrent("x"));
    let with = |change: fn(&mut AddParams)| {
        let mut params = AddParams::default();
        change(&mut params);
        params
    };
    let cases = [
        (
            AddSource::TorrentFile(b"nothing".to_vec()),
            AddParams::default(),
        ),
        (
            AddSource::Link("magnet:?x".to_owned()),
            AddParams::default(),
        ),
        (
            AddSource::Link("/etc/passwd".to_owned()),
            AddParams::default(),
        ),
        (
            AddSource::Link("http://127.0.0.1:1/a.torrent".to_owned()),
            AddParams::default(),
        ),
        (
            file(),
            with(|params| params.folder = Some("/etc".to_owned())),
        ),
        (file(), with(|params| params.files = Some(vec![1]))),
        (file(), with(|params| params.download_limit = Some(0))),
        (
            file(),
            with(|params| params.labels = vec!["a,b".to_owned()]),
        ),
    ];
    for (source, params) in cases {
        let refused = control.add(source.clone(), params).await;
        assert!(refused.is_err(), "{source:?}");
    }
    assert!(control.torrents().is_empty());
    let (rows, _) = control.inner.store.torrents().await.unwrap();
    assert!(rows.is_empty());
    control.close().await;
}

#[tokio::test]
async fn an_address_of_our_own_network_is_not_fetched_for_a_caller() {
    let dir = TempDir::new().unwrap();
    let control = start(dir.path()).await;
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/a.torrent", server.local_addr().unwrap());
    let refused = control
        .add(AddSource::Link(url), AddParams::default())
        .await;
    assert!(
        matches!(refused, Err(ControlError::Fetch { .. })),
        "{refused:?}"
    );
    // Not even a connection was made.
    let asked = tokio::time::timeout(std::time::Duration::ZERO, server.accept()).await;
    assert!(asked.is_err());
    control.close().await;
}

#[tokio::test]
async fn a_state_folder_belongs_to_one_process() {
    let dir = TempDir::new().unwrap();
    let lock = StateLock::take(dir.path()).unwrap().unwrap();
    assert!(StateLock::take(dir.path()).unwrap().is_none());
    drop(lock);
    assert!(StateLock::take(dir.path()).unwrap().is_some());
}

#[tokio::test]
async fn two_callers_that_change_one_torrent_both_get_an_answer_and_one_wins_whole() {
    let dir = TempDir::new().unwrap();
    let control = start(dir.path()).await;
    let id = add(&control, "x").await;
    let patch = |label: &str, limit: u64| {
        let json = format!(r#"{{"labels":["{label}"],"download_limit":{limit}}}"#);
        let patch = serde_json::from_str(&json).unwrap();
        let control = control.clone();
        tokio::spawn(async move { control.patch(id, patch).await })
    };
    let calls: Vec<_> = (1..=20).map(|n| patch(&n.to_string(), n)).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let view = control.torrent(id).unwrap();
    assert_eq!(view.labels, [view.download_limit.unwrap().to_string()]);
    control.close().await;
}

#[tokio::test]
async fn a_place_in_the_queue_moves_the_others_and_is_kept() {
    let dir = TempDir::new().unwrap();
    let control = start(dir.path()).await;
    let ids = [
        add(&control, "a").await,
        add(&control, "b").await,
        add(&control, "c").await,
    ];
    let patch = serde_json::from_str(r#"{"queue_position":1}"#).unwrap();
    control.patch(ids[2], patch).await.unwrap();
    let places = |control: &Control| -> Vec<u64> {
        let views = ids.map(|id| control.torrent(id).unwrap());
        views.iter().map(|view| view.queue_position).collect()
    };
    assert_eq!(places(&control), [2, 3, 1]);
    control.close().await;
    let control = start(dir.path()).await;
    assert_eq!(places(&control), [2, 3, 1]);
    control.close().await;
}

#[tokio::test]
async fn as_many_download_at_once_as_the_settings_say() {
    let dir = TempDir::new().unwrap();
    let control = start(dir.path()).await;
    let limit = |json: &str| serde_json::from_str(json).unwrap();
    control
        .set_settings(limit(r#"{"max_downloads":1}"#))
        .await
        .unwrap();
    for name in ["a", "b", "c"] {
        add(&control, name).await;
    }
    until(&control, [1, 2]).await;
    let views = control.torrents();
    assert_eq!(views[0].state, TorrentState::Downloading);
    // The place of one that is paused is the next one's.
    control.pause(views[0].id).await.unwrap();
    until(&control, [1, 1]).await;
    assert_eq!(control.torrents()[1].state, TorrentState::Downloading);
    control
        .set_settings(limit(r#"{"max_downloads":null}"#))
        .await
        .unwrap();
    until(&control, [2, 0]).await;
    control.close().await;
}

/// Waits until so many download, and so many wait.
async fn until(control: &Control, wanted: [usize; 2]) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let views = control.torrents();
        let count = |state| views.iter().filter(|view| view.state == state).count();
        let found = [TorrentState::Downloading, TorrentState::Queued].map(count);
        if found == wanted {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{found:?}");
        tokio::task::yield_now().await;
    }
}

/// Waits until a torrent is in this state.
pub(super) async fn until_state(control: &Control, id: TorrentId, wanted: TorrentState) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let view = control.torrent(id).unwrap();
        if view.state == wanted {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{view:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_torrent_that_failed_says_why_and_goes_on_when_it_is_resumed() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("data/x");
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(&file, "hello").unwrap();
    let control = start(dir.path()).await;
    let id = add(&control, "x").await;
    until_state(&control, id, TorrentState::Error).await;
    assert!(control.torrent(id).unwrap().error.is_some());
    // Nothing changed: it fails again, and the file is left alone.
    let _ = control.resume(id).await;
    until_state(&control, id, TorrentState::Error).await;
    assert_eq!(std::fs::read(&file).unwrap(), b"hello");
    control.close().await;

    let control = start(dir.path()).await;
    until_state(&control, id, TorrentState::Error).await;
    std::fs::remove_file(&file).unwrap();
    control.resume(id).await.unwrap();
    until_state(&control, id, TorrentState::Downloading).await;
    assert!(control.torrent(id).unwrap().error.is_none());
    control.close().await;
}

#[tokio::test]
async fn a_link_is_kept_paused_and_resumed_without_its_metadata() {
    let dir = TempDir::new().unwrap();
    let control = start(dir.path()).await;
    let link = "0123456789abcdef0123456789abcdef01234567";
    let source = AddSource::Link(link.to_owned());
    let id = control.add(source, AddParams::default()).await.unwrap();
    assert_eq!(control.torrent(id).unwrap().state, TorrentState::Metadata);
    control.pause(id).await.unwrap();
    assert_eq!(control.torrent(id).unwrap().state, TorrentState::Paused);
    assert!(matches!(
        control.files(id).await,
        Err(ControlError::Conflict(_))
    ));
    assert!(control.peers(id).await.unwrap().is_empty());
    let patch = serde_json::from_str(r#"{"download_limit":7,"labels":["l"]}"#).unwrap();
    control.patch(id, patch).await.unwrap();
    control.resume(id).await.unwrap();
    control.resume(id).await.unwrap();
    assert_eq!(control.torrent(id).unwrap().state, TorrentState::Metadata);
    control.close().await;
    let control = start(dir.path()).await;
    let view = control.torrent(id).unwrap();
    assert_eq!(
        (view.state, view.download_limit),
        (TorrentState::Metadata, Some(7))
    );
    control.remove(id, true).await.unwrap();
    assert!(control.torrents().is_empty());
    // The session has forgotten it too.
    let source = AddSource::Link(link.to_owned());
    assert_eq!(control.add(source, AddParams::default()).await.unwrap(), id);
    control.close().await;
}

#[tokio::test]
async fn a_torrent_that_is_added_paused_touches_nothing_until_it_is_resumed() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("data/x");
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(&file, "another's").unwrap();
    let control = start(dir.path()).await;
    let params = || AddParams {
        paused: true,
        ..AddParams::default()
    };
    let source = || AddSource::TorrentFile(hello());
    let wrong = AddParams {
        files: Some(vec![1]),
        ..params()
    };
    let refused = control.add(source(), wrong).await;
    assert!(
        matches!(refused, Err(ControlError::Invalid(_))),
        "{refused:?}"
    );
    let id = control.add(source(), params()).await.unwrap();
    let is_dormant = |control: &Control| {
        let view = control.torrent(id).unwrap();
        assert_eq!(view.state, TorrentState::Paused);
        assert_eq!((view.size, view.file_count, view.have), (5, 1, 0));
        assert!(view.magnet.contains("dn=x"), "{}", view.magnet);
        assert_eq!(control.inner.session.stats().torrents, 0);
    };
    is_dormant(&control);
    let low = serde_json::from_str(r#"[{"index":0,"priority":"low"}]"#).unwrap();
    control.set_files(id, low).await.unwrap();
    let none = serde_json::from_str(r#"[{"index":1,"priority":"low"}]"#).unwrap();
    assert!(control.set_files(id, none).await.is_err());
    assert_eq!(control.pieces(id).await.unwrap().count, 1);
    control.close().await;
    let control = start(dir.path()).await;
    is_dormant(&control);
    let files = control.files(id).await.unwrap();
    assert_eq!((files[0].path.as_str(), files[0].size), ("x", 5));
    assert_eq!(files[0].priority, FilePriority::Low);
    is_dormant(&control);
    // It has no files yet, so none are moved or deleted.
    control.move_to(id, "other".into()).await.unwrap();
    control.move_to(id, "".into()).await.unwrap();
    control.remove(id, true).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"another's");

    // Another one finds its file when it is resumed, is not in the session after the next start, and is moved and deleted.
    std::fs::write(&file, "hello").unwrap();
    let id = control.add(source(), params()).await.unwrap();
    control.resume(id).await.unwrap();
    until_state(&control, id, TorrentState::Seeding).await;
    control.pause(id).await.unwrap();
    control.close().await;
    let control = start(dir.path()).await;
    assert_eq!(control.inner.session.stats().torrents, 0);
    let view = control.torrent(id).unwrap();
    assert_eq!(
        (view.state, view.have, view.left),
        (TorrentState::Paused, 5, 0)
    );
    control.move_to(id, "other".into()).await.unwrap();
    until_folder(&control, id, &dir.path().join("data/other")).await;
    assert!(!file.exists());
    control.close().await;
    let control = start(dir.path()).await;
    control.remove(id, true).await.unwrap();
    assert!(!dir.path().join("data/other/x").exists());
    control.close().await;
}

#[tokio::test]
async fn a_process_that_is_killed_while_it_moves_files_goes_on_with_it() {
    let dir = TempDir::new().unwrap();
    let (data, done) = (dir.path().join("data"), dir.path().join("data/done"));
    std::fs::create_dir_all(&done).unwrap();
    std::fs::write(data.join("x"), "hello").unwrap();
    let control = start(dir.path()).await;
    let source = AddSource::TorrentFile(hello());
    let id = control.add(source, AddParams::default()).await.unwrap();
    until_state(&control, id, TorrentState::Seeding).await;
    // What a move saves before it begins is all that a killed process leaves.
    let moving = |control: &Control, from: &Path, to: &Path| {
        let entry = control.inner.entry(id).unwrap();
        let mut row = entry.row();
        row.record.storage = tailwater_session::StorageRecord::Folder(from.to_owned());
        row.options.moving_to = Some(to.to_owned());
        let store = control.inner.store.clone();
        async move { store.save_torrent(row, None).await.unwrap() }
    };
    moving(&control, &data, &done).await;
    control.inner.session.close().await;
    drop(control);

    let control = start(dir.path()).await;
    until_folder(&control, id, &done).await;
    until_state(&control, id, TorrentState::Seeding).await;
    assert_eq!(std::fs::read(done.join("x")).unwrap(), b"hello");
    assert!(!data.join("x").exists());

    // The files are there already, and only the database does not know.
    moving(&control, &data, &done).await;
    control.inner.session.close().await;
    drop(control);
    let control = start(dir.path()).await;
    until_folder(&control, id, &done).await;
    until_state(&control, id, TorrentState::Seeding).await;
    assert!(!data.join("x").exists());
    assert!(control.torrent(id).unwrap().warning.is_none());
    control.close().await;
}

/// Waits until a torrent has so many peers.
pub(super) async fn until_peers(control: &Control, id: TorrentId, wanted: usize) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while control.torrent(id).unwrap().peers != wanted {
        assert!(std::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
}

/// Waits until a torrent's files are in this folder.
async fn until_folder(control: &Control, id: TorrentId, folder: &Path) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let view = control.torrent(id).unwrap();
        let found = view.folder.as_deref().map(Path::new);
        if found == Some(folder) && view.state != TorrentState::Moving {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{view:?}");
        tokio::task::yield_now().await;
    }
}
