//! The daemon: its torrents, its settings, its start and its end.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tailwater_session::Session;
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bans::Bans;
use super::change::{ChangeKind, ChangeLog};
use super::config::ControlConfig;
use super::entry::{Entry, Run};
use super::error::ControlError;
use super::folders::Folders;
use super::groups::Groups;
use super::id::TorrentId;
use super::labels::LabelOptions;
use super::logins::Logins;
use super::rates::History;
use super::revision::Revisions;
use super::settings::{Settings, SettingsPatch};
use super::store::{Store, StoreError, TorrentRow};
use super::tokens::Tokens;
use super::totals::{self, Transferred};
use super::view::{StatsView, TorrentState, TorrentView};

/// The most torrents. Each takes some 10 kB, and its .torrent file besides while it runs.
pub(super) const MAX_TORRENTS: usize = 50_000;
/// How many torrents are added to the session at once when the daemon starts.
const STARTED_AT_ONCE: usize = 32;
/// The name of the settings in the database.
const SETTINGS: &str = "settings";

/// The daemon: torrents and settings that outlast the process. Clones are handles to the same one.
///
/// Methods that change something return when the change is on the disk. They finish what they have begun when their future
/// is dropped.
#[derive(Clone)]
pub struct Control {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) config: ControlConfig,
    pub(super) session: Session,
    pub(super) folders: Folders,
    pub(super) store: Store,
    pub(super) log: ChangeLog,
    table: Mutex<Table>,
    pub(super) settings: Mutex<Settings>,
    /// What holds for the torrents of a label.
    pub(super) labels: Mutex<BTreeMap<String, LabelOptions>>,
    pub(super) groups: Groups,
    pub(super) bans: Bans,
    /// What torrents transferred that were removed.
    pub(super) removed: Mutex<Transferred>,
    /// What was changed of the settings, by a caller, ever. Held while it is saved.
    changed: tokio::sync::Mutex<SettingsPatch>,
    tokens: Tokens,
    logins: Logins,
    pub(super) revisions: Mutex<Revisions>,
    /// Of all torrents together.
    pub(super) rates: Mutex<History>,
    /// Peers of all torrents.
    pub(super) peers: Mutex<Vec<SocketAddr>>,
    pub(super) closing: CancellationToken,
    pub(super) tasks: TaskTracker,
    is_ready: watch::Sender<bool>,
    /// Someone wants the queue to be looked at.
    pub(super) queue_changed: Notify,
    started: u64,
}

/// The torrents, by number and by name.
#[derive(Default)]
struct Table {
    by_number: BTreeMap<i64, Arc<Entry>>,
    by_id: HashMap<TorrentId, i64>,
}

impl Control {
    /// Starts the daemon: reads what is saved, and adds the torrents to the session in the background.
    /// [`Control::ready`] waits for that.
    ///
    /// # Errors
    ///
    /// When the database cannot be read, or the data folder cannot be made.
    pub async fn start(config: ControlConfig) -> Result<Self, ControlError> {
        let opened = {
            let (state, data) = (config.state_dir.clone(), config.data_dir.clone());
            let more = config.folders.clone();
            let opening = tokio::task::spawn_blocking(move || {
                let store = Store::open(&state)?;
                let folders = Folders::new(&data, &more).map_err(|error| {
                    let data = data.display();
                    let why = match error.kind() {
                        std::io::ErrorKind::AlreadyExists => "it is no folder".to_owned(),
                        _ => error.to_string(),
                    };
                    ControlError::Folder(format!("cannot use the data folder {data}: {why}"))
                })?;
                Ok::<_, ControlError>((store, folders))
            });
            opening.await.map_err(|_| ControlError::Closed)??
        };
        let (store, folders) = opened;
        let session = config.session.clone();
        let (settings, changed) = saved_settings(&store, &session).await?;
        let labels = store.labels().await?;
        let groups = Groups::read(&store).await?;
        let bans = Bans::read(&store, &session).await?;
        let removed = Mutex::new(totals::saved(&store).await?);
        let tokens = Tokens::new(store.clone());
        let log = ChangeLog::new(SystemTime::now());
        let inner = Arc::new(Inner {
            logins: Logins::read(store.clone(), tokens.clone()).await?,
            tokens,
            session,
            folders,
            store,
            revisions: Mutex::new(Revisions::new(log.newest())),
            log,
            table: Mutex::default(),
            settings: Mutex::new(settings),
            labels: Mutex::new(labels),
            groups,
            bans,
            removed,
            changed: tokio::sync::Mutex::new(changed),
            rates: Mutex::new(History::of_all()),
            peers: Mutex::new(config.peers.clone()),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
            is_ready: watch::Sender::new(false),
            queue_changed: Notify::new(),
            started: now(),
            config,
        });
        inner.limit_rates()?;
        inner.read_torrents().await?;
        // From before the first torrent is added.
        let events = inner.session.subscribe();
        let control = Self { inner };
        control
            .inner
            .spawn(Arc::clone(&control.inner).start_torrents());
        control
            .inner
            .spawn(Arc::clone(&control.inner).follow(events));
        control
            .inner
            .spawn(Arc::clone(&control.inner).keep_figures());
        control.inner.spawn(Arc::clone(&control.inner).keep_queue());
        control.inner.spawn(Arc::clone(&control.inner).keep_rates());
        control
            .inner
            .spawn(Arc::clone(&control.inner).keep_unloading());
        control
            .inner
            .spawn(Arc::clone(&control.inner).keep_schedule());
        Ok(control)
    }

    /// Waits until every saved torrent has been added to the session, or could not be.
    pub async fn ready(&self) {
        let mut is_ready = self.inner.is_ready.subscribe();
        // The sender lives as long as the daemon.
        let _ = is_ready.wait_for(|ready| *ready).await;
    }

    /// Whether every saved torrent has been added to the session, or could not be.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.inner.is_ready.borrow()
    }

    /// Everything that changes.
    #[must_use]
    pub fn log(&self) -> &ChangeLog {
        &self.inner.log
    }

    /// The secrets of programs.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.inner.tokens
    }

    /// The logins of pages.
    #[must_use]
    pub fn logins(&self) -> &Logins {
        &self.inner.logins
    }

    /// All torrents, in the order in which they were added, for lists: without `comment`, `created_by` and `magnet`, which
    /// take the most time. [`Control::torrent`] has them.
    #[must_use]
    pub fn torrents(&self) -> Vec<TorrentView> {
        let entries = self.inner.entries();
        entries.iter().map(|entry| entry.brief()).collect()
    }

    /// A torrent.
    ///
    /// # Errors
    ///
    /// [`ControlError::NotFound`].
    pub fn torrent(&self, id: TorrentId) -> Result<TorrentView, ControlError> {
        Ok(self.inner.entry(id)?.view())
    }

    /// The daemon's figures.
    #[must_use]
    pub fn stats(&self) -> StatsView {
        let session = self.inner.session.stats();
        let limits = self.inner.rate_limits();
        let mut stats = StatsView {
            torrents: 0,
            downloading: 0,
            seeding: 0,
            paused: 0,
            queued: 0,
            failed: 0,
            downloaded: session.downloaded,
            uploaded: session.uploaded,
            down_rate: session.down_rate,
            up_rate: session.up_rate,
            peers: session.peers,
            connections: session.connections,
            max_connections: session.max_connections,
            download_limit: limits.download,
            upload_limit: limits.upload,
            are_limits_alternative: limits.are_alternative,
            memory_used: session.memory_used,
            memory_budget: session.memory_budget,
            listen_addr: self
                .inner
                .session
                .listen_addr()
                .map(|addr| addr.to_string()),
            started: self.inner.started,
            newest_event: self.inner.log.newest(),
        };
        for entry in self.inner.entries() {
            stats.torrents += 1;
            match entry.state().shown_state() {
                TorrentState::Downloading | TorrentState::Metadata => stats.downloading += 1,
                TorrentState::Seeding => stats.seeding += 1,
                TorrentState::Paused => stats.paused += 1,
                TorrentState::Queued => stats.queued += 1,
                TorrentState::Error => stats.failed += 1,
                _ => {}
            }
        }
        stats
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.inner.settings.lock().clone()
    }

    /// Changes settings, which outlast the process from then on.
    ///
    /// # Errors
    ///
    /// When a value makes no sense, and then nothing is changed; when it cannot be saved, and then it holds until the
    /// process ends.
    pub async fn set_settings(&self, patch: SettingsPatch) -> Result<Settings, ControlError> {
        if let Some(Some(folder)) = &patch.completed_folder {
            self.inner.folder(folder.into()).await?;
        }
        let inner = Arc::clone(&self.inner);
        self.inner
            .finish(async move {
                let mut changed = inner.changed.lock().await;
                let settings = patch.on(&inner.settings.lock())?;
                settings.apply(&inner.session)?;
                *inner.settings.lock() = settings.clone();
                inner.limit_rates()?;
                *changed = std::mem::take(&mut *changed).then(patch);
                let json = serde_json::to_string(&*changed)
                    .map_err(|error| ControlError::Invalid(error.to_string()))?;
                inner.log.push(None, ChangeKind::SettingsChanged);
                inner.queue_changed.notify_one();
                inner.store.save_setting(SETTINGS, json).await?;
                Ok(settings)
            })
            .await
    }

    /// Takes over settings of a configuration that was read again. What was changed by [`Control::set_settings`] comes before
    /// them, as at the start.
    ///
    /// # Errors
    ///
    /// When a value makes no sense, and then nothing is changed.
    pub async fn configure(&self, configured: SettingsPatch) -> Result<Settings, ControlError> {
        let inner = Arc::clone(&self.inner);
        self.inner
            .finish(async move {
                let changed = inner.changed.lock().await;
                let configured = configured.on(&inner.settings.lock())?;
                let settings = changed.on(&configured)?;
                settings.apply(&inner.session)?;
                *inner.settings.lock() = settings.clone();
                inner.limit_rates()?;
                inner.log.push(None, ChangeKind::SettingsChanged);
                inner.queue_changed.notify_one();
                Ok(settings)
            })
            .await
    }

    /// Ends it: saves the figures, closes the session. May be called again.
    pub async fn close(&self) {
        let inner = &self.inner;
        inner.closing.cancel();
        inner.tasks.close();
        inner.save_figures().await;
        if let Err(error) = inner.store.flush().await {
            tracing::warn!("cannot fold the database's log: {error}");
        }
        inner.session.close().await;
        inner.tasks.wait().await;
    }
}

impl Inner {
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let closing = self.closing.clone();
        self.tasks.spawn(async move {
            closing.run_until_cancelled(task).await;
        });
    }

    /// Runs something that goes on when its caller is gone.
    pub(super) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ControlError>> + Send + 'static,
    ) -> Result<T, ControlError> {
        if self.closing.is_cancelled() {
            return Err(ControlError::Closed);
        }
        let done = self.tasks.spawn(work).await;
        done.unwrap_or(Err(ControlError::Closed))
    }

    /// All torrents, in the order in which they were added.
    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.table.lock().by_number.values().cloned().collect()
    }

    pub(super) fn find(&self, id: TorrentId) -> Option<Arc<Entry>> {
        let table = self.table.lock();
        let number = table.by_id.get(&id)?;
        table.by_number.get(number).cloned()
    }

    pub(super) fn entry(&self, id: TorrentId) -> Result<Arc<Entry>, ControlError> {
        self.find(id).ok_or(ControlError::NotFound(id))
    }

    pub(super) fn insert(&self, entry: Arc<Entry>) {
        let mut table = self.table.lock();
        table.by_id.insert(entry.id, entry.number);
        table.by_number.insert(entry.number, entry);
    }

    pub(super) fn forget(&self, entry: &Entry) {
        let mut table = self.table.lock();
        table.by_number.remove(&entry.number);
        table.by_id.remove(&entry.id);
        drop(table);
        self.revise_removed(entry.id);
    }

    /// The place in the queue of the next torrent.
    ///
    /// # Errors
    ///
    /// When there are too many.
    pub(super) fn next_position(&self) -> Result<u64, ControlError> {
        let entries = self.entries();
        if entries.len() >= MAX_TORRENTS {
            return Err(ControlError::TooMany(MAX_TORRENTS));
        }
        let taken = entries.iter().map(|entry| entry.state().queue_position);
        Ok(taken.max().unwrap_or(0) + 1)
    }

    /// The most torrents that download, and that seed.
    pub(super) fn queue_limits(&self) -> (Option<usize>, Option<usize>) {
        let settings = self.settings.lock();
        (settings.max_downloads, settings.max_seeds)
    }

    /// Saves what a user can change of a torrent, as it is now.
    pub(super) async fn save(
        &self,
        entry: &Entry,
        file: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        self.save_row(entry.id, entry.row(), file).await
    }

    /// Saves a torrent; the log says it if that fails.
    pub(super) async fn save_row(
        &self,
        id: TorrentId,
        row: TorrentRow,
        file: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let saved = self.store.save_torrent(row, file).await;
        if let Err(error) = &saved {
            let error = error.to_string();
            self.log.push(Some(id), ChangeKind::SaveFailed { error });
        }
        saved
    }

    async fn read_torrents(&self) -> Result<(), ControlError> {
        let (rows, unreadable) = self.store.torrents().await?;
        for reason in unreadable {
            // It stays in the database, for a program that can read it.
            tracing::error!("a torrent in the database cannot be read: {reason}");
        }
        for row in rows {
            match row.record.info_hash.parse::<TorrentId>() {
                Ok(id) => self.insert(Arc::new(Entry::new(id, row))),
                Err(error) => tracing::error!("torrent {} in the database: {error}", row.number),
            }
        }
        Ok(())
    }

    /// Adds the saved torrents to the session, some at a time.
    async fn start_torrents(self: Arc<Self>) {
        let permits = Arc::new(Semaphore::new(STARTED_AT_ONCE));
        let started = TaskTracker::new();
        for entry in self.entries() {
            // It is never closed.
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                return;
            };
            let inner = Arc::clone(&self);
            started.spawn(async move {
                inner.start_torrent(&entry).await;
                drop(permit);
            });
        }
        started.close();
        started.wait().await;
        self.is_ready.send_replace(true);
    }

    async fn start_torrent(self: &Arc<Self>, entry: &Arc<Entry>) {
        let _changing = entry.changing.lock().await;
        if self.closing.is_cancelled() || !matches!(entry.state().run, Run::Starting) {
            return;
        }
        let started = match self.store.torrent_file(entry.number).await {
            Ok(file) => {
                self.finish_renaming(entry).await;
                self.find_moved(entry, file.as_deref()).await;
                self.activate(entry, file, Vec::new()).await
            }
            Err(error) => Err(error.into()),
        };
        match started {
            Ok(()) => self.go_on_moving(entry),
            Err(error) => self.fail(entry, &error),
        }
    }

    /// A torrent could not be added to the session. It stays in the list, with the reason.
    pub(super) fn fail(&self, entry: &Entry, error: &ControlError) {
        let error = error.to_string();
        tracing::warn!("{} did not start: {error}", entry.shown_name());
        entry.set_run(Run::Failed(error.clone()));
        self.log.push(Some(entry.id), ChangeKind::Failed { error });
    }
}

/// The settings of the session as it was started, with what was changed of them before.
async fn saved_settings(
    store: &Store,
    session: &Session,
) -> Result<(Settings, SettingsPatch), ControlError> {
    let saved = store.setting(SETTINGS).await?;
    let changed = match saved.as_deref().map(serde_json::from_str) {
        None => SettingsPatch::default(),
        Some(Ok(changed)) => changed,
        Some(Err(error)) => {
            tracing::error!("the settings in the database cannot be read: {error}");
            SettingsPatch::default()
        }
    };
    let settings = changed.on(&Settings::of(session))?;
    settings.apply(session)?;
    Ok((settings, changed))
}

/// Unix time in seconds.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
