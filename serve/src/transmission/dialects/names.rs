//! The names of keys. JSON-RPC has `snake_case` alone; the legacy form mixes `camelCase` and `kebab-case`, and what was new with
//! JSON-RPC has `snake_case` there too.

use serde_json::{Map, Value};

/// Keys with `kebab-case` in the legacy form, outside of `session-get`.
const KEBAB: [&str; 14] = [
    "blocklist_size",
    "cumulative_stats",
    "current_stats",
    "file_count",
    "peer_limit",
    "port_is_open",
    "primary_mime_type",
    "size_bytes",
    "speed_limit_down",
    "speed_limit_down_enabled",
    "speed_limit_up",
    "speed_limit_up_enabled",
    "torrent_added",
    "torrent_duplicate",
];
/// Keys with `camelCase` in `session-get`.
const CAMEL_OF_SESSION: [&str; 2] = ["seed_ratio_limit", "seed_ratio_limited"];
/// Keys that were never called anything else.
const SNAKE: [&str; 11] = [
    "begin_piece",
    "bytes_to_client",
    "bytes_to_peer",
    "download_bytes_per_second",
    "end_piece",
    "ip_protocol",
    "peer_id",
    "preferred_transports",
    "sequential_download",
    "sequential_download_from_piece",
    "webseeds_ex",
];

/// A name in JSON-RPC.
pub(super) fn snake(name: &str) -> String {
    // The one key that was renamed.
    if name == "cache-size-mb" {
        return "cache_size_mib".to_owned();
    }
    let mut snake = String::with_capacity(name.len() + 4);
    for char in name.chars() {
        match char {
            '-' => snake.push('_'),
            'A'..='Z' => {
                snake.push('_');
                snake.push(char.to_ascii_lowercase());
            }
            char => snake.push(char),
        }
    }
    snake
}

/// The same name in the legacy form, in an answer of this method.
fn legacy_name(method: &str, name: &str) -> String {
    let kebab = || name.replace('_', "-");
    if SNAKE.contains(&name) {
        return name.to_owned();
    }
    match (method, name) {
        ("free_space", "total_size") => name.to_owned(),
        // The only acronym.
        (_, "is_utp") => "isUTP".to_owned(),
        ("session_get", "cache_size_mib") => "cache-size-mb".to_owned(),
        ("session_get", name) if !CAMEL_OF_SESSION.contains(&name) => kebab(),
        (_, name) if KEBAB.contains(&name) => kebab(),
        _ => camel(name),
    }
}

fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut parts = name.split('_');
    camel.extend(parts.next());
    for part in parts {
        let mut chars = part.chars();
        camel.extend(chars.next().map(|char| char.to_ascii_uppercase()));
        camel.push_str(chars.as_str());
    }
    camel
}

/// An answer of a method with the names of the legacy form.
pub(super) fn legacy(method: &str, value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let renamed = map.into_iter().map(|(name, value)| {
                let value = match name.as_str() {
                    "torrents" => table(method, value),
                    _ => legacy(method, value),
                };
                (legacy_name(method, &name), value)
            });
            Value::Object(renamed.collect::<Map<_, _>>())
        }
        Value::Array(values) => values
            .into_iter()
            .map(|value| legacy(method, value))
            .collect(),
        value => value,
    }
}

/// Torrents; as a table their first row has the names.
fn table(method: &str, torrents: Value) -> Value {
    let Value::Array(mut rows) = torrents else {
        return torrents;
    };
    if let Some(Value::Array(names)) = rows.first_mut() {
        for name in names {
            if let Value::String(text) = name {
                *name = legacy_name(method, text).into();
            }
        }
    }
    legacy(method, rows.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_translated_both_ways() {
        for (method, new, old) in [
            ("torrent_get", "hash_string", "hashString"),
            ("torrent_get", "download_dir", "downloadDir"),
            ("session_get", "download_dir", "download-dir"),
            ("session_get", "seed_ratio_limit", "seedRatioLimit"),
            ("torrent_get", "seed_ratio_limit", "seedRatioLimit"),
            ("torrent_get", "peer_limit", "peer-limit"),
            ("torrent_get", "total_size", "totalSize"),
            ("free_space", "total_size", "total_size"),
            ("session_stats", "current_stats", "current-stats"),
            ("session_stats", "uploaded_bytes", "uploadedBytes"),
            ("torrent_add", "torrent_added", "torrent-added"),
            ("torrent_get", "id", "id"),
        ] {
            assert_eq!(legacy_name(method, new), old);
            assert_eq!(snake(old), new);
        }
        assert_eq!(legacy_name("torrent_get", "is_utp"), "isUTP");
    }

    #[test]
    fn a_table_has_its_names_in_the_first_row_alone() {
        let table = json!({"torrents": [["hash_string", "name"], ["x", "hash_string"]]});
        assert_eq!(
            legacy("torrent_get", table),
            json!({"torrents": [["hashString", "name"], ["x", "hash_string"]]})
        );
    }
}
