//! `tailwater announce` and `tailwater scrape`, as typed.

use clap::{Args as ClapArgs, ValueHint};
use url::Url;

use tailwater_session::{Interface, Proxy};

use super::Wait;
use super::source::Source;
use super::urls::tracker_url;

/// Ask a torrent's trackers for peers, once.
///
/// All trackers are asked side by side, and their answers shown as they come. Those that answer are told right afterwards
/// that we have left. The numbers that they give may count this announce as a leecher.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater announce debian.torrent
  tailwater announce a.torrent --tracker udp://tracker.example.org:6969 --json
  tailwater announce debian.torrent --timeout 5s

Exit codes: 0 if one of them answered, else 1.")]
pub(crate) struct Announce {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// The port to announce. Default: one that is free, so that no seeder of this machine is mistaken for us.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
}

/// Ask a torrent's trackers how many seeders and leechers there are.
///
/// All trackers are asked side by side, and their answers shown as they come.
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
    /// A .torrent file, the http(s) URL of one, a magnet link, or an info-hash (40 digits, of v2 64). A hybrid is asked for
    /// under both its hashes, unless it is private.
    #[arg(value_name = "TORRENT", value_hint = ValueHint::FilePath)]
    pub(crate) source: Source,
    /// Ask this tracker instead of the torrent's own; may be given again.
    #[arg(long, value_name = "URL", value_parser = tracker_url, value_hint = ValueHint::Url)]
    pub(crate) tracker: Vec<Url>,
    /// Ask through this proxy: socks5://[USER:PASSWORD@]HOST:PORT, or http://…; trackers over UDP are not asked then.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<Proxy>,
    /// Ask by this network interface alone: wg0, tun0, or its address. Host names are looked up by the system.
    #[arg(long, value_name = "NAME|ADDR", conflicts_with = "proxy")]
    pub(crate) interface: Option<Interface>,
    /// How long each tracker may take: 20s, 1min, or a number of seconds. Over UDP, a packet that got lost is sent again
    /// after 15 s.
    #[arg(long, value_name = "TIME", default_value = "20s")]
    pub(crate) timeout: Wait,
}
