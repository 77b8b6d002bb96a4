//! `tailwater sim`

mod chart;
mod dht;
mod utp;
mod utp_chart;

use std::path::Path;
use std::time::Duration;

use super::Context;
use crate::args::{Sim, SimCommand};
use crate::error::CliError;
use crate::progress::{Meter, OFTEN};
use crate::whole_file::{self, Existing};
use crate::words::duration;

pub(super) async fn run(context: &Context, args: &Sim) -> Result<(), CliError> {
    let interrupt = &context.interrupt;
    match &args.command {
        SimCommand::Dht(args) => interrupt.guard(dht::run(context, args)).await,
        SimCommand::Utp(args) => interrupt.guard(utp::run(context, args)).await,
    }
}

/// Before a minute of work rather than after it. The existing file stays until the new one is complete.
pub(super) fn check_chart(chart: Option<&Path>, is_forced: bool) -> Result<(), CliError> {
    let Some(path) = chart else {
        return Ok(());
    };
    if path.is_file() && !is_forced {
        return Err(CliError::ChartExists(path.to_owned()));
    }
    whole_file::check(path)
}

pub(super) fn write_chart(
    chart: Option<&Path>,
    is_forced: bool,
    draw: impl FnOnce() -> charts_rs::Result<String>,
) -> Result<(), CliError> {
    let Some(path) = chart else {
        return Ok(());
    };
    let svg = draw().map_err(|error| CliError::System {
        operation: "draw the chart",
        source: std::io::Error::other(error),
    })?;
    let existing = match is_forced {
        true => Existing::Replace,
        false => Existing::Keep,
    };
    whole_file::write(path, svg.as_bytes(), existing)
}

pub(super) fn say_written(context: &Context, chart: Option<&Path>) -> Result<(), CliError> {
    match chart {
        Some(path) => context
            .progress
            .say(format_args!("written: {}", path.display())),
        None => Ok(()),
    }
}

/// Runs a simulation of `total` time beside what the process does, and shows how far it is. When the user does not want
/// to wait any longer the process ends, and the simulation with it.
async fn simulate<T: Send + 'static>(
    context: &Context,
    total: Duration,
    run: impl FnOnce(&mut dyn FnMut(Duration)) -> T + Send + 'static,
) -> Result<T, CliError> {
    let meter = context.progress.meter("sim", total.as_secs(), OFTEN);
    let simulation =
        tokio::task::spawn_blocking(move || run(&mut |passed| show(&meter, passed, total)));
    simulation.await.map_err(|error| CliError::System {
        operation: "simulate",
        source: std::io::Error::other(error),
    })
}

fn show(meter: &Meter, passed: Duration, total: Duration) {
    meter.set(
        passed.as_secs(),
        format_args!("{} of {}", duration(passed), duration(total)),
    );
}
