//! `tailwater verify`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};

use super::Network;
use super::source::Source;

/// Check files against torrents, without changing anything; exits with 1 if anything is missing or wrong.
///
/// Files that are right are listed first, then those that cannot be checked because they share pieces with one that is
/// missing or wrong, and those that are missing or wrong last.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater verify debian.torrent --data ~/iso
  tailwater verify a.torrent b.torrent --data /srv    several, one after the other
  tailwater verify album.torrent --data /srv/music --json")]
pub(crate) struct Verify {
    /// Torrents: .torrent files, http(s) URLs of such, or magnet links. By the link of a v2 torrent, which has no hashes of
    /// pieces, each file is right or wrong as a whole.
    #[arg(required = true, value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub(crate) sources: Vec<Source>,
    /// The folder that holds the torrent's file or folder: what `--output` was when it was downloaded.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) network: Network,
}
