//! The listener of `tailwater daemon --torrserver`.

use tailwater_serve::torrserver::{self, Fixed};
use tailwater_session::{Encryption, Transports};

use super::listeners::Api;
use crate::args::Daemon;
use crate::start;

pub(super) const API: Api = Api {
    option: "--torrserver",
    key: "torrserver",
    name: "TorrServer's API",
    path: "",
    addr: |args| args.torrserver,
    start: |listener, with| {
        torrserver::start(listener, with.on_demand, &with.config, fixed(with.args))
    },
};

/// What clients are told of options that cannot change.
fn fixed(args: &Daemon) -> Fixed {
    let network = &args.network;
    let mut fixed = Fixed::default();
    fixed.dht = start::uses_dht(network);
    fixed.local_discovery = start::uses_local_discovery(network);
    fixed.port_mapping = start::maps_port(network);
    fixed.utp = network.transport != Transports::Tcp;
    fixed.tcp = network.transport != Transports::Utp;
    fixed.requires_encryption = network.encryption == Encryption::Require;
    fixed
}
