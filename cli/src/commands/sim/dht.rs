//! `tailwater sim dht`

use std::time::Duration;

use tailwater_dht::sim::{Figures, SimConfig, SimReport, run_with};
use tailwater_serve::size::Size;

use super::{Context, chart, check_chart, say_written, simulate, write_chart};
use crate::args::SimDht;
use crate::error::CliError;
use crate::out;
use crate::words::count;

pub(super) async fn run(context: &Context, args: &SimDht) -> Result<(), CliError> {
    check_chart(args.chart.as_deref(), args.force)?;
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
    let report = simulate(context, total, move |on_progress| {
        run_with(&config, on_progress)
    });
    let report = report.await?;
    write_chart(args.chart.as_deref(), args.force, || chart::svg(&report))?;
    if context.common.json() {
        return out::json(&report);
    }
    human(context, &report)?;
    say_written(context, args.chart.as_deref())
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
