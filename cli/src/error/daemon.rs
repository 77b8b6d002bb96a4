//! Errors of the daemon, and of the command that drives one.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tailwater_serve::control::{ControlError, TokenError};
use tailwater_serve::tls::TlsError;

use super::plain;

/// Why a daemon does not run, or does not do what it was told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonFailure {
    #[error("another daemon uses {}", .0.display())]
    InUse(PathBuf),
    #[error("cannot use {} for the daemon's state: {reason}", dir.display())]
    State { dir: PathBuf, reason: String },
    #[error("no folder for the daemon's {0} is known")]
    NoFolder(&'static str),
    #[error(
        "{0} can be reached by other machines, and there is no token that would keep strangers out"
    )]
    NoToken(SocketAddr),
    #[error("cannot serve {name} at {addr}: {}", plain(source))]
    Listener {
        name: &'static str,
        addr: SocketAddr,
        source: io::Error,
    },
    #[error("{0}")]
    Control(#[from] ControlError),
    #[error("{0}")]
    Token(#[from] TokenError),
    #[error("there is no token named {0:?}")]
    NoSuchToken(String),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("{0:?} is not the address of a daemon")]
    Address(String),
    #[error("cannot reach the daemon at {url}: {reason}")]
    Unreachable { url: String, reason: String },
    #[error("the daemon at {url} does not answer as a daemon does: {reason}")]
    Strange { url: String, reason: String },
    #[error("{detail}")]
    Refused { status: u16, detail: String },
    #[error("{0}, and `tailwater top` draws on one")]
    NoTerminal(&'static str),
    #[error("there is no torrent {0:?}")]
    NoTorrent(String),
    #[error("{0:?} means several torrents: {1}")]
    Several(String, String),
}

impl DaemonFailure {
    /// What the user can do.
    pub(crate) fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::InUse(_) => "end it first, or name another folder with `--state DIR`",
            Self::State { .. } => "name another folder with `--state DIR`",
            Self::NoFolder("state") => "name one with `--state DIR`",
            Self::NoFolder(_) => "name one with `--data DIR`",
            Self::NoToken(_) => {
                "make one with `tailwater daemon --create-token NAME`, or name a port alone to serve this machine alone"
            }
            Self::Listener { .. } => {
                "choose another address, as `ADDR:PORT`; port 0 takes a free one"
            }
            Self::Address(_) => "write it as http://127.0.0.1:7870",
            Self::Unreachable { reason, .. } if reason.contains("certificate") => {
                "name a file with its certificate, or with that of its authority, with `--ca-cert`"
            }
            Self::Unreachable { .. } => {
                "start one with `tailwater daemon`, or name its address with `--daemon URL`"
            }
            Self::Refused { status: 401, .. } => {
                "give a token with `--token`, or in TAILWATER_CTL_TOKEN; `tailwater daemon --create-token NAME` makes one"
            }
            Self::NoTerminal(_) => {
                "`tailwater ctl list` prints the torrents; `tailwater ctl events` what happens"
            }
            Self::NoTorrent(_) => "`tailwater ctl list` shows all torrents with their numbers",
            Self::Several(..) => {
                "write more of the info-hash, or the number in `tailwater ctl list`"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}
