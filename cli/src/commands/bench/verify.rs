//! `tailwater bench verify`: checking files, beside what the processor hashes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::hash::{self, Sha1};
use super::machine::About;
use super::payload::{self, Shape};
use super::process::Process;
use super::report::{Measure, Report};
use super::{Output, Turns, in_folder, piece_length};
use crate::args::BenchVerify;
use crate::commands::Context;
use crate::error::CliError;

const RATE: Measure = Measure::new("rate", "GiB/s");
const USER: Measure = Measure::new("user", "s/GiB");
const SYSTEM: Measure = Measure::new("system", "s/GiB");
const PEAK: Measure = Measure::new("peak", "MiB");

const VERIFY: &str = "verify";
const LANES: &str = "hashing alone, on all cores";
const OPENSSL: &str = "openssl × cores";

pub(super) async fn run(context: &Context, args: &BenchVerify) -> Result<(), CliError> {
    let output = Output::new(&args.measuring)?;
    let piece = piece_length(args.piece)?;
    let report = in_folder(context, args.bed.dir.as_deref(), args.size.0, async |dir| {
        let mut report = Report::new(About::of("verify"));
        let shape = Shape {
            name: "payload".to_owned(),
            size: args.size.0,
            files: 1,
            piece,
            tracker: None,
            version: tailwater_metainfo::TorrentVersion::V1,
        };
        let torrent = dir.join("payload.torrent");
        payload::make(context, shape, dir.join("data"), torrent).await?;
        let mut cases = vec![VERIFY, LANES];
        match hash::openssl_version() {
            Some(version) => {
                cases.push(OPENSSL);
                report.about.with.push(version);
            }
            None => report
                .skipped
                .push("openssl: it is not installed".to_owned()),
        }
        let mut turns = Turns::new(context, args.measuring.rounds, cases);
        while let Some(case) = turns.next() {
            for (measure, value) in measure(args, case, dir).await? {
                report.add(case, measure, value);
            }
        }
        report.compare_beside(VERIFY, LANES);
        Ok(report)
    });
    output.show(context, &report.await?)
}

async fn measure(
    args: &BenchVerify,
    case: &str,
    dir: &Path,
) -> Result<Vec<(Measure, f64)>, CliError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    #[expect(
        clippy::cast_precision_loss,
        reason = "there are fewer processors than 2^52"
    )]
    let times = cores as f64;
    match case {
        LANES => Ok(vec![(RATE, hash::on_all_cores(cores).await?)]),
        OPENSSL => Ok(hash::openssl(Sha1::OPENSSL)
            .await
            .map_or(Vec::new(), |rate| vec![(RATE, rate * times)])),
        _ => verify(args, dir).await,
    }
}

async fn verify(args: &BenchVerify, dir: &Path) -> Result<Vec<(Measure, f64)>, CliError> {
    let home = dir.join("home");
    fs::create_dir_all(&home).map_err(CliError::io("make", &home))?;
    let program = std::env::current_exe().map_err(CliError::io("find", "tailwater"))?;
    let mut command = Command::new(program);
    command.arg("verify").arg(dir.join("payload.torrent"));
    command.arg("--data").arg(dir.join("data"));
    command.args(["--quiet", "--no-config"]);
    command.env("XDG_STATE_HOME", home).env_remove("RUST_LOG");
    let process = Process::start("verify", dir, command)?;
    let ended = process
        .end(Duration::from_secs(args.bed.give_up.into()))
        .await?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a payload is far below 2^52 bytes"
    )]
    let gib = args.size.0 as f64 / f64::from(1 << 30);
    let mut figures = vec![(RATE, gib / ended.wall.as_secs_f64())];
    if let Some(cpu) = ended.cpu {
        figures.extend([(USER, cpu.user / gib), (SYSTEM, cpu.system / gib)]);
    }
    figures.extend(ended.peak_mib.map(|peak| (PEAK, peak)));
    Ok(figures)
}
