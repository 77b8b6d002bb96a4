//! With a session that knows no one: what stays, and what is let go.

use std::path::Path;
use std::time::Instant;

use tailwater_session::{ReaderOptions, Session};
use tempfile::TempDir;

use super::*;
use crate::control::ControlConfig;

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// A torrent of one file of 5 bytes.
fn torrent() -> AddSource {
    let bytes =
        b"d4:infod6:lengthi5e4:name5:a.mkv12:piece lengthi16384e6:pieces20:01234567890123456789ee";
    AddSource::TorrentFile(bytes.to_vec())
}

async fn daemon(dir: &Path) -> (Session, Control) {
    let session = Session::builder()
        .listen("127.0.0.1:0".parse().unwrap())
        .state_dir(dir.join("resume"))
        .start()
        .unwrap();
    let config = ControlConfig::new(session.clone(), dir.join("state"), dir.join("data"));
    let control = Control::start(config).await.unwrap();
    control.ready().await;
    (session, control)
}

fn title(title: &str) -> Option<String> {
    Some(title.to_owned())
}

fn poster(url: &str) -> Attributes {
    Attributes::from([("poster".to_owned(), url.to_owned())])
}

async fn until(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < HANGS_AFTER, "it does not come true");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_that_no_one_needs_is_removed_and_one_that_is_saved_holds_nothing() {
    let dir = TempDir::new().unwrap();
    let (session, control) = daemon(dir.path()).await;
    let on_demand = OnDemand::start(control.clone());
    let id = on_demand
        .add(torrent(), title("A"), poster("a"), Keeping::Passing)
        .await
        .unwrap();
    assert_eq!(on_demand.keeping(id), Some(Keeping::Passing));
    on_demand.set_idle(Duration::ZERO);
    until(|| control.torrent(id).is_err()).await;

    on_demand.set_idle(DEFAULT_IDLE);
    let id = on_demand
        .add(torrent(), title("A"), poster("a"), Keeping::Passing)
        .await
        .unwrap();
    let again = on_demand
        .add(torrent(), title("B"), poster("b"), Keeping::Saved)
        .await
        .unwrap();
    assert_eq!((again, on_demand.keeping(id)), (id, Some(Keeping::Saved)));
    assert_eq!(control.attributes(id).unwrap()["poster"], "a");
    assert_eq!(control.torrent(id).unwrap().title, title("A"));
    on_demand.set_idle(Duration::ZERO);
    until(|| session.stats().torrents == 0).await;
    assert_eq!(control.torrent(id).unwrap().state, TorrentState::Paused);
    on_demand.set_idle(DEFAULT_IDLE);
    on_demand.open(id).await.unwrap();
    assert_eq!(session.stats().torrents, 1);
    on_demand.let_go(id).await.unwrap();
    assert_eq!(session.stats().torrents, 0);
    control.close().await;
}

#[tokio::test]
async fn one_that_is_read_stays() {
    let dir = TempDir::new().unwrap();
    let (_, control) = daemon(dir.path()).await;
    let on_demand = OnDemand::start(control.clone());
    let id = on_demand
        .add(torrent(), None, Attributes::new(), Keeping::Passing)
        .await
        .unwrap();
    let opened = on_demand.open(id).await.unwrap();
    let mut reader = opened.reader(0, ReaderOptions::default()).unwrap();
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(reader.poll_bytes(cx, 1)));
    assert!(polled.await.is_pending());
    while control.readers(id).await.unwrap() == 0 {}
    on_demand.set_idle(Duration::ZERO);
    on_demand.inner.look(id).await;
    assert!(control.torrent(id).is_ok());
    drop(reader);
    until(|| control.torrent(id).is_err()).await;
    control.close().await;
}

#[tokio::test]
async fn one_that_others_added_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let (_, control) = daemon(dir.path()).await;
    let on_demand = OnDemand::start(control.clone());
    let id = control.add(torrent(), AddParams::default()).await.unwrap();
    let again = on_demand
        .add(torrent(), title("A"), poster("a"), Keeping::Passing)
        .await
        .unwrap();
    assert_eq!((again, on_demand.keeping(id)), (id, None));
    on_demand.set_idle(Duration::ZERO);
    until(|| on_demand.inner.used.lock().is_empty()).await;
    on_demand.let_go(id).await.unwrap();
    let view = control.torrent(id).unwrap();
    assert_ne!(view.state, TorrentState::Paused);
    control.pause(id).await.unwrap();
    on_demand.wake(id).await.unwrap();
    assert_eq!(control.torrent(id).unwrap().state, TorrentState::Paused);
    control.close().await;
}

#[tokio::test]
async fn after_a_restart_what_no_one_needs_is_let_go_too() {
    let dir = TempDir::new().unwrap();
    let (session, control) = daemon(dir.path()).await;
    let on_demand = OnDemand::start(control.clone());
    let id = on_demand
        .add(torrent(), None, Attributes::new(), Keeping::Passing)
        .await
        .unwrap();
    drop(on_demand);
    control.close().await;
    drop((session, control));
    let (_, control) = daemon(dir.path()).await;
    assert!(control.torrent(id).is_ok());
    let on_demand = OnDemand::start(control.clone());
    on_demand.set_idle(Duration::ZERO);
    until(|| control.torrent(id).is_err()).await;
    control.close().await;
}
