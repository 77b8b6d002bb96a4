//! The listener of `tailwater daemon --stremio`.

use tailwater_serve::stremio;

use super::listeners::Api;
use crate::start;

pub(super) const API: Api = Api {
    option: "--stremio",
    key: "stremio",
    name: "Stremio's streaming server",
    path: "",
    addr: |args| args.stremio,
    start: |listener, with| {
        let uses_dht = start::uses_dht(&with.args.network);
        stremio::start(listener, with.on_demand, &with.config, uses_dht)
    },
};
