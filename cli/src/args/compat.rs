//! Listeners for programs that were written for another one, as typed: one option for the address of each, and what belongs to it.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueHint};
use tailwater_serve::compat::Origin;

use super::ServeAddr;

#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Other programs")]
pub(crate) struct Compat {
    /// Serve Transmission's RPC here too, for its remotes, Sonarr, Radarr and scripts; a port alone serves this machine only.
    ///
    /// They are told the address as http://ADDR:PORT/transmission/rpc; 9091 is the port that they expect. A user name may be
    /// any, and the password is a token of `--create-token`. What `--http` says of other machines, `--allow-host`,
    /// `--require-token` and `--tls-cert` hold for it too. docs/transmission.md says what of it works.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) transmission: Option<ServeAddr>,
    /// Serve TorrServer's API here too, for Lampa, Kodi and scripts of mpv; a port alone serves this machine only.
    ///
    /// 8090 is the port that they expect. What they add is streamed from memory (`--memory`) and let go when no one watches it.
    /// A user name may be any, and the password is a token of `--create-token`; it may also stand in the address that a program
    /// is told: http://HOST:8090/TOKEN. docs/torrserver.md says what of it works.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) torrserver: Option<ServeAddr>,
    /// Serve qBittorrent's Web API here too, for Sonarr, Radarr, VueTorrent and scripts; a port alone serves this machine only.
    ///
    /// 8080 is the port that they expect. The user name may be any, and the password is a token of `--create-token`; on this
    /// machine none is needed. The rest is as for `--transmission`. docs/qbittorrent.md says what of it works.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) qbittorrent: Option<ServeAddr>,
    /// The folder of a web page for qBittorrent's Web API, served at / of its port: that of VueTorrent, as it is unpacked.
    ///
    /// It is served without a login; all else of that port needs one where one is needed.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "qbittorrent")]
    pub(crate) qbittorrent_web: Option<PathBuf>,
    /// The folder of a web page for Transmission's RPC, served at /transmission/web/. Debian's package transmission-common has
    /// Transmission's own in /usr/share/transmission/web.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, requires = "transmission")]
    pub(crate) transmission_web: Option<PathBuf>,
    /// Serve the calls of rqbit's API here too that Sonarr's client for it makes; 3030 is the port that it expects.
    ///
    /// All else is as with `--transmission`. docs/rqbit.md says what of it works.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) rqbit: Option<ServeAddr>,
    /// Serve the playback routes of Stremio's streaming server here too; a port alone serves this machine only.
    ///
    /// 11470 is the port that its clients expect. What they play is streamed from memory, as for `--torrserver`. Its web client
    /// is a page: name its origin with `--allow-origin`. Its clients know no password. docs/stremio.md says what of it works.
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) stremio: Option<ServeAddr>,
    /// Let web pages of this origin use the listeners for other programs; may be given again. Default: none.
    ///
    /// It is what stands in the address bar of the page up to the path: http://films.example:8080. A page that may do so can do
    /// all that the listeners offer, with the password that the page or the browser has.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<Origin>,
}
