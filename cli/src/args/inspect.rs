//! `tailwater inspect`, as typed.

use clap::{Args as ClapArgs, ValueHint};

use super::Network;
use super::source::Source;

/// Show what torrents say: name, files, trackers, and what is odd about them.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater inspect debian.torrent
  tailwater inspect https://example.org/a.torrent --json | jq -r .magnet
  tailwater inspect *.torrent --json | jq -r '[.name, .total_size] | @tsv'
  tailwater inspect 'magnet:?xt=urn:btih:…'")]
pub(crate) struct Inspect {
    /// Torrents: .torrent files, http(s) URLs of such, or magnet links, whose metadata is fetched from peers.
    #[arg(required = true, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    pub(crate) sources: Vec<Source>,
    #[command(flatten)]
    pub(crate) network: Network,
}
