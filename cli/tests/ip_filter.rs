//! `--ip-filter`: lists of addresses that are not connected with.

mod support;

use support::{LOCAL, Place};

#[test]
fn a_list_that_cannot_be_used_is_an_error_that_says_why() {
    let place = Place::new();
    place.write("film.bin", &[7; 40_000]);
    place.ok(&["create", "film.bin", "-o", "film.torrent"]);
    place.write("page.html", b"<!DOCTYPE html>\n<p>Not found</p>\n");
    for (list, why) in [
        ("missing.p2p", "cannot open missing.p2p: "),
        (
            "page.html",
            "page.html is no list of addresses: line 1 is no range of addresses",
        ),
    ] {
        let download = ["download", "film.torrent", "-o", "out", "--ip-filter", list];
        let finished = place.run(&[&download, &LOCAL[..]].concat());
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.err.contains(why), "{}", finished.err);
    }
}

#[test]
fn a_peer_in_a_list_is_not_connected_with() {
    let place = Place::new();
    place.write("here/film.bin", &[7; 40_000]);
    place.ok(&["create", "here/film.bin", "-o", "film.torrent"]);
    place.write(
        "list.p2p",
        b"# mine\nThis machine:127.0.0.0-127.0.0.255\nodd line\n",
    );
    let seed = ["seed", "film.torrent", "--data", "here"];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    let listening = seeder.line("listening on ");
    let addr = listening.rsplit(' ').next().unwrap();
    seeder.line("seeding ");
    let download = ["download", "film.torrent", "-o", "there", "--peer", addr];
    let filtered = ["--ip-filter", "list.p2p", "--stop-timeout", "2s", "-v"];
    let finished = place.run(&[&download, &LOCAL[..], &filtered].concat());
    assert_ne!(finished.code, Some(0), "{finished:?}");
    for text in [
        "list.p2p: 1 range of addresses filtered",
        "1 line passed over as no range of addresses, first line 3",
    ] {
        assert!(finished.err.contains(text), "{text}: {}", finished.err);
    }
    assert!(!finished.err.contains(" is connected"), "{}", finished.err);
    // Without the list it is.
    let finished = place.run(&[&download, &LOCAL[..]].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
}
