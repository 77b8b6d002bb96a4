//! `tailwater bench`

mod chart;
mod clients;
mod hash;
mod idle;
mod lab;
mod machine;
mod paths;
mod payload;
mod process;
mod report;
mod sources;
mod start;
mod swarm;
mod table;
mod verify;

use std::fmt::Display;
use std::path::{Path, absolute};

use tailwater_bench::Topic;

use self::clients::Found;
use self::report::{Earlier, Report};
use super::Context;
use super::sim::{check_chart, say_written, write_chart};
use crate::args::{Bench, BenchCommand, Client, Measuring};
use crate::error::CliError;
use crate::out;
use crate::progress::{Meter, OFTEN};
use crate::temp_folder::Folder;
use crate::whole_file::{self, Existing};

/// What the names of the temporary folders of benches begin with.
const FOLDER_PREFIX: &str = "tailwater-bench-";
/// The shortest piece, in bytes, and the longest that is a power of two.
const PIECES: std::ops::RangeInclusive<u32> = 16 * 1024..=256 * 1024 * 1024;

pub(super) async fn run(context: &Context, args: &Bench) -> Result<(), CliError> {
    match &args.command {
        BenchCommand::Swarm(args) => swarm::run(context, args).await,
        BenchCommand::Idle(args) => idle::run(context, args).await,
        BenchCommand::Start(args) => start::run(context, args).await,
        BenchCommand::Verify(args) => verify::run(context, args).await,
        BenchCommand::Hash(args) => hash::run(context, args).await,
        BenchCommand::Bencode(args) => paths::run(context, Topic::Bencode, args).await,
        BenchCommand::Picker(args) => paths::run(context, Topic::Picker, args).await,
        BenchCommand::Storage(args) => paths::run(context, Topic::Storage, args).await,
        BenchCommand::Dht(args) => paths::run(context, Topic::Dht, args).await,
        BenchCommand::Wire(args) => paths::run(context, Topic::Wire, args).await,
        BenchCommand::Stream(args) => sources::cargo_bench(context, "stream", &args.args).await,
        BenchCommand::Magnet(args) => sources::cargo_bench(context, "magnet", &args.args).await,
        BenchCommand::Race(args) => sources::race(context, &args.args).await,
    }
}

/// Where the figures go, checked before anything is measured.
struct Output<'a> {
    measuring: &'a Measuring,
    earlier: Option<Earlier>,
}

impl<'a> Output<'a> {
    fn new(measuring: &'a Measuring) -> Result<Self, CliError> {
        check_chart(measuring.chart.as_deref(), measuring.force)?;
        if let Some(path) = &measuring.save {
            if path.is_file() && !measuring.force {
                return Err(CliError::ChartExists(path.clone()));
            }
            whole_file::check(path)?;
        }
        let earlier = match &measuring.compare {
            Some(path) => Some(read_earlier(path)?),
            None => None,
        };
        Ok(Self { measuring, earlier })
    }

    /// Shows the figures, and writes them where they are wanted.
    fn show(&self, context: &Context, report: &Report) -> Result<(), CliError> {
        let lines = json_lines(report)?;
        match context.common.json() {
            true => out::line(lines.trim_end())?,
            false => out::line(table::text(report, self.earlier.as_ref()))?,
        }
        let Measuring {
            save, chart, force, ..
        } = self.measuring;
        if let Some(path) = save {
            let existing = match force {
                true => Existing::Replace,
                false => Existing::Keep,
            };
            whole_file::write(path, lines.as_bytes(), existing)?;
        }
        write_chart(chart.as_deref(), *force, || chart::svg(report))?;
        if !context.common.json() {
            say_written(context, save.as_deref())?;
            say_written(context, chart.as_deref())?;
        }
        Ok(())
    }
}

fn json_lines(report: &Report) -> Result<String, CliError> {
    let failed = |error: serde_json::Error| CliError::Output(error.into());
    let mut text = serde_json::to_string(&report.about).map_err(failed)? + "\n";
    for line in report.lines() {
        text += &serde_json::to_string(&line).map_err(failed)?;
        text.push('\n');
    }
    for what in &report.skipped {
        text += &serde_json::json!({"event": "skipped", "what": what}).to_string();
        text.push('\n');
    }
    Ok(text)
}

fn read_earlier(path: &Path) -> Result<Earlier, CliError> {
    let text = std::fs::read_to_string(path).map_err(CliError::io("read", path))?;
    let wrong = |what: String| CliError::Bench(format!("{}{what}", path.display()));
    let earlier = Earlier::parse(&text).map_err(|line| wrong(format!(", line {line}: no JSON")))?;
    match earlier.is_empty() {
        true => Err(wrong(" has no figures of a bench".to_owned())),
        false => Ok(earlier),
    }
}

/// Runs `work` in a temporary folder with room for `needed` bytes, which goes at its end or when it is interrupted.
async fn in_folder<T>(
    context: &Context,
    root: Option<&Path>,
    needed: u64,
    work: impl AsyncFnOnce(&Path) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let root = root.map_or_else(std::env::temp_dir, Path::to_owned);
    let root = absolute(&root).map_err(CliError::io("find", root))?;
    if !root.is_dir() {
        return Err(CliError::NotAFolder(root));
    }
    payload::check_room(&root, needed)?;
    let folder = Folder::new(&context.interrupt, &root, FOLDER_PREFIX)?;
    let outcome = context.interrupt.guard(work(folder.path())).await;
    // Processes and namespaces are gone; files may take as long as the disk needs.
    context.interrupt.closed();
    drop(folder);
    outcome
}

/// The order in which cases are measured: each once in every round, so that what changes meanwhile on the machine meets
/// all of them.
struct Turns<C> {
    cases: Vec<C>,
    rounds: u32,
    round: u32,
    next: usize,
    done: u64,
    /// Shows how far it is.
    meter: Option<Meter>,
}

impl<C: Copy + PartialEq + Display> Turns<C> {
    fn new(context: &Context, rounds: u32, cases: Vec<C>) -> Self {
        let total = u64::from(rounds) * u64::try_from(cases.len()).unwrap_or(u64::MAX);
        Self {
            cases,
            rounds,
            round: 0,
            next: 0,
            done: 0,
            meter: Some(context.progress.meter("bench", total, OFTEN)),
        }
    }

    /// What is to be measured next; `None` at the end.
    fn next(&mut self) -> Option<C> {
        if self.next >= self.cases.len() {
            (self.next, self.round) = (0, self.round + 1);
        }
        let case = *self.cases.get(self.next)?;
        if self.round >= self.rounds {
            return None;
        }
        self.next += 1;
        let (round, rounds) = (self.round + 1, self.rounds);
        if let Some(meter) = &self.meter {
            meter.set(self.done, format_args!("round {round} of {rounds}: {case}"));
        }
        self.done += 1;
        Some(case)
    }

    /// Measures a case no more, such as one that failed.
    fn drop_case(&mut self, case: C) {
        if let Some(at) = self.cases.iter().position(|&known| known == case) {
            self.cases.remove(at);
            self.next -= usize::from(at < self.next);
        }
    }
}

/// Those of some clients that are installed; the others are said to be left out.
fn installed(
    clients: &[Client],
    python: &Path,
    report: &mut Report,
) -> Result<Vec<Found>, CliError> {
    let mut installed = Vec::new();
    for &client in clients {
        match Found::look(client, python) {
            Ok(found) => {
                if client != Client::Ours {
                    let name = client.name();
                    report.about.with.push(format!("{name} {}", found.version));
                }
                installed.push(found);
            }
            Err(why) if client == Client::Ours => return Err(CliError::Bench(why)),
            Err(why) => report.skipped.push(why),
        }
    }
    Ok(installed)
}

/// A piece's length that a torrent can have.
fn piece_length(size: tailwater_serve::size::Size) -> Result<u32, CliError> {
    let length = u32::try_from(size.0).ok();
    length
        .filter(|length| length.is_power_of_two() && PIECES.contains(length))
        .ok_or_else(|| {
            CliError::Usage("`--piece` must be a power of two from 16KiB to 256MiB".to_owned())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_take_turns_and_a_failed_one_has_no_more() {
        let mut turns = Turns {
            cases: vec!['a', 'b', 'c'],
            rounds: 3,
            round: 0,
            next: 0,
            done: 0,
            meter: None,
        };
        let mut seen = String::new();
        while let Some(case) = turns.next() {
            seen.push(case);
            if seen == "ab" {
                turns.drop_case('b');
            }
        }
        assert_eq!(seen, "abcacac");
    }

    #[test]
    fn pieces_are_powers_of_two() {
        use tailwater_serve::size::Size;
        assert_eq!(piece_length(Size(1 << 20)).ok(), Some(1 << 20));
        for wrong in [0, 1, 1 << 13, 3 << 14, 1 << 32] {
            assert!(piece_length(Size(wrong)).is_err(), "{wrong}");
        }
    }
}
