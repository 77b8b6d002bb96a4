//! The calls of Sonarr's client for rqbit, as its source makes them, and what it does with the answers.

use serde_json::{Value, json};

use crate::calls::Rqbit;
use crate::support::{Place, noise};

/// The first three numbers of a version, as Sonarr finds them.
fn version(root: &Value) -> Vec<u32> {
    let text = root["version"].as_str().unwrap();
    let text = text.split(' ').next().unwrap();
    text.split('.').map(|part| part.parse().unwrap()).collect()
}

/// Where Sonarr looks for a torrent's files.
fn output_path(torrent: &Value) -> String {
    let text = |name: &str| torrent[name].as_str().unwrap().to_owned();
    let (folder, name) = (text("output_folder"), text("name"));
    match folder.ends_with(&name) {
        true => folder,
        false => folder + &name,
    }
}

/// The torrent in Sonarr's list.
fn listed(rqbit: &Rqbit<'_>, hash: &Value) -> Value {
    let list = rqbit.ok("GET /torrents?with_stats=true", b"");
    let torrents = list["torrents"].as_array().unwrap();
    let found = torrents.iter().find(|it| it["info_hash"] == *hash);
    found.unwrap_or_else(|| panic!("{list}")).clone()
}

#[test]
fn sonarr_finds_a_version_adds_follows_and_removes() {
    let place = Place::new();
    for name in ["film.mkv", "Show/a.mkv", "Show/b.mkv", "Alone/a.mkv"] {
        place.write(&format!("here/{name}"), &noise(1, 60_000));
        place.write(&format!("data/{name}"), &noise(1, 60_000));
    }
    let rqbit = Rqbit::start(&place, &[]);
    let root = rqbit.ok("GET /", b"");
    assert!(version(&root) >= vec![8, 0, 0], "{root}");
    for name in ["film.mkv", "Show", "Alone"] {
        let torrent = place.create(&format!("here/{name}"), &[]);
        let file = std::fs::read(place.path(&torrent)).unwrap();
        let added = rqbit.ok("POST /torrents?overwrite=true", &file);
        let hash = added["details"]["info_hash"].clone();
        assert!(added["id"].is_i64() && hash.is_string(), "{added}");
        let hash_text = hash.as_str().unwrap();
        let done = rqbit.until(hash_text, |it| {
            it["finished"] == true && it["state"] == "live"
        });
        assert_eq!(done["error"], Value::Null);
        let torrent = listed(&rqbit, &hash);
        assert_eq!(torrent["name"], name);
        assert_eq!(
            torrent["stats"]["progress_bytes"],
            torrent["stats"]["total_bytes"]
        );
        assert!(torrent["stats"]["live"]["download_speed"]["mbps"].is_number());
        let path = output_path(&torrent);
        assert!(std::path::Path::new(&path).exists(), "{path}");
        // A second time it is told of the first.
        let again = rqbit.ok("POST /torrents?overwrite=true", &file);
        assert_eq!(again["id"], added["id"]);
        let shown = rqbit.ok(&format!("GET /torrents/{hash_text}"), b"");
        assert_eq!(shown["info_hash"], hash);
        let (end, stays) = match name {
            "film.mkv" => ("forget", true),
            _ => ("delete", false),
        };
        let ended = rqbit.ok(&format!("POST /torrents/{hash_text}/{end}"), b"");
        assert_eq!(ended, json!({}));
        assert_eq!(std::path::Path::new(&path).exists(), stays, "{path}");
        rqbit.refused(&format!("GET /torrents/{hash_text}"), b"", 404);
    }
    assert_eq!(rqbit.ok("GET /torrents", b""), json!({"torrents": []}));
    rqbit.daemon.stop();
}

#[test]
fn a_magnet_link_is_answered_before_its_metadata_is_known() {
    let place = Place::new();
    let rqbit = Rqbit::start(&place, &[]);
    let hash = "0123456789abcdef0123456789abcdef01234567";
    let link = format!("magnet:?xt=urn:btih:{hash}&dn=Film");
    let added = rqbit.ok("POST /torrents?overwrite=true", link.as_bytes());
    assert_eq!(added["details"]["info_hash"], hash);
    let torrent = listed(&rqbit, &json!(hash));
    assert_eq!(
        (&torrent["name"], &torrent["stats"]["state"]),
        (&json!("Film"), &json!("initializing"))
    );
    assert_eq!(
        (&torrent["stats"]["finished"], &torrent["stats"]["live"]),
        (&json!(false), &Value::Null)
    );
    rqbit.daemon.stop();
}
