//! Peers are banned: connections with them end, and they stay banned over a restart.

use crate::api::{Api, hash};
use crate::support::{LOCAL, Place, noise};

#[test]
fn a_banned_peer_is_let_go_until_it_is_banned_no_more() {
    let place = Place::new();
    // It sends slowly, so that it is connected until something ends that.
    place.write("here/film", &noise(1, 2_000_000));
    let torrent = place.create("here/film", &[]);
    let of = hash(&place, &torrent);
    let slow = ["seed", &torrent, "--data", "here", "--max-up", "4kB"];
    let seeder = place.start(&[&slow[..], &["--no-progress"], &LOCAL].concat());
    let addr = seeder.line("listening on ");
    let addr = addr.rsplit(' ').next().unwrap();
    seeder.line("seeding ");
    let peer = [("hashes", of.as_str()), ("peers", addr)];

    let api = Api::start(&place, &[]);
    assert_eq!(api.add(&place, &torrent, &[]), "Ok.");
    api.post("torrents/addPeers", &peer);
    api.until(&of, "num_seeds", |seeds| seeds == 1);
    api.refused("transfer/banPeers", 400, &[]);
    let named = format!("nonsense|{addr}|1.2.3.4");
    assert_eq!(api.post("transfer/banPeers", &[("peers", &named)]), "");
    api.until(&of, "num_seeds", |seeds| seeds == 0);
    let banned = |api: &Api<'_>| api.get("app/preferences", &[])["banned_IPs"].clone();
    assert_eq!(banned(&api), "127.0.0.1");
    api.daemon.kill();

    let api = Api::start(&place, &[]);
    assert_eq!(banned(&api), "127.0.0.1");
    api.post("app/setPreferences", &[("json", r#"{"banned_IPs":""}"#)]);
    api.post("torrents/addPeers", &peer);
    api.until(&of, "num_seeds", |seeds| seeds == 1);
    let json = r#"{"banned_IPs":"10.0.0.1\n127.0.0.1"}"#;
    api.post("app/setPreferences", &[("json", json)]);
    api.until(&of, "num_seeds", |seeds| seeds == 0);
    api.daemon.stop();
}
