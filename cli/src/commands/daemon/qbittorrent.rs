//! The listener of `tailwater daemon --qbittorrent`.

use tailwater_serve::qbittorrent::{self, QBittorrentOptions};

use super::fixed::fixed;
use super::listeners::Api;

pub(super) const API: Api = Api {
    option: "--qbittorrent",
    key: "qbittorrent",
    name: "qBittorrent's Web API",
    path: "",
    addr: |args| args.qbittorrent,
    start: |listener, with| {
        let mut options = QBittorrentOptions::default();
        options.web.clone_from(&with.args.compat.qbittorrent_web);
        let fixed = fixed(with.args, with.state);
        qbittorrent::start(listener, with.control, &with.config, fixed, &options)
    },
};
