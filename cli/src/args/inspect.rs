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
  tailwater inspect film.torrent --trees               roots and layers of a v2 torrent
  tailwater inspect 'magnet:?xt=urn:btih:…'")]
pub(crate) struct Inspect {
    /// Torrents: .torrent files, http(s) URLs of such, or magnet links, whose metadata is fetched from peers.
    #[arg(required = true, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    pub(crate) sources: Vec<Source>,
    /// Show the hash trees of a v2 or hybrid torrent (BEP 52): each file's root, and how much of the layer with a hash for
    /// each piece is known. With `--json`, the hashes of the layer too.
    #[arg(long)]
    pub(crate) trees: bool,
    #[command(flatten)]
    pub(crate) network: Network,
}
