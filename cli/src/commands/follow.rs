//! Showing a torrent's progress until it is settled.

use std::time::{Duration, Instant};

use tailwater_session::{Phase, Stats, Status, Torrent, TorrentError};
use tokio::time::timeout;

use crate::args::Json;
use crate::error::CliError;
use crate::json::Line;
use crate::out;
use crate::progress::{self, Meter};

/// A status that does not change is shown again after this time: the ETA and the idle rate do.
const REFRESH: Duration = Duration::from_secs(1);

/// Follows one torrent.
pub(super) struct Follower {
    torrent: Torrent,
    meter: Meter,
    /// Bytes of the wanted pieces.
    wanted: u64,
    /// Print the progress as JSON.
    json: Json,
    printed: Instant,
}

impl Follower {
    pub(super) fn new(torrent: Torrent, meter: Meter, wanted: u64, json: Json) -> Self {
        Self {
            torrent,
            meter,
            wanted,
            json,
            printed: Instant::now(),
        }
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

    fn show(&mut self, status: &Status) -> Result<(), CliError> {
        let stats = &status.stats;
        let done = self.wanted.saturating_sub(stats.bytes_left);
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
            Phase::Complete => self.meter.set(self.wanted, progress::seeding(stats)),
            _ => self
                .meter
                .set(done, progress::downloading(stats, self.wanted)),
        }
        if self.json.has_events() && self.printed.elapsed() >= REFRESH {
            self.printed = Instant::now();
            out::json(&Line::progress(self.torrent.info_hash(), stats))?;
        }
        Ok(())
    }
}
