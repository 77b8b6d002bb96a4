//! `tailwater inspect`, as typed.

use clap::{Args as ClapArgs, ValueHint};

use super::Network;
use crate::source::Source;

/// Show what a torrent says: name, files, trackers, and what is odd about it.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater inspect debian.torrent
  tailwater inspect https://example.org/a.torrent --json | jq -r .magnet
  tailwater inspect 'magnet:?xt=urn:btih:…'")]
pub(crate) struct Inspect {
    /// A .torrent file, the http(s) URL of one, or a magnet link, whose metadata is fetched from peers.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) network: Network,
}
