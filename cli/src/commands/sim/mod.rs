//! `tailwater sim`

mod chart;

use std::time::Duration;

use tailwater_dht::sim::{Figures, SimConfig, SimReport, run_with};
use tailwater_serve::size::Size;

use super::Context;
use crate::args::{Sim, SimCommand, SimDht};
use crate::error::CliError;
use crate::out;
use crate::progress::{Meter, OFTEN};
use crate::whole_file::{self, Existing};
use crate::words::{count, duration};

pub(super) async fn run(context: &Context, args: &Sim) -> Result<(), CliError> {
    match &args.command {
        SimCommand::Dht(args) => context.interrupt.guard(dht(context, args)).await,
    }
}

async fn dht(context: &Context, args: &SimDht) -> Result<(), CliError> {
    if let Some(path) = &args.chart {
        // Checked now rather than after a minute of work. The existing file stays until the new one is complete.
        if path.is_file() && !args.force {
            return Err(CliError::ChartExists(path.clone()));
        }
        whole_file::check(path)?;
    }
    for (option, share, what) in [
        (
            "--malicious",
            args.malicious,
            "nodes lie but the ten that the others begin with",
        ),
        ("--loss", args.loss, "datagrams get lost"),
    ] {
        if share >= 1.0 {
            context.progress.note(format_args!(
                "warning: with `{option} 1` all {what}; for one of a hundred write `{option} 1%`"
            ));
        }
    }
    let config = config(args);
    let total = Duration::from_secs(u64::from(config.minutes) * 60);
    let meter = context.progress.meter("sim", total.as_secs(), OFTEN);
    // When the user does not want to wait any longer the process ends, and the simulation with it.
    let simulation = tokio::task::spawn_blocking(move || {
        run_with(&config, |passed| show(&meter, passed, total))
    });
    let report = simulation.await.map_err(|error| CliError::System {
        operation: "simulate",
        source: std::io::Error::other(error),
    })?;
    if let Some(path) = &args.chart {
        let svg = chart::svg(&report).map_err(|error| CliError::System {
            operation: "draw the chart",
            source: std::io::Error::other(error),
        })?;
        let existing = match args.force {
            true => Existing::Replace,
            false => Existing::Keep,
        };
        whole_file::write(path, svg.as_bytes(), existing)?;
    }
    if context.common.json() {
        return out::json(&report);
    }
    human(context, &report)?;
    match &args.chart {
        Some(path) => context
            .progress
            .say(format_args!("written: {}", path.display())),
        None => Ok(()),
    }
}

fn config(args: &SimDht) -> SimConfig {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let mut config = SimConfig::default();
    config.nodes = number(args.nodes);
    config.seed = args.seed;
    config.minutes = args.minutes;
    config.churn = args.churn;
    config.malicious = args.malicious;
    config.loss = args.loss;
    config.delay = (args.delay.shortest, args.delay.longest);
    config.torrents = number(args.torrents);
    config.lookups = number(args.lookups);
    config
}

fn show(meter: &Meter, passed: Duration, total: Duration) {
    meter.set(
        passed.as_secs(),
        format_args!("{} of {}", duration(passed), duration(total)),
    );
}

fn human(context: &Context, report: &SimReport) -> Result<(), CliError> {
    let rows = [
        (
            "nodes",
            format!(
                "{} at a time ({} hostile), {} in all, for {}",
                report.nodes,
                report.malicious_nodes,
                report.nodes_ever,
                number(report.minutes, "minute")
            ),
        ),
        (
            "announces",
            format!(
                "{}, each stored by {} (median)",
                report.announces,
                number(report.stored_median, "node")
            ),
        ),
        (
            "found",
            format!(
                "by {} % of {}",
                report.found_percent,
                number(report.lookups, "lookup")
            ),
        ),
        ("hops", figures(&report.hops, "")),
        ("messages", figures(&report.messages, "")),
        ("first peer", figures(&report.first_peer_ms, " ms")),
        ("end", figures(&report.end_ms, " ms")),
        (
            "nearest 8",
            format!("{} % of the true ones found", report.closest_percent),
        ),
        ("table", {
            let sizes = figures(&report.table_nodes, " nodes");
            format!("{sizes}; {} % of them alive", report.table_alive_percent)
        }),
        (
            "neighbours",
            format!(
                "{} % of the true ones known",
                report.neighbours_known_percent
            ),
        ),
        ("memory", {
            let bytes = |bytes: u64| Size(bytes).to_string();
            let Figures {
                median, p99, max, ..
            } = report.memory_bytes;
            format!(
                "median {}, 99 % {}, most {} a node",
                bytes(median),
                bytes(p99),
                bytes(max)
            )
        }),
        (
            "sent",
            format!(
                "{} a node; {}/s and {} datagrams in all",
                Size(report.sent_bytes_per_node),
                Size(report.bytes_per_second),
                report.datagrams
            ),
        ),
        (
            "checked",
            format!(
                "{}, with their tables: all right",
                number(report.checked_nodes, "node")
            ),
        ),
        ("digest", report.digest.clone()),
    ];
    rows.iter()
        .try_for_each(|(name, text)| context.progress.say(format_args!("{name:<11} {text}")))
}

fn figures(figures: &Figures, unit: &str) -> String {
    let Figures {
        median, p99, max, ..
    } = figures;
    format!("median {median}{unit}, 99 % {p99}{unit}, most {max}{unit}")
}

fn number(number: impl TryInto<usize>, what: &str) -> String {
    count(number.try_into().unwrap_or(usize::MAX), what)
}
