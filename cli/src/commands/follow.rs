//! Showing a torrent's progress until it is settled.

use std::time::{Duration, Instant};

use tailwater_session::{Phase, Stats, Status, Torrent, TorrentError};
use tokio::time::timeout;

use crate::args::Json;
use crate::error::CliError;
use crate::json::Line;
use crate::out;
use crate::progress::{Meter, State, Transfer};

/// A status that does not change is shown again after this time: the ETA and the idle rate do.
const REFRESH: Duration = Duration::from_secs(1);

/// No rate is shown before it has been measured for so long.
const MEASURED_FOR: Duration = Duration::from_secs(1);

/// Follows one torrent.
pub(super) struct Follower {
    torrent: Torrent,
    meter: Meter,
    /// Bytes of the wanted pieces.
    wanted: u64,
    /// Print the progress as JSON.
    json: Json,
    printed: Instant,
    /// When it began to transfer; a rate means something from a second later on.
    transfers_since: Option<Instant>,
}

impl Follower {
    pub(super) fn new(torrent: Torrent, meter: Meter, wanted: u64, json: Json) -> Self {
        Self {
            torrent,
            meter,
            wanted,
            json,
            printed: Instant::now(),
            transfers_since: None,
        }
    }

    /// All there is to say of it has been said.
    pub(super) fn finish(&self) {
        self.meter.finish();
    }

    pub(super) const fn torrent(&self) -> &Torrent {
        &self.torrent
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

    /// Until `settled` says something, or the torrent fails. It is asked at every change, and once a second at least.
    pub(super) async fn until<T>(
        &mut self,
        mut settled: impl FnMut(&Status) -> Option<T>,
    ) -> Result<T, CliError> {
        loop {
            let status = self.torrent.status();
            match &status.phase {
                Phase::Failed(error) => return Err(self.error(error.clone())),
                Phase::Closed => return Err(self.error(TorrentError::Closed)),
                _ => {}
            }
            if let Some(said) = settled(&status) {
                return Ok(said);
            }
            self.show(&status)?;
            if let Ok(Err(error)) = timeout(REFRESH, self.torrent.changed()).await {
                return Err(self.error(error));
            }
        }
    }

    fn error(&self, error: TorrentError) -> CliError {
        CliError::Torrent {
            name: self.torrent.info().name().to_owned(),
            error,
        }
    }

    fn transfer(&self, status: &Status) -> Transfer {
        let stats = &status.stats;
        let is_flowing = stats.down_rate > 0;
        let is_measured = self
            .transfers_since
            .is_some_and(|since| since.elapsed() >= MEASURED_FOR);
        Transfer {
            name: self.torrent.info().name().to_owned(),
            state: match status.phase {
                Phase::Starting => State::Starting,
                Phase::Checking { done, total } => State::Checking(done, total),
                Phase::Complete => State::Seeding,
                Phase::Paused => State::Paused,
                _ if is_flowing => State::Downloading,
                _ if stats.peers == 0 => State::LookingForPeers,
                _ if stats.is_stalled => State::Stalled,
                _ => State::Waiting,
            },
            done: self.wanted.saturating_sub(stats.bytes_left),
            total: self.wanted,
            down: is_measured.then_some(stats.down_rate),
            up: is_measured.then_some(stats.up_rate),
            uploaded: stats.uploaded,
            peers: stats.peers,
            eta: stats.eta,
            details: Vec::new(),
        }
    }

    fn show(&mut self, status: &Status) -> Result<(), CliError> {
        let stats = &status.stats;
        if matches!(status.phase, Phase::Downloading | Phase::Complete) {
            self.transfers_since.get_or_insert_with(Instant::now);
        }
        match status.phase {
            Phase::Checking { done, total } => {
                let geometry = self.torrent.info().geometry();
                let bytes = u64::from(done).saturating_mul(u64::from(geometry.piece_length()));
                self.meter.set(
                    bytes.min(geometry.total()),
                    format_args!("checking piece {done} of {total}"),
                );
            }
            Phase::Starting => self.meter.set(0, "starting"),
            _ => self.meter.show(self.transfer(status)),
        }
        if self.json.has_events() && self.printed.elapsed() >= REFRESH {
            self.printed = Instant::now();
            out::json(&Line::progress(self.torrent.info_hash(), stats))?;
        }
        Ok(())
    }
}
