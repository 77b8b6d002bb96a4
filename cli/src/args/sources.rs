//! The torrents of a command that takes several.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::source::Source;

/// The torrents of a command, on the command line and in lists.
#[derive(Clone, Debug, Args)]
pub(crate) struct Sources {
    /// Torrents: .torrent files, their http(s) URLs, magnet links (urn:btih, urn:btmh), info-hashes (40 digits, of v2 64), or
    /// `-` for standard input.
    #[arg(required_unless_present = "input", value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    pub(crate) sources: Vec<Source>,
    /// Take sources from this file too, one a line; `-` is standard input. Indented lines below a source are its
    /// options: dir=FOLDER, files=LIST.
    #[arg(short, long, value_name = "LIST", value_hint = ValueHint::FilePath, help_heading = "Files")]
    pub(crate) input: Vec<PathBuf>,
}
