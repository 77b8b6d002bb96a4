//! The implementations of the commands.

mod announce;
#[cfg(feature = "bench")]
mod bench;
pub(crate) mod completions;
mod config;
mod create;
mod ctl;
mod daemon;
mod daemon_client;
mod demo;
pub(crate) mod dht;
mod download;
mod edit;
mod follow;
mod goals;
mod hook;
mod inspect;
mod man;
mod scrape;
mod seed;
mod sim;
mod stream;
mod top;
mod torrent_output;
mod tracker;
mod tracker_list;
mod trackers;
mod verify;

use crate::args::Source;
use crate::args::{Args, Command, Common, DhtCommand, Network};
use crate::error::CliError;
use crate::input::magnet::Loaded;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// The shared context of a command.
pub(crate) struct Context {
    pub(crate) common: Common,
    pub(crate) progress: Progress,
    pub(crate) interrupt: Interrupt,
}

impl Context {
    /// Reads a source, whatever it takes.
    async fn load(&self, source: &Source, network: &Network) -> Result<Loaded, CliError> {
        let (progress, interrupt) = (&self.progress, &self.interrupt);
        source.load(network, progress, interrupt).await
    }
}

/// Runs the command of the command line.
pub(crate) async fn run(
    args: Args,
    progress: Progress,
    interrupt: Interrupt,
) -> Result<(), CliError> {
    let context = Context {
        common: args.common,
        progress,
        interrupt,
    };
    if runs_until_stopped(&args.command) {
        context.interrupt.serves();
    }
    let interrupt = context.interrupt.clone();
    interrupt.outcome(perform(context, args.command).await)
}

/// Whether a command ends only when it is stopped or fails. Others finish, and a signal cuts them short.
const fn runs_until_stopped(command: &Command) -> bool {
    match command {
        Command::Seed(_)
        | Command::Stream(_)
        | Command::Daemon(_)
        | Command::Top(_)
        | Command::Tracker(_) => true,
        Command::Ctl(ctl) => ctl.command.is_endless(),
        Command::Dht(dht) => matches!(dht.command, DhtCommand::Node(_)),
        _ => false,
    }
}

async fn perform(context: Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Demo(args) => demo::run(&context, &args).await,
        Command::Download(args) => download::run(&context, &args).await,
        Command::Stream(args) => stream::run(&context, &args).await,
        Command::Seed(args) => seed::run(&context, &args).await,
        Command::Daemon(args) => daemon::run(&context, &args).await,
        Command::Ctl(args) => ctl::run(&context, args).await,
        Command::Top(args) => top::run(&context, args).await,
        Command::Create(args) => create::run(&context, args).await,
        Command::Edit(args) => edit::run(&context, &args).await,
        Command::Inspect(args) => inspect::run(&context, &args).await,
        Command::Verify(args) => verify::run(&context, &args).await,
        Command::Announce(args) => announce::run(&context, &args).await,
        Command::Scrape(args) => scrape::run(&context, &args).await,
        Command::Tracker(args) => tracker::run(&context, &args).await,
        Command::Dht(args) => dht::run(&context, &args).await,
        Command::Sim(args) => sim::run(&context, &args).await,
        #[cfg(feature = "bench")]
        Command::Bench(args) => bench::run(&context, &args).await,
        Command::Config(args) => config::run(&context, &args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
