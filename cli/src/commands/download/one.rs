//! Downloads one torrent, and seeds it if asked to.

use std::time::Instant;

use tailwater_serve::size::Size;
use tailwater_session::RemoveOptions;
use tailwater_session::{Stats, Torrent, WebSeedStats};

use super::Downloads;
use super::jobs::Job;
use super::pending::{Held, Pending};
use crate::args::{Goals, Hook, Json};
use crate::commands::follow::Follower;
use crate::commands::goals::Watch;
use crate::commands::hook::{self, Facts};
use crate::error::CliError;
use crate::input::magnet::Audience;
use crate::json;
use crate::out::Harmless;
use crate::progress::{OFTEN, Progress};
use crate::words;

/// A torrent that is being downloaded, or seeded after that.
pub(super) struct One {
    follower: Follower,
    progress: Progress,
    /// Bytes of the wanted pieces.
    wanted: u64,
    /// No peer is known that could have it.
    lonely: bool,
    /// Whether it is seeded when it is complete, and until when.
    seed: bool,
    goals: Goals,
    /// What is started when it is complete.
    hook: Option<(Hook, Facts)>,
    json: Json,
    /// Held until it is complete.
    unfinished: Option<Held>,
}

impl One {
    pub(super) fn new(downloads: &Downloads, job: &Job, torrent: Torrent) -> Self {
        let Audience { progress, json, .. } = &downloads.audience;
        let hook = downloads.args.on_complete.clone();
        let hook = hook.map(|hook| (hook, job.facts(&torrent, &downloads.args)));
        let meter = progress.meter(job.name(), job.wanted, OFTEN);
        let about = job.about(&downloads.args);
        let follower = Follower::new(torrent, about, meter, job.wanted, *json);
        let held = Pending::Torrent(follower.subject().clone());
        let held = downloads.unfinished.hold(held);
        Self {
            lonely: job.loaded.is_lonely(&downloads.args.network),
            wanted: job.wanted,
            seed: downloads.args.seeds(),
            goals: downloads.args.goals,
            hook,
            json: *json,
            progress: progress.clone(),
            unfinished: Some(held),
            follower,
        }
    }

    pub(super) const fn torrent(&self) -> &Torrent {
        self.follower.torrent()
    }

    pub(super) async fn run(self) -> Result<(), CliError> {
        let (json, about) = (self.json, self.follower.about().clone());
        let info_hash = self.follower.torrent().info_hash();
        let ended = self.run_to_end().await;
        if let Err(error) = &ended {
            json::failed(json, info_hash, &about, error)?;
        }
        ended
    }

    async fn run_to_end(mut self) -> Result<(), CliError> {
        let name = self.follower.torrent().info().name().to_owned();
        let found = self.follower.checked().await?;
        let began = Instant::now();
        if self.lonely && found.bytes_left > 0 {
            self.progress.note(format_args!(
                "warning: {name} has no trackers: waiting for peers to connect; name one with `--peer HOST:PORT`"
            ));
        }
        let mut watch = Watch::new(self.goals, self.wanted, began);
        let stats = match watch.complete(&mut self.follower).await {
            Ok(stats) => stats,
            Err(error) => {
                // Others go on, and this one must not take bandwidth from them. Nothing is deleted, so nothing can
                // fail.
                let _ = self
                    .follower
                    .torrent()
                    .remove(RemoveOptions::default())
                    .await;
                return Err(error);
            }
        };
        // Before it is printed: a script may stop us as soon as it reads the line.
        drop(self.unfinished.take());
        // What was shown last was before that.
        self.follower.refresh();
        if !self.json.is_on() {
            self.progress.inform(format_args!(
                "complete: {name}, {}",
                self.summary(&found, &stats, began)
            ))?;
        }
        self.follower.tell_completed(&stats)?;
        let hook = async {
            if let Some((hook, facts)) = self.hook.as_ref().filter(|_| found.bytes_left > 0) {
                hook::run(hook, facts, &self.progress).await;
            }
        };
        let seeding = async {
            if !self.seed {
                self.follower.finish();
                return Ok(());
            }
            let ended = watch.seed(&mut self.follower).await;
            // Nothing is deleted, so nothing can fail.
            let _ = self
                .follower
                .torrent()
                .remove(RemoveOptions::default())
                .await;
            let goal = ended?;
            self.follower.finish();
            if !self.json.is_on() {
                let name = Harmless(&name);
                self.progress.inform(format_args!("done: {name}, {goal}"))?;
            }
            Ok(())
        };
        tokio::join!(seeding, hook).0
    }

    fn summary(&self, found: &Stats, stats: &Stats, began: Instant) -> String {
        let wanted = Size(self.wanted);
        if found.bytes_left == 0 {
            return format!("{wanted}, was here already");
        }
        let took = began.elapsed();
        let rate = words::measured_rate(stats.downloaded, took);
        let rate = rate.map(|rate| format!(" ({rate})")).unwrap_or_default();
        let fetched = match found.bytes_left == self.wanted {
            true => String::new(),
            false => format!(", {} of it now", Size(found.bytes_left)),
        };
        format!(
            "{wanted} verified{fetched}, in {}{rate}{}",
            words::duration(took),
            from_web_seeds(&self.torrent().web_seeds())
        )
    }
}

/// Their part of what was received.
fn from_web_seeds(seeds: &[WebSeedStats]) -> String {
    let used: Vec<_> = seeds.iter().filter(|seed| seed.downloaded > 0).collect();
    if used.is_empty() {
        return String::new();
    }
    let bytes = Size(used.iter().map(|seed| seed.downloaded).sum());
    let seeds = words::count(used.len(), "web seed");
    format!(", {bytes} received from {seeds}")
}
