//! Torrents that are streamed on demand: they are added to be watched, kept in memory, and let go when no one watches them
//! any more. The APIs of programs that stream are built on it.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tailwater_session::Torrent;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::control::{
    AddParams, AddSource, Attributes, Control, ControlError, StorageChoice, TorrentId,
    TorrentPatch, TorrentState,
};

/// How long a torrent stays in memory that no one watches or asks about. Default of TorrServer.
pub const DEFAULT_IDLE: Duration = Duration::from_secs(30);
/// How much longer one stays whose metadata is not known yet.
pub const METADATA_WITHIN: Duration = Duration::from_secs(60);
/// How often torrents are looked for that no one needs any more.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The attribute of a torrent that was added to be streamed.
const MARK: &str = "on_demand";
/// It is removed when no one watches it.
const PASSING: &str = "passing";
/// It stays in the list.
const SAVED: &str = "saved";

/// Whether a torrent is in the list also while no one watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// It is removed when it is let go.
    Passing,
    /// It stays in the list, and nothing of it is held.
    Saved,
}

/// The torrents that are streamed on demand. Clones are handles to the same ones.
#[derive(Clone)]
pub struct OnDemand {
    inner: Arc<Inner>,
    /// Ends the task when the last handle is dropped.
    _running: Arc<DropGuard>,
}

struct Inner {
    control: Control,
    /// When each was needed last.
    used: Mutex<HashMap<TorrentId, Instant>>,
    idle: Mutex<Duration>,
    /// Held while one is let go or comes back, so that none is let go that has just been asked for.
    changing: tokio::sync::Mutex<()>,
}

impl OnDemand {
    /// Lets torrents go of a daemon that no one needs, from now on.
    #[must_use]
    pub fn start(control: Control) -> Self {
        let inner = Arc::new(Inner {
            control,
            used: Mutex::default(),
            idle: Mutex::new(DEFAULT_IDLE),
            changing: tokio::sync::Mutex::default(),
        });
        let running = CancellationToken::new();
        let stopped = running.clone();
        let keeping = Arc::clone(&inner);
        tokio::spawn(async move { stopped.run_until_cancelled(keeping.keep()).await });
        Self {
            inner,
            _running: Arc::new(running.drop_guard()),
        }
    }

    /// The daemon.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.inner.control
    }

    /// How long a torrent stays that no one needs.
    #[must_use]
    pub fn idle(&self) -> Duration {
        *self.inner.idle.lock()
    }

    /// Changes how long a torrent stays that no one needs.
    pub fn set_idle(&self, idle: Duration) {
        *self.inner.idle.lock() = idle;
    }

    /// Adds a torrent in memory, of which nothing is fetched but what is watched. One that is there is used, and the texts
    /// that it has stay.
    ///
    /// # Errors
    ///
    /// As for [`Control::add`].
    pub async fn add(
        &self,
        source: AddSource,
        title: Option<String>,
        mut attributes: Attributes,
        keeping: Keeping,
    ) -> Result<TorrentId, ControlError> {
        let mark = match keeping {
            Keeping::Passing => PASSING,
            Keeping::Saved => SAVED,
        };
        attributes.insert(MARK.to_owned(), mark.to_owned());
        let params = AddParams {
            storage: StorageChoice::Memory,
            on_demand: Some(true),
            // Someone waits for it, and it fetches no more than that.
            forced: true,
            title: title.clone(),
            attributes: attributes.clone(),
            ..AddParams::default()
        };
        let id = match self.control().add(source, params).await {
            Ok(id) => id,
            Err(ControlError::Duplicate(id)) => {
                self.complete(id, title, attributes, keeping).await?;
                id
            }
            Err(error) => return Err(error),
        };
        self.wake(id).await?;
        Ok(id)
    }

    /// Adds texts that a torrent does not have yet; one that is to be saved is.
    async fn complete(
        &self,
        id: TorrentId,
        title: Option<String>,
        mut new: Attributes,
        keeping: Keeping,
    ) -> Result<(), ControlError> {
        if title.is_some() && self.control().torrent(id)?.title.is_none() {
            let patch = TorrentPatch {
                title: Some(title),
                ..TorrentPatch::default()
            };
            self.control().patch(id, patch).await?;
        }
        let before = self.control().attributes(id)?;
        let is_passing = before.get(MARK).is_some_and(|mark| mark == PASSING);
        let becomes_saved = is_passing && keeping == Keeping::Saved;
        new.retain(|name, text| match name.as_str() {
            MARK => becomes_saved,
            name => !text.is_empty() && !before.contains_key(name),
        });
        match new.is_empty() {
            true => Ok(()),
            false => self.control().set_attributes(id, new).await,
        }
    }

    /// It is needed: it is not let go for a while.
    pub fn touch(&self, id: TorrentId) {
        self.inner.used.lock().insert(id, Instant::now());
    }

    /// It is needed, and goes on if it was let go. One that was not added to be streamed stays as it is.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or it cannot go on.
    pub async fn wake(&self, id: TorrentId) -> Result<(), ControlError> {
        let _changing = self.inner.changing.lock().await;
        let view = self.control().torrent(id)?;
        self.touch(id);
        if view.state == TorrentState::Paused && self.inner.keeping(id).is_some() {
            self.control().resume(id).await?;
        }
        Ok(())
    }

    /// The torrent in the session, for a reader, as soon as its metadata is known. It goes on if it was paused.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, it failed, or its metadata does not come.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn open(&self, id: TorrentId) -> Result<Torrent, ControlError> {
        {
            let _changing = self.inner.changing.lock().await;
            let view = self.control().torrent(id)?;
            self.touch(id);
            if view.state == TorrentState::Paused {
                self.control().resume(id).await?;
            }
        }
        let within = METADATA_WITHIN.saturating_add(self.idle());
        match timeout(within, self.ready(id)).await {
            Ok(ready) => ready,
            Err(_) => Err(ControlError::Conflict(
                "the metadata of the torrent did not come".to_owned(),
            )),
        }
    }

    async fn ready(&self, id: TorrentId) -> Result<Torrent, ControlError> {
        loop {
            let newest = self.control().log().newest();
            self.touch(id);
            let state = self.control().torrent(id)?.state;
            if !matches!(state, TorrentState::Starting | TorrentState::Metadata) {
                return self.control().handle(id).await;
            }
            if let Ok(torrent) = self.control().handle(id).await {
                return Ok(torrent);
            }
            self.control().log().wait(newest).await;
        }
    }

    /// Lets a torrent go at once that was added to be streamed; others stay as they are.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or that cannot be saved.
    pub async fn let_go(&self, id: TorrentId) -> Result<(), ControlError> {
        let _changing = self.inner.changing.lock().await;
        self.inner.used.lock().remove(&id);
        self.inner.let_go(id).await
    }

    /// Has a torrent stay in the list that was added to be streamed.
    ///
    /// # Errors
    ///
    /// When there is no such torrent, or that cannot be saved.
    pub async fn save(&self, id: TorrentId) -> Result<(), ControlError> {
        match self.keeping(id) {
            Some(Keeping::Passing) => {
                let mark = Attributes::from([(MARK.to_owned(), SAVED.to_owned())]);
                self.control().set_attributes(id, mark).await
            }
            _ => Ok(()),
        }
    }

    /// Whether a torrent was added to be streamed, and whether it stays in the list.
    #[must_use]
    pub fn keeping(&self, id: TorrentId) -> Option<Keeping> {
        self.inner.keeping(id)
    }
}

impl Inner {
    fn keeping(&self, id: TorrentId) -> Option<Keeping> {
        let attributes = self.control.attributes(id).ok()?;
        match attributes.get(MARK).map(String::as_str) {
            Some(PASSING) => Some(Keeping::Passing),
            Some(_) => Some(Keeping::Saved),
            None => None,
        }
    }

    /// Lets go what no one needs, to the end.
    async fn keep(self: Arc<Self>) {
        self.control.ready().await;
        // Those from before the daemon was started anew.
        for torrent in self.control.torrents() {
            if self.keeping(torrent.id).is_some() && torrent.state != TorrentState::Paused {
                let mut used = self.used.lock();
                used.entry(torrent.id).or_insert_with(Instant::now);
            }
        }
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            for id in self.expired() {
                self.look(id).await;
            }
        }
    }

    /// Those that have not been needed for a while.
    fn expired(&self) -> Vec<TorrentId> {
        let idle = *self.idle.lock();
        let used = self.used.lock();
        let expired = used.iter().filter(|(_, at)| at.elapsed() >= idle);
        expired.map(|(id, _)| *id).collect()
    }

    async fn look(&self, id: TorrentId) {
        let _changing = self.changing.lock().await;
        let idle = *self.idle.lock();
        let unused_for = self.used.lock().get(&id).map(Instant::elapsed);
        let Some(unused_for) = unused_for.filter(|unused| *unused >= idle) else {
            return;
        };
        let Ok(view) = self.control.torrent(id) else {
            self.used.lock().remove(&id);
            return;
        };
        let is_awaited = matches!(view.state, TorrentState::Starting | TorrentState::Metadata);
        if is_awaited && unused_for < idle.saturating_add(METADATA_WITHIN) {
            return;
        }
        // One that is busy is looked at again.
        let is_read = self.control.readers(id).await.map_or(true, |it| it > 0);
        if is_read {
            self.used.lock().insert(id, Instant::now());
            return;
        }
        self.used.lock().remove(&id);
        if let Err(error) = self.let_go(id).await {
            tracing::warn!("torrent {id} stays in memory: {error}");
        }
    }

    async fn let_go(&self, id: TorrentId) -> Result<(), ControlError> {
        match self.keeping(id) {
            Some(Keeping::Passing) => self.control.remove(id, false).await,
            Some(Keeping::Saved) => self.control.rest(id).await,
            None => Ok(()),
        }
    }
}
