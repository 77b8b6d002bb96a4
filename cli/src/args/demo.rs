//! `tailwater demo`, as typed.

use clap::Args as ClapArgs;

use tailwater_serve::size::Size;

/// Show a whole swarm on this machine: a tracker, two seeders and a download into memory.
///
/// Makes a payload and a torrent in a temporary folder, downloads it over the loopback interface into the memory
/// storage, verifies it and prints a summary. Takes a few seconds, needs nothing, leaves nothing behind: what a killed
/// demo could not remove, the next one does.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater demo
  tailwater demo --size 256MiB")]
pub(crate) struct Demo {
    /// How much is transferred.
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub(crate) size: Size,
}
