//! `tailwater tracker`, as typed.

use clap::Args as ClapArgs;

use super::ListenAddr;

/// Run a tracker for swarms of your own, until Ctrl-C.
///
/// It keeps everything in memory, forgets peers that fall silent, and takes any torrent. Over HTTP it has a page at `/`
/// with the announce URL and its numbers, and the numbers as JSON at `/stats`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater tracker                   HTTP on port 6969 of all interfaces
  tailwater tracker --http 127.0.0.1:8000 --udp 127.0.0.1:8000
  tailwater tracker --udp 6969        UDP only

Then: tailwater create data/ --tracker URL, with the URL that it prints

Exit codes: 0 stopped by SIGTERM or SIGHUP, 1 failed, 2 wrong usage, 130 ended by Ctrl-C.")]
pub(crate) struct Tracker {
    /// Where to listen for HTTP. Default: 0.0.0.0:6969, unless `--udp` is given.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) http: Option<ListenAddr>,
    /// Where to listen for UDP.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) udp: Option<ListenAddr>,
    /// List the torrents by info-hash, with their numbers, on the page and in /stats.
    #[arg(long)]
    pub(crate) list: bool,
}
