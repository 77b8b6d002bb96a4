//! `tailwater sim utp`

use std::time::Duration;

use tailwater_utp::sim::{Figures, FlowReport, Phase, SimConfig, SimReport, run_with};

use super::{Context, check_chart, simulate, utp_chart, write_chart};
use crate::args::SimUtp;
use crate::error::CliError;
use crate::out;
use crate::words::count;

pub(super) async fn run(context: &Context, args: &SimUtp) -> Result<(), CliError> {
    check_chart(args.chart.as_deref(), args.force)?;
    if args.loss >= 1.0 {
        context.progress.note(format_args!(
            "warning: with `--loss 1` all datagrams get lost; for one of a hundred write `--loss 1%`"
        ));
    }
    let config = config(args);
    let total = config.duration;
    let report = simulate(context, total, move |on_progress| {
        run_with(&config, on_progress)
    });
    let report = report.await?;
    write_chart(args.chart.as_deref(), args.force, || {
        utp_chart::svg(&report)
    })?;
    if context.common.json() {
        return out::json(&report);
    }
    human(context, &report)?;
    super::say_written(context, args.chart.as_deref())
}

fn config(args: &SimUtp) -> SimConfig {
    let millis = |millis: u32| Duration::from_millis(millis.into());
    let mut config = SimConfig::default();
    config.seed = args.seed;
    config.duration = Duration::from_secs(args.seconds.into());
    config.rate = u64::from(args.rate) * 125_000;
    config.rtt = millis(args.rtt);
    config.queue = usize::try_from(args.queue).unwrap_or(usize::MAX) * 1024;
    config.loss = args.loss;
    config.reorder = args.reorder;
    config.duplicate = args.duplicate;
    config.jitter = millis(args.jitter);
    config.drift_ppm = args.drift;
    config.flows.clone_from(&args.flow);
    config
}

fn human(context: &Context, report: &SimReport) -> Result<(), CliError> {
    let say = |name: &str, text: String| {
        let row = format_args!("{name:<11} {text}");
        context.progress.say(row)
    };
    say(
        "link",
        format!(
            "{} Mbit/s, {} ms; {}, for {} s",
            report.rate_mbit,
            report.rtt_ms,
            count(report.flows.len(), "flow"),
            report.seconds
        ),
    )?;
    for (number, flow) in (1..).zip(&report.flows) {
        say(&format!("flow {number}"), described(flow))?;
    }
    for phase in &report.phases {
        let name = format!("{}-{} s", phase.start_s, phase.end_s);
        say(&name, shared(phase))?;
    }
    say("digest", report.digest.clone())
}

fn described(flow: &FlowReport) -> String {
    let full = match flow.full_after_ms {
        Some(millis) => format!("link full after {millis} ms"),
        None => "link never full".to_owned(),
    };
    format!(
        "{}: {} Mbit/s, {full}; delay {}; {} of {} sent again, {}",
        flow.congestion,
        flow.mbit,
        figures(&flow.delay_ms),
        flow.packets_resent,
        count(
            usize::try_from(flow.packets_sent).unwrap_or(usize::MAX),
            "packet"
        ),
        count(
            usize::try_from(flow.timeouts).unwrap_or(usize::MAX),
            "timeout"
        ),
    )
}

fn shared(phase: &Phase) -> String {
    let rates = phase.mbit.iter().map(f64::to_string);
    let rates = rates.collect::<Vec<_>>().join(" + ");
    format!(
        "{rates} Mbit/s, {} % of the link, fairness {}; queue {}",
        phase.used_percent,
        phase.fairness,
        figures(&phase.queue_ms)
    )
}

fn figures(figures: &Figures) -> String {
    let Figures {
        median, p99, max, ..
    } = figures;
    format!("median {median} ms, 99 % {p99} ms, most {max} ms")
}
