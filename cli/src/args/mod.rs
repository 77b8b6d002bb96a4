//! The definition of the command line and its help.

mod addr;
#[cfg(feature = "bench")]
mod bench;
mod common;
mod compat;
mod completions;
mod config;
mod create;
mod ctl;
mod ctl_limits;
mod daemon;
mod demo;
mod dht;
mod disk;
mod download;
mod edit;
mod goals;
mod hook;
mod inspect;
mod opener;
mod output;
mod seed;
mod sim;
mod sim_utp;
mod source;
mod sources;
mod stream;
mod top;
mod tracker;
mod trackers;
mod typed;
mod urls;
mod verify;
mod wait;

use clap::{Parser, Subcommand};

pub(crate) use addr::{ListenAddr, ServeAddr};
#[cfg(feature = "bench")]
pub(crate) use bench::{
    Bench, BenchCommand, BenchEncryption, BenchIdle, BenchNetwork, BenchStart, BenchStorage,
    BenchSwarm, BenchTransport, BenchVerify, BenchVersion, Client, Measuring, Pair,
};
pub(crate) use common::{Common, Each, LogFormat, Network};
pub(crate) use compat::Compat;
pub(crate) use completions::{Completions, Man};
pub(crate) use config::Config;
pub(crate) use create::Create;
pub(crate) use ctl::{
    Ctl, CtlAdd, CtlCommand, CtlEvents, CtlFiles, CtlInspect, CtlLabel, CtlList, CtlMany, CtlMove,
    CtlPeers, CtlPriority, CtlRemove,
};
pub(crate) use ctl_limits::{CtlLabels, CtlLimit};
pub(crate) use daemon::Daemon;
pub(crate) use demo::Demo;
pub(crate) use dht::{
    Asking, Dht, DhtCommand, DhtGet, DhtNode, DhtPeers, DhtPing, DhtPut, DhtSample, ItemRef,
    Joining, TorrentId,
};
pub(crate) use disk::{Existing, NewFiles};
pub(crate) use download::{Download, StorageChoice};
pub(crate) use edit::Edit;
pub(crate) use goals::Goals;
pub(crate) use hook::Hook;
pub(crate) use inspect::Inspect;
pub(crate) use opener::{Opener, PlayerCommand};
pub(crate) use output::{Json, Show};
pub(crate) use seed::Seed;
pub(crate) use sim::{Sim, SimCommand, SimDht};
pub(crate) use sim_utp::SimUtp;
pub(crate) use source::{STDIN, Source};
pub(crate) use sources::Sources;
pub(crate) use stream::{Behind, Stream};
pub(crate) use top::Top;
pub(crate) use tracker::Tracker;
pub(crate) use trackers::{Announce, Asked, Scrape};
pub(crate) use typed::{command, parse, parse_again};
pub(crate) use urls::{Tier, tracker_key};
pub(crate) use verify::Verify;
pub(crate) use wait::Wait;

/// A BitTorrent client that streams from bounded memory.
#[derive(Debug, Parser)]
#[command(
    name = "tailwater",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Examples:
  tailwater demo                                  see a transfer work; needs nothing
  tailwater download debian.torrent -o ~/iso      fetch a torrent's files
  tailwater stream film.torrent --open mpv        watch one while it downloads, from bounded memory
  tailwater seed debian.torrent --data ~/iso      share them
  tailwater create album/ --tracker http://10.0.0.1:6969/announce
  tailwater daemon                                keep torrents, and serve an API; `tailwater ctl` drives it
  tailwater top                                   the same in a terminal, with all that happens
  tailwater tracker                               run a tracker for a swarm of your own
  tailwater dht peers HASH                        find a torrent's peers without a tracker

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. To stop what runs until it is stopped
(seed, stream, daemon, tracker, dht node) with SIGTERM or SIGHUP is no failure: 0 after a clean end.
`tailwater COMMAND --help` has examples for each command."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Download(Download),
    Stream(Stream),
    Seed(Seed),
    Daemon(Box<Daemon>),
    Ctl(Ctl),
    Top(Top),
    Create(Create),
    Edit(Edit),
    Inspect(Inspect),
    Verify(Verify),
    Announce(Announce),
    Scrape(Scrape),
    Tracker(Tracker),
    Dht(Dht),
    Sim(Sim),
    #[cfg(feature = "bench")]
    Bench(Bench),
    Config(Config),
    Completions(Completions),
    Man(Man),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_by_example() {
        for command in Args::command().get_subcommands() {
            let name = command.get_name();
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains(&format!("tailwater {name}")), "{name}");
            assert!(command.get_about().is_some(), "{name}");
        }
    }
}
