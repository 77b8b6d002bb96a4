//! Web seeds of a torrent are added, changed and removed, and serve it.

use crate::api::{Api, hash};
use crate::daemon::Daemon;
use crate::support::{Place, noise};

fn listed(api: &Api<'_>, hash: &str) -> Vec<String> {
    let seeds = api.get("torrents/webseeds", &[("hash", hash)]);
    let urls = seeds.as_array().unwrap().iter();
    urls.map(|seed| seed["url"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_web_seed_that_a_client_names_serves_the_torrent() {
    let (place, other) = (Place::new(), Place::new());
    let bytes = noise(1, 300_000);
    for name in ["here/film.mp4", "data/film.mp4"] {
        other.write(name, &bytes);
    }
    let own = "http://127.0.0.1:1/gone";
    let torrent = other.create("here/film.mp4", &["--web-seed", own]);
    std::fs::copy(other.path(&torrent), place.path("film.torrent")).unwrap();
    let of = hash(&other, &torrent);
    // It serves files by ranges, as any web server does.
    let server = Daemon::start(&other, &[]);
    server.add(&torrent, "");
    let served = format!("http://{}/stream/{of}/0", server.addr);

    let api = Api::start(&place, &[]);
    let stopped = [("stopped", "true")];
    assert_eq!(api.add(&place, "film.torrent", &stopped), "Ok.");
    assert_eq!(listed(&api, &of), [own]);
    let add = |urls: &str| api.post("torrents/addWebSeeds", &[("hash", &of), ("urls", urls)]);
    add("http://127.0.0.1:1/a%7Cb|http://127.0.0.1:1/c");
    let [first, second] = ["http://127.0.0.1:1/a%7Cb", "http://127.0.0.1:1/c"];
    assert_eq!(listed(&api, &of), [own, first, second]);
    add(first);
    assert_eq!(listed(&api, &of), [own, first, second]);
    let call = "torrents/editWebSeed";
    for (from, to, status) in [
        (own, first, 409),
        ("http://127.0.0.1:1/none", "http://127.0.0.1:1/d", 409),
        (own, "ftp://127.0.0.1/d", 400),
    ] {
        api.refused(
            call,
            status,
            &[("hash", &of), ("origUrl", from), ("newUrl", to)],
        );
    }
    api.refused(
        "torrents/addWebSeeds",
        400,
        &[("hash", &of), ("urls", "nonsense")],
    );
    api.refused("torrents/addWebSeeds", 400, &[("hash", &of)]);
    let unknown = "f".repeat(40);
    api.refused(
        "torrents/addWebSeeds",
        404,
        &[("hash", &unknown), ("urls", own)],
    );
    assert_eq!(listed(&api, &of), [own, first, second]);
    let gone = format!("{own}|{first}|http://127.0.0.1:1/none");
    api.post("torrents/removeWebSeeds", &[("hash", &of), ("urls", &gone)]);
    assert_eq!(listed(&api, &of), [second]);

    // While it runs, too.
    api.post("torrents/start", &[("hashes", &of)]);
    api.until(&of, "state", |state| state == "stalledDL");
    api.post(
        call,
        &[("hash", &of), ("origUrl", second), ("newUrl", &served)],
    );
    api.until(&of, "progress", |progress| progress == 1.0);
    assert_eq!(std::fs::read(place.path("data/film.mp4")).unwrap(), bytes);
    api.daemon.stop();

    let api = Api::start(&place, &[]);
    assert_eq!(listed(&api, &of), [served.as_str()]);
    api.until(&of, "progress", |progress| progress == 1.0);
    api.daemon.stop();
    server.stop();
}
