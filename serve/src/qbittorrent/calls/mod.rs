//! What each call does.
//!
//! | file | knows |
//! |---|---|
//! | `app`, `preferences`, `set_preferences` | the program, and its settings |
//! | `list`, `details`, `pieces` | what is said of torrents |
//! | `add` | `torrents/add` |
//! | `actions`, `limits`, `queue`, `files`, `trackers`, `web_seeds` | what is done with torrents |
//! | `labels` | categories and tags |
//! | `transfer`, `log` | rates and their limits; what happened |
//! | `absent` | what the daemon does not have |

mod absent;
mod absent_preferences;
mod actions;
mod add;
mod app;
mod details;
mod files;
mod labels;
mod limits;
mod list;
mod log;
mod peers;
mod pieces;
mod preferences;
mod queue;
mod set_preferences;
mod trackers;
mod transfer;
mod web_seeds;

use serde_json::Value;

pub use preferences::{CHANGEABLE, KEYS as PREFERENCES};

pub(super) use log::Journal;
pub(super) use preferences::MINUTE;
pub(super) use set_preferences::QueueNumbers;
#[cfg(any(test, feature = "__fuzz"))]
pub(super) use set_preferences::fuzz as fuzz_preferences;
pub(super) use transfer::info as transfer_info;

use super::failure::Failure;
use super::params::Params;
use super::server::Shared;
use super::sync;
use crate::control::{Access, TorrentId, TorrentView};

/// What a call answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// Words; mostly none.
    Text(String),
    Json(Value),
    /// A .torrent file.
    File {
        name: String,
        bytes: Vec<u8>,
    },
}

/// What a call answers, or why it did nothing.
type Outcome = Result<Answer, Failure>;

/// Whether a call changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is a GET or a POST.
    Read,
    /// It is a POST.
    Write,
}

/// All calls that are known, with their scopes.
const ALL: [(&str, Kind); 89] = {
    use Kind::{Read, Write};
    [
        ("app/buildInfo", Read),
        ("app/cookies", Read),
        ("app/defaultSavePath", Read),
        ("app/getDirectoryContent", Read),
        ("app/networkInterfaceAddressList", Read),
        ("app/networkInterfaceList", Read),
        ("app/preferences", Read),
        ("app/sendTestEmail", Write),
        ("app/setCookies", Write),
        ("app/setPreferences", Write),
        ("app/shutdown", Write),
        ("app/version", Read),
        ("app/webapiVersion", Read),
        ("auth/login", Write),
        ("auth/logout", Write),
        ("log/main", Read),
        ("log/peers", Read),
        ("rss/items", Read),
        ("rss/rules", Read),
        ("search/plugins", Read),
        ("search/status", Read),
        ("sync/maindata", Read),
        ("sync/torrentPeers", Read),
        ("torrentcreator/status", Read),
        ("torrents/SSLParameters", Read),
        ("torrents/add", Write),
        ("torrents/addPeers", Write),
        ("torrents/addTags", Write),
        ("torrents/addTrackers", Write),
        ("torrents/addWebSeeds", Write),
        ("torrents/bottomPrio", Write),
        ("torrents/categories", Read),
        ("torrents/count", Read),
        ("torrents/createCategory", Write),
        ("torrents/createTags", Write),
        ("torrents/decreasePrio", Write),
        ("torrents/delete", Write),
        ("torrents/deleteTags", Write),
        ("torrents/downloadLimit", Read),
        ("torrents/editCategory", Write),
        ("torrents/editTracker", Write),
        ("torrents/editWebSeed", Write),
        ("torrents/export", Read),
        ("torrents/filePrio", Write),
        ("torrents/files", Read),
        ("torrents/increasePrio", Write),
        ("torrents/info", Read),
        ("torrents/pieceHashes", Read),
        ("torrents/pieceStates", Read),
        ("torrents/properties", Read),
        ("torrents/reannounce", Write),
        ("torrents/recheck", Write),
        ("torrents/removeCategories", Write),
        ("torrents/removeTags", Write),
        ("torrents/removeTrackers", Write),
        ("torrents/removeWebSeeds", Write),
        ("torrents/rename", Write),
        ("torrents/renameFile", Write),
        ("torrents/renameFolder", Write),
        ("torrents/setAutoManagement", Write),
        ("torrents/setCategory", Write),
        ("torrents/setDownloadLimit", Write),
        ("torrents/setDownloadPath", Write),
        ("torrents/setForceStart", Write),
        ("torrents/setLocation", Write),
        ("torrents/setSSLParameters", Write),
        ("torrents/setSavePath", Write),
        ("torrents/setShareLimits", Write),
        ("torrents/setSuperSeeding", Write),
        ("torrents/setTags", Write),
        ("torrents/setUploadLimit", Write),
        ("torrents/start", Write),
        ("torrents/stop", Write),
        ("torrents/tags", Read),
        ("torrents/toggleFirstLastPiecePrio", Write),
        ("torrents/toggleSequentialDownload", Write),
        ("torrents/topPrio", Write),
        ("torrents/trackers", Read),
        ("torrents/uploadLimit", Read),
        ("torrents/webseeds", Read),
        ("transfer/banPeers", Write),
        ("transfer/downloadLimit", Read),
        ("transfer/info", Read),
        ("transfer/setDownloadLimit", Write),
        ("transfer/setSpeedLimitsMode", Write),
        ("transfer/setUploadLimit", Write),
        ("transfer/speedLimitsMode", Read),
        ("transfer/toggleSpeedLimitsMode", Write),
        ("transfer/uploadLimit", Read),
    ]
};

/// The names of all calls that are known.
pub const CALLS: [&str; ALL.len()] = {
    let mut names = [""; ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = ALL[at].0;
        at += 1;
    }
    names
};

/// A call by its scope and name.
pub(super) fn find(name: &str) -> Option<(&'static str, Kind)> {
    ALL.into_iter().find(|(known, _)| *known == name)
}

/// Does what a request asks for; logins are the server's.
pub(super) async fn run(
    shared: &Shared,
    access: Access,
    (name, kind): (&'static str, Kind),
    params: &Params,
) -> Outcome {
    if kind == Kind::Write && access != Access::Full {
        return Err(Failure::forbidden("this password may only read"));
    }
    let (scope, _) = name.split_once('/').unwrap_or((name, ""));
    match scope {
        "app" => app(shared, name, params).await,
        "log" => log::run(shared, name, params),
        "sync" => match name {
            "sync/maindata" => sync::maindata(shared, params).await,
            _ => sync::peers(shared, params).await,
        },
        "torrents" if kind == Kind::Read => read(shared, name, params).await,
        "torrents" => write(shared, name, params).await,
        "transfer" => transfer::run(shared, name, params).await,
        _ => absent::run(name),
    }
}

async fn app(shared: &Shared, name: &str, params: &Params) -> Outcome {
    match name {
        "app/preferences" => Ok(Answer::Json(preferences::all(shared).await)),
        "app/setPreferences" => set_preferences::set(shared, params).await,
        _ => app::run(shared, name),
    }
}

async fn read(shared: &Shared, name: &str, params: &Params) -> Outcome {
    match name {
        "torrents/categories" => Ok(labels::categories(shared)),
        "torrents/count" => Ok(list::count(shared)),
        "torrents/downloadLimit" => limits::download(shared, params),
        "torrents/export" => details::export(shared, params).await,
        "torrents/files" => files::list(shared, params).await,
        "torrents/info" => list::info(shared, params).await,
        "torrents/pieceHashes" => pieces::hashes(shared, params).await,
        "torrents/pieceStates" => pieces::states(shared, params).await,
        "torrents/properties" => details::properties(shared, params).await,
        "torrents/tags" => Ok(labels::tags(shared)),
        "torrents/trackers" => trackers::list(shared, params),
        "torrents/uploadLimit" => limits::upload(shared, params),
        "torrents/webseeds" => web_seeds::list(shared, params).await,
        _ => absent::run(name),
    }
}

async fn write(shared: &Shared, name: &str, params: &Params) -> Outcome {
    match name {
        "torrents/add" => add::add(shared, params).await,
        "torrents/addTrackers" => trackers::add(shared, params).await,
        "torrents/editTracker" => trackers::edit(shared, params).await,
        "torrents/removeTrackers" => trackers::remove(shared, params).await,
        "torrents/filePrio" => files::set(shared, params).await,
        "torrents/renameFile" | "torrents/renameFolder" => {
            files::rename(shared, name, params).await
        }
        "torrents/bottomPrio"
        | "torrents/decreasePrio"
        | "torrents/increasePrio"
        | "torrents/topPrio" => queue::run(shared, name, params).await,
        "torrents/setDownloadLimit" | "torrents/setShareLimits" | "torrents/setUploadLimit" => {
            limits::run(shared, name, params).await
        }
        "torrents/addTags"
        | "torrents/createCategory"
        | "torrents/createTags"
        | "torrents/deleteTags"
        | "torrents/editCategory"
        | "torrents/removeCategories"
        | "torrents/removeTags"
        | "torrents/setCategory"
        | "torrents/setTags" => labels::run(shared, name, params).await,
        "torrents/addWebSeeds" => web_seeds::add(shared, params).await,
        "torrents/editWebSeed" => web_seeds::edit(shared, params).await,
        "torrents/removeWebSeeds" => web_seeds::remove(shared, params).await,
        "torrents/setDownloadPath" | "torrents/setSSLParameters" => absent::run(name),
        _ => actions::run(shared, name, params).await,
    }
}

/// An answer that says nothing.
#[expect(clippy::unnecessary_wraps, reason = "what calls answer")]
const fn nothing() -> Outcome {
    Ok(Answer::Text(String::new()))
}

/// The torrent that `hash` names.
pub(super) fn torrent(shared: &Shared, params: &Params) -> Result<TorrentView, Failure> {
    let [hash] = params.need(["hash"])?;
    let id: TorrentId = hash.parse().map_err(|_| Failure::not_found())?;
    Ok(shared.control.torrent(id)?)
}

/// The torrents that a list of hashes names, each once; those that are not there are left out, as in the original.
fn selected(shared: &Shared, hashes: &str) -> Vec<TorrentView> {
    let all = shared.control.torrents();
    if hashes == "all" {
        return all;
    }
    let ids: std::collections::HashSet<TorrentId> = hashes
        .split('|')
        .filter_map(|hash| hash.trim().parse().ok())
        .collect();
    all.into_iter()
        .filter(|view| ids.contains(&view.id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_known_by_their_names() {
        assert!(CALLS.is_sorted());
        assert_eq!(find("torrents/info"), Some(("torrents/info", Kind::Read)));
        assert_eq!(find("torrents/nothing"), None);
    }
}
