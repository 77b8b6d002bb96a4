//! `tailwater demo`: a whole swarm in one process.

mod payload;
mod summary;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use tailwater_metainfo::Metainfo;
use tailwater_serve::size::Size;
use tailwater_session::{AddOptions, Event, Session, StorageKind, Torrent};
use tailwater_tracker::{Server, ServerConfig};
use tokio::time::{sleep, timeout};

use self::payload::{NAME, prepare};
use self::summary::{Summary, show};
use super::Context;
use super::follow::Follower;
use crate::args::Demo;
use crate::error::CliError;
use crate::interrupt::CLOSE_WITHIN;
use crate::known::About;
use crate::out;
use crate::progress::OFTEN;
use crate::temp_folder::Folder;
use crate::words::count;

/// Every part of the swarm is on this machine, and takes a free port.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// What the names of the demo's temporary folders begin with.
const FOLDER_PREFIX: &str = "tailwater-demo-";
/// How many seeders the swarm has.
const SEEDERS: usize = 2;
/// Room beside the payload: the storage must manage with hardly more than what it has to hold.
const SPARE_MEMORY: u64 = 1024 * 1024;
/// The payload's size, at least and at most: all of it must fit memory.
const SIZES: std::ops::RangeInclusive<u64> = 1024 * 1024..=16 * 1024 * 1024 * 1024;
/// Timeout of the start: on a loopback interface, a swarm that has not started by then never will.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long the seeders' numbers may lag behind.
const SETTLE_WITHIN: Duration = Duration::from_secs(1);
/// How often the memory in use is sampled.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The tracker, the seeders and the downloader.
struct Swarm {
    tracker: Server,
    seeders: Vec<Session>,
    leecher: Session,
}

pub(super) async fn run(context: &Context, args: &Demo) -> Result<(), CliError> {
    if !SIZES.contains(&args.size.0) {
        return Err(CliError::Usage(format!(
            "`--size` must be from {} to {}",
            Size(*SIZES.start()),
            Size(*SIZES.end())
        )));
    }
    let dir = Folder::new(&context.interrupt, &std::env::temp_dir(), FOLDER_PREFIX)?;
    let swarm = Swarm::start(args.size.0).await?;
    let outcome = swarm.play(context, &dir).await;
    // The folder goes when its files are not used any more.
    swarm.close().await;
    context.interrupt.closed();
    drop(dir);
    let summary = outcome?;
    match context.common.json() {
        true => out::json(&summary)?,
        false => show(&summary)?,
    }
    match summary.verified {
        true => Ok(()),
        false => Err(CliError::Demo(
            "the data that arrived is not the data that was sent".to_owned(),
        )),
    }
}

impl Swarm {
    async fn start(payload: u64) -> Result<Self, CliError> {
        let mut config = ServerConfig::default();
        config.http = Some(LOOPBACK);
        let tracker = Server::bind(config).await.map_err(CliError::Tracker)?;
        let seeder = || Session::builder().listen(LOOPBACK).start();
        let seeders = (0..SEEDERS).map(|_| seeder()).collect::<Result<_, _>>()?;
        let budget = payload + SPARE_MEMORY;
        let leecher = Session::builder()
            .listen(LOOPBACK)
            .memory_budget(budget)
            .start()?;
        Ok(Self {
            tracker,
            seeders,
            leecher,
        })
    }

    fn announce_url(&self) -> String {
        format!(
            "http://{}/announce",
            self.tracker.http_addr().unwrap_or(LOOPBACK)
        )
    }

    async fn play(&self, context: &Context, dir: &Folder) -> Result<Summary, CliError> {
        let size = self.leecher.memory_stats().budget - SPARE_MEMORY;
        let tracker = self.announce_url();
        narrate(context, format_args!("tracker:     {tracker}"))?;
        // It ends by itself when we are interrupted, so that nothing is written to a folder that is being removed.
        let metainfo = prepare(context, dir.path().to_owned(), size, tracker).await?;
        context
            .interrupt
            .guard(self.transfer(context, dir, &metainfo))
            .await
    }

    async fn transfer(
        &self,
        context: &Context,
        dir: &Folder,
        metainfo: &Metainfo,
    ) -> Result<Summary, CliError> {
        let info = metainfo.info();
        narrate(
            context,
            format_args!(
                "payload:     {} in {}, {} of {}, info-hash {}",
                Size(info.payload_len()),
                count(info.files().len(), "file"),
                count(
                    usize::try_from(info.geometry().piece_count()).unwrap_or(usize::MAX),
                    "piece"
                ),
                Size(u64::from(info.geometry().piece_length())),
                info.info_hashes()
                    .wire()
                    .map(|hash| hash.to_string())
                    .unwrap_or_default()
            ),
        )?;
        let mut sources = Vec::new();
        for seeder in &self.seeders {
            let ready = timeout(READY_WITHIN, seed(seeder, metainfo, dir.path())).await;
            sources.push(
                ready.map_err(|_| CliError::Demo("a seeder did not get ready".to_owned()))??,
            );
            let addr = seeder.listen_addr().unwrap_or(LOOPBACK);
            narrate(
                context,
                format_args!("seeder:      {addr}, files in {}", dir.path().display()),
            )?;
        }
        let budget = self.leecher.memory_stats().budget;
        let addr = self.leecher.listen_addr().unwrap_or(LOOPBACK);
        narrate(
            context,
            format_args!("downloader:  {addr}, into {} of memory", Size(budget)),
        )?;
        self.download(context, metainfo, sources).await
    }

    async fn download(
        &self,
        context: &Context,
        metainfo: &Metainfo,
        sources: Vec<Torrent>,
    ) -> Result<Summary, CliError> {
        let info = metainfo.info();
        let total = info.geometry().total();
        let began = Instant::now();
        let torrent = add(
            &self.leecher,
            metainfo,
            AddOptions::new(StorageKind::Memory),
        )
        .await?;
        let meter = context.progress.meter(info.name(), total, OFTEN);
        let mut follower = Follower::new(
            torrent.clone(),
            About::new(info, None),
            meter,
            total,
            context.common.json_lines(),
        );
        let mut peak = 0;
        let stats = tokio::select! {
            complete = follower.complete() => complete?,
            never = self.watch_memory(&mut peak) => match never {},
        };
        // The summary says the rest.
        follower.finish();
        let seconds = began.elapsed().as_secs_f64();
        let memory = self.leecher.memory_stats();
        let have = torrent.have().await.map_err(|error| CliError::Torrent {
            name: NAME.to_owned(),
            error,
        })?;
        Ok(Summary {
            bytes: total,
            files: info.files().len(),
            pieces: info.geometry().piece_count(),
            seconds,
            bytes_per_second: rate(total, seconds),
            bytes_from_each_seeder: sent(sources, total).await,
            memory_peak: peak.max(memory.used),
            memory_budget: memory.budget,
            wasted: stats.wasted,
            // Each piece was compared with the hash that was made from the payload's own bytes.
            // The storage counts whole blocks.
            verified: have.is_all() && memory.verified >= total,
        })
    }

    async fn watch_memory(&self, peak: &mut u64) -> std::convert::Infallible {
        loop {
            *peak = self.leecher.memory_stats().used.max(*peak);
            sleep(LOOK_EVERY).await;
        }
    }

    async fn close(self) {
        let all = async {
            self.leecher.close().await;
            for seeder in &self.seeders {
                seeder.close().await;
            }
            self.tracker.close().await;
        };
        // What hangs is not awaited: the process ends now.
        let _ = timeout(CLOSE_WITHIN, all).await;
    }
}

fn narrate(context: &Context, text: impl std::fmt::Display) -> Result<(), CliError> {
    match context.common.json() {
        true => Ok(()),
        false => context.progress.say(text),
    }
}

/// Adds a torrent whose data is there, and returns when its tracker knows of it.
async fn seed(session: &Session, metainfo: &Metainfo, dir: &Path) -> Result<Torrent, CliError> {
    let mut events = session.subscribe();
    let torrent = add(
        session,
        metainfo,
        AddOptions::new(StorageKind::Disk(dir.to_owned())).seed_only(true),
    )
    .await?;
    while let Some(event) = events.next().await {
        match event {
            Event::TrackerAnswered { .. } => return Ok(torrent),
            Event::TrackerFailed { error, .. } => {
                return Err(CliError::Demo(format!("the tracker: {error}")));
            }
            Event::Failed { error, .. } => {
                return Err(CliError::Torrent {
                    name: NAME.to_owned(),
                    error,
                });
            }
            _ => {}
        }
    }
    Err(CliError::Demo("a seeder ended".to_owned()))
}

async fn add(
    session: &Session,
    metainfo: &Metainfo,
    options: AddOptions,
) -> Result<Torrent, CliError> {
    let refused = |error| CliError::Add {
        name: NAME.to_owned(),
        error,
    };
    session.add(metainfo, options).await.map_err(refused)
}

/// What each seeder has sent, once their numbers, which lag a little, add up to the whole.
async fn sent(sources: Vec<Torrent>, total: u64) -> Vec<u64> {
    let sent = |sources: &[Torrent]| {
        sources
            .iter()
            .map(|source| source.stats().uploaded)
            .collect::<Vec<_>>()
    };
    let settled = async {
        while sent(&sources).iter().sum::<u64>() < total {
            sleep(LOOK_EVERY).await;
        }
    };
    // They only decorate the summary.
    let _ = timeout(SETTLE_WITHIN, settled).await;
    sent(&sources)
}

/// Bytes a second.
fn rate(bytes: u64, seconds: f64) -> u64 {
    let nanos = Duration::from_secs_f64(seconds).as_nanos().max(1);
    u64::try_from(u128::from(bytes) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
}
