//! The listener of `tailwater daemon --transmission`.

use std::path::Path;

use tailwater_serve::transmission::{self, Fixed};
use tailwater_session::{Encryption, Transports};

use super::listeners::Api;
use crate::args::Daemon;
use crate::start;

pub(super) const API: Api = Api {
    option: "--transmission",
    key: "transmission",
    name: "Transmission's RPC",
    path: "/transmission/rpc",
    addr: |args| args.transmission,
    start: |listener, with| {
        let fixed = fixed(with.args, with.state);
        transmission::start(listener, with.control, &with.config, fixed)
    },
};

/// What clients are told of options that cannot change.
fn fixed(args: &Daemon, state: &Path) -> Fixed {
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
