//! What clients of listeners for other programs are told of options that cannot change.

use std::path::Path;

use tailwater_serve::compat::Fixed;
use tailwater_session::{Encryption, Transports};

use crate::args::Daemon;
use crate::start;

/// What clients are told of options that cannot change.
pub(super) fn fixed(args: &Daemon, state: &Path) -> Fixed {
    let network = &args.network;
    let mut fixed = Fixed::default();
    state.clone_into(&mut fixed.state_dir);
    fixed.dht = start::uses_dht(network);
    fixed.local_discovery = start::uses_local_discovery(network);
    fixed.port_mapping = start::maps_port(network);
    fixed.utp = network.transport != Transports::Tcp;
    fixed.tcp = network.transport != Transports::Utp;
    fixed.encryption = match network.encryption {
        Encryption::Require => "required",
        Encryption::Prefer => "preferred",
        _ => "tolerated",
    }
    .to_owned();
    fixed
}
