//! The listener of `tailwater daemon --rqbit`.

use tailwater_serve::rqbit;

use super::listeners::Api;

pub(super) const API: Api = Api {
    option: "--rqbit",
    key: "rqbit",
    name: "rqbit's API",
    path: "",
    addr: |args| args.rqbit,
    start: |listener, with| rqbit::start(listener, with.control, &with.config),
};
