//! `tailwater download`

use std::path::PathBuf;
use std::time::Instant;

use tailwater_metainfo::Metainfo;
use tailwater_session::{
    AddError, AddOptions, DEFAULT_MEMORY_BUDGET, Session, Stats, StorageKind, Torrent,
};
use tokio::task::JoinSet;

use super::Context;
use super::follow::Follower;
use crate::args::{Download, StorageChoice};
use crate::error::CliError;
use crate::progress::{self, OFTEN, Progress};
use crate::running::Running;
use crate::selection::{select, wanted_bytes};
use crate::size::Size;
use crate::start;

/// One torrent to download.
struct Job {
    metainfo: Metainfo,
    files: Option<Vec<usize>>,
    /// Bytes of the wanted pieces.
    wanted: u64,
}

impl Job {
    fn name(&self) -> &str {
        self.metainfo.info().name()
    }
}

pub(super) async fn run(context: &Context, args: &Download) -> Result<(), CliError> {
    check_flags(args)?;
    let jobs = context.interrupt.guard(load(context, args)).await?;
    let budget = args.memory.map_or(DEFAULT_MEMORY_BUDGET, |size| size.0);
    let mut builder = start::builder(&args.network).memory_budget(budget);
    match args.storage {
        StorageChoice::Memory => check_memory(&jobs, budget)?,
        StorageChoice::Disk => {
            if let Some(dir) = start::resume_dir() {
                builder = builder.state_dir(dir);
            }
        }
    }
    let running = Running::start(builder, &context.progress, context.common.json)?;
    let outcome = transfer(context, args, &running.session, jobs).await;
    running.close().await;
    outcome
}

fn check_flags(args: &Download) -> Result<(), CliError> {
    let usage = |text: &str| Err(CliError::Usage(text.to_owned()));
    match args.storage {
        StorageChoice::Memory if args.output.is_some() => {
            usage("`--output` has no meaning with `--storage memory`: nothing touches the disk")
        }
        StorageChoice::Disk if args.memory.is_some() => {
            usage("`--memory` needs `--storage memory`")
        }
        _ if !args.files.is_empty() && args.sources.len() > 1 => usage(
            "`--files` chooses from one torrent: download the others with a command of their own",
        ),
        _ => Ok(()),
    }
}

async fn load(context: &Context, args: &Download) -> Result<Vec<Job>, CliError> {
    let mut jobs = Vec::new();
    for source in &args.sources {
        let metainfo = source.load_v1(&context.progress).await?;
        let files = select(metainfo.info(), &args.files)?;
        let wanted = wanted_bytes(metainfo.info(), files.as_deref());
        jobs.push(Job {
            metainfo,
            files,
            wanted,
        });
    }
    Ok(jobs)
}

/// Everything must fit at once: the pieces of a download are not evicted.
fn check_memory(jobs: &[Job], budget: u64) -> Result<(), CliError> {
    let needed = jobs
        .iter()
        .fold(0_u64, |sum, job| sum.saturating_add(job.wanted));
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

async fn transfer(
    context: &Context,
    args: &Download,
    session: &Session,
    jobs: Vec<Job>,
) -> Result<(), CliError> {
    let mut failed = false;
    let mut followers = JoinSet::new();
    for job in jobs {
        match add(args, session, &job).await {
            Ok(torrent) => {
                let meter = context.progress.meter(job.name(), job.wanted, OFTEN);
                let one = One {
                    lonely: job.metainfo.trackers().is_empty() && args.network.peer.is_empty(),
                    wanted: job.wanted,
                    seed: args.seed,
                    json: context.common.json,
                    progress: context.progress.clone(),
                    follower: Follower::new(torrent, meter, job.wanted, context.common.json),
                };
                followers.spawn(one.run());
            }
            Err(error) => {
                failed = true;
                error.report(&context.progress);
            }
        }
    }
    loop {
        let next = tokio::select! {
            biased;
            () = context.interrupt.requested() => {
                if args.storage == StorageChoice::Disk {
                    context.progress.note("closing: what was downloaded is kept, and the same command goes on with it");
                }
                return Err(CliError::Interrupted);
            }
            next = followers.join_next() => next,
        };
        match next {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(error))) => {
                failed = true;
                error.report(&context.progress);
            }
            // A task that panicked has said so.
            Some(Err(_)) => failed = true,
            None => {
                return if failed {
                    Err(CliError::Reported)
                } else {
                    Ok(())
                };
            }
        }
    }
}

async fn add(args: &Download, session: &Session, job: &Job) -> Result<Torrent, CliError> {
    let storage = match args.storage {
        StorageChoice::Memory => StorageKind::Memory,
        StorageChoice::Disk => {
            StorageKind::Disk(args.output.clone().unwrap_or_else(|| PathBuf::from(".")))
        }
    };
    let mut options = AddOptions::new(storage)
        .sequential(args.sequential)
        .peers(args.network.peer.iter().copied());
    if let Some(files) = &job.files {
        options = options.files(files.iter().copied());
    }
    let refused = |error| match error {
        AddError::TooLargeForMemory { needed, budget } => CliError::TooLargeForMemory {
            name: job.name().to_owned(),
            several: false,
            needed,
            budget,
        },
        error => CliError::Add {
            name: job.name().to_owned(),
            error,
        },
    };
    session.add(&job.metainfo, options).await.map_err(refused)
}

/// One torrent on its way.
struct One {
    follower: Follower,
    progress: Progress,
    /// Bytes of the wanted pieces.
    wanted: u64,
    /// Nobody is known who could have it.
    lonely: bool,
    seed: bool,
    json: bool,
}

impl One {
    async fn run(mut self) -> Result<(), CliError> {
        let name = self.follower.torrent().info().name().to_owned();
        let found = self.follower.checked().await?;
        let began = Instant::now();
        if self.lonely && found.bytes_left > 0 {
            self.progress.note(format_args!(
                "warning: {name} has no trackers: waiting for peers to connect; name one with `--peer ADDR:PORT`"
            ));
        }
        let stats = self.follower.complete().await?;
        if !self.json {
            self.progress.say(format_args!(
                "complete: {name}, {}",
                self.summary(&found, &stats, began)
            ))?;
        }
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
