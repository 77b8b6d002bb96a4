//! `tailwater create`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use globset::{Glob, GlobBuilder};
use tailwater_metainfo::BLOCK_LEN;
use tailwater_serve::size::Size;
use url::Url;

use super::urls::{Tier, web_url};

/// The longest piece that is made, in bytes: the longest power of two that a torrent can have.
const LONGEST_PIECE: u32 = 256 * 1024 * 1024;

/// Make a .torrent file out of a file or a folder.
///
/// Prints the info-hash and a magnet link. Without `--v2` or `--hybrid` it is a v1 torrent, which every client can use.
/// Hidden files are included, symbolic links are followed unless `--keep-symlinks` is given. What cannot be shared (a link to nothing, a name that is not
/// UTF-8, a socket, a file that may not be read) is listed, and no torrent is made without `--skip-unreadable`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater create film.mkv --tracker udp://tracker.example.org:6969
  tailwater create album/ -o torrents/                 writes torrents/album.torrent
  tailwater create album/ --hybrid                     for clients of v1 and of v2
  tailwater create album/ --exclude '*.nfo' --exclude scans --dry-run
  tailwater create data/ --tracker http://10.0.0.1:6969/announce --private
  tailwater create film.mkv --tracker udp://a.example:1,udp://b.example:1 --tracker udp://c.example:1
  tailwater create rootfs/ --hybrid --keep-symlinks    links stay links
  tailwater create film.mkv -o - | ssh seedbox 'cat > watch/film.torrent'

Then share it: tailwater seed film.mkv.torrent --data FOLDER-OF-FILM")]
pub(crate) struct Create {
    /// The file or folder to share.
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) path: PathBuf,
    /// Where to write the torrent: a file, a folder (or a path with a slash at its end) for NAME.torrent, or `-` for
    /// standard output. Default: NAME.torrent in the current folder.
    #[arg(short, long, value_name = "FILE|FOLDER|-", value_hint = ValueHint::AnyPath)]
    pub(crate) output: Option<PathBuf>,
    /// The torrent's name, under which it is downloaded. Default: that of the file or folder.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub(crate) name: Option<String>,
    /// The length of a piece: a power of two from 16KiB to 256MiB. Default: what makes up to 2048 pieces.
    #[arg(long, value_name = "SIZE", value_parser = piece_length)]
    pub(crate) piece_length: Option<u32>,
    /// Make a torrent of BitTorrent v2 (BEP 52), which only clients that know v2 can use.
    #[arg(long, conflicts_with = "hybrid")]
    pub(crate) v2: bool,
    /// Make a hybrid torrent, which clients use as v2 if they know it and as v1 otherwise. Between files there is padding,
    /// which v1 clients see as files in a folder `.pad`.
    #[arg(long)]
    pub(crate) hybrid: bool,
    /// A tracker's announce URL; give it again for more, each asked if those before it fail. URLs with commas between
    /// them share a place in that order.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) tracker: Vec<Tier>,
    /// A web server that holds the files (BEP 19); may be given again.
    #[arg(long, value_name = "URL", value_parser = web_url, value_hint = ValueHint::Url)]
    pub(crate) web_seed: Vec<Url>,
    /// Peers come only from the trackers, never from elsewhere (BEP 27).
    #[arg(long)]
    pub(crate) private: bool,
    /// A text for people.
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// A text in the info dictionary, which some private trackers ask for; it changes the info-hash.
    #[arg(long, value_name = "TEXT")]
    pub(crate) source: Option<String>,
    /// Leave out what matches; may be given again. A pattern without a slash is compared with each name, at any depth;
    /// one with a slash with the path inside the folder: `*.nfo`, `scans`, `disc1/*.log`, `**/tmp/*.wav`.
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    pub(crate) exclude: Vec<Glob>,
    /// Keep symbolic links inside the folder as links (BEP 47), instead of sharing what they point to. A link that leads
    /// out of the folder cannot be shared.
    #[arg(long)]
    pub(crate) keep_symlinks: bool,
    /// Leave out what cannot be shared, with a warning for each, instead of giving up.
    #[arg(long)]
    pub(crate) skip_unreadable: bool,
    /// List the files, their sizes and the pieces; hash nothing and write nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Replace the torrent file if there is one.
    #[arg(long)]
    pub(crate) force: bool,
}

fn piece_length(text: &str) -> Result<u32, String> {
    let Size(bytes) = text.parse().map_err(|error| format!("{error}"))?;
    u32::try_from(bytes)
        .ok()
        .filter(|length| length.is_power_of_two() && (BLOCK_LEN..=LONGEST_PIECE).contains(length))
        .ok_or_else(|| "not a power of two from 16KiB to 256MiB, such as 256KiB or 1MiB".to_owned())
}

/// Rejects names that would be changed when the torrent is downloaded.
fn name(text: &str) -> Result<String, String> {
    let is_bad = |c: char| matches!(c, '/' | '\\') || c.is_control();
    match text {
        "" | "." | ".." => Err("not a name for a file".to_owned()),
        _ if text.contains(is_bad) => {
            Err("a name has no slashes and no control characters".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

/// A star does not match a slash; two do.
fn glob(text: &str) -> Result<Glob, String> {
    let text = text.trim_start_matches("./").trim_end_matches('/');
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let glob = GlobBuilder::new(text).literal_separator(true).build();
    glob.map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_lengths_are_powers_of_two_in_range() {
        assert_eq!(piece_length("16KiB"), Ok(16 * 1024));
        assert_eq!(piece_length("256MiB"), Ok(256 * 1024 * 1024));
        for text in ["0", "8KiB", "100000", "512MiB", "1TiB", "potato"] {
            assert!(piece_length(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_and_patterns_are_checked() {
        assert_eq!(name("a film"), Ok("a film".to_owned()));
        for text in ["", ".", "..", "a/b", "a\\b", "a\nb"] {
            assert!(name(text).is_err(), "{text:?}");
        }
        assert!(glob("./a/**/b.txt").is_ok() && glob("scans/").is_ok());
        for text in ["", "/", "[", "{a"] {
            assert!(glob(text).is_err(), "{text:?}");
        }
    }
}
