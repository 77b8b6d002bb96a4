//! What the daemon does not have. Lists of it are empty, so that a page that asks for them goes on; what would change
//! something is refused with the reason.

use serde_json::json;

use super::{Answer, Outcome};
use crate::qbittorrent::failure::Failure;

pub(super) fn run(name: &str) -> Outcome {
    match name {
        "rss/items" | "rss/rules" => Ok(Answer::Json(json!({}))),
        "app/cookies"
        | "app/networkInterfaceAddressList"
        | "app/networkInterfaceList"
        | "search/plugins"
        | "search/status"
        | "torrentcreator/status" => Ok(Answer::Json(json!([]))),
        "torrents/SSLParameters" => Ok(Answer::Json(json!({
            "ssl_certificate": "",
            "ssl_private_key": "",
            "ssl_dh_params": "",
        }))),
        "app/getDirectoryContent" => Err(Failure::forbidden("tailwater lists no folders")),
        _ => Err(Failure::conflict(reason(name))),
    }
}

fn reason(name: &str) -> &'static str {
    match name {
        "app/sendTestEmail" => "tailwater sends no mail",
        "app/setCookies" => "tailwater sends no cookies",
        "torrents/setDownloadPath" => "tailwater has one folder for a torrent, complete or not",
        "torrents/setSSLParameters" => "tailwater has no torrents over TLS",
        _ => "tailwater does not do that",
    }
}
