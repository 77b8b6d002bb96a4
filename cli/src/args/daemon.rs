//! `tailwater daemon`, as typed.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use tailwater_serve::size::Size;
use tailwater_serve::stream::HostName;

use super::{Compat, Hook, Network, ServeAddr};

/// Keep torrents over restarts, and serve an HTTP API for programs and people, until Ctrl-C.
///
/// It needs no configuration. Torrents, settings and tokens are kept in a database in the state folder; a killed
/// process loses none of them. `tailwater ctl` drives it, and so does any program: the API is described at
/// /api/v1/openapi.json. Films are streamed from /stream/INFO-HASH/INDEX while they download.
///
/// Without a token it serves this machine alone. For others, make one with `--create-token`, and name an address with
/// `--http`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  tailwater daemon                                files go to ~/Downloads
  tailwater daemon --data ~/torrents --http 8000
  tailwater daemon --print-config > ~/.config/tailwater/config.toml
  tailwater daemon --create-token phone           prints a token, and ends
  tailwater daemon --http 0.0.0.0:7870            for other machines; needs a token
  tailwater daemon --transmission 9091            for Sonarr, transmission-remote and the like
  tailwater daemon --qbittorrent 8080             for Sonarr, VueTorrent and the like

Then: tailwater ctl add debian.torrent; tailwater ctl list

SIGHUP has it read its configuration again; in a terminal, it ends it.

Exit codes: 0 stopped by SIGTERM, 1 failed, 2 wrong usage, 130 ended by Ctrl-C.")]
pub(crate) struct Daemon {
    /// Where to serve HTTP; a port alone serves this machine only. Default: 127.0.0.1:7870.
    ///
    /// On any other than a loopback address every request needs a token; without one the daemon does not start.
    #[arg(long, value_name = "ADDR:PORT", help_heading = "HTTP")]
    pub(crate) http: Option<ServeAddr>,
    /// Answer requests for this host name too, as behind a reverse proxy; may be given again.
    #[arg(long, value_name = "NAME", help_heading = "HTTP")]
    pub(crate) allow_host: Vec<HostName>,
    /// Ask for a token on a loopback address too: other users of this machine need one then.
    #[arg(long, help_heading = "HTTP")]
    pub(crate) require_token: bool,
    /// Serve HTTPS with this certificate and those above it, in PEM. SIGHUP has it read again.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_key", help_heading = "HTTP")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_cert", help_heading = "HTTP")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Fetch .torrent files from URLs in this machine's own networks too, as of an indexer beside it.
    #[arg(long, help_heading = "HTTP")]
    pub(crate) allow_private_urls: bool,
    #[command(flatten)]
    pub(crate) compat: Compat,
    /// The folder for the files of torrents. Default: ~/Downloads.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Folders")]
    pub(crate) data: Option<PathBuf>,
    /// Torrents may be put below this folder too; may be given again. Default: below `--data` alone.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Folders")]
    pub(crate) allow_dir: Vec<PathBuf>,
    /// Look in this folder for files of a torrent that begins, before they are downloaded; may be given again. They are known
    /// by the hashes of v2 and hybrid torrents, and are linked (reflink, else hard link) or copied.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Folders")]
    pub(crate) reuse: Vec<PathBuf>,
    /// Add what is put into this folder: .torrent files, and .magnet files with a link; may be given again.
    ///
    /// A file that was added is renamed to NAME.added, and one that cannot be to NAME.refused.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Folders")]
    pub(crate) watch: Vec<PathBuf>,
    /// Start this program when a torrent is complete for the first time.
    ///
    /// No shell reads it. It is told of the torrent by TAILWATER_NAME, TAILWATER_INFO_HASH, TAILWATER_SIZE, TAILWATER_DIR and
    /// TAILWATER_PATH. One runs at a time. No caller of the API can set or change it.
    #[arg(long, value_name = "COMMAND", value_hint = ValueHint::CommandString, help_heading = "Folders")]
    pub(crate) on_complete: Option<Hook>,
    /// The folder for the database and resume data. Default: $XDG_STATE_HOME/tailwater/daemon.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Folders")]
    pub(crate) state: Option<PathBuf>,
    /// The most memory for torrents that are kept there. Default: 256MiB.
    #[arg(long, value_name = "SIZE", help_heading = "Folders")]
    pub(crate) memory: Option<Size>,
    /// Print a configuration file with all options of the daemon, and end.
    #[arg(long, help_heading = "Instead of running")]
    pub(crate) print_config: bool,
    /// Make a token of this name, print it, and end. It is not shown again.
    #[arg(long, value_name = "NAME", help_heading = "Instead of running", conflicts_with_all = ["revoke_token", "print_config"])]
    pub(crate) create_token: Option<String>,
    /// The new token may only read.
    #[arg(long, requires = "create_token", help_heading = "Instead of running")]
    pub(crate) read_only: bool,
    /// Delete the token of this name, and end.
    #[arg(
        long,
        value_name = "NAME",
        help_heading = "Instead of running",
        conflicts_with = "print_config"
    )]
    pub(crate) revoke_token: Option<String>,
    #[command(flatten)]
    pub(crate) network: Network,
}
