//! `tailwater verify`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};

use super::Network;
use crate::source::Source;

/// Check files against a torrent, without changing anything; exits with 1 if anything is missing or wrong.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater verify debian.torrent --data ~/iso
  tailwater verify album.torrent --data /srv/music --json")]
pub(crate) struct Verify {
    /// A .torrent file, the http(s) URL of one, or a magnet link.
    #[arg(value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub(crate) source: Source,
    /// The folder that holds the torrent's file or folder: what `--output` was when it was downloaded.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) network: Network,
}
