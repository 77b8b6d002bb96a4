//! A session as the command line wants it.

use std::env;
use std::path::PathBuf;

use tailwater_session::{Builder, Session};

use crate::args::Network;

/// Settings by the flags.
pub(crate) fn builder(network: &Network) -> Builder {
    let mut builder = Session::builder();
    if let Some(addr) = network.listen {
        builder = builder.listen(addr.0);
    }
    if let Some(rate) = network.max_down {
        builder = builder.max_down(rate.0);
    }
    if let Some(rate) = network.max_up {
        builder = builder.max_up(rate.0);
    }
    builder
}

/// Where resume data is kept: `resume` in `$XDG_STATE_HOME/tailwater`, which is `~/.local/state/tailwater` unless set.
pub(crate) fn resume_dir() -> Option<PathBuf> {
    // The XDG specification says to ignore relative paths.
    let absolute = |name: &str| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let base = match cfg!(windows) {
        true => absolute("LOCALAPPDATA"),
        false => absolute("XDG_STATE_HOME")
            .or_else(|| Some(absolute("HOME")?.join(".local").join("state"))),
    };
    Some(base?.join("tailwater").join("resume"))
}
