//! What the methods do, asked for by hand: those of settings, limits, files, the queue, changes.

use serde_json::{Value, json};

use crate::rpc::Rpc;
use crate::support::{Place, noise};

#[test]
fn what_is_set_of_a_torrent_is_shown() {
    let place = Place::new();
    place.write("here/Show/a.mkv", &noise(1, 50_000));
    place.write("here/Show/b.mkv", &noise(2, 60_000));
    place.write("here/Show/c.srt", &noise(3, 3_000));
    let torrent = place.create("here/Show", &[]);
    let rpc = Rpc::start(&place, &[]);
    let added = json!({"paused": true, "files-unwanted": [1], "priority-high": [2], "labels": ["tv"],
        "peer-limit": 9, "download-dir": place.path("data/tv")});
    let added = rpc.add(&place, &torrent, added);
    assert_eq!((&added["id"], &added["name"]), (&json!(1), &json!("Show")));
    let shown = |fields: &[&str]| rpc.torrent(&json!(1), fields);
    let fields = [
        "wanted",
        "priorities",
        "labels",
        "peer-limit",
        "status",
        "file-count",
        "sizeWhenDone",
        "totalSize",
    ];
    assert_eq!(
        shown(&fields),
        json!({"wanted": [1, 0, 1], "priorities": [0, 0, 1], "labels": ["tv"], "peer-limit": 9, "status": 0,
            "file-count": 3, "sizeWhenDone": 53_000, "totalSize": 113_000})
    );
    let folder = shown(&["downloadDir"])["downloadDir"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(folder.ends_with("data/tv"), "{folder}");
    let names: Vec<Value> = shown(&["files"])["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(names, ["Show/a.mkv", "Show/b.mkv", "Show/c.srt"]);
    let set = json!({"ids": [1], "files-wanted": [], "priority-low": [0], "uploadLimit": 20, "uploadLimited": true,
        "seedIdleLimit": 90, "seedIdleMode": 1, "seedRatioMode": 2, "sequential_download": true,
        "trackerList": "http://a.example/announce\n\nudp://b.example:6969\n", "labels": []});
    rpc.call("torrent-set", set);
    let fields = [
        "wanted",
        "priorities",
        "uploadLimit",
        "uploadLimited",
        "seedIdleLimit",
        "seedIdleMode",
        "seedRatioMode",
        "sequential_download",
        "labels",
        "trackerList",
    ];
    assert_eq!(
        shown(&fields),
        json!({"wanted": [1, 1, 1], "priorities": [-1, 0, 1], "uploadLimit": 20, "uploadLimited": true,
            "seedIdleLimit": 90, "seedIdleMode": 1, "seedRatioMode": 2, "sequential_download": true, "labels": [],
            "trackerList": "http://a.example/announce\n\nudp://b.example:6969\n"})
    );
    let trackers = shown(&["trackers"]);
    assert_eq!(
        trackers["trackers"][0],
        json!({"announce": "http://a.example/announce", "id": 0, "scrape": "http://a.example/scrape",
            "sitename": "a", "tier": 0})
    );
    changes_of_one_thing(&rpc);
}

/// Trackers by their ids, a switch alone, and what is refused.
fn changes_of_one_thing(rpc: &Rpc<'_>) {
    let shown = |fields: &[&str]| rpc.torrent(&json!(1), fields);
    rpc.call(
        "torrent-set",
        json!({"ids": 1, "trackerReplace": [1, "http://c.example/announce"]}),
    );
    rpc.call("torrent-set", json!({"ids": 1, "trackerRemove": [0]}));
    assert_eq!(
        shown(&["trackerList"])["trackerList"],
        "http://c.example/announce\n"
    );
    // A number stays while its switch is off.
    rpc.call("torrent-set", json!({"ids": 1, "uploadLimited": false}));
    assert_eq!(
        shown(&["uploadLimit", "uploadLimited"]),
        json!({"uploadLimit": 20, "uploadLimited": false})
    );
    assert_eq!(
        rpc.refused("torrent-set", json!({"ids": 1, "files-wanted": [3]})),
        "file index out of range"
    );
    assert_eq!(
        rpc.refused("torrent-set", json!({"ids": 1, "labels": ["a,b"]})),
        "labels cannot contain comma (,) character"
    );
}

#[test]
fn what_is_set_of_the_daemon_is_shown_and_outlasts_it() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &[]);
    let set = json!({
        "speed-limit-down": 1_000, "speed-limit-down-enabled": true,
        "speed-limit-up": 55, "speed-limit-up-enabled": false,
        "seedRatioLimit": 1.5, "seedRatioLimited": true,
        "idle-seeding-limit": 15, "idle-seeding-limit-enabled": true,
        "download-queue-size": 3, "download-queue-enabled": true,
        "seed-queue-size": 7, "seed-queue-enabled": true,
        "peer-limit-global": 321, "peer-limit-per-torrent": 45,
        "alt-speed-down": 11, "alt-speed-up": 12,
        "alt-speed-time-begin": 480, "alt-speed-time-end": 1_050, "alt-speed-time-day": 62,
        "alt-speed-time-enabled": true,
    });
    rpc.call("session-set", set.clone());
    let shown = rpc.call("session-get", json!({}));
    for (name, value) in set.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{name}");
    }
    let few = rpc.call(
        "session-get",
        json!({"fields": ["version", "rpc-version", "nothing"]}),
    );
    assert_eq!(few.as_object().unwrap().len(), 2, "{few}");
    rpc.daemon.kill();
    let rpc = Rpc::start(&place, &[]);
    let shown = rpc.call("session-get", json!({}));
    for (name, value) in set.as_object().unwrap() {
        // The number of a limit that does not hold too.
        assert_eq!(&shown[name], value, "{name}");
    }
    rpc.call(
        "session-set",
        json!({"alt-speed-time-enabled": false, "alt-speed-enabled": true}),
    );
    let shown = rpc.call(
        "session-get",
        json!({"fields": ["alt-speed-enabled", "alt-speed-time-enabled"]}),
    );
    assert_eq!(
        shown,
        json!({"alt-speed-enabled": true, "alt-speed-time-enabled": false})
    );
}

#[test]
fn torrents_move_in_the_queue_and_recent_ones_are_found() {
    let place = Place::new();
    let rpc = Rpc::start(&place, &[]);
    for (seed, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        place.write(&format!("here/{name}"), &noise(seed as u64, 20_000));
        let torrent = place.create(&format!("here/{name}"), &[]);
        rpc.add(&place, &torrent, json!({"paused": true}));
    }
    let order = || {
        let answer = rpc.call("torrent-get", json!({"fields": ["id", "queuePosition"]}));
        let mut torrents = answer["torrents"].as_array().unwrap().clone();
        torrents.sort_by_key(|it| it["queuePosition"].as_u64());
        let ids = torrents.iter().map(|it| it["id"].as_u64().unwrap());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(order(), [1, 2, 3, 4]);
    rpc.call("queue-move-top", json!({"ids": [3, 4]}));
    assert_eq!(order(), [3, 4, 1, 2]);
    rpc.call("queue-move-down", json!({"ids": [3, 4]}));
    assert_eq!(order(), [1, 3, 4, 2]);
    rpc.call("queue-move-up", json!({"ids": [1, 3]}));
    assert_eq!(order(), [1, 3, 4, 2]);
    rpc.call("queue-move-bottom", json!({"ids": [1, 3]}));
    assert_eq!(order(), [4, 2, 1, 3]);
    rpc.call("torrent-set", json!({"ids": [2], "queuePosition": 0}));
    assert_eq!(order(), [2, 4, 1, 3]);
    let recent = || {
        rpc.call(
            "torrent-get",
            json!({"ids": "recently-active", "fields": ["id"]}),
        )
    };
    assert_eq!(recent()["torrents"].as_array().unwrap().len(), 4);
    assert_eq!(recent()["removed"], json!([]));
    rpc.call("torrent-remove", json!({"ids": [4]}));
    assert_eq!(recent()["removed"], json!([4]));
    // A number is never used again.
    let torrent = "here/d.torrent".to_owned();
    assert_eq!(rpc.add(&place, &torrent, json!({"paused": true}))["id"], 5);
    let stats = rpc.call("session-stats", json!({}));
    assert_eq!(
        (&stats["torrentCount"], &stats["pausedTorrentCount"]),
        (&json!(4), &json!(4))
    );
}

#[test]
fn a_torrent_that_has_seeded_enough_is_finished() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(6, 50_000));
    place.write("data/film.mp4", &noise(6, 50_000));
    let torrent = place.create("here/film.mp4", &[]);
    let rpc = Rpc::start(&place, &[]);
    rpc.add(&place, &torrent, json!({}));
    rpc.until(&json!(1), "status", |status| status == 6);
    assert_eq!(rpc.torrent(&json!(1), &["isFinished"])["isFinished"], false);
    // As Sonarr sets it: a ratio of nothing is reached at once.
    rpc.call(
        "torrent-set",
        json!({"ids": 1, "seedRatioLimit": 0, "seedRatioMode": 1}),
    );
    rpc.call(
        "torrent-set",
        json!({"ids": 1, "seedIdleLimit": 0, "seedIdleMode": 1}),
    );
    rpc.until(&json!(1), "status", |status| status == 0);
    rpc.until(&json!(1), "isFinished", |finished| finished == true);
    let verified = rpc.torrent(&json!(1), &["haveValid", "leftUntilDone", "percentDone"]);
    assert_eq!(
        verified,
        json!({"haveValid": 50_000, "leftUntilDone": 0, "percentDone": 1.0})
    );
    rpc.call(
        "torrent-remove",
        json!({"ids": 1, "delete-local-data": true}),
    );
    assert!(!place.path("data/film.mp4").exists());
}

#[test]
fn groups_share_limits_and_outlast_the_daemon() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(8, 20_000));
    let torrent = place.create("here/film.mp4", &[]);
    let rpc = Rpc::start(&place, &[]);
    rpc.add(
        &place,
        &torrent,
        json!({"paused": true, "bandwidthPriority": -1}),
    );
    let slow = json!({"name": "slow", "speed-limit-down": 70, "speed-limit-down-enabled": true,
        "honorsSessionLimits": false});
    rpc.call("group-set", slow);
    rpc.call("group-set", json!({"name": "other"}));
    for wrong in [json!({}), json!({"name": " "}), json!({"name": 5})] {
        assert_eq!(rpc.refused("group-set", wrong), "No group name given");
    }
    let long = json!({"name": "x".repeat(1_000)});
    assert!(
        rpc.refused("group-set", long)
            .contains("the name of a group")
    );
    // One that is named of a torrent is made.
    rpc.call(
        "torrent-set",
        json!({"ids": 1, "group": "new", "honorsSessionLimits": false}),
    );
    let shown = || {
        rpc.torrent(
            &json!(1),
            &["group", "honorsSessionLimits", "bandwidthPriority"],
        )
    };
    let joined = json!({"group": "new", "honorsSessionLimits": false, "bandwidthPriority": -1});
    assert_eq!(shown(), joined);
    rpc.call(
        "torrent-set",
        json!({"ids": 1, "group": 5, "bandwidthPriority": 7}),
    );
    assert_eq!(shown(), joined);
    rpc.call(
        "torrent-set",
        json!({"ids": 1, "group": "slow", "bandwidthPriority": 0}),
    );
    rpc.call("session-set", json!({"start-added-torrents": false}));
    rpc.daemon.kill();
    let rpc = Rpc::start(&place, &[]);
    let fields = ["group", "honorsSessionLimits", "bandwidthPriority"];
    assert_eq!(
        rpc.torrent(&json!(1), &fields),
        json!({"group": "slow", "honorsSessionLimits": false, "bandwidthPriority": 0})
    );
    let of = |arguments: Value| rpc.call("group-get", arguments)["group"].clone();
    let slow = json!({"honorsSessionLimits": false, "name": "slow", "speed-limit-down": 70,
        "speed-limit-down-enabled": true, "speed-limit-up": 0, "speed-limit-up-enabled": false});
    assert_eq!(of(json!({"group": "slow"})), json!([slow]));
    let names = |groups: &Value| {
        let groups = groups.as_array().unwrap().iter();
        groups.map(|it| it["name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&of(json!({}))), ["new", "other", "slow"]);
    assert_eq!(names(&of(json!({"group": ["new", 5, "none"]}))), ["new"]);
    assert_eq!(of(json!({"group": 5})), json!([]));
    let starts = rpc.call("session-get", json!({"fields": ["start-added-torrents"]}));
    assert_eq!(starts, json!({"start-added-torrents": false}));
}

#[test]
fn what_tailwater_does_not_do_is_said() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(7, 20_000));
    let torrent = place.create("here/film.mp4", &[]);
    let rpc = Rpc::start(&place, &[]);
    rpc.add(&place, &torrent, json!({"paused": true}));
    assert!(
        rpc.refused("port-test", json!({}))
            .starts_with("Couldn't test port")
    );
    assert!(
        rpc.refused("blocklist-update", json!({}))
            .starts_with("Couldn't fetch blocklist")
    );
    assert_eq!(rpc.call("group-get", json!({})), json!({"group": []}));
    let space = rpc.call("free-space", json!({"path": place.path("data")}));
    assert!(
        space["size-bytes"].as_u64().unwrap() > 0
            && space["total_size"].as_u64() > space["size-bytes"].as_u64()
    );
}
