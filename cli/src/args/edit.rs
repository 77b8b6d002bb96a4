//! `tailwater edit`, as typed.

use std::path::PathBuf;

use clap::{ArgGroup, Args as ClapArgs, ValueHint};

use super::urls::Tier;

/// What to change: at least one of these.
const CHANGES: &str = "Changes";

/// Change the trackers and the comment of a .torrent file.
///
/// The info dictionary stays byte for byte, and with it the info-hash: it is the same torrent, and its peers are the same.
/// Whatever else the file holds is kept too. The file is replaced whole, or not at all.
#[derive(Debug, ClapArgs)]
#[command(
    override_usage = "tailwater edit [OPTIONS] <CHANGE>… <FILE>",
    group = ArgGroup::new("change").required(true).multiple(true)
        .args(["add_tracker", "remove_tracker", "set_tracker", "clear_trackers", "comment"]),
    after_help = "\
Examples:
  tailwater edit a.torrent --add-tracker udp://tracker.example.org:6969
  tailwater edit a.torrent --remove-tracker http://gone.example/announce --dry-run
  tailwater edit a.torrent --set-tracker http://new.example/announce -o b.torrent
  tailwater edit a.torrent --clear-trackers --comment ''"
)]
pub(crate) struct Edit {
    /// The .torrent file; `-` reads it from standard input, and `--output` says where the result goes.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Add a tracker, to be asked if those before it fail; may be given again. URLs with commas between them share a
    /// place in that order.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = CHANGES)]
    pub(crate) add_tracker: Vec<Tier>,
    /// Remove a tracker, of any kind; may be given again.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, help_heading = CHANGES)]
    pub(crate) remove_tracker: Vec<String>,
    /// Put this tracker in the place of all; may be given again, each asked if those before it fail.
    #[arg(
        long,
        value_name = "URL",
        value_hint = ValueHint::Url,
        help_heading = CHANGES,
        conflicts_with_all = ["add_tracker", "remove_tracker", "clear_trackers"]
    )]
    pub(crate) set_tracker: Vec<Tier>,
    /// Remove all trackers, before `--add-tracker` adds others.
    #[arg(long, conflicts_with = "remove_tracker", help_heading = CHANGES)]
    pub(crate) clear_trackers: bool,
    /// Replace the text for people; an empty one removes it.
    #[arg(long, value_name = "TEXT", help_heading = CHANGES)]
    pub(crate) comment: Option<String>,
    /// Write the result to this file, a folder, or `-` for standard output, and leave FILE as it is.
    #[arg(short, long, value_name = "FILE|FOLDER|-", value_hint = ValueHint::AnyPath)]
    pub(crate) output: Option<PathBuf>,
    /// Show what would change, and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Replace the file that `--output` names, if there is one.
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
}
