//! `tailwater download`

mod choose;
mod jobs;
mod links;
mod memory;
mod one;
mod pending;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tailwater_session::Session;
use tailwater_session::limits::DEFAULT_MEMORY_BUDGET;
use tokio::task::JoinSet;

use super::Context;
use crate::args::{Download, StorageChoice};
use crate::error::CliError;
use crate::input::link::Link;
use crate::input::magnet::{Audience, Loaded};
use crate::input::selection::number_in;
use crate::input::{self, Terms, Wish};
use crate::json;
use crate::known::About;
use crate::progress::Progress;
use crate::running::Running;
use crate::start;
use jobs::Job;
use memory::Room;
use one::One;
use pending::{Pending, Unfinished};

pub(super) async fn run(context: &Context, args: &Download) -> Result<(), CliError> {
    check_flags(args)?;
    let gathering = input::gather(&args.sources);
    let wishes = context.interrupt.guard(gathering).await?;
    check_wishes(args, &wishes)?;
    let opening = open(context, args, wishes);
    let Plan {
        jobs,
        links,
        failed,
    } = context.interrupt.guard(opening).await?;
    if jobs.is_empty() && links.is_empty() {
        return Err(CliError::Reported);
    }
    let budget = args.memory.map_or(DEFAULT_MEMORY_BUDGET, |size| size.0);
    let builder = start::builder(&args.network, args.storage.into()).await?;
    let mut builder = builder.memory_budget(budget);
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
            patience: args.goals.patience(),
        },
        room: Room::new(budget, &jobs),
        have_begun: AtomicBool::new(false),
        unfinished: Unfinished::default(),
    };
    let transferring = transfer(context, Arc::new(downloads), jobs, links);
    let outcome = transferring.await;
    running.close().await;
    match outcome {
        Ok(()) if failed => Err(CliError::Reported),
        outcome => outcome,
    }
}

fn check_flags(args: &Download) -> Result<(), CliError> {
    if args.choose {
        choose::check_terminal()?;
    }
    args.existing.check_storage(args.storage)?;
    args.new_files.check_storage(args.storage)?;
    let usage = |text: &str| Err(CliError::Usage(text.to_owned()));
    match args.storage {
        StorageChoice::Memory if !args.reuse.is_empty() => {
            usage("`--reuse` needs `--storage disk`: in memory there are no files")
        }
        StorageChoice::Memory if args.output.is_some() => {
            usage("`--output` has no meaning with `--storage memory`: nothing touches the disk")
        }
        StorageChoice::Disk if args.memory.is_some() => {
            usage("`--memory` needs `--storage memory`")
        }
        _ => Ok(()),
    }
}

fn check_wishes(args: &Download, wishes: &[Wish]) -> Result<(), CliError> {
    let usage = |text: &str| Err(CliError::Usage(text.to_owned()));
    let has_dir = wishes.iter().any(|wish| wish.terms.dir.is_some());
    match args.storage {
        StorageChoice::Memory if has_dir => usage(
            "the option dir of a list has no meaning with `--storage memory`: nothing touches the disk",
        ),
        _ => Ok(()),
    }?;
    let lists = [("--files", &args.files), ("--exclude", &args.exclude)];
    for (option, lists) in lists.iter().filter(|_| wishes.len() > 1) {
        if let Some(number) = number_in(lists) {
            return Err(CliError::Usage(format!(
                "`{option} {number}` chooses from one torrent by number: for several use patterns such as *.mkv, or `files=` in a list (`--input`)"
            )));
        }
    }
    Ok(())
}

/// The torrents that are known without peers, and the links that are not.
struct Plan {
    jobs: Vec<Job>,
    links: Vec<(Link, Terms)>,
    /// Some source failed; the error has been printed.
    failed: bool,
}

async fn open(context: &Context, args: &Download, wishes: Vec<Wish>) -> Result<Plan, CliError> {
    let json = context.common.json_lines();
    let opened = input::open(wishes, &args.network, &context.progress, json).await?;
    let mut plan = Plan {
        jobs: Vec::new(),
        links: opened.links,
        failed: opened.failed,
    };
    for (metainfo, terms) in opened.torrents {
        let info = metainfo.info();
        let (info_hash, about) = (info.info_hashes().wire(), About::new(info, None));
        let job = Job::new(Loaded::of(metainfo), &terms, args);
        match choose_files(job, args, &context.progress).await {
            Ok(job) => plan.jobs.push(job),
            // By a key, on the list of files: the signal is on its way.
            Err(CliError::Interrupted) => return Err(CliError::Interrupted),
            Err(error) => {
                plan.failed = true;
                context.progress.failure(&error);
                if let Some(info_hash) = info_hash {
                    json::failed(json, info_hash, &about, &error)?;
                }
            }
        }
    }
    Ok(plan)
}

/// Has the user choose, with `--choose`.
async fn choose_files(
    job: Result<Job, CliError>,
    args: &Download,
    progress: &Progress,
) -> Result<Job, CliError> {
    match args.choose {
        true => job?.chosen(progress).await,
        false => job,
    }
}

/// State that all torrents of the command share.
struct Downloads {
    session: Session,
    args: Download,
    audience: Audience,
    room: Room,
    /// Some torrent has been added.
    have_begun: AtomicBool,
    /// Each download that is not complete yet.
    unfinished: Unfinished,
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
    links: Vec<(Link, Terms)>,
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
                context.progress.failure(&error);
            }
        }
    }
    for (link, terms) in links {
        let unfinished = downloads.unfinished.hold(Pending::link(&link));
        followers.spawn(Arc::clone(&downloads).follow_link(link, terms, unfinished));
    }
    loop {
        let next = tokio::select! {
            biased;
            () = context.interrupt.requested() => {
                // None is left when all are complete, and only seeded.
                if !failed && downloads.unfinished.is_empty() {
                    context.interrupt.serves();
                    return Err(CliError::Interrupted);
                }
                let is_kept = downloads.args.storage == StorageChoice::Disk;
                if is_kept && downloads.have_begun.load(Ordering::Relaxed) {
                    context.progress.note("closing: what was downloaded is kept, and the same command goes on with it");
                }
                downloads.unfinished.tell(downloads.audience.json)?;
                return Err(CliError::Interrupted);
            }
            next = followers.join_next() => next,
        };
        match next {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(CliError::Interrupted))) => return Err(CliError::Interrupted),
            Some(Ok(Err(error))) => {
                failed = true;
                context.progress.failure(&error);
            }
            // A task that panicked has printed its message.
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
