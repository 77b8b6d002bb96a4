//! Follows the session's events, and keeps figures.

use std::sync::Arc;
use std::time::Duration;

use tailwater_session::{Event, Events, Phase, Torrent};
use tokio::time::{MissedTickBehavior, interval};

use super::change::ChangeKind;
use super::entry::{Entry, EntryState, Run};
use super::seeding::{ReachedLimit, Seeded};
use super::service::{Inner, now};
use super::view::times;

/// How often figures are brought up to date.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often they are saved: what a killed process loses of them.
const SAVE_EVERY: u32 = 15;

impl Inner {
    /// Translates the session's events, to the end.
    pub(super) async fn follow(self: Arc<Self>, mut events: Events) {
        while let Some(event) = events.next().await {
            match event {
                // Events that were missed may have been of any torrent.
                Event::Missed { .. } => {
                    for entry in self.entries() {
                        self.look(&entry).await;
                    }
                }
                event => self.handle(event).await,
            }
        }
    }

    async fn handle(self: &Arc<Self>, event: Event) {
        let Some(entry) = event.info_hash().and_then(|hash| self.find(hash.into())) else {
            return;
        };
        let kind = match event {
            Event::Started { have, total, .. } => ChangeKind::Started {
                pieces_have: have,
                pieces_total: total,
            },
            Event::Rechecked { have, total, .. } => ChangeKind::Rechecked {
                pieces_have: have,
                pieces_total: total,
            },
            Event::Failed { error, .. } => {
                let error = crate::words::failure(&error);
                tracing::warn!("{}: {error}", entry.shown_name());
                ChangeKind::Failed { error }
            }
            Event::Completed { .. } => return self.complete(&entry).await,
            Event::Moved { folder, .. } => {
                // It is saved by a task of its own: events do not wait for the disk.
                let (inner, entry) = (Arc::clone(self), Arc::clone(&entry));
                self.tasks.spawn(async move {
                    let _changing = entry.changing.lock().await;
                    // The log says it if this fails.
                    let _ = inner.save(&entry, None).await;
                });
                ChangeKind::Moved {
                    folder: folder.to_string_lossy().into_owned(),
                }
            }
            _ => return,
        };
        self.log.push(Some(entry.id), kind);
    }

    /// A torrent that became complete while no one looked.
    async fn look(self: &Arc<Self>, entry: &Arc<Entry>) {
        let torrent = entry.torrent();
        if torrent.is_some_and(|torrent| torrent.status().phase == Phase::Complete) {
            self.complete(entry).await;
        }
    }

    /// Everything wanted is held. Only the first time is news.
    async fn complete(self: &Arc<Self>, entry: &Arc<Entry>) {
        let figures = {
            let mut state = entry.state();
            if state.figures.completed.is_some() {
                return;
            }
            state.figures.completed = Some(now());
            state.is_dirty = true;
            state.figures
        };
        self.log.push(Some(entry.id), ChangeKind::Completed);
        self.move_completed(entry);
        let saved = self.store.save_figures(vec![(entry.number, figures)]).await;
        if let Err(error) = saved {
            // It is tried again with the other figures.
            tracing::warn!("cannot save that {} is complete: {error}", entry.id);
        }
    }

    /// Keeps figures up to date, saves them now and then, and pauses what has seeded enough; to the end.
    pub(super) async fn keep_figures(self: Arc<Self>) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut looks = 0_u32;
        loop {
            ticks.tick().await;
            looks = looks.wrapping_add(1);
            for entry in self.entries() {
                // One that is paused does nothing that would have to be counted, and there may be thousands.
                let Some(torrent) = entry.unpaused() else {
                    continue;
                };
                self.look(&entry).await;
                if let Some(limit) = self.count(&entry, &torrent) {
                    self.stop_seeding(&entry, limit).await;
                }
            }
            if looks.is_multiple_of(SAVE_EVERY) {
                self.save_figures().await;
            }
        }
    }

    /// Brings the figures of a torrent up to date; the limit that it has reached.
    fn count(&self, entry: &Entry, torrent: &Torrent) -> Option<ReachedLimit> {
        let status = torrent.status();
        let mut state = entry.state();
        let before = state.figures;
        update(&mut state, torrent);
        let seconds = LOOK_EVERY.as_secs();
        match status.phase {
            Phase::Downloading => state.figures.downloading_seconds += seconds,
            Phase::Complete => state.figures.seeding_seconds += seconds,
            _ => {}
        }
        if status.stats.down_rate > 0 || status.stats.up_rate > 0 {
            state.figures.last_activity = Some(now());
        }
        state.is_dirty |= state.figures != before;
        if status.phase != Phase::Complete || state.record.paused || state.options.forced {
            return None;
        }
        self.seeding_limits(&state).reached(&seeded(&state))
    }

    /// Saves the figures that changed.
    pub(super) async fn save_figures(&self) {
        let mut dirty = Vec::new();
        for entry in self.entries() {
            let torrent = entry.torrent();
            let mut state = entry.state();
            let before = state.figures;
            if let Some(torrent) = torrent {
                update(&mut state, &torrent);
            }
            if std::mem::take(&mut state.is_dirty) || state.figures != before {
                dirty.push((entry.number, state.figures));
            }
        }
        if dirty.is_empty() {
            return;
        }
        let numbers: Vec<i64> = dirty.iter().map(|(number, _)| *number).collect();
        if let Err(error) = self.store.save_figures(dirty).await {
            tracing::warn!("cannot save the torrents' figures: {error}");
            for entry in self.entries() {
                if numbers.binary_search(&entry.number).is_ok() {
                    entry.state().is_dirty = true;
                }
            }
        }
    }
}

/// What the limits of a seed are compared with.
pub(super) fn seeded(state: &EntryState) -> Seeded {
    let figures = &state.figures;
    let have = match &state.run {
        Run::Running(torrent) => torrent.stats().bytes_have,
        _ => state.facts.as_ref().map_or(0, |facts| facts.have),
    };
    // A torrent that has just been resumed or become complete is not idle yet.
    let ends = [
        figures.last_activity,
        figures.completed,
        Some(state.runs_since),
    ];
    let active = ends.into_iter().flatten().max().unwrap_or(0);
    Seeded {
        ratio: times(figures.uploaded, figures.downloaded.max(have)),
        idle_seconds: now().saturating_sub(active),
        seeding_seconds: figures.seeding_seconds,
    }
}

/// Totals never go back: a torrent that has just been added says 0 for a moment.
pub(super) fn update(state: &mut EntryState, torrent: &Torrent) {
    let totals = torrent.status().totals;
    let figures = &mut state.figures;
    figures.downloaded = figures.downloaded.max(totals.downloaded);
    figures.uploaded = figures.uploaded.max(totals.uploaded);
}
