//! A torrent of the daemon: in a session, or not yet, or not any more.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tailwater_metainfo::{InfoHash, Magnet};
use tailwater_session::{
    FetchProgress, Phase, Priority, StorageRecord, Torrent, TorrentRecord, Totals,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::dormant::Facts;
use super::error::ControlError;
use super::id::TorrentId;
use super::rates::History;
use super::request::StorageChoice;
use super::revision::Seen;
use super::service::now;
use super::store::{Figures, TorrentOptions, TorrentRow};
use super::view::{TorrentState, TorrentView, share, times};

/// A torrent of the daemon.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: TorrentId,
    pub(super) number: i64,
    pub(super) added: u64,
    /// Held by whatever changes it, from the first step to the last: two callers never change it at once.
    pub(super) changing: tokio::sync::Mutex<()>,
    state: Mutex<EntryState>,
}

/// What of it changes.
#[derive(Debug)]
pub(super) struct EntryState {
    /// How it is added to a session, without its .torrent file. `paused` is what the user wants.
    pub(super) record: TorrentRecord,
    pub(super) labels: Vec<String>,
    pub(super) queue_position: u64,
    pub(super) options: TorrentOptions,
    /// What is known of it without its files.
    pub(super) facts: Option<Facts>,
    /// What went wrong last, although it goes on.
    pub(super) warning: Option<String>,
    pub(super) figures: Figures,
    /// Figures that are not saved yet.
    pub(super) is_dirty: bool,
    pub(super) run: Run,
    /// It would run, but waits for its place in the queue.
    pub(super) is_held: bool,
    /// It was started whatever the queue says, until it is paused.
    pub(super) skips_queue: bool,
    /// Since when it runs or waits, as a Unix time.
    pub(super) runs_since: u64,
    /// When it had to be in the session last although it is paused, as a Unix time.
    pub(super) needed_at: u64,
    /// As a client that follows changes saw it.
    pub(super) seen: Seen,
    /// Its rates of the last hour, if there were any.
    pub(super) rates: Option<Box<History>>,
}

/// How it runs.
#[derive(Debug)]
pub(super) enum Run {
    /// It is about to be added to the session.
    Starting,
    /// The metadata of its link is fetched.
    Fetching(Fetching),
    /// It is a link that was paused.
    Idle,
    /// It is paused, and not in the session.
    Dormant,
    /// It is in the session.
    Running(Torrent),
    /// It could not be added to the session.
    Failed(String),
}

/// A running fetch of metadata.
#[derive(Clone, Debug)]
pub(super) struct Fetching {
    pub(super) cancel: CancellationToken,
    /// Cancelled when nothing of it is left in the session.
    pub(super) over: CancellationToken,
    /// Peers that were named meanwhile.
    pub(super) peers: mpsc::Sender<Vec<SocketAddr>>,
    pub(super) progress: Arc<Mutex<FetchProgress>>,
}

impl Entry {
    pub(super) fn new(id: TorrentId, row: TorrentRow) -> Self {
        // What was in memory is gone, and what is to be moved has to run.
        let is_on_disk = matches!(row.record.storage, StorageRecord::Folder(_));
        let held_some = row.facts.as_ref().is_some_and(|facts| facts.is_started);
        let may_wait = row.options.moving_to.is_none() && (is_on_disk || !held_some);
        let run = match row.record.paused && may_wait && row.facts.is_some() {
            true => Run::Dormant,
            false => Run::Starting,
        };
        Self {
            id,
            number: row.number,
            added: row.added,
            changing: tokio::sync::Mutex::default(),
            state: Mutex::new(EntryState {
                record: row.record,
                labels: row.labels,
                queue_position: row.queue_position,
                options: row.options,
                facts: row.facts,
                warning: None,
                figures: row.figures,
                is_dirty: false,
                run,
                is_held: false,
                skips_queue: false,
                runs_since: now(),
                needed_at: 0,
                seen: Seen::default(),
                rates: None,
            }),
        }
    }

    /// Held briefly, and never across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, EntryState> {
        self.state.lock()
    }

    /// Its handle.
    pub(super) fn torrent(&self) -> Option<Torrent> {
        match &self.state().run {
            Run::Running(torrent) => Some(torrent.clone()),
            _ => None,
        }
    }

    /// Its handle, unless the user paused it.
    pub(super) fn unpaused(&self) -> Option<Torrent> {
        let state = self.state();
        match &state.run {
            Run::Running(torrent) if !state.record.paused => Some(torrent.clone()),
            _ => None,
        }
    }

    /// Its handle, for what needs one.
    pub(super) fn running(&self) -> Result<Torrent, ControlError> {
        let why = match &self.state().run {
            Run::Running(torrent) => return Ok(torrent.clone()),
            Run::Starting => "it is about to start".to_owned(),
            Run::Fetching(_) | Run::Idle => "its metadata is not known yet".to_owned(),
            Run::Dormant => "it is paused".to_owned(),
            Run::Failed(why) => why.clone(),
        };
        Err(ControlError::Conflict(format!(
            "torrent {} cannot do that now: {why}",
            self.id
        )))
    }

    /// As [`Self::running`], for a caller who goes on to use it: one that is paused stays in the session for a while.
    pub(super) fn needed(&self) -> Result<Torrent, ControlError> {
        self.state().needed_at = now();
        self.running()
    }

    /// Ends a fetch that is under way, and waits until the session has forgotten it: its name is free then. The lock of the
    /// torrent is held by the caller.
    pub(super) async fn end_fetch(&self) {
        let fetching = match &self.state().run {
            Run::Fetching(fetching) => Some(fetching.clone()),
            _ => None,
        };
        self.set_run(Run::Idle);
        if let Some(fetching) = fetching {
            fetching.over.cancelled().await;
        }
    }

    /// Changes how it runs, and ends a fetch that is under way.
    pub(super) fn set_run(&self, run: Run) {
        let mut state = self.state();
        // It runs at first, and is looked at by the queue then.
        state.is_held = false;
        state.runs_since = now();
        state.needed_at = now();
        let before = std::mem::replace(&mut state.run, run);
        drop(state);
        if let Run::Fetching(fetching) = before {
            fetching.cancel.cancel();
        }
    }

    /// How it is added to a session now.
    pub(super) fn record(&self) -> TorrentRecord {
        let state = self.state();
        let mut record = state.record.clone();
        record.totals = Totals {
            downloaded: state.figures.downloaded,
            uploaded: state.figures.uploaded,
        };
        record
    }

    /// What is saved of it, as it is now.
    pub(super) fn row(&self) -> TorrentRow {
        let torrent = self.torrent();
        let mut state = self.state();
        if let Some(torrent) = torrent {
            let paused = state.record.paused;
            let mut record = torrent.record();
            record.torrent_file = None;
            record.paused = paused;
            let before = state.facts.take();
            let peers = before.as_ref().map(|facts| facts.peers.clone());
            state.facts = Facts::of(&torrent, &record).map_or(before, |facts| {
                let peers = peers.unwrap_or_default();
                Some(Facts { peers, ..facts })
            });
            state.record = record;
        }
        TorrentRow {
            number: self.number,
            record: state.record.clone(),
            labels: state.labels.clone(),
            queue_position: state.queue_position,
            options: state.options.clone(),
            added: self.added,
            figures: state.figures,
            facts: state.facts.clone(),
        }
    }

    /// Its name, or its info-hash while that is not known.
    pub(super) fn shown_name(&self) -> String {
        match self.state().record.name.as_str() {
            "" => self.id.to_string(),
            name => name.to_owned(),
        }
    }

    /// Where its files are.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        match &self.state().record.storage {
            StorageRecord::Folder(folder) => Some(folder.clone()),
            _ => None,
        }
    }

    /// All that is said of it.
    pub(super) fn view(&self) -> TorrentView {
        let mut view = self.brief();
        if let Some(torrent) = self.torrent() {
            let metainfo = torrent.metainfo();
            view.comment = metainfo.comment().map(str::to_owned);
            view.created_by = metainfo.created_by().map(str::to_owned);
            view.magnet = metainfo.magnet().to_string();
        } else if view.magnet.is_empty() {
            view.magnet = magnet_of(&self.state(), self.id.info_hash());
        }
        view
    }

    /// What is said of it in lists: without what takes long.
    pub(super) fn brief(&self) -> TorrentView {
        let state = self.state();
        let mut view = self.saved_view(&state);
        if let Some(facts) = &state.facts {
            facts.show(&mut view);
        }
        match &state.run {
            Run::Starting | Run::Idle | Run::Dormant => {}
            Run::Failed(error) => view.error = Some(error.clone()),
            Run::Fetching(fetching) => {
                let progress = *fetching.progress.lock();
                view.peers = progress.peers_connected;
                view.known_peers = progress.peers_known;
                let (have, total) = (progress.blocks_have as u64, progress.blocks_total as u64);
                view.state_progress = (total > 0).then(|| share(have, total));
            }
            Run::Running(torrent) => run(&mut view, torrent),
        }
        if let (Run::Running(torrent), Some(_)) = (&state.run, &view.error) {
            show_failed(&mut view, torrent);
        }
        view.state = state.shown_state();
        view.ratio = times(view.uploaded, view.downloaded.max(view.have));
        view
    }

    /// What is known without a session.
    fn saved_view(&self, state: &EntryState) -> TorrentView {
        let (record, figures) = (&state.record, &state.figures);
        let folder = match &record.storage {
            StorageRecord::Folder(folder) => Some(folder.to_string_lossy().into_owned()),
            _ => None,
        };
        TorrentView {
            id: self.id,
            number: self.number,
            name: match record.name.as_str() {
                "" => self.id.to_string(),
                name => name.to_owned(),
            },
            title: state.options.title.clone(),
            state: TorrentState::Starting,
            state_progress: None,
            error: None,
            warning: state.warning.clone(),
            labels: state.labels.clone(),
            queue_position: state.queue_position,
            forced: state.options.forced,
            added: self.added,
            completed: figures.completed,
            last_activity: figures.last_activity,
            size: 0,
            have: 0,
            left: 0,
            progress: 0.0,
            downloaded: figures.downloaded,
            uploaded: figures.uploaded,
            wasted: 0,
            ratio: 0.0,
            down_rate: 0,
            up_rate: 0,
            eta: None,
            is_stalled: false,
            downloading_seconds: figures.downloading_seconds,
            seeding_seconds: figures.seeding_seconds,
            download_limit: record.download_limit,
            upload_limit: record.upload_limit,
            max_peers: record.max_peers,
            upload_slots: record.upload_slots,
            ratio_limit: state.options.seeding.ratio_limit,
            idle_limit: state.options.seeding.idle_limit,
            seeding_time_limit: state.options.seeding.seeding_time_limit,
            completed_folder: state.options.completed_folder.clone(),
            sequential: record.sequential,
            on_demand: record.on_demand,
            super_seeding: record.super_seeding,
            storage: match folder {
                Some(_) => StorageChoice::Disk,
                None => StorageChoice::Memory,
            },
            folder,
            is_private: false,
            file_count: 0,
            piece_length: 0,
            piece_count: 0,
            pieces_have: 0,
            peers: 0,
            seeds: 0,
            known_peers: 0,
            comment: None,
            created_by: None,
            created: None,
            magnet: record.magnet.clone().unwrap_or_default(),
        }
    }
}

/// What a running torrent says of itself.
fn run(view: &mut TorrentView, torrent: &Torrent) {
    let status = torrent.status();
    let (info, stats) = (torrent.info(), status.stats);
    let geometry = info.geometry();
    info.name().clone_into(&mut view.name);
    view.size = geometry.total();
    // Until it is known, what was known last is shown.
    if status.phase != Phase::Starting {
        view.have = stats.bytes_have;
        view.left = stats.bytes_left;
        view.progress = share(stats.bytes_have, stats.bytes_have + stats.bytes_left);
        view.pieces_have = stats.pieces_have;
    }
    view.downloaded = view.downloaded.max(status.totals.downloaded);
    view.uploaded = view.uploaded.max(status.totals.uploaded);
    view.wasted = stats.wasted;
    view.down_rate = stats.down_rate;
    view.up_rate = stats.up_rate;
    view.eta = stats.eta.map(|eta| eta.as_secs());
    view.is_stalled = stats.is_stalled;
    view.is_private = info.is_private();
    view.file_count = info.files().iter().filter(|file| !file.is_pad()).count();
    view.piece_length = geometry.piece_length();
    view.piece_count = geometry.piece_count();
    view.peers = stats.peers;
    view.seeds = stats.seeds;
    view.known_peers = stats.known_addrs;
    view.created = torrent.metainfo().creation_date();
    match &status.phase {
        Phase::Checking { done, total } => {
            view.state_progress = Some(share(u64::from(*done), u64::from(*total)));
            view.progress = 0.0;
        }
        Phase::Moving { done, total } => view.state_progress = Some(share(*done, *total)),
        Phase::Failed(error) => view.error = Some(crate::words::failure(error)),
        _ => {}
    }
}

/// One that could not start knows nothing of its files: all that is wanted is missing.
fn show_failed(view: &mut TorrentView, torrent: &Torrent) {
    let stats = torrent.stats();
    if stats.bytes_have + stats.bytes_left > 0 {
        return;
    }
    let files = torrent.info().files().iter();
    let files = files.zip(torrent.file_priorities());
    let wanted = files.filter(|(file, priority)| !file.is_pad() && *priority != Priority::Skip);
    view.left = wanted.map(|(file, _)| file.length()).sum();
    view.progress = 0.0;
}

impl EntryState {
    /// What is received and sent now, in bytes a second.
    pub(super) fn rates_now(&self) -> (u64, u64) {
        match &self.run {
            Run::Running(torrent) => {
                let stats = torrent.stats();
                (stats.down_rate, stats.up_rate)
            }
            _ => (0, 0),
        }
    }

    /// What it is doing. What the user wants counts at once, although the torrent needs a moment.
    pub(super) fn shown_state(&self) -> TorrentState {
        let paused = self.record.paused;
        match &self.run {
            Run::Failed(_) => TorrentState::Error,
            _ if self.is_link() && paused => TorrentState::Paused,
            Run::Starting if paused => TorrentState::Paused,
            Run::Starting => TorrentState::Starting,
            Run::Idle | Run::Dormant => TorrentState::Paused,
            Run::Fetching(_) => TorrentState::Metadata,
            Run::Running(torrent) => {
                let status = torrent.status();
                match status.phase {
                    Phase::Starting if paused => TorrentState::Paused,
                    Phase::Starting => TorrentState::Starting,
                    Phase::Checking { .. } => TorrentState::Checking,
                    Phase::Moving { .. } => TorrentState::Moving,
                    Phase::Failed(_) | Phase::Closed => TorrentState::Error,
                    _ if paused => TorrentState::Paused,
                    Phase::Paused if self.is_held => TorrentState::Queued,
                    Phase::Complete => TorrentState::Seeding,
                    Phase::Paused if status.stats.bytes_left == 0 => TorrentState::Seeding,
                    _ => TorrentState::Downloading,
                }
            }
        }
    }

    /// Whether its metadata is not known.
    const fn is_link(&self) -> bool {
        matches!(self.run, Run::Fetching(_) | Run::Idle)
    }
}

/// A magnet link for a torrent that is not in the session.
fn magnet_of(state: &EntryState, name: InfoHash) -> String {
    let (record, facts) = (&state.record, state.facts.clone().unwrap_or_default());
    let mut magnet = Magnet::new(facts.info_hashes(name));
    magnet.name = Some(record.name.clone()).filter(|name| !name.is_empty());
    magnet.trackers = record.trackers.iter().flatten().cloned().collect();
    magnet.to_string()
}

/// The magnet link of a record.
pub(super) fn link(record: &TorrentRecord) -> Option<Magnet> {
    record.magnet.as_deref()?.parse().ok()
}
