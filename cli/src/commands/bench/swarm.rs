//! `tailwater bench swarm`: transfers between processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tailwater_metainfo::TorrentVersion;
use tokio::time::sleep;

use super::clients::{Found, Task, Terms, transmission_is_done};
use super::lab::{Lab, Link, Side};
use super::machine::About;
use super::payload::{self, Shape};
use super::process::{CpuTime, Ended, Process};
use super::report::{Measure, Report};
use super::{Output, Turns, in_folder, piece_length};
use crate::args::{BenchSwarm, BenchVersion, Client, Pair};
use crate::commands::Context;
use crate::error::CliError;

const RATE: Measure = Measure::new("rate", "MiB/s");
const WALL: Measure = Measure::new("time", "s");
const DOWN_CPU: Measure = Measure::new("download cpu", "s/GiB");
const DOWN_USER: Measure = Measure::new("download user", "s/GiB");
const DOWN_SYSTEM: Measure = Measure::new("download system", "s/GiB");
const DOWN_PEAK: Measure = Measure::new("download peak", "MiB");
const UP_CPU: Measure = Measure::new("seed cpu", "s/GiB");
const UP_USER: Measure = Measure::new("seed user", "s/GiB");
const UP_SYSTEM: Measure = Measure::new("seed system", "s/GiB");
const UP_PEAK: Measure = Measure::new("seed peak", "MiB");

/// What all others are compared with, where it is measured.
const YARDSTICK: Pair = Pair {
    seeder: Client::Libtorrent,
    downloader: Client::Libtorrent,
};
/// How often Transmission's file is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Room in a download's memory beside the payload.
const SPARE_MEMORY: u64 = 64 << 20;
/// The name of the payload's folder, of a torrent's payload with its number behind it.
const NAME: &str = "payload";

/// All that a transfer needs.
struct Bed<'a> {
    args: &'a BenchSwarm,
    dir: &'a Path,
    lab: Lab,
    /// Where the tracker listens: the torrents name it.
    tracker: std::net::SocketAddr,
    torrents: Vec<PathBuf>,
    clients: Vec<Found>,
    terms: Terms,
}

/// The seeders of a transfer, and the tracker that knows them.
struct Swarm {
    seeders: Vec<Process>,
    _tracker: Process,
}

pub(super) async fn run(context: &Context, args: &BenchSwarm) -> Result<(), CliError> {
    let output = Output::new(&args.measuring)?;
    let piece = piece_length(args.piece)?;
    let size = args.size.0.saturating_mul(args.torrents.into());
    if args.size.0 < u64::from(args.files) {
        return Err(CliError::Usage(
            "`--size` must be at least a byte for each file".to_owned(),
        ));
    }
    // The payload and the download.
    let needed = size.saturating_mul(2);
    let report = in_folder(context, args.bed.dir.as_deref(), needed, async |dir| {
        let mut report = Report::new(About::of("swarm"));
        let (clients, pairs) = choose(args, &mut report)?;
        let mut bed = Bed::new(context, args, dir, piece, clients).await?;
        let pairs = bed.possible(pairs, &mut report);
        if pairs.is_empty() {
            return Err(CliError::Bench(format!(
                "no pair can be measured: {}",
                report.skipped.join("; ")
            )));
        }
        bed.measure(context, pairs, &mut report).await?;
        Ok(report)
    });
    output.show(context, &report.await?)
}

/// The clients that are installed, and the pairs to measure of them.
fn choose(args: &BenchSwarm, report: &mut Report) -> Result<(Vec<Found>, Vec<Pair>), CliError> {
    let mut clients = Vec::new();
    for client in Client::ALL {
        match Found::look(client, &args.bed.python) {
            Ok(found) => clients.push(found),
            Err(why) if client == Client::Ours => return Err(CliError::Bench(why)),
            Err(why) if is_asked_for(args, client) => report.skipped.push(why),
            Err(_) => {}
        }
    }
    let is_there = |client: Client| clients.iter().any(|found| found.client == client);
    let pairs = match args.pairs.is_empty() {
        true => default_pairs().collect(),
        false => args.pairs.clone(),
    };
    let pairs = pairs.into_iter();
    let pairs = pairs.filter(|pair| is_there(pair.seeder) && is_there(pair.downloader));
    let mut pairs: Vec<Pair> = pairs.collect();
    pairs.dedup();
    Ok((clients, pairs))
}

/// Whether it is to be said that a client is missing.
fn is_asked_for(args: &BenchSwarm, client: Client) -> bool {
    let mut pairs = args.pairs.iter();
    args.pairs.is_empty() || pairs.any(|pair| pair.seeder == client || pair.downloader == client)
}

/// Ours with ours, and each other client with ours, ours with it, and it with itself.
fn default_pairs() -> impl Iterator<Item = Pair> {
    let ours = Client::Ours;
    let pair = |seeder, downloader| Pair { seeder, downloader };
    Client::ALL.into_iter().flat_map(move |other| match other {
        Client::Ours => vec![pair(ours, ours)],
        other => vec![pair(other, ours), pair(ours, other), pair(other, other)],
    })
}

impl<'a> Bed<'a> {
    /// Sets up the network and makes the payload.
    async fn new(
        context: &Context,
        args: &'a BenchSwarm,
        dir: &'a Path,
        piece: u32,
        clients: Vec<Found>,
    ) -> Result<Self, CliError> {
        let link = Link {
            rate: args.rate,
            rtt: args.rtt,
            queue: args.queue.0,
            python: &args.bed.python,
        };
        let mut lab = Lab::new(args.network, link, dir).await?;
        let tracker = lab.addr(Side::Seeder)?;
        folder(&dir.join("data"))?;
        let mut torrents = Vec::new();
        for number in 0..args.torrents {
            let name = match args.torrents {
                1 => NAME.to_owned(),
                _ => format!("{NAME}-{number}"),
            };
            let torrent = dir.join(format!("{name}.torrent"));
            let shape = Shape {
                name,
                size: args.size.0,
                files: args.files,
                piece,
                tracker: Some(format!("http://{tracker}/announce")),
                version: match args.torrent {
                    BenchVersion::V1 => TorrentVersion::V1,
                    BenchVersion::V2 => TorrentVersion::V2,
                    BenchVersion::Hybrid => TorrentVersion::Hybrid,
                },
            };
            payload::make(context, shape, dir.join("data"), torrent.clone()).await?;
            torrents.push(torrent);
        }
        let total = args.size.0.saturating_mul(args.torrents.into());
        let terms = Terms {
            storage: args.storage,
            memory: total.saturating_add(SPARE_MEMORY),
            transport: args.transport,
            encryption: args.encryption,
            torrent: args.torrent,
        };
        Ok(Self {
            args,
            dir,
            lab,
            tracker,
            torrents,
            clients,
            terms,
        })
    }

    fn client(&self, client: Client) -> Option<&Found> {
        self.clients.iter().find(|found| found.client == client)
    }

    /// The pairs whose clients can do what is asked for; the others are said to be left out.
    fn possible(&self, pairs: Vec<Pair>, report: &mut Report) -> Vec<Pair> {
        let refuses = |client: Client| {
            let (torrents, is_loopback) = (self.torrents.len(), self.lab.is_loopback());
            self.client(client)?
                .refuses(self.terms, torrents, is_loopback)
        };
        let is_possible = |pair: &Pair| match refuses(pair.seeder).or(refuses(pair.downloader)) {
            Some(why) => {
                report.skipped.push(format!("{pair}: {why}"));
                false
            }
            None => true,
        };
        pairs.into_iter().filter(is_possible).collect()
    }

    async fn measure(
        &mut self,
        context: &Context,
        pairs: Vec<Pair>,
        report: &mut Report,
    ) -> Result<(), CliError> {
        let others = self
            .clients
            .iter()
            .filter(|found| found.client != Client::Ours);
        let versions = others.map(|found| format!("{} {}", found.client.name(), found.version));
        report.about.with = versions.collect();
        report.about.network = Some(self.lab.name());
        let mut turns = Turns::new(context, self.args.measuring.rounds, pairs);
        while let Some(pair) = turns.next() {
            match self.transfer(pair).await {
                Ok(figures) => {
                    for (measure, value) in figures {
                        report.add(&pair.to_string(), measure, value);
                    }
                }
                Err(error @ CliError::Interrupted) => return Err(error),
                // The others are measured all the same.
                Err(error) => {
                    turns.drop_case(pair);
                    report.skipped.push(format!("{pair}: {error}"));
                }
            }
        }
        for case in report
            .rows
            .iter()
            .map(|row| row.case.clone())
            .collect::<Vec<_>>()
        {
            report.compare_beside(&case, &YARDSTICK.to_string());
        }
        Ok(())
    }

    fn give_up(&self) -> Duration {
        Duration::from_secs(self.args.bed.give_up.into())
    }

    /// One transfer, from the downloader's start to its end.
    async fn transfer(&mut self, pair: Pair) -> Result<Vec<(Measure, f64)>, CliError> {
        let out = self.dir.join("out");
        empty(&out)?;
        let mut swarm = self.seed(pair.seeder).await?;
        let before = swarm.cpu();
        let ended = self.download(pair.downloader, &out).await?;
        let seeding = swarm
            .cpu()
            .zip(before)
            .map(|(now, before)| now.since(before));
        let peak = swarm.peak_mib();
        drop(swarm);
        let is_kept =
            pair.downloader != Client::Ours || self.args.storage == crate::args::BenchStorage::Disk;
        if is_kept {
            let (sent, arrived) = (self.dir.join("data"), out.clone());
            let compare = tokio::task::spawn_blocking(move || payload::is_same(&sent, &arrived));
            let is_same = compare.await.unwrap_or(Ok(false));
            if !is_same.map_err(CliError::io("compare", &out))? {
                return Err(CliError::Bench(
                    "other bytes arrived than were sent".to_owned(),
                ));
            }
        }
        empty(&out)?;
        Ok(self.figures(ended, seeding, peak))
    }

    fn figures(
        &self,
        ended: Ended,
        seeding: Option<CpuTime>,
        peak: Option<f64>,
    ) -> Vec<(Measure, f64)> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a payload is far below 2^52 bytes"
        )]
        let mib = self.args.size.0 as f64 / f64::from(1 << 20) * f64::from(self.args.torrents);
        let gib = mib / 1024.0;
        let seconds = ended.wall.as_secs_f64();
        let mut figures = vec![(RATE, mib / seconds), (WALL, seconds)];
        let mut add = |cpu: Option<CpuTime>, measures: [Measure; 3]| {
            if let Some(cpu) = cpu {
                let values = [cpu.total(), cpu.user, cpu.system];
                figures.extend(measures.into_iter().zip(values.map(|value| value / gib)));
            }
        };
        add(ended.cpu, [DOWN_CPU, DOWN_USER, DOWN_SYSTEM]);
        add(seeding, [UP_CPU, UP_USER, UP_SYSTEM]);
        figures.extend(ended.peak_mib.map(|peak| (DOWN_PEAK, peak)));
        figures.extend(peak.map(|peak| (UP_PEAK, peak)));
        figures
    }

    /// Starts a tracker and the seeders; returns when the tracker knows that they have everything.
    async fn seed(&mut self, client: Client) -> Result<Swarm, CliError> {
        let ours = self.client(Client::Ours).map(Found::program);
        let mut command = self
            .lab
            .command(Side::Seeder, ours.unwrap_or(Path::new("tailwater")));
        let at = self.tracker.to_string();
        command.args(["tracker", "--http", &at, "--json", "--no-config"]);
        let mut tracker = Process::start("tracker", self.dir, command)?;
        let give_up = self.give_up();
        tracker
            .says(give_up, |said| said.contains("listening"))
            .await?;
        let mut seeders = Vec::new();
        for number in 0..self.args.seeders {
            let home = self.dir.join(format!("seeder-{number}"));
            empty(&home)?;
            let task = Task {
                side: Side::Seeder,
                torrents: &self.torrents,
                data: &self.dir.join("data"),
                home: &home,
                listen: self.lab.addr(Side::Seeder)?,
            };
            seeders.push(self.start("seeder", client, task)?);
        }
        let wanted = u64::from(self.args.seeders) * u64::from(self.args.torrents);
        let until = Instant::now() + give_up;
        while seeders_known(&tracker.said()) < wanted {
            for seeder in &mut seeders {
                seeder.check(until)?;
            }
            sleep(LOOK_EVERY * 10).await;
        }
        Ok(Swarm {
            seeders,
            _tracker: tracker,
        })
    }

    fn start(&self, role: &str, client: Client, task: Task<'_>) -> Result<Process, CliError> {
        let Some(found) = self.client(client) else {
            return Err(CliError::Bench(format!("{} is not there", client.name())));
        };
        let command = found.command(&self.lab, task, self.terms)?;
        let port = task.listen.port();
        Process::start(
            &format!("{}-{role}-{port}", client.name()),
            self.dir,
            command,
        )
    }

    async fn download(&mut self, client: Client, out: &Path) -> Result<Ended, CliError> {
        let home = self.dir.join("downloader");
        empty(&home)?;
        let task = Task {
            side: Side::Downloader,
            torrents: &self.torrents,
            data: out,
            home: &home,
            listen: self.lab.addr(Side::Downloader)?,
        };
        let mut process = self.start("downloader", client, task)?;
        if client != Client::Transmission {
            return process.end(self.give_up()).await;
        }
        // It goes on as a seeder.
        let until = process.started() + self.give_up();
        while !transmission_is_done(&home) {
            process.check(until)?;
            sleep(LOOK_EVERY).await;
        }
        Ok(Ended {
            wall: process.started().elapsed(),
            cpu: process.cpu(),
            peak_mib: process.peak_mib(),
        })
    }
}

impl Swarm {
    /// What the seeders have taken together.
    fn cpu(&self) -> Option<CpuTime> {
        let each = self.seeders.iter().map(Process::cpu);
        let all: Option<Vec<_>> = each.collect();
        Some(
            all?.into_iter()
                .fold(CpuTime::default(), |sum, cpu| CpuTime {
                    user: sum.user + cpu.user,
                    system: sum.system + cpu.system,
                }),
        )
    }

    /// The most that one of them had resident.
    fn peak_mib(&mut self) -> Option<f64> {
        let peaks = self.seeders.iter_mut().filter_map(Process::peak_mib);
        peaks.reduce(f64::max)
    }
}

/// How many seeders the tracker has last said to know, over all torrents.
fn seeders_known(said: &str) -> u64 {
    let events = said.lines().rev();
    let mut stats = events.filter_map(|line| {
        let event: Value = serde_json::from_str(line).ok()?;
        event["seeders"].as_u64()
    });
    stats.next().unwrap_or(0)
}

fn folder(path: &Path) -> Result<(), CliError> {
    fs::create_dir_all(path).map_err(CliError::io("make", path))
}

/// Makes a folder that has nothing in it.
fn empty(path: &Path) -> Result<(), CliError> {
    if path.exists() {
        fs::remove_dir_all(path).map_err(CliError::io("remove", path))?;
    }
    folder(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_default_every_client_is_measured_with_ours_and_with_itself() {
        let pairs: Vec<_> = default_pairs().map(|pair| pair.to_string()).collect();
        assert_eq!(pairs.len(), 10);
        assert_eq!(pairs[..4], ["ours-ours", "lt-ours", "ours-lt", "lt-lt"]);
    }

    #[test]
    fn the_last_word_of_the_tracker_counts() {
        let said = "{\"event\":\"listening\"}\n{\"event\":\"stats\",\"seeders\":1}\n{\"event\":\"stats\",\"seeders\":2}\n{\"ev";
        assert_eq!(seeders_known(said), 2);
        assert_eq!(seeders_known(""), 0);
    }
}
