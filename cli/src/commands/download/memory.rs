//! The memory budget: the pieces of a download are not evicted, so that all torrents must fit at once.

use super::jobs::Job;
use crate::error::CliError;
use parking_lot::Mutex;

/// The memory budget, and how much of it is reserved.
pub(super) struct Room {
    /// Bytes of memory.
    budget: u64,
    /// Bytes of the wanted pieces of all torrents so far.
    promised: Mutex<u64>,
}

impl Room {
    /// Room for the torrents that are known at the start.
    pub(super) fn new(budget: u64, jobs: &[Job]) -> Self {
        Self {
            budget,
            promised: Mutex::new(needed(jobs)),
        }
    }

    /// Reserves room for a torrent whose size is known late: it has to fit beside the running downloads.
    pub(super) fn promise(&self, job: &Job) -> Result<(), CliError> {
        let mut promised = self.promised.lock();
        let needed = promised.saturating_add(job.wanted);
        if needed > self.budget {
            return Err(CliError::TooLargeForMemory {
                name: match *promised {
                    0 => job.name().to_owned(),
                    _ => format!("{} and what is under way", job.name()),
                },
                several: *promised > 0,
                needed,
                budget: self.budget,
            });
        }
        *promised = needed;
        Ok(())
    }

    /// A torrent was removed.
    pub(super) fn give_back(&self, job: &Job) {
        let mut promised = self.promised.lock();
        *promised = promised.saturating_sub(job.wanted);
    }
}

/// Refuses what does not fit, before anything is started.
pub(super) fn check(jobs: &[Job], budget: u64) -> Result<(), CliError> {
    let needed = needed(jobs);
    if needed <= budget {
        return Ok(());
    }
    let names: Vec<_> = jobs.iter().map(Job::name).collect();
    Err(CliError::TooLargeForMemory {
        name: names.join(" and "),
        several: jobs.len() > 1,
        needed,
        budget,
    })
}

fn needed(jobs: &[Job]) -> u64 {
    jobs.iter()
        .fold(0, |sum, job| sum.saturating_add(job.wanted))
}
