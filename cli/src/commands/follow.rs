//! Shows a torrent's progress until it is complete, seeded or failed.

use std::time::{Duration, Instant};

use tailwater_session::{Phase, Stats, Status, Torrent, TorrentError, WebSeedState};
use tokio::time::timeout;

use crate::args::Json;
use crate::error::CliError;
use crate::json::{Figures, Line, Of};
use crate::known::{About, Known};
use crate::out::{self, Harmless};
use crate::progress::{Meter, State, Transfer};

/// A status that does not change is shown again after this time: the ETA and the idle rate do.
const REFRESH: Duration = Duration::from_secs(1);

/// No rate is shown before it has been measured for so long.
const MEASURED_FOR: Duration = Duration::from_secs(1);

/// A torrent, and how far it is.
#[derive(Clone)]
pub(super) struct Subject {
    torrent: Torrent,
    about: About,
    began: Instant,
    /// Bytes of the wanted pieces.
    wanted: u64,
    known: Known,
}

/// Follows one torrent.
pub(super) struct Follower {
    subject: Subject,
    meter: Meter,
    /// Print the progress as JSON.
    json: Json,
    printed: Instant,
    /// When it began to transfer; a rate means something from a second later on.
    transfers_since: Option<Instant>,
    /// The lines below it, and when they were made.
    details: Vec<Vec<String>>,
    detailed: Option<Instant>,
    /// Whether something depends on the time that passes, though the torrent does not change.
    is_timed: bool,
}

impl Subject {
    /// Prints how far it was when it was interrupted, as JSON.
    pub(super) fn tell_interrupted(&self) -> Result<(), CliError> {
        let figures = self.figures(&self.torrent.status());
        out::json(&Line::Interrupted {
            name: Some(&self.about.name),
            info_hash: Some(self.torrent.info_hash().to_string()),
            figures: Some(&figures),
        })
    }

    fn of(&self) -> Of<'_> {
        Of::new(self.torrent.info_hash(), Some(&self.about.name))
    }

    fn figures(&self, status: &Status) -> Figures {
        let stats = &status.stats;
        let tenths = self.began.elapsed().as_millis() / 100;
        Figures {
            state: self.state(status).code(),
            done: self.wanted.saturating_sub(stats.bytes_left),
            total: self.wanted,
            path: self.about.path.clone(),
            seconds: f64::from(u32::try_from(tenths).unwrap_or(u32::MAX)) / 10.0,
            eta_seconds: stats.eta.map(|eta| eta.as_secs()),
            bytes_left: stats.bytes_left,
            transfer: stats.transfer(),
            web_seeds: self.torrent.web_seeds(),
        }
    }

    fn state(&self, status: &Status) -> State {
        let stats = &status.stats;
        match status.phase {
            Phase::Starting => State::Starting,
            Phase::Checking { done, total } => State::Checking(done, total),
            Phase::Complete => State::Seeding,
            Phase::Paused => State::Paused,
            _ if stats.down_rate > 0 => State::Downloading,
            _ if stats.peers == 0 && self.known.is_cut_off() => State::NoInterface,
            _ if stats.peers == 0 && !self.has_web_seed() => State::LookingForPeers,
            _ if stats.is_stalled => State::Stalled,
            _ => State::Waiting,
        }
    }
}

impl Subject {
    /// Whether a web seed is used.
    fn has_web_seed(&self) -> bool {
        let mut seeds = self.torrent.web_seeds().into_iter();
        seeds.any(|seed| matches!(seed.state, WebSeedState::Ready | WebSeedState::Downloading))
    }
}

impl Follower {
    /// `about` is its description, `wanted` the bytes of the wanted pieces.
    pub(super) fn new(
        torrent: Torrent,
        about: About,
        meter: Meter,
        wanted: u64,
        json: Json,
    ) -> Self {
        Self {
            subject: Subject {
                about,
                began: Instant::now(),
                torrent,
                wanted,
                known: meter.known().clone(),
            },
            meter,
            json,
            printed: Instant::now(),
            transfers_since: None,
            details: Vec::new(),
            detailed: None,
            is_timed: false,
        }
    }

    /// Whether what is waited for depends on the time that passes.
    pub(super) const fn set_timed(&mut self, is_timed: bool) {
        self.is_timed = is_timed;
    }

    /// No more messages about it follow.
    pub(super) fn finish(&self) {
        self.meter.finish();
    }

    /// Shows how it is now, without a line of its own.
    pub(super) fn refresh(&self) {
        let status = self.subject.torrent.status();
        self.meter.refresh(self.transfer(&status));
    }

    /// Its description.
    pub(super) const fn about(&self) -> &About {
        &self.subject.about
    }

    pub(super) const fn subject(&self) -> &Subject {
        &self.subject
    }

    pub(super) const fn torrent(&self) -> &Torrent {
        &self.subject.torrent
    }

    /// Until the torrent knows what is there already.
    pub(super) async fn checked(&mut self) -> Result<Stats, CliError> {
        let checked =
            |status: &Status| !matches!(status.phase, Phase::Starting | Phase::Checking { .. });
        self.until(|status| checked(status).then_some(status.stats))
            .await
    }

    /// Until everything wanted is held and verified.
    pub(super) async fn complete(&mut self) -> Result<Stats, CliError> {
        let is_complete = |status: &Status| status.phase == Phase::Complete;
        self.until(|status| is_complete(status).then_some(status.stats))
            .await
    }

    /// Until `settled` returns a value, or the torrent fails. It is asked at every change; once a second at least while
    /// progress is shown or something depends on the time, so that thousands of idle torrents cost nothing otherwise.
    pub(super) async fn until<T>(
        &mut self,
        mut settled: impl FnMut(&Status) -> Option<T>,
    ) -> Result<T, CliError> {
        loop {
            let status = self.subject.torrent.status();
            match &status.phase {
                Phase::Failed(error) => return Err(self.error(error.clone())),
                Phase::Closed => return Err(self.error(TorrentError::Closed)),
                _ => {}
            }
            if let Some(said) = settled(&status) {
                return Ok(said);
            }
            if self.detailed.is_none_or(|at| at.elapsed() >= REFRESH) {
                self.details = self.meter.details(&self.subject.torrent).await;
                self.detailed = Some(Instant::now());
            }
            self.show(&status)?;
            let changed = self.subject.torrent.changed();
            let changed = match self.is_timed || self.json.has_events() || self.meter.is_shown() {
                true => timeout(REFRESH, changed).await.ok(),
                false => Some(changed.await),
            };
            if let Some(Err(error)) = changed {
                return Err(self.error(error));
            }
        }
    }

    /// Prints that it is complete, as JSON.
    pub(super) fn tell_completed(&self, stats: &Stats) -> Result<(), CliError> {
        let mut status = Status::default();
        (status.phase, status.stats) = (Phase::Complete, *stats);
        let mut figures = self.subject.figures(&status);
        figures.state = State::Complete.code();
        match self.json.is_on() {
            true => out::json(&Line::Completed {
                of: self.subject.of(),
                figures: &figures,
            }),
            false => Ok(()),
        }
    }

    fn error(&self, error: TorrentError) -> CliError {
        CliError::Torrent {
            name: self.subject.torrent.info().name().to_owned(),
            error,
        }
    }

    fn transfer(&self, status: &Status) -> Transfer {
        let stats = &status.stats;
        let is_measured = self
            .transfers_since
            .is_some_and(|since| since.elapsed() >= MEASURED_FOR);
        Transfer {
            name: Harmless(&self.subject.about.name).to_string(),
            state: self.subject.state(status),
            done: self.subject.wanted.saturating_sub(stats.bytes_left),
            total: self.subject.wanted,
            down: is_measured.then_some(stats.down_rate),
            up: is_measured.then_some(stats.up_rate),
            uploaded: stats.uploaded,
            peers: stats.peers,
            utp_peers: stats.utp_peers,
            encrypted_peers: stats.encrypted_peers,
            eta: stats.eta,
            details: self.details.clone(),
        }
    }

    fn show(&mut self, status: &Status) -> Result<(), CliError> {
        if matches!(status.phase, Phase::Downloading | Phase::Complete) {
            self.transfers_since.get_or_insert_with(Instant::now);
        }
        match status.phase {
            Phase::Checking { done, total } => {
                let geometry = self.subject.torrent.info().geometry();
                self.meter.set(
                    geometry.len_of_first(done),
                    format_args!("checking piece {done} of {total}"),
                );
            }
            Phase::Starting => self.meter.set(0, "starting"),
            _ => self.meter.show(self.transfer(status)),
        }
        if self.json.has_events() && self.printed.elapsed() >= REFRESH {
            self.printed = Instant::now();
            out::json(&Line::Progress {
                of: self.subject.of(),
                figures: &self.subject.figures(status),
            })?;
        }
        Ok(())
    }
}
