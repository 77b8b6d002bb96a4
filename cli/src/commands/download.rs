//! `tailwater download`

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tailwater_dht::MutableTorrent;
use tailwater_metainfo::Magnet;
use tailwater_session::{
    AddError, AddOptions, DEFAULT_MEMORY_BUDGET, Session, Stats, StorageKind, Torrent,
};
use tokio::task::JoinSet;

use super::Context;
use super::follow::Follower;
use crate::args::{Download, StorageChoice};
use crate::error::CliError;
use crate::link::Link;
use crate::magnet::{self, Audience, Loaded};
use crate::progress::{self, OFTEN, Progress};
use crate::running::Running;
use crate::selection::{select, wanted_bytes};
use crate::size::Size;
use crate::source::Given;
use crate::start;

/// One torrent to download.
struct Job {
    loaded: Loaded,
    files: Option<Vec<usize>>,
    /// Bytes of the wanted pieces.
    wanted: u64,
}

impl Job {
    fn new(loaded: Loaded, args: &Download) -> Result<Self, CliError> {
        let info = loaded.metainfo.info();
        let files = match select(info, &args.files)? {
            Some(files) => Some(files),
            None => loaded.selected.clone(),
        };
        Ok(Self {
            wanted: wanted_bytes(info, files.as_deref()),
            files,
            loaded,
        })
    }

    fn name(&self) -> &str {
        self.loaded.metainfo.info().name()
    }
}

pub(super) async fn run(context: &Context, args: &Download) -> Result<(), CliError> {
    check_flags(args)?;
    let (jobs, links) = context.interrupt.guard(open(context, args)).await?;
    let budget = args.memory.map_or(DEFAULT_MEMORY_BUDGET, |size| size.0);
    let mut builder = start::builder(&args.network, args.storage.into()).memory_budget(budget);
    match args.storage {
        StorageChoice::Memory => check_memory(&jobs, budget)?,
        StorageChoice::Disk => {
            if let Some(dir) = start::resume_dir() {
                builder = builder.state_dir(dir);
            }
        }
    }
    let running = Running::start(builder, &context.progress, context.common.json)?;
    let downloads = Downloads {
        session: running.session.clone(),
        args: args.clone(),
        audience: Audience {
            progress: context.progress.clone(),
            json: context.common.json,
        },
        budget,
        promised: Mutex::new(jobs.iter().map(|job| job.wanted).sum()),
        have_begun: AtomicBool::new(false),
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

/// What all torrents of the command share.
struct Downloads {
    session: Session,
    args: Download,
    audience: Audience,
    /// Bytes of memory.
    budget: u64,
    /// Bytes of the wanted pieces of all torrents so far.
    promised: Mutex<u64>,
    /// Some torrent has been added.
    have_begun: AtomicBool,
}

impl Downloads {
    async fn follow_link(self: Arc<Self>, link: Link) -> Result<(), CliError> {
        match link {
            Link::Torrent(magnet) => self.begin(&magnet).await?.1.run().await,
            Link::Published(published) => self.follow_publication(published).await,
        }
    }

    /// Fetches a link's metadata and begins the download.
    async fn begin(&self, magnet: &Magnet) -> Result<(Job, One), CliError> {
        let Self { session, args, .. } = self;
        let loaded = magnet::fetch_torrent(session, magnet, &args.network, &self.audience).await?;
        let job = Job::new(loaded, args)?;
        if args.storage == StorageChoice::Memory {
            self.promise(&job)?;
        }
        let torrent = self.add(&job).await?;
        let one = self.one(&job, torrent);
        Ok((job, one))
    }

    /// Downloads what a publication is now (BEP 46); whoever seeds goes over to each newer version, of which only what has
    /// changed is fetched.
    async fn follow_publication(&self, published: MutableTorrent) -> Result<(), CliError> {
        let mut follow = self.session.follow(published);
        let mut magnet = magnet::resolve(&mut follow, &self.args.network, &self.audience).await?;
        loop {
            let (job, one) = self.begin(&magnet).await?;
            if !self.args.seed {
                return one.run().await;
            }
            let torrent = one.follower.torrent().clone();
            let newer = magnet::resolve(&mut follow, &self.args.network, &self.audience);
            magnet = tokio::select! {
                ended = one.run() => return ended,
                newer = newer => newer?,
            };
            torrent.remove().await;
            if self.args.storage == StorageChoice::Memory {
                let mut promised = self.promised.lock().unwrap_or_else(PoisonError::into_inner);
                *promised = promised.saturating_sub(job.wanted);
            }
        }
    }

    /// A link's size is known late: it has to fit beside what is under way.
    fn promise(&self, job: &Job) -> Result<(), CliError> {
        let mut promised = self.promised.lock().unwrap_or_else(PoisonError::into_inner);
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

    async fn add(&self, job: &Job) -> Result<Torrent, CliError> {
        let args = &self.args;
        let storage = match args.storage {
            StorageChoice::Memory => StorageKind::Memory,
            StorageChoice::Disk => {
                StorageKind::Disk(args.output.clone().unwrap_or_else(|| PathBuf::from(".")))
            }
        };
        let peers = args.network.peer.iter().chain(&job.loaded.peers);
        let mut options = AddOptions::new(storage)
            .sequential(args.sequential)
            .peers(peers.copied())
            .banned(job.loaded.banned.iter().copied());
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
        let added = self.session.add(&job.loaded.metainfo, options).await;
        self.have_begun.store(true, Ordering::Relaxed);
        added.map_err(refused)
    }

    fn one(&self, job: &Job, torrent: Torrent) -> One {
        let Audience { progress, json } = &self.audience;
        let meter = progress.meter(job.name(), job.wanted, OFTEN);
        One {
            lonely: job.loaded.is_lonely(&self.args.network),
            wanted: job.wanted,
            seed: self.args.seed,
            json: *json,
            progress: progress.clone(),
            follower: Follower::new(torrent, meter, job.wanted, *json),
        }
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
                followers.spawn(downloads.one(&job, torrent).run());
            }
            Err(error) => {
                failed = true;
                error.report(&context.progress);
            }
        }
    }
    for link in links {
        followers.spawn(Arc::clone(&downloads).follow_link(link));
    }
    loop {
        let next = tokio::select! {
            biased;
            () = context.interrupt.requested() => {
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
