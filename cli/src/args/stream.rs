//! `tailwater stream`, as typed.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueHint};
use tailwater_serve::size::{ParseSizeError, Size};
use tailwater_serve::stream::HostName;

use super::source::Source;
use super::{Existing, Network, ServeAddr, StorageChoice};

use super::opener::Opener;

/// Watch a torrent while it downloads, from bounded memory.
///
/// Serves the files over HTTP to players and browsers of this machine, until Ctrl-C or until the player that `--open`
/// started has ended. Only what is watched is fetched, and never more is kept than `--memory` says: a film of any size
/// plays from it, and a rewind within the lookbehind costs nothing. The page at the printed address lists the files, plays
/// what browsers play, one episode after the other, with the subtitles that the torrent has for it, and shows the buffer
/// at work. For a magnet link the page is there at once, and shows what is being tried until the metadata has arrived.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater stream film.torrent                   prints the addresses; open the page in a browser
  tailwater stream film.torrent --open mpv        starts mpv, and ends with it
  tailwater stream film.torrent --open 'mpv --fs' with options of its own
  tailwater stream film.torrent --open page       the page, in the desktop's browser
  tailwater stream film.torrent --open vlc --memory 128MiB
  tailwater stream 'magnet:?xt=urn:btih:…' --open mpv
  tailwater stream series.torrent --file 3        a file, by its number in `inspect`
  tailwater stream series.torrent --file e03.mkv  or by its name
  tailwater stream film.torrent --lookbehind 60s --duration 5400
  tailwater stream film.torrent --http 8000       then: mpv http://127.0.0.1:8000/playlist.m3u
  tailwater stream film.torrent --http 0.0.0.0:8000 --allow-host shelf.local
  tailwater stream film.torrent --storage disk -o ~/films

Exit codes: 0 the player has ended, or stopped by SIGTERM or SIGHUP, 1 failed, 2 wrong usage,
130 ended by Ctrl-C.")]
pub(crate) struct Stream {
    /// The torrent: a .torrent file, the http(s) URL of one, a magnet link, or an info-hash (40 digits, of v2 64).
    #[arg(value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    pub(crate) source: Source,
    /// The file to play first, by its number in `inspect`, its name, or the end of its path. Default: the largest that plays.
    #[arg(long, value_name = "INDEX|NAME")]
    pub(crate) file: Option<String>,
    /// Start this player with the film's address, and end with it; or open the page in the desktop's browser.
    ///
    /// PLAYER is a program with its options, such as 'mpv --fs'; no shell reads it. The address replaces {} in it, or is
    /// added at the end; mpv and VLC get the film's subtitles too. A program that ends before it has read anything, as
    /// browsers do that hand the address to one that runs already, does not end the stream; unless it fails (exits with
    /// a code other than 0): then the last lines that it printed are shown, and the stream fails too.
    #[arg(long, value_name = "PLAYER|page", value_hint = ValueHint::CommandString)]
    pub(crate) open: Option<Opener>,
    /// Go on when the player that --open started has ended, until Ctrl-C.
    #[arg(long, requires = "open", conflicts_with = "exit_with_player")]
    pub(crate) keep_streaming: bool,
    /// End when the player that --open started ends, even if it has read nothing.
    #[arg(long, requires = "open")]
    pub(crate) exit_with_player: bool,
    /// How long the file plays, in seconds: turns seconds of lookbehind into bytes (default: by how fast it is read), and
    /// shows when the download is too slow for it.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<Duration>,
    /// Where to serve HTTP; a port alone serves this machine only. Default: 127.0.0.1 and a free port.
    #[arg(long, value_name = "ADDR:PORT", help_heading = "Network")]
    pub(crate) http: Option<ServeAddr>,
    /// Answer requests for this host name too, as behind a reverse proxy or by an mDNS name; may be given again.
    ///
    /// Requests that name another host than the server's own addresses are refused: a web site could make its own name
    /// lead to this machine (DNS rebinding), and read what is streamed through a visitor's browser. Allow only names whose
    /// address you control.
    #[arg(long, value_name = "NAME", help_heading = "Network")]
    pub(crate) allow_host: Vec<HostName>,
    /// Where the pieces are kept: in memory, or in files of which only what is watched is fetched.
    #[arg(long, value_enum, default_value_t = StorageChoice::Memory, help_heading = "Buffer")]
    pub(crate) storage: StorageChoice,
    /// The most memory for pieces. Default: 256MiB.
    #[arg(long, value_name = "SIZE", help_heading = "Buffer")]
    pub(crate) memory: Option<Size>,
    /// What to keep behind the reader, with its unit: 60s, or 64MiB. Default: half of what is not needed ahead.
    #[arg(long, value_name = "SIZE|TIME", help_heading = "Buffer")]
    pub(crate) lookbehind: Option<Behind>,
    /// The folder for the files, with `--storage disk`. Default: the current one.
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Buffer")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) existing: Existing,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// How much stays behind a reader: `60s`, or a size with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    Bytes(Size),
    Seconds(Duration),
}

/// A text that is not a lookbehind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseBehindError {
    #[error("neither a time nor a size; write 60s, or 64MiB")]
    Neither,
    #[error("{0} of what? Write {0}s for seconds, or {0}MiB for a size")]
    NoUnit(String),
    #[error("unknown unit {0:?}; use s for seconds, or K, M, G for a size: 60s, or 64MiB")]
    Unit(String),
    #[error("{0}")]
    Size(ParseSizeError),
}

impl FromStr for Behind {
    type Err = ParseBehindError;

    fn from_str(text: &str) -> Result<Self, ParseBehindError> {
        let text = text.trim();
        let is_number = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        };
        if is_number(text) && seconds(text).is_ok() {
            return Err(ParseBehindError::NoUnit(text.to_owned()));
        }
        let number = text.strip_suffix(['s', 'S']).unwrap_or(text).trim_end();
        if is_number(number) {
            let time = seconds(number).map_err(|_| ParseBehindError::Neither)?;
            return Ok(Self::Seconds(time));
        }
        if !text.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(ParseBehindError::Neither);
        }
        text.parse().map(Self::Bytes).map_err(|error| match error {
            ParseSizeError::Unit(unit) => ParseBehindError::Unit(unit),
            error => ParseBehindError::Size(error),
        })
    }
}

/// A number of seconds, perhaps with a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.trim().parse().ok();
    let time = number.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.filter(|time| !time.is_zero())
        .ok_or_else(|| "not a number of seconds; write 5400, or 5400.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookbehind_is_a_time_or_a_size() {
        let time = |seconds| Ok(Behind::Seconds(Duration::from_millis(seconds)));
        let size = |bytes| Ok(Behind::Bytes(Size(bytes)));
        let cases = [
            ("60", Err(ParseBehindError::NoUnit("60".to_owned()))),
            ("1.5", Err(ParseBehindError::NoUnit("1.5".to_owned()))),
            ("60s", time(60_000)),
            ("1.5 s", time(1_500)),
            ("64MiB", size(64 << 20)),
            ("1M", size(1 << 20)),
            ("0B", size(0)),
            ("", Err(ParseBehindError::Neither)),
            ("s", Err(ParseBehindError::Neither)),
            ("0", Err(ParseBehindError::Neither)),
            ("1.2.3", Err(ParseBehindError::Neither)),
            ("-5", Err(ParseBehindError::Neither)),
            ("soon", Err(ParseBehindError::Neither)),
            ("5 cats", Err(ParseBehindError::Unit("cats".to_owned()))),
        ];
        for (text, behind) in cases {
            assert_eq!(text.parse::<Behind>(), behind, "{text}");
        }
    }

    #[test]
    fn a_duration_is_some_time() {
        assert_eq!(seconds("5400.5"), Ok(Duration::from_millis(5_400_500)));
        for text in ["", "0", "-1", "inf", "NaN", "1e300", "1:30"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
