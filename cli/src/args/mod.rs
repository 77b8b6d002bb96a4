//! The command line: what there is to type, and the help that teaches it.

mod addr;
mod common;
mod dht;
mod sim;
mod stream;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, ValueHint};
use url::Url;

pub(crate) use addr::{ListenAddr, ServeAddr};
pub(crate) use common::{Common, Network};
pub(crate) use dht::{
    Asking, Dht, DhtCommand, DhtGet, DhtNode, DhtPeers, DhtPing, DhtPut, DhtSample, ItemRef,
    Joining, TorrentId,
};
pub(crate) use sim::{Sim, SimCommand, SimDht};
pub(crate) use stream::{Behind, Stream};

use crate::size::Size;
use crate::source::Source;

/// A BitTorrent client that streams from bounded memory.
#[derive(Debug, Parser)]
#[command(
    name = "tailwater",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_required = true,
    after_help = "\
Examples:
  tailwater demo                                  see a transfer work; needs nothing
  tailwater download debian.torrent -o ~/iso      fetch a torrent's files
  tailwater stream film.torrent --open mpv        watch one while it downloads, from bounded memory
  tailwater seed debian.torrent --data ~/iso      share them
  tailwater create album/ --tracker http://10.0.0.1:6969/announce
  tailwater tracker                               run a tracker for a swarm of your own
  tailwater dht peers HASH                        find a torrent's peers without a tracker

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
`tailwater COMMAND --help` has examples for each command."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What there is to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(Demo),
    Download(Download),
    Stream(Stream),
    Seed(Seed),
    Create(Create),
    Inspect(Inspect),
    Verify(Verify),
    Announce(Announce),
    Scrape(Scrape),
    Tracker(Tracker),
    Dht(Dht),
    Sim(Sim),
    Completions(Completions),
}

/// Show a whole swarm on this machine: a tracker, two seeders and a download into memory.
///
/// Makes a payload and a torrent in a temporary folder, downloads it over the loopback interface into the memory
/// storage, verifies it and prints a summary. Takes a few seconds, needs nothing, leaves nothing behind.
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
/// folder is checked first. Ctrl-C ends it cleanly within two seconds, a second Ctrl-C at once.
#[derive(Clone, Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater download debian.torrent                into the current folder
  tailwater download https://example.org/a.torrent -o ~/Downloads
  tailwater download 'magnet:?xt=urn:btih:…'       quoted, because of the &
  tailwater download album.torrent --files 0,3-5   some files, by `inspect`
  tailwater download a.torrent b.torrent --seed    share them until Ctrl-C
  tailwater download a.torrent --storage memory --memory 2GiB
  tailwater download a.torrent --peer 192.168.1.20:6881

Exit codes: 0 everything is complete, 1 something failed, 2 wrong usage, 130 interrupted.")]
pub(crate) struct Download {
    /// Torrents: .torrent files, http(s) URLs of such, or magnet links.
    #[arg(required = true, value_name = "SOURCE", value_hint = ValueHint::FilePath)]
    pub(crate) sources: Vec<Source>,
    /// The folder to put the files into; made if need be. Default: the current one.
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) output: Option<PathBuf>,
    /// Where the pieces are kept.
    #[arg(long, value_enum, default_value_t = StorageChoice::Disk)]
    pub(crate) storage: StorageChoice,
    /// The most memory for pieces, with `--storage memory`. Default: 256MiB.
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Size>,
    /// Only these files: numbers and ranges as `inspect` shows them (0,2-5), or a file's path. Default: all, or those
    /// that the magnet link selects.
    #[arg(long, value_name = "LIST")]
    pub(crate) files: Vec<String>,
    /// Fetch the pieces in order rather than the rarest first.
    #[arg(long)]
    pub(crate) sequential: bool,
    /// Go on uploading when complete, until Ctrl-C.
    #[arg(long)]
    pub(crate) seed: bool,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// Share files that are here already, until Ctrl-C.
///
/// The data is checked first, and only read: if something is missing or wrong, nothing is shared and nothing changed.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater seed debian.torrent --data ~/iso
  tailwater seed a.torrent b.torrent --data /srv --max-up 2MiB
  tailwater seed album.torrent --data .. --listen 0.0.0.0:51413")]
pub(crate) struct Seed {
    /// Torrents: .torrent files, http(s) URLs of such, or magnet links.
    #[arg(required = true, value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub(crate) sources: Vec<Source>,
    /// The folder that holds the torrent's file or folder: what `--output` was when it was downloaded.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) network: Network,
}

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

/// Show what a torrent says: name, files, trackers, and what is odd about it.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater inspect debian.torrent
  tailwater inspect https://example.org/a.torrent --json | jq -r .magnet
  tailwater inspect 'magnet:?xt=urn:btih:…'")]
pub(crate) struct Inspect {
    /// A .torrent file, the http(s) URL of one, or a magnet link, whose metadata is fetched from peers.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) source: Source,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// Check files against a torrent, without changing anything; exits with 1 if anything is missing or wrong.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater verify debian.torrent --data ~/iso
  tailwater verify album.torrent --data /srv/music --json")]
pub(crate) struct Verify {
    /// A .torrent file, the http(s) URL of one, or a magnet link.
    #[arg(value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub(crate) source: Source,
    /// The folder that holds the torrent's file or folder: what `--output` was when it was downloaded.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) network: Network,
}

/// Ask a torrent's trackers for peers, once.
///
/// All trackers are asked at the same time. They are told right afterwards that we have left.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater announce debian.torrent
  tailwater announce a.torrent --tracker udp://tracker.example.org:6969 --json

Exit codes: 0 if one of them answered, else 1.")]
pub(crate) struct Announce {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// The port to announce. Default: one that is free, so that no seeder of this machine is mistaken for us
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
}

/// Ask a torrent's trackers how many seeders and leechers there are.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater scrape debian.torrent
  tailwater scrape a.torrent --tracker http://10.0.0.1:6969/announce

Exit codes: 0 if one of them answered, else 1.")]
pub(crate) struct Scrape {
    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// A torrent and the trackers to ask about it.
#[derive(Debug, ClapArgs)]
pub(crate) struct Asked {
    /// A .torrent file, the http(s) URL of one, or a magnet link.
    #[arg(value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub(crate) source: Source,
    /// Ask this tracker instead of the torrent's own; may be given again.
    #[arg(long, value_name = "URL", value_parser = tracker_url, value_hint = ValueHint::Url)]
    pub(crate) tracker: Vec<Url>,
}

/// Run a tracker for swarms of your own, until Ctrl-C.
///
/// It keeps everything in memory, forgets peers that fall silent, and takes any torrent.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater tracker                   HTTP on port 6969 of all interfaces
  tailwater tracker --http 127.0.0.1:8000 --udp 127.0.0.1:8000
  tailwater tracker --udp 6969        UDP only

Then: tailwater create data/ --tracker http://THIS-HOST:6969/announce")]
pub(crate) struct Tracker {
    /// Where to listen for HTTP. Default: 0.0.0.0:6969, unless `--udp` is given.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) http: Option<ListenAddr>,
    /// Where to listen for UDP.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) udp: Option<ListenAddr>,
}

/// Print a script that completes tailwater's commands in a shell.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater completions bash > ~/.local/share/bash-completion/completions/tailwater
  tailwater completions zsh > ~/.zfunc/_tailwater
  tailwater completions fish > ~/.config/fish/completions/tailwater.fish")]
pub(crate) struct Completions {
    /// Which shell.
    pub(crate) shell: clap_complete::Shell,
}

fn tracker_url(text: &str) -> Result<Url, String> {
    url_of(text, &["http", "https", "udp"])
}

fn web_url(text: &str) -> Result<Url, String> {
    url_of(text, &["http", "https"])
}

fn url_of(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
    if !schemes.contains(&url.scheme()) || !url.has_host() {
        return Err(format!(
            "not a URL of a host that begins with {}",
            schemes.join(", ")
        ));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_by_example() {
        for command in Args::command().get_subcommands() {
            let name = command.get_name();
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.contains(&format!("tailwater {name}")), "{name}");
            assert!(command.get_about().is_some(), "{name}");
        }
    }

    #[test]
    fn trackers_have_a_scheme_that_trackers_speak() {
        assert!(tracker_url("udp://tracker.example.org:6969").is_ok());
        assert!(tracker_url("http://[::1]:6969/announce").is_ok());
        for text in [
            "",
            "tracker.example.org",
            "ftp://a/b",
            "magnet:?xt=urn:btih:00",
            "http://",
        ] {
            assert!(tracker_url(text).is_err(), "{text}");
        }
        assert!(web_url("udp://a:1").is_err());
    }
}
