//! `tailwater seed`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};

use super::{Each, Goals, Network, Sources};

/// Share files that are here already, until Ctrl-C, or until a goal is reached.
///
/// The data is checked first, and only read: if something is missing or wrong, nothing is shared and nothing
/// changed; with `--partial` what is right is shared.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater seed debian.torrent --data ~/iso
  tailwater seed a.torrent b.torrent --data /srv --max-up 2MiB
  tailwater seed debian.torrent --data ~/iso --seed-ratio 2 --seed-time 7d
  tailwater seed album.torrent --data .. --listen 0.0.0.0:51413
  tailwater seed new.torrent --data . --super-seed

Exit codes: 0 stopped by SIGTERM or SIGHUP, 1 failed, 2 wrong usage, 130 ended by Ctrl-C.")]
pub(crate) struct Seed {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// The folder that holds the torrent's file or folder: what `--output` was when it was downloaded.
    #[arg(
        long,
        value_name = "DIR",
        value_hint = ValueHint::DirPath,
        required_unless_present = "input",
        help_heading = "Files"
    )]
    pub(crate) data: Option<PathBuf>,
    /// Share what is right of an incomplete folder; what is missing is not fetched.
    #[arg(long, help_heading = "Files")]
    pub(crate) partial: bool,
    /// Super-seed: give each piece to the swarm once and let peers pass it on (BEP 16).
    ///
    /// For the only seed of a new torrent: the swarm has a whole copy after little more than one upload of it. It rests while
    /// another seed is seen, or peers together have everything.
    #[arg(long, conflicts_with = "partial", help_heading = "Network")]
    pub(crate) super_seed: bool,
    #[command(flatten)]
    pub(crate) goals: Goals,
    #[command(flatten)]
    pub(crate) each: Each,
    #[command(flatten)]
    pub(crate) network: Network,
}
