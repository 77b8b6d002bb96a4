//! `tailwater download`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum, ValueHint};
use tailwater_serve::size::Size;

use super::{Each, Existing, Goals, Hook, Network, NewFiles, Sources};

/// Where a download's pieces are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StorageChoice {
    /// In files below the output folder.
    Disk,
    /// In memory, within `--memory`; nothing touches the disk.
    Memory,
}

/// Download torrents; ends when everything is complete and verified.
///
/// A download that was interrupted goes on where it stopped when the same command is run again: what is in the output
/// folder is checked first. What is remembered of it, in ~/.local/state/tailwater (or $XDG_STATE_HOME), goes when the files
/// are gone or after 90 days without use. Ctrl-C ends it cleanly within two seconds, a second Ctrl-C at once.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater download debian.torrent                into the current folder
  tailwater download https://example.org/a.torrent -o ~/Downloads
  tailwater download 'magnet:?xt=urn:btih:…'       quoted, because of the &
  tailwater download album.torrent --files 0,3-5   some files, by `inspect`
  tailwater download *.torrent --files '*.mkv,Subs/' --exclude '*sample*'
  tailwater download a.torrent b.torrent --seed    share them until Ctrl-C
  tailwater download a.torrent --seed-ratio 1.5 --seed-time 2d
  tailwater download -i list --stop-timeout 1h     each source of a list
  tailwater download a.torrent --on-complete 'notify-send Complete'
  tailwater download a.torrent --storage memory --memory 2GiB
  tailwater download new.torrent --reuse old/      what is there by hash is not downloaded
  tailwater download a.torrent --peer 192.168.1.20:6881

Exit codes: 0 everything is complete, 1 something failed, 2 wrong usage, 130 interrupted.
With `--seed`, SIGTERM or SIGHUP after everything is complete is 0.")]
pub(crate) struct Download {
    #[command(flatten)]
    pub(crate) sources: Sources,
    /// The folder to put the files into; made if need be. Default: the current one.
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Files")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) existing: Existing,
    #[command(flatten)]
    pub(crate) new_files: NewFiles,
    /// Look in this folder for files of the torrent before they are downloaded; may be given again. They are known by the
    /// roots of v2 and hybrid torrents, under any name, and are linked (reflink, else hard link) or else copied. A hard link
    /// is the same file: what changes one changes both.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Files")]
    pub(crate) reuse: Vec<PathBuf>,
    /// Where the pieces are kept.
    #[arg(long, value_enum, default_value_t = StorageChoice::Disk, help_heading = "Files")]
    pub(crate) storage: StorageChoice,
    /// Only these files: numbers and ranges as `inspect` shows them (0,2-5,9-), paths, folders (Extras/), patterns
    /// (*.mkv); with ! all but these (!*.nfo). Default: all, or those that the magnet link selects.
    #[arg(
        long,
        value_name = "LIST",
        allow_negative_numbers = true,
        help_heading = "Files"
    )]
    pub(crate) files: Vec<String>,
    /// Not these files, by the same names, whatever else is chosen.
    #[arg(
        long,
        value_name = "LIST",
        allow_negative_numbers = true,
        help_heading = "Files"
    )]
    pub(crate) exclude: Vec<String>,
    /// Choose the files of each torrent on a list, once its files are known.
    #[arg(long, help_heading = "Files")]
    pub(crate) choose: bool,
    /// Fetch the pieces in order rather than the rarest first.
    #[arg(long, help_heading = "Files")]
    pub(crate) sequential: bool,
    /// Start this program for each torrent that completes, without a shell; the environment variables TAILWATER_NAME,
    /// _INFO_HASH, _SIZE (bytes), _PATH (of its file or folder) and _DIR tell it which.
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString, help_heading = "Files")]
    pub(crate) on_complete: Option<Hook>,
    /// Go on uploading when complete, until Ctrl-C, or until a goal below is reached.
    #[arg(long, help_heading = "Seeding")]
    pub(crate) seed: bool,
    #[command(flatten)]
    pub(crate) goals: Goals,
    /// The most memory for pieces, with `--storage memory`. Default: 256MiB.
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(crate) memory: Option<Size>,
    #[command(flatten)]
    pub(crate) each: Each,
    #[command(flatten)]
    pub(crate) network: Network,
}

impl Download {
    /// Whether a torrent is seeded when it is complete; a goal of seeding means so.
    pub(crate) const fn seeds(&self) -> bool {
        self.seed || self.goals.ends_seeding()
    }
}
