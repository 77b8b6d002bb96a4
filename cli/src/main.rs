#![doc = include_str!("../README.md")]

mod args;
mod commands;
mod error;
mod interrupt;
mod json;
mod link;
mod logging;
mod magnet;
mod out;
mod progress;
mod report;
mod running;
mod selection;
mod size;
mod source;
mod start;
mod stream;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Runtime;

use crate::args::Args;
use crate::error::CliError;
use crate::progress::Progress;

fn main() -> ExitCode {
    let args = Args::parse();
    let progress = Progress::new(args.common);
    logging::install(args.common.verbose, &progress);
    let outcome = run(args, progress.clone());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report(&progress);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(args: Args, progress: Progress) -> Result<(), CliError> {
    let failed = |source| CliError::System {
        operation: "start the runtime",
        source,
    };
    let runtime = Runtime::new().map_err(failed)?;
    let outcome = runtime.block_on(commands::run(args, progress));
    // What still runs, such as the resolution of a name, has nothing to say any more.
    runtime.shutdown_background();
    outcome
}
