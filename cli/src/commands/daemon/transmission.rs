//! The listener of `tailwater daemon --transmission`.

use tailwater_serve::transmission;

use super::fixed::fixed;
use super::listeners::Api;

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
