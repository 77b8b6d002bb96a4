//! The two dialects, and the handshake, over HTTP.

use serde_json::{Value, json};

use crate::http::raw;
use crate::rpc::Rpc;
use crate::support::{Place, noise};

#[test]
fn each_method_is_known_in_both_dialects() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &[]);
    for method in tailwater_serve::transmission::METHODS {
        // The last thing that is asked of a daemon.
        if method == "session_close" {
            continue;
        }
        let new = rpc.ask(&json!({"jsonrpc": "2.0", "method": method, "id": 1}));
        assert_ne!(new["error"]["code"], -32_601, "{new}");
        assert_eq!((&new["jsonrpc"], &new["id"]), (&json!("2.0"), &json!(1)));
        let old = method.replace('_', "-");
        let old = rpc.ask(&json!({"method": old, "tag": 1}));
        assert_ne!(old["result"], "method name not recognized", "{method}");
        assert_eq!(old["tag"], 1);
        assert!(old["arguments"].is_object(), "{old}");
    }
    let closed = rpc.ask(&json!({"method": "session-close"}));
    assert_eq!(closed["result"], "success");
    let ended = rpc.daemon.finish();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn names_are_those_of_the_dialect_and_batches_and_notifications_are_answered() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(1, 40_000));
    let torrent = place.create("here/film.mp4", &[]);
    let rpc = Rpc::start(&place, &[]);
    let added = rpc.add(&place, &torrent, json!({"paused": true}));
    let hash = added["hashString"].as_str().unwrap();
    let fields = ["hash_string", "wanted", "file_count", "download_dir"];
    let get = |id: Value, format: &str| {
        json!({"jsonrpc": "2.0", "method": "torrent_get", "id": id,
            "params": {"fields": fields, "format": format, "ids": [hash]}})
    };
    let new = rpc.ask(&get(json!("a"), "objects"));
    let new = &new["result"]["torrents"][0];
    assert_eq!(
        (&new["hash_string"], &new["wanted"]),
        (&hash.into(), &json!([true]))
    );
    let legacy = rpc.torrent(
        &json!([hash]),
        &[
            "hashString",
            "wanted",
            "fileCount",
            "downloadDir",
            "nothing",
        ],
    );
    assert_eq!(
        legacy,
        json!({"hashString": hash, "wanted": [1], "file-count": 1, "downloadDir": new["download_dir"]})
    );
    let table = rpc.ask(&get(json!(2), "table"));
    assert_eq!(
        table["result"]["torrents"],
        json!([fields, [hash, [true], 1, new["download_dir"]]])
    );
    let note = json!({"jsonrpc": "2.0", "method": "torrent_set", "params": {"labels": ["noted"]}});
    let batch = json!([get(json!(null), "objects"), note, {"jsonrpc": "2.0", "method": "none", "id": 3}, 5]);
    let answers = rpc.ask(&batch);
    let ids: Vec<&Value> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert_eq!(ids, [&Value::Null, &json!(3), &Value::Null]);
    assert_eq!(answers[1]["error"]["code"], -32_601);
    assert_eq!(
        rpc.torrent(&json!(1), &["labels"])["labels"],
        json!(["noted"])
    );
    let silent = rpc.send("", json!([note]).to_string().as_bytes());
    assert_eq!((silent.status, silent.body.len()), (204, 0));
}

#[test]
fn any_request_without_the_id_of_the_session_is_told_it() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &[]);
    let addr = &rpc.addr;
    for request in [
        format!("GET /transmission/rpc HTTP/1.1\r\nHost: {addr}\r\n\r\n"),
        format!(
            "GET /transmission/rpc/ HTTP/1.1\r\nHost: {addr}\r\nX-Transmission-Session-Id: 0\r\n\r\n"
        ),
    ] {
        let answer = raw(addr, request.as_bytes());
        assert_eq!(answer.status, 409, "{answer:?}");
        assert!(answer.header("x-transmission-session-id").unwrap().len() >= 40);
    }
    let elsewhere = format!("GET /other HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    assert_eq!(raw(addr, elsewhere.as_bytes()).status, 404);
}
