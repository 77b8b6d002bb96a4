//! `tailwater ctl`, as typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum, ValueHint};

use super::StorageChoice;
use super::ctl_limits::{CtlLabels, CtlLimit};
use super::source::Source;

/// Drive a daemon: add torrents, list, pause and remove them, watch what happens.
///
/// TORRENT is the info-hash (of a v2 torrent its first 40 digits, or all 64; of a hybrid the v1 hash), the beginning of it, the
/// number in `list`, or the whole name.
#[derive(Debug, ClapArgs)]
#[command(
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Examples:
  tailwater ctl add debian.torrent 'magnet:?xt=urn:btih:…' --label linux
  tailwater ctl list
  tailwater ctl show 1
  tailwater ctl pause 1 2
  tailwater ctl limit 1 --down 2MiB --up 0        0 lifts a limit
  tailwater ctl limit --down 10MiB                of the whole daemon
  tailwater ctl remove 1 --delete-files
  tailwater ctl events
  tailwater ctl --daemon http://nas.local:7870 --token tw_1_… list --json

The token is better kept out of the command line, in TAILWATER_CTL_TOKEN."
)]
pub(crate) struct Ctl {
    /// The daemon's address.
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:7870",
        global = true,
        help_heading = "Daemon"
    )]
    pub(crate) daemon: String,
    /// The token, if the daemon needs one.
    #[arg(long, value_name = "TOKEN", global = true, help_heading = "Daemon")]
    pub(crate) token: Option<String>,
    /// Trust the certificates in this file, in PEM, and no others: that of a daemon that signed its own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, global = true, help_heading = "Daemon")]
    pub(crate) ca_cert: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: CtlCommand,
}

/// What a daemon can be told.
#[derive(Debug, Subcommand)]
pub(crate) enum CtlCommand {
    Add(CtlAdd),
    Inspect(CtlInspect),
    List(CtlList),
    /// Show a torrent with everything that is known of it.
    Show(CtlOne),
    /// Pause torrents.
    Pause(CtlMany),
    /// Have torrents go on, or try again after an error.
    Resume(CtlMany),
    /// Check the files of torrents.
    Recheck(CtlMany),
    /// Ask the trackers of torrents for peers.
    Reannounce(CtlMany),
    Remove(CtlRemove),
    Limit(CtlLimit),
    Label(CtlLabel),
    Labels(CtlLabels),
    Move(CtlMove),
    Files(CtlFiles),
    Peers(CtlPeers),
    /// List the trackers of a torrent.
    Trackers(CtlOne),
    /// Show the daemon's figures.
    Stats,
    Events(CtlEvents),
}

/// Torrents that the daemon may not have yet.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlSources {
    /// .torrent files, magnet links, info-hashes or URLs; - for a .torrent file on standard input.
    #[arg(value_name = "SOURCE", required = true, value_hint = ValueHint::FilePath)]
    pub(crate) sources: Vec<Source>,
}

/// Add torrents.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlAdd {
    #[command(flatten)]
    pub(crate) what: CtlSources,
    /// The folder at the daemon's machine: relative to its data folder, or one that it allows.
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<String>,
    /// A label; may be given again.
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Vec<String>,
    /// Add it paused.
    #[arg(long)]
    pub(crate) paused: bool,
    /// Where its pieces are kept.
    #[arg(long, value_enum, default_value_t = StorageChoice::Disk)]
    pub(crate) storage: StorageChoice,
    /// Download only these files, by their numbers in `ctl inspect`: 0,2,5.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) files: Vec<usize>,
    /// Fetch pieces in order.
    #[arg(long)]
    pub(crate) sequential: bool,
    /// Connect to this peer; may be given again.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) peer: Vec<SocketAddr>,
}

/// Show what is in torrents, without adding them.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlInspect {
    #[command(flatten)]
    pub(crate) what: CtlSources,
    /// Ask this peer for the metadata of links; may be given again.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) peer: Vec<SocketAddr>,
}

/// List torrents.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct CtlList {
    /// Only those in this state: downloading, seeding, paused, error and so on.
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<String>,
    /// Only those with this label.
    #[arg(long, value_name = "LABEL")]
    pub(crate) label: Option<String>,
    /// Only those with this text in their names.
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Sort by added, name, size, progress, ratio, down_rate or up_rate; with - before it the other way round.
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
}

/// A torrent.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlOne {
    /// Info-hash, its beginning, number, or name.
    pub(crate) torrent: String,
}

/// Torrents.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlMany {
    /// Info-hashes, their beginnings, numbers, or names.
    #[arg(value_name = "TORRENT", required_unless_present = "all")]
    pub(crate) torrents: Vec<String>,
    /// All torrents.
    #[arg(long, conflicts_with = "torrents")]
    pub(crate) all: bool,
}

/// Remove torrents. Their files stay, unless --delete-files is given.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlRemove {
    /// Info-hashes, their beginnings, numbers, or names.
    #[arg(value_name = "TORRENT", required_unless_present = "all")]
    pub(crate) torrents: Vec<String>,
    /// All torrents; with --delete-files only together with --yes.
    #[arg(long, conflicts_with = "torrents")]
    pub(crate) all: bool,
    /// Delete their files too. A file of which nothing says that it is the torrent's stays.
    #[arg(long)]
    pub(crate) delete_files: bool,
    /// Delete the files of all torrents, without being asked.
    #[arg(long, requires = "all")]
    pub(crate) yes: bool,
}

/// List the peers of a torrent, or connect to more.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlPeers {
    #[command(flatten)]
    pub(crate) of: CtlOne,
    /// Connect to this peer too, now and whenever the torrent starts; may be given again.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) add: Vec<SocketAddr>,
}

/// Replace the labels of a torrent; without any, it has none.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlLabel {
    #[command(flatten)]
    pub(crate) of: CtlOne,
    /// The labels.
    #[arg(value_name = "LABEL")]
    pub(crate) labels: Vec<String>,
}

/// Move the files of a torrent to another folder.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlMove {
    #[command(flatten)]
    pub(crate) of: CtlOne,
    /// The folder at the daemon's machine.
    pub(crate) folder: String,
    /// Move them when it is complete, not now.
    #[arg(long)]
    pub(crate) when_complete: bool,
}

/// List the files of a torrent, or change how much they are wanted.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlFiles {
    #[command(flatten)]
    pub(crate) of: CtlOne,
    /// The numbers of files to change: 0,2,5.
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        requires = "priority"
    )]
    pub(crate) set: Vec<usize>,
    /// How much they are wanted.
    #[arg(long, value_enum, requires = "set")]
    pub(crate) priority: Option<CtlPriority>,
}

/// How much a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CtlPriority {
    Skip,
    Low,
    Normal,
    High,
}

/// Show changes as they happen, until Ctrl-C.
#[derive(Debug, ClapArgs)]
pub(crate) struct CtlEvents {
    /// Begin behind the event of this number.
    #[arg(long, value_name = "ID")]
    pub(crate) since: Option<u64>,
    /// End after so many events.
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
}

impl CtlCommand {
    /// Whether it runs until it is stopped.
    pub(crate) const fn is_endless(&self) -> bool {
        matches!(self, Self::Events(_))
    }
}
