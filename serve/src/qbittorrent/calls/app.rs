//! The program.

use serde_json::json;

use super::{Answer, Outcome, absent, nothing};
use crate::qbittorrent::server::Shared;

/// The version that is claimed: clients choose by it what they send.
pub(in crate::qbittorrent) const VERSION: &str = "v5.1.4";
/// The version of the API.
pub(in crate::qbittorrent) const API_VERSION: &str = "2.11.4";

pub(super) fn run(shared: &Shared, name: &str) -> Outcome {
    match name {
        "app/version" => Ok(Answer::Text(VERSION.to_owned())),
        "app/webapiVersion" => Ok(Answer::Text(API_VERSION.to_owned())),
        "app/defaultSavePath" => {
            let folder = shared.control.data_dir().to_string_lossy();
            Ok(Answer::Text(folder.into_owned()))
        }
        // Of the libraries that the original is made of, there is none here.
        "app/buildInfo" => Ok(Answer::Json(json!({
            "bitness": usize::BITS,
            "boost": "",
            "libtorrent": concat!("tailwater ", env!("CARGO_PKG_VERSION")),
            "openssl": "",
            "platform": std::env::consts::OS,
            "qt": "",
            "zlib": "",
        }))),
        "app/shutdown" => {
            shared.door.request_close();
            nothing()
        }
        _ => absent::run(name),
    }
}
