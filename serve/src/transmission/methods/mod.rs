//! What each method does.
//!
//! | file | knows |
//! |---|---|
//! | `get` | `torrent_get` |
//! | `add` | `torrent_add` |
//! | `set`, `announce` | `torrent_set`; trackers |
//! | `actions` | start, stop, verify, reannounce, remove, move, rename |
//! | `queue` | the queue |
//! | `session`, `session_set`, `stats` | the daemon: its settings, and figures |
//! | `groups` | groups of torrents |
//! | `port` | whether peers reach us |
//! | `others` | the room on a disk, the blocklist, the end |

mod actions;
mod add;
mod announce;
mod get;
mod groups;
mod others;
mod port;
mod queue;
mod session;
mod session_set;
mod set;
mod stats;

use serde_json::{Map, Value};

pub use session::FIELDS as SESSION_FIELDS;

use super::dialects::{Call, Dialect};
use super::failure::{Failure, Kind};
use super::params::Params;
use super::server::Shared;
use crate::control::Access;

/// What a method answers.
type Outcome = Result<Map<String, Value>, Failure>;

/// All methods, by their names in JSON-RPC.
pub const METHODS: [&str; 24] = [
    "blocklist_update",
    "free_space",
    "group_get",
    "group_set",
    "port_test",
    "queue_move_bottom",
    "queue_move_down",
    "queue_move_top",
    "queue_move_up",
    "session_close",
    "session_get",
    "session_set",
    "session_stats",
    "torrent_add",
    "torrent_get",
    "torrent_reannounce",
    "torrent_remove",
    "torrent_rename_path",
    "torrent_set",
    "torrent_set_location",
    "torrent_start",
    "torrent_start_now",
    "torrent_stop",
    "torrent_verify",
];
/// Those that change nothing.
const READING: [&str; 6] = [
    "free_space",
    "group_get",
    "port_test",
    "session_get",
    "session_stats",
    "torrent_get",
];

/// Does what a request asks for.
pub(super) async fn run(shared: &Shared, access: Access, call: &Call) -> Outcome {
    let name = known(call)?;
    if READING.contains(&name) {
        // Nobody hears the answer.
        if call.is_notification() {
            return nothing();
        }
    } else if access != Access::Full {
        return Err(Failure::new(Kind::Internal, "this password may only read"));
    }
    let params = Params(&call.params);
    shared.remembered.load(&shared.control).await;
    let outcome = one(shared, name, params, call.dialect).await;
    shared.remembered.save(&shared.control).await;
    outcome
}

async fn one(shared: &Shared, name: &str, params: Params<'_>, dialect: Dialect) -> Outcome {
    match name {
        "blocklist_update" => others::blocklist_update(shared).await,
        "free_space" => others::free_space(shared, params).await,
        "group_get" => Ok(groups::get(shared, params)),
        "group_set" => groups::set(shared, params).await,
        "port_test" => port::test(shared, params).await,
        "queue_move_bottom" => queue::bottom(shared, params).await,
        "queue_move_down" => queue::down(shared, params).await,
        "queue_move_top" => queue::top(shared, params).await,
        "queue_move_up" => queue::up(shared, params).await,
        "session_close" => others::session_close(shared),
        "session_get" => session::get(shared, params, dialect).await,
        "session_set" => session_set::set(shared, params).await,
        "session_stats" => Ok(stats::get(shared)),
        "torrent_add" => add::add(shared, params).await,
        "torrent_get" => get::get(shared, params, dialect).await,
        "torrent_reannounce" => actions::reannounce(shared, params),
        "torrent_remove" => actions::remove(shared, params).await,
        "torrent_rename_path" => actions::rename_path(shared, params).await,
        "torrent_set" => set::set(shared, params).await,
        "torrent_set_location" => actions::set_location(shared, params).await,
        "torrent_start" => actions::start(shared, params).await,
        "torrent_start_now" => actions::start_now(shared, params).await,
        "torrent_stop" => actions::stop(shared, params).await,
        "torrent_verify" => actions::verify(shared, params).await,
        _ => Err(Failure::new(Kind::Method, "")),
    }
}

/// The method that a request names.
fn known(call: &Call) -> Result<&str, Failure> {
    let words = match (call.dialect, &call.method) {
        (_, Some(name)) if METHODS.contains(&name.as_str()) => return Ok(name),
        (Dialect::JsonRpc, _) => "",
        (Dialect::Legacy, None) => "no method name",
        (Dialect::Legacy, Some(_)) => "method name not recognized",
    };
    Err(Failure::new(Kind::Method, words))
}

/// An answer that says nothing.
#[expect(clippy::unnecessary_wraps, reason = "what methods answer")]
fn nothing() -> Outcome {
    Ok(Map::new())
}

/// An answer of one value.
fn of(name: &str, value: impl Into<Value>) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value.into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_known_in_both_dialects() {
        let call = |dialect, method: Option<&str>| Call {
            dialect,
            method: method.map(str::to_owned),
            params: Map::new(),
            id: None,
        };
        for name in METHODS {
            assert_eq!(known(&call(Dialect::Legacy, Some(name))), Ok(name));
        }
        assert!(READING.iter().all(|name| METHODS.contains(name)));
        let words = |dialect, method| {
            let failure = known(&call(dialect, method)).unwrap_err();
            assert_eq!(failure.kind.code(), -32_601);
            failure.words().to_owned()
        };
        assert_eq!(words(Dialect::Legacy, None), "no method name");
        assert_eq!(
            words(Dialect::Legacy, Some("x")),
            "method name not recognized"
        );
        assert_eq!(words(Dialect::JsonRpc, Some("x")), "Method not found");
    }
}
