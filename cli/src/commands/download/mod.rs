//! `tailwater download`

mod jobs;
mod links;
mod memory;
mod one;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tailwater_session::{DEFAULT_MEMORY_BUDGET, Session};
use tokio::task::JoinSet;

use super::Context;
use crate::args::{Download, StorageChoice};
use crate::error::CliError;
use crate::link::Link;
use crate::magnet::{Audience, Loaded};
use crate::running::Running;
use crate::source::Given;
use crate::start;
use jobs::Job;
use memory::Room;
use one::One;

pub(super) async fn run(context: &Context, args: &Download) -> Result<(), CliError> {
    check_flags(args)?;
    let (jobs, links) = context.interrupt.guard(open(context, args)).await?;
    let budget = args.memory.map_or(DEFAULT_MEMORY_BUDGET, |size| size.0);
    let mut builder = start::builder(&args.network, args.storage.into()).memory_budget(budget);
    match args.storage {
        StorageChoice::Memory => memory::check(&jobs, budget)?,
        StorageChoice::Disk => {
            if let Some(dir) = start::resume_dir() {
                builder = builder.state_dir(dir);
            }
        }
    }
    let running = Running::start(builder, &context.progress, context.common.json_lines())?;
    let downloads = Downloads {
        session: running.session.clone(),
        args: args.clone(),
        audience: Audience {
            progress: context.progress.clone(),
            json: context.common.json_lines(),
            seen: None,
        },
        room: Room::new(budget, &jobs),
        have_begun: AtomicBool::new(false),
        unfinished: Arc::default(),
    };
    let outcome = transfer(context, Arc::new(downloads), jobs, links).await;
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

/// What can be known without peers, and what cannot.
async fn open(context: &Context, args: &Download) -> Result<(Vec<Job>, Vec<Link>), CliError> {
    let (mut jobs, mut links) = (Vec::new(), Vec::new());
    for source in &args.sources {
        match source.open_v1(&context.progress).await? {
            Given::Torrent(metainfo) => jobs.push(Job::new(Loaded::of(metainfo), args)?),
            Given::Link(link) => links.push(link),
        }
    }
    Ok((jobs, links))
}

/// What all torrents of the command share.
struct Downloads {
    session: Session,
    args: Download,
    audience: Audience,
    room: Room,
    /// Some torrent has been added.
    have_begun: AtomicBool,
    /// Held by each download that is not complete yet.
    unfinished: Arc<()>,
}

impl Downloads {
    fn have_begun(&self) {
        self.have_begun.store(true, Ordering::Relaxed);
    }
}

async fn transfer(
    context: &Context,
    downloads: Arc<Downloads>,
    jobs: Vec<Job>,
    links: Vec<Link>,
) -> Result<(), CliError> {
    let mut failed = false;
    let mut followers = JoinSet::new();
    for job in jobs {
        match downloads.add(&job).await {
            Ok(torrent) => {
                followers.spawn(One::new(&downloads, &job, torrent).run());
            }
            Err(error) => {
                failed = true;
                error.report(&context.progress);
            }
        }
    }
    for link in links {
        let unfinished = Arc::clone(&downloads.unfinished);
        followers.spawn(Arc::clone(&downloads).follow_link(link, unfinished));
    }
    loop {
        let next = tokio::select! {
            biased;
            () = context.interrupt.requested() => {
                // Ours is the only one left when all are complete, and only seeded.
                if !failed && Arc::strong_count(&downloads.unfinished) == 1 {
                    context.interrupt.serves();
                    return Err(CliError::Interrupted);
                }
                let is_kept = downloads.args.storage == StorageChoice::Disk;
                if is_kept && downloads.have_begun.load(Ordering::Relaxed) {
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
