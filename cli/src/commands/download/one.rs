//! One torrent on its way.

use std::sync::Arc;
use std::time::Instant;

use tailwater_session::{Stats, Torrent};

use super::Downloads;
use super::jobs::Job;
use crate::args::Json;
use crate::commands::follow::Follower;
use crate::error::CliError;
use crate::magnet::Audience;
use crate::progress::{self, OFTEN, Progress};
use crate::size::Size;

/// One torrent on its way.
pub(super) struct One {
    follower: Follower,
    progress: Progress,
    /// Bytes of the wanted pieces.
    wanted: u64,
    /// No peer is known that could have it.
    lonely: bool,
    seed: bool,
    json: Json,
    /// Held until it is complete.
    unfinished: Arc<()>,
}

impl One {
    pub(super) fn new(downloads: &Downloads, job: &Job, torrent: Torrent) -> Self {
        let Audience { progress, json, .. } = &downloads.audience;
        let meter = progress.meter(job.name(), job.wanted, OFTEN);
        Self {
            lonely: job.loaded.is_lonely(&downloads.args.network),
            wanted: job.wanted,
            seed: downloads.args.seed,
            json: *json,
            progress: progress.clone(),
            follower: Follower::new(torrent, meter, job.wanted, *json),
            unfinished: Arc::clone(&downloads.unfinished),
        }
    }

    pub(super) const fn torrent(&self) -> &Torrent {
        self.follower.torrent()
    }

    pub(super) async fn run(mut self) -> Result<(), CliError> {
        let name = self.follower.torrent().info().name().to_owned();
        let found = self.follower.checked().await?;
        let began = Instant::now();
        if self.lonely && found.bytes_left > 0 {
            self.progress.note(format_args!(
                "warning: {name} has no trackers: waiting for peers to connect; name one with `--peer ADDR:PORT`"
            ));
        }
        let stats = self.follower.complete().await?;
        if !self.json.is_on() {
            self.progress.say(format_args!(
                "complete: {name}, {}",
                self.summary(&found, &stats, began)
            ))?;
        }
        drop(self.unfinished);
        match self.seed {
            true => Err(self.follower.forever().await),
            false => Ok(()),
        }
    }

    fn summary(&self, found: &Stats, stats: &Stats, began: Instant) -> String {
        let wanted = Size(self.wanted);
        if found.bytes_left == 0 {
            return format!("{wanted}, was here already");
        }
        let took = began.elapsed();
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = Size(stats.downloaded.saturating_mul(1_000) / millis);
        let fetched = match found.bytes_left == self.wanted {
            true => String::new(),
            false => format!(", {} of it now", Size(found.bytes_left)),
        };
        format!(
            "{wanted} verified{fetched}, in {} ({rate}/s)",
            progress::duration(took)
        )
    }
}
