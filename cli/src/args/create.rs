//! `tailwater create`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use url::Url;

use super::urls::{tracker_url, web_url};
use crate::size::Size;

/// Make a .torrent file out of a file or a folder.
///
/// Prints the info-hash and a magnet link. Hidden files are included, symbolic links are followed.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater create film.mkv --tracker udp://tracker.example.org:6969
  tailwater create album/ -o album.torrent --piece-length 1MiB
  tailwater create data/ --tracker http://10.0.0.1:6969/announce --private

Then share it: tailwater seed film.mkv.torrent --data FOLDER-OF-FILM")]
pub(crate) struct Create {
    /// The file or folder to share.
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) path: PathBuf,
    /// Where to write the torrent. Default: its name with `.torrent`, in the current folder.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// The length of a piece: a power of two from 16KiB to 256MiB. Default: what makes up to 2048 pieces.
    #[arg(long, value_name = "SIZE")]
    pub(crate) piece_length: Option<Size>,
    /// A tracker's announce URL; give it again for more, each asked if those before it fail.
    #[arg(long, value_name = "URL", value_parser = tracker_url, value_hint = ValueHint::Url)]
    pub(crate) tracker: Vec<Url>,
    /// A web server that holds the files (BEP 19); may be given again.
    #[arg(long, value_name = "URL", value_parser = web_url, value_hint = ValueHint::Url)]
    pub(crate) web_seed: Vec<Url>,
    /// Peers come only from the trackers, never from elsewhere (BEP 27).
    #[arg(long)]
    pub(crate) private: bool,
    /// A text for people.
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Replace the torrent file if there is one.
    #[arg(long)]
    pub(crate) force: bool,
}
