//! The command line of tailwater; its README is the documentation of the library beside it.

mod args;
mod commands;
mod config;
mod error;
mod home;
mod input;
mod interrupt;
mod json;
mod known;
mod logging;
mod open_files;
mod out;
mod own_addrs;
mod peers;
mod progress;
mod report;
mod running;
mod start;
mod tally;
mod temp_folder;
mod whole_file;
mod words;

use std::process::ExitCode;
use std::thread;

use tokio::runtime::Builder;

use crate::args::{Args, Command};
use crate::error::CliError;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

fn main() -> ExitCode {
    commands::completions::answer();
    let args = match args::parse() {
        Ok(args) => args,
        Err(code) => return code,
    };
    let progress = Progress::new(&args.common);
    if let Err(error) = logging::install(&args.common, &progress) {
        progress.without_log().failure(&error);
        return ExitCode::from(error.exit_code());
    }
    open_files::ask_for_more();
    let outcome = run(args, progress.clone());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress.failure(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(args: Args, progress: Progress) -> Result<(), CliError> {
    let failed = |source| CliError::System {
        operation: "start the runtime",
        source,
    };
    let interrupt = Interrupt::install(progress.clone())?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(network_threads(&args.command))
        .enable_all()
        .build()
        .map_err(failed)?;
    let outcome = runtime.block_on(commands::run(args, progress, interrupt));
    // Tasks that still run, such as a name lookup, no longer matter.
    runtime.shutdown_background();
    outcome
}

/// Half of the processors, for connections. The other half is for the threads that read, write and hash files.
///
/// More cost more than they bring: a thread with nothing to do waits for all sockets, and is woken by each packet for a
/// connection that another one is busy with. For a waiting player that cost is worth it.
fn network_threads(command: &Command) -> usize {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    match command {
        Command::Stream(_) => processors,
        _ => processors.div_ceil(2),
    }
}
