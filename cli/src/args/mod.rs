//! The definition of the command line and its help.

mod addr;
mod common;
mod completions;
mod config;
mod create;
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
mod source;
mod sources;
mod stream;
mod tracker;
mod trackers;
mod typed;
mod urls;
mod verify;
mod wait;

use clap::{Parser, Subcommand};

pub(crate) use addr::{ListenAddr, ServeAddr};
pub(crate) use common::{Common, Each, Network};
pub(crate) use completions::{Completions, Man};
pub(crate) use config::Config;
pub(crate) use create::Create;
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
pub(crate) use source::{STDIN, Source};
pub(crate) use sources::Sources;
pub(crate) use stream::{Behind, Stream};
pub(crate) use tracker::Tracker;
pub(crate) use trackers::{Announce, Asked, Scrape};
pub(crate) use typed::{command, parse};
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
  tailwater tracker                               run a tracker for a swarm of your own
  tailwater dht peers HASH                        find a torrent's peers without a tracker

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. To stop what runs until it is stopped
(seed, stream, tracker, dht node) with SIGTERM or SIGHUP is no failure: 0 after a clean end.
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
    Create(Create),
    Edit(Edit),
    Inspect(Inspect),
    Verify(Verify),
    Announce(Announce),
    Scrape(Scrape),
    Tracker(Tracker),
    Dht(Dht),
    Sim(Sim),
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
