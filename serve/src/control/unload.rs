//! Torrents that are paused while they run leave the session: their connections end, and they are dormant from then on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tailwater_session::{Phase, RemoveOptions, StorageRecord, Torrent};
use tokio::time::{MissedTickBehavior, interval};

use super::details::soon;
use super::dormant::Facts;
use super::entry::{Entry, EntryState, Run};
use super::error::ControlError;
use super::id::TorrentId;
use super::service::{Control, Inner, now};
use super::upkeep::update;

/// How long a torrent stays in the session when it is paused or something has been asked that needs its files, in seconds:
/// a pause that is taken back at once costs no connection, and a page that shows its pieces does not add it each second.
pub(super) const LINGERS_FOR: u64 = 5;
/// How often paused torrents are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How many leave at once: each tells its trackers, which may be slow.
const AT_ONCE: usize = 32;

impl Inner {
    /// Has paused torrents leave the session, to the end.
    pub(super) async fn keep_unloading(self: Arc<Self>) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            self.unload_paused(now()).await;
        }
    }

    /// Has those leave that have been paused for a while and are not read. `now`: a Unix time.
    pub(super) async fn unload_paused(&self, now: u64) {
        let entries = self.entries().into_iter();
        let going = entries.filter(|entry| may_go(&entry.state(), now));
        stream::iter(going.collect::<Vec<_>>())
            .for_each_concurrent(AT_ONCE, async |entry| self.unload(&entry, now).await)
            .await;
    }

    async fn unload(&self, entry: &Entry, now: u64) {
        // One that is being changed has its turn at the next look.
        let Ok(_changing) = entry.changing.try_lock() else {
            return;
        };
        let torrent = {
            let state = entry.state();
            state.paused_torrent().filter(|_| may_go(&state, now))
        };
        let Some(torrent) = torrent else {
            return;
        };
        match soon(torrent.buffer()).await {
            Ok(buffer) if buffer.readers.is_empty() => {}
            // Someone watches it, or it is busy.
            _ => {
                entry.state().needed_at = now;
                return;
            }
        }
        if self.leave(entry, &torrent).await.is_err() {
            // The log says it. It is tried again later.
            entry.state().needed_at = now + 60;
        }
    }

    /// Has a paused torrent leave the session; what is known of it is saved. Its lock is held by the caller.
    async fn leave(&self, entry: &Entry, torrent: &Torrent) -> Result<(), ControlError> {
        let peers = connected(torrent).await;
        let mut row = entry.row();
        if !matches!(row.record.storage, StorageRecord::Folder(_)) {
            // What was held is gone with it.
            row.facts = Some(Facts::new(torrent.metainfo(), &row.record));
        }
        let Some(facts) = &mut row.facts else {
            return Ok(());
        };
        facts.keep_peers(&peers);
        let facts = facts.clone();
        self.save_row(entry.id, row, None).await?;
        entry.state().facts = Some(facts);
        entry.set_run(Run::Dormant);
        // Its files stay, whatever it says.
        let _ = torrent.remove(RemoveOptions::default()).await;
        let mut state = entry.state();
        let before = state.figures;
        update(&mut state, torrent);
        state.is_dirty |= state.figures != before;
        Ok(())
    }
}

impl Control {
    /// Pauses a torrent that is kept in memory and has it leave the session: nothing of it is held any more. One on the disk
    /// is only paused.
    ///
    /// # Errors
    ///
    /// As for [`Control::pause`].
    pub async fn rest(&self, id: TorrentId) -> Result<(), ControlError> {
        self.change(id, |inner, entry| async move {
            inner.pause(&entry).await?;
            let is_in_memory = entry.folder().is_none();
            match entry.torrent().filter(|_| is_in_memory) {
                Some(torrent) => inner.leave(&entry, &torrent).await,
                None => Ok(()),
            }
        })
        .await
    }
}

/// Whether a torrent is in the session for nothing.
fn may_go(state: &EntryState, now: u64) -> bool {
    let torrent = state.paused_torrent();
    now.saturating_sub(state.needed_at) >= LINGERS_FOR
        // What is in memory would be gone.
        && matches!(state.record.storage, StorageRecord::Folder(_))
        && state.options.moving_to.is_none()
        && torrent.is_some_and(|torrent| torrent.status().phase == Phase::Paused)
}

impl EntryState {
    fn paused_torrent(&self) -> Option<Torrent> {
        match &self.run {
            Run::Running(torrent) if self.record.paused => Some(torrent.clone()),
            _ => None,
        }
    }
}

/// The peers that it would connect to again. Those of a private torrent come from its tracker, each time (BEP 27).
pub(super) async fn connected(torrent: &Torrent) -> Vec<SocketAddr> {
    if torrent.info().is_private() {
        return Vec::new();
    }
    let peers = soon(torrent.peers()).await.unwrap_or_default();
    peers.iter().filter_map(|peer| peer.dial_addr).collect()
}

#[cfg(test)]
mod tests {
    use tailwater_session::{AddOptions, ReaderOptions, Session};
    use tempfile::TempDir;

    use super::*;
    use crate::control::tests::{hello, start, until_peers, until_state};
    use crate::control::{
        AddParams, AddSource, Control, Limit, StorageChoice, TorrentId, TorrentState,
    };

    /// A daemon that seeds a torrent of five bytes.
    async fn seeding(dir: &TempDir) -> (Control, TorrentId) {
        std::fs::create_dir_all(dir.path().join("data")).unwrap();
        std::fs::write(dir.path().join("data/x"), "hello").unwrap();
        let control = start(dir.path()).await;
        let source = AddSource::TorrentFile(hello());
        let id = control.add(source, AddParams::default()).await.unwrap();
        until_state(&control, id, TorrentState::Seeding).await;
        (control, id)
    }

    impl Control {
        async fn unload_later(&self) {
            self.inner.unload_paused(now() + LINGERS_FOR).await;
        }

        fn in_session(&self) -> usize {
            self.inner.session.stats().torrents
        }
    }

    #[tokio::test]
    async fn a_paused_torrent_leaves_the_session_and_meets_its_peers_again_when_it_goes_on() {
        let dir = TempDir::new().unwrap();
        let (control, id) = seeding(&dir).await;
        let other = Session::builder().listen("127.0.0.1:0".parse().unwrap());
        let other = other.start().unwrap();
        // It wants nothing, so that it stays.
        let options = AddOptions::to_folder(dir.path().join("other")).paused(true);
        other.add(hello(), options).await.unwrap();
        let addr = other.listen_addr().unwrap();
        control.add_peers(id, vec![addr]).await.unwrap();
        until_peers(&control, id, 1).await;
        control.unload_later().await;
        assert_eq!(control.in_session(), 1, "it runs");
        control.pause(id).await.unwrap();
        until_paused(&control, id).await;
        control.inner.unload_paused(now()).await;
        assert_eq!(control.in_session(), 1, "it has just been paused");
        control.unload_later().await;
        assert_eq!(control.in_session(), 0);
        let view = control.torrent(id).unwrap();
        assert_eq!(
            (view.state, view.have, view.left, view.peers),
            (TorrentState::Paused, 5, 0, 0)
        );

        control.resume(id).await.unwrap();
        until_peers(&control, id, 1).await;
        assert_eq!(control.torrent(id).unwrap().state, TorrentState::Seeding);
        control.pause(id).await.unwrap();
        until_paused(&control, id).await;
        control.unload_later().await;
        control.close().await;
        let control = start(dir.path()).await;
        assert_eq!(control.in_session(), 0);
        control.resume(id).await.unwrap();
        until_peers(&control, id, 1).await;
        control.close().await;
        other.close().await;
    }

    #[tokio::test]
    async fn a_paused_torrent_that_is_read_or_in_memory_stays_in_the_session() {
        let dir = TempDir::new().unwrap();
        let (control, id) = seeding(&dir).await;
        control.pause(id).await.unwrap();
        until_paused(&control, id).await;
        let torrent = control.handle(id).await.unwrap();
        let mut reader = torrent.reader(0, ReaderOptions::default()).unwrap();
        let read = std::future::poll_fn(|cx| reader.poll_bytes(cx, 1)).await;
        assert_eq!(read.unwrap()[..], *b"h");
        while torrent.buffer().await.unwrap().readers.is_empty() {}
        control.unload_later().await;
        assert_eq!(control.in_session(), 1);
        drop(reader);
        let begun = std::time::Instant::now();
        while control.in_session() > 0 {
            // Its task may not have heard yet that the reader has gone.
            assert!(begun.elapsed().as_secs() < 60);
            control.inner.unload_paused(now() + 2 * LINGERS_FOR).await;
        }
        // What is asked of it brings it back.
        control.handle(id).await.unwrap();
        assert_eq!(control.in_session(), 1);
        control.remove(id, false).await.unwrap();

        let in_memory = AddParams {
            storage: StorageChoice::Memory,
            ..AddParams::default()
        };
        let id = control
            .add(AddSource::TorrentFile(hello()), in_memory)
            .await
            .unwrap();
        control.pause(id).await.unwrap();
        until_paused(&control, id).await;
        control.unload_later().await;
        assert_eq!(control.in_session(), 1);
        control.close().await;
    }

    #[tokio::test]
    async fn a_limit_that_a_seed_has_reached_is_lifted_although_it_has_left_the_session() {
        let dir = TempDir::new().unwrap();
        let (control, id) = seeding(&dir).await;
        control.pause(id).await.unwrap();
        until_paused(&control, id).await;
        control.unload_later().await;
        let patch = serde_json::from_str(r#"{"ratio_limit":2.0}"#).unwrap();
        control.patch(id, patch).await.unwrap();
        control.inner.entry(id).unwrap().state().figures.uploaded = 20;
        control.resume(id).await.unwrap();
        assert_eq!(control.torrent(id).unwrap().ratio_limit, Some(Limit::NONE));
        control.close().await;
    }

    #[tokio::test]
    async fn a_torrent_in_memory_rests_as_an_entry_that_holds_nothing() {
        let dir = TempDir::new().unwrap();
        let control = start(dir.path()).await;
        let in_memory = || AddParams {
            storage: StorageChoice::Memory,
            ..AddParams::default()
        };
        let source = AddSource::TorrentFile(hello());
        let id = control.add(source, in_memory()).await.unwrap();
        assert_eq!(control.readers(id).await.unwrap(), 0);
        control.rest(id).await.unwrap();
        assert_eq!(control.in_session(), 0);
        let view = control.torrent(id).unwrap();
        assert_eq!(
            (view.state, view.have, view.file_count),
            (TorrentState::Paused, 0, 1)
        );
        assert_eq!(control.files(id).await.unwrap()[0].path, "x");
        assert_eq!(control.in_session(), 0, "its files are known without it");
        // Again changes nothing.
        control.rest(id).await.unwrap();
        control.close().await;
        let control = start(dir.path()).await;
        assert_eq!(control.in_session(), 0);
        control.resume(id).await.unwrap();
        until_state(&control, id, TorrentState::Downloading).await;
        assert_eq!(control.in_session(), 1);
        control.close().await;
    }

    /// Waits until the session has paused it too.
    async fn until_paused(control: &Control, id: TorrentId) {
        let entry = control.inner.entry(id).unwrap();
        let mut torrent = entry.torrent().unwrap();
        while torrent.status().phase != Phase::Paused {
            torrent.changed().await.unwrap();
        }
    }
}
