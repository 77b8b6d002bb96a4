//! `tailwater top`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};

use super::Network;

/// Watch and drive a daemon in the terminal: torrents, their files, peers and trackers, graphs.
///
/// It finds the daemon of this machine by itself. If none runs, the torrents of the daemon run in this process, and stop when
/// it ends. `?` shows all keys, and the last line those of the moment; they change nothing without an answer of the daemon.
/// With NO_COLOR set there are no colours.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater top                                   the daemon of this machine, or a session of its own
  tailwater top --daemon https://nas.local:7870 --ca-cert nas.pem
  tailwater top --own --data ~/torrents           a session of its own

Keys: Up and Down choose, Enter opens, Esc goes back; a adds, p pauses, d removes, m limits, l labels, c checks;
/ searches, f filters, s sorts, g draws a graph; ? shows all of them, q quits.

The token is taken from TAILWATER_TOP_TOKEN, or from TAILWATER_CTL_TOKEN, which `tailwater ctl` uses.

Exit codes: 0 quit, or stopped by SIGTERM; 1 failed, 2 wrong usage, 130 interrupted by SIGINT.")]
pub(crate) struct Top {
    /// The daemon's address. Default: http://127.0.0.1:7870, if a daemon runs there.
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "own",
        help_heading = "Daemon"
    )]
    pub(crate) daemon: Option<String>,
    /// The token, if the daemon needs one.
    #[arg(long, value_name = "TOKEN", help_heading = "Daemon")]
    pub(crate) token: Option<String>,
    /// Trust the certificates in this file, in PEM, and no others: that of a daemon that signed its own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Daemon")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// Look for no daemon: run the torrents in this process.
    #[arg(long, help_heading = "Own session")]
    pub(crate) own: bool,
    /// The folder for the files of torrents. Default: ~/Downloads.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Own session")]
    pub(crate) data: Option<PathBuf>,
    /// The folder for the database and resume data. Default: that of the daemon, $XDG_STATE_HOME/tailwater/daemon.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Own session")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) network: Network,
}
