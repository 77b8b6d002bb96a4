//! Flags that several commands share.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{ArgAction, Args, ValueEnum, ValueHint};
use tailwater_metainfo::HostPort;
use tailwater_serve::size::Size;
use tailwater_session::{AddOptions, Encryption, Interface, Proxy, Transports};
use tokio::sync::OnceCell;

use super::addr::ListenAddr;
use super::output::{Detail, Json, JsonLevel, Show};

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Say nothing but errors: no progress, no warnings, no word about what is complete.
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Show no progress.
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) no_progress: bool,
    /// Print results and events as lines of JSON; =results for no events, =pieces for each piece too.
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "events",
        hide_possible_values = true,
        help_heading = "Output"
    )]
    json: Option<JsonLevel>,
    /// Show below each torrent its `peers` and web seeds, its `trackers`, or both (peers,trackers).
    #[arg(
        long,
        global = true,
        value_name = "LIST",
        value_enum,
        value_delimiter = ',',
        hide_possible_values = true,
        help_heading = "Output"
    )]
    show: Vec<Detail>,
    /// Say more on standard error: -v what happens, -vv details, -vvv everything.
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// Write what -v says to the end of this file, with times; with -vv or -vvv that.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    pub(crate) log_file: Option<PathBuf>,
    /// How the log is written, on standard error and in the file: lines for people, or JSON for programs.
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Output"
    )]
    pub(crate) log_format: LogFormat,
    /// Read options from this file instead of ~/.config/tailwater/config.toml; see `tailwater config`.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Configuration")]
    config: Option<PathBuf>,
    /// Read no file of options.
    #[arg(long, global = true, help_heading = "Configuration")]
    no_config: bool,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

impl Common {
    /// Whether results are lines of JSON rather than text for people.
    pub(crate) const fn json(&self) -> bool {
        self.json_lines().is_on()
    }

    /// What is shown below each torrent.
    pub(crate) fn show(&self) -> Show {
        Show::of(&self.show)
    }

    /// Which lines of JSON are printed.
    pub(crate) const fn json_lines(&self) -> Json {
        Json(self.json)
    }
}

/// The resolved addresses of `--peer` names: resolved once for all torrents of the command.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolved(pub(crate) Arc<OnceCell<Vec<SocketAddr>>>);

/// What every command takes that has a session.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct Network {
    /// Where to listen for peers. Default: port 6881, or the next free one, on all interfaces.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<ListenAddr>,
    /// Connect to this peer too, by address or host name; may be given again.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) peer: Vec<HostPort>,
    #[arg(skip)]
    pub(crate) resolved: Resolved,
    /// Send everything through this proxy: socks5://[USER:PASSWORD@]HOST:PORT, or http://… for one with CONNECT.
    ///
    /// Nothing goes around it: names are resolved by the proxy, and no port is listened on without --listen. The datagrams
    /// of uTP, the DHT and UDP trackers need a SOCKS5 proxy with UDP ASSOCIATE; there are none otherwise. A password is
    /// better kept out of the command line, in TAILWATER_PROXY.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<Proxy>,
    /// Encrypt connections to peers: off, allow, prefer or require.
    ///
    /// prefer tries an encrypted handshake first and falls back to a plain one; allow the other way round. Both accept
    /// either. require neither sends nor accepts a plain handshake. What follows an encrypted handshake is
    /// plaintext or RC4, as the side that answers selects.
    #[arg(long, value_name = "POLICY", default_value_t)]
    pub(crate) encryption: Encryption,
    /// How to connect to peers: over tcp, utp or both.
    ///
    /// With both, a peer is connected to over both at once, and uTP is used if it connects in about the time that TCP
    /// needs.
    #[arg(long, value_name = "TRANSPORT", default_value_t)]
    pub(crate) transport: Transports,
    /// Bind every connection to this network interface, such as a VPN's: wg0, tun0, or its address.
    ///
    /// Nothing is sent by another interface. While it does not exist, nothing is sent at all; all goes on when it is
    /// back. Host names are looked up by the system, which has its own ways: let the VPN set the name server.
    /// The router is not asked to forward a port.
    #[arg(long, value_name = "NAME|ADDR", conflicts_with = "proxy")]
    pub(crate) interface: Option<Interface>,
    /// Connect with no address of this list: CIDR, .p2p or .dat, plain or gzipped; may be given again.
    #[arg(long, value_name = "FILE|URL", value_hint = ValueHint::FilePath)]
    pub(crate) ip_filter: Vec<String>,
    /// Do not use the DHT.
    #[arg(long)]
    pub(crate) no_dht: bool,
    /// A node to begin with in the DHT, instead of the public ones; may be given again.
    #[arg(long, value_name = "ADDR:PORT", conflicts_with = "no_dht")]
    pub(crate) dht_bootstrap: Vec<HostPort>,
    /// Where to receive the DHT's datagrams; of no effect with `--proxy`. Default: on the port for peers.
    #[arg(long, value_name = "ADDR:PORT", conflicts_with = "no_dht")]
    pub(crate) dht_listen: Option<ListenAddr>,
    /// Do not look for peers on the local network.
    #[arg(long)]
    pub(crate) no_lsd: bool,
    /// Look for peers on the local network even with `--proxy`.
    #[arg(long, conflicts_with = "no_lsd")]
    pub(crate) lsd: bool,
    /// Do not ask the router to forward the port for peers.
    #[arg(long)]
    pub(crate) no_port_map: bool,
    /// Ask the router to forward the port for peers even with `--proxy`; needs `--listen` then.
    #[arg(long, conflicts_with = "no_port_map")]
    pub(crate) port_map: bool,
    /// The most to receive, in bytes a second: 2MiB, 500kB; 0 is no limit.
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(crate) max_down: Option<Size>,
    /// The most to send, in bytes a second; holds no download up; 0 is no limit.
    #[arg(long, value_name = "SIZE", help_heading = "Limits")]
    pub(crate) max_up: Option<Size>,
    /// The most connected peers of each torrent. Default: 200.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Limits")]
    pub(crate) max_peers: Option<u16>,
    /// The most peers of each torrent to upload to at once; four times as many when it is complete and nearly all of them
    /// are fast. Default: 8.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Limits")]
    pub(crate) upload_slots: Option<u16>,
}

/// Limits of each torrent, for commands that take several.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Each {
    /// The most to receive for each torrent, in bytes a second, within `--max-down`.
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_down_each: Option<Size>,
    /// The most to send for each torrent, in bytes a second, within `--max-up`.
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_up_each: Option<Size>,
}

impl Each {
    /// The same limits for a torrent that is added.
    pub(crate) fn apply(&self, mut options: AddOptions) -> AddOptions {
        if let Some(rate) = self.max_down_each {
            options = options.download_limit(rate.0);
        }
        if let Some(rate) = self.max_up_each {
            options = options.upload_limit(rate.0);
        }
        options
    }
}
