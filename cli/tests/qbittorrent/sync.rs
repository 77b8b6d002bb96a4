//! `sync/maindata`: a client that takes in the differences knows the same as one that asks for everything.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::{Api, hash};
use crate::support::{Place, noise};

/// What a client knows, as pages keep it.
#[derive(Debug, Default)]
struct Client {
    rid: u64,
    /// Objects by their names: torrents, categories, trackers.
    known: BTreeMap<&'static str, Map<String, Value>>,
    tags: Vec<String>,
    server: Map<String, Value>,
}

const OBJECTS: [&str; 3] = ["torrents", "categories", "trackers"];

impl Client {
    /// Asks for what has changed, and takes it in; whether the answer was everything.
    fn ask(&mut self, api: &Api<'_>) -> (bool, Value) {
        let answer = api.get("sync/maindata", &[("rid", &self.rid.to_string())]);
        let is_whole = answer["full_update"] == true;
        if is_whole {
            *self = Self::default();
        }
        self.rid = answer["rid"].as_u64().unwrap();
        for name in OBJECTS {
            let known = self.known.entry(name).or_default();
            for (key, value) in answer[name].as_object().into_iter().flatten() {
                match (known.get_mut(key), value) {
                    (Some(Value::Object(known)), Value::Object(new)) => known.extend(new.clone()),
                    _ => drop(known.insert(key.clone(), value.clone())),
                }
            }
            for gone in answer[format!("{name}_removed")]
                .as_array()
                .into_iter()
                .flatten()
            {
                assert!(
                    known.remove(gone.as_str().unwrap()).is_some(),
                    "{gone} of {name} was not known"
                );
            }
        }
        let texts = |name: &str| -> Vec<String> {
            let all = answer[name].as_array().into_iter().flatten();
            all.map(|tag| tag.as_str().unwrap().to_owned()).collect()
        };
        self.tags.extend(texts("tags"));
        let gone = texts("tags_removed");
        self.tags.retain(|tag| !gone.contains(tag));
        self.tags.sort_unstable();
        self.server.extend(
            answer["server_state"]
                .as_object()
                .cloned()
                .unwrap_or_default(),
        );
        (is_whole, answer)
    }

    fn torrents(&self) -> Vec<&str> {
        self.known["torrents"].keys().map(String::as_str).collect()
    }
}

#[test]
fn a_client_that_takes_in_differences_knows_what_one_knows_that_asks_for_everything() {
    let place = Place::new();
    let names = ["a", "b", "c"];
    for (seed, name) in (0..).zip(names) {
        place.write(&format!("here/{name}"), &noise(seed, 40_000));
    }
    let torrents = names.map(|name| {
        place.create(
            &format!("here/{name}"),
            &["--tracker", "http://127.0.0.1:1/announce"],
        )
    });
    let [a, b, c] = torrents.each_ref().map(|torrent| hash(&place, torrent));
    let api = Api::start(&place, &[]);
    let mut client = Client::default();
    assert!(client.ask(&api).0, "the first answer is everything");
    let empty = client.ask(&api);
    assert!(!empty.0 && empty.1.get("torrents").is_none(), "{empty:?}");
    let paused = [("stopped", "true"), ("tags", "new"), ("category", "x")];
    api.add(&place, &torrents[0], &paused);
    api.add(&place, &torrents[1], &paused);
    let (is_whole, answer) = client.ask(&api);
    assert!(
        !is_whole && answer.get("torrents_removed").is_none(),
        "{answer}"
    );
    assert_eq!(client.torrents().len(), 2);
    assert!(client.known["categories"].contains_key("x"));
    assert_eq!(client.tags, ["new"]);
    // Of one torrent, some fields change; the other is not told.
    api.post("torrents/addTags", &[("hashes", &a), ("tags", "hd")]);
    api.post("torrents/rename", &[("hash", &a), ("name", "Another")]);
    let (_, answer) = client.ask(&api);
    let told = answer["torrents"].as_object().unwrap();
    assert_eq!(told.keys().collect::<Vec<_>>(), [&a]);
    let fields: Vec<&String> = told[&a].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["name", "tags"], "{answer}");
    // A change of trackers alone is told too.
    api.post(
        "torrents/addTrackers",
        &[("hash", &b), ("urls", "http://127.0.0.1:2/announce")],
    );
    client.ask(&api);
    assert_eq!(
        client.known["trackers"]["http://127.0.0.1:2/announce"],
        json!([b])
    );
    assert_eq!(client.known["torrents"][&b]["trackers_count"], 2);
    // Something goes, and something comes.
    api.post(
        "torrents/delete",
        &[("hashes", &b), ("deleteFiles", "false")],
    );
    api.post("torrents/deleteTags", &[("tags", "hd")]);
    api.post("torrents/removeCategories", &[("categories", "x")]);
    api.add(&place, &torrents[2], &paused[..2]);
    let (_, answer) = client.ask(&api);
    assert_eq!(answer["torrents_removed"], json!([b]));
    assert_eq!(
        answer["trackers_removed"],
        json!(["http://127.0.0.1:2/announce"])
    );
    assert_eq!(
        (&answer["tags_removed"], &answer["categories_removed"]),
        (&json!(["hd"]), &json!(["x"]))
    );
    let mut all: Vec<&str> = vec![&a, &c];
    all.sort_unstable();
    assert_eq!(client.torrents(), all);
    it_knows_the_same_as_others(&mut client, &api);
    // A daemon that was started anew knows none of its revisions.
    let before = client.rid;
    api.daemon.stop();
    let api = Api::start(&place, &[]);
    assert!(client.ask(&api).0 && client.rid != before);
}

fn it_knows_the_same_as_others(client: &mut Client, api: &Api<'_>) {
    // One whose revision is too old, or of another time, is told everything.
    let mut late = Client::default();
    late.ask(api);
    let rids = [0, 1, late.rid + 1_000, u64::from(u32::MAX) + 1];
    for rid in rids {
        let mut other = Client {
            rid,
            ..Client::default()
        };
        assert!(other.ask(api).0, "{rid}");
    }
    client.ask(api);
    late.ask(api);
    for name in OBJECTS {
        assert_eq!(client.known[name], late.known[name], "{name}");
    }
    assert_eq!(client.tags, late.tags);
    let stays = |server: &Map<String, Value>| {
        let mut server = server.clone();
        server.remove("free_space_on_disk");
        server
    };
    assert_eq!(stays(&client.server), stays(&late.server));
}

#[test]
fn what_a_torrent_shows_is_the_same_in_both_lists() {
    let place = Place::new();
    place.write("here/a", &noise(1, 40_000));
    let torrent = place.create("here/a", &[]);
    let hash = hash(&place, &torrent);
    let api = Api::start(&place, &[]);
    api.add(&place, &torrent, &[("stopped", "true")]);
    let listed = api.torrent(&hash);
    let mut client = Client::default();
    client.ask(&api);
    let mut shown = client.known["torrents"][&hash].clone();
    shown["hash"] = hash.into();
    assert_eq!(shown, listed);
    let names: Vec<&String> = listed.as_object().unwrap().keys().collect();
    assert_eq!(names, tailwater_serve::qbittorrent::FIELDS);
}
