//! A seeder against peers whose requests break the rules.

use std::io;

use crate::client::Client;
use crate::enabled;
use crate::ours::Start;
use crate::payload::LAST_PIECE_OF_1_BYTE;
use crate::place::Place;
use crate::scripted::{self, CANCEL, Facts, REQUEST, Scripted, Wire, is_end};

/// Seeds to a bad peer, for as long as `watch` waits for it; a good one must then get everything.
#[track_caller]
fn seeds_to_others_after(
    script: impl Fn(&mut Wire, &Facts) -> io::Result<()> + Send + 'static,
    watch: impl FnOnce(&Scripted),
) {
    if !enabled() {
        return;
    }
    let place = Place::new(LAST_PIECE_OF_1_BYTE);
    let facts = Facts::of(&place.torrent(&[]));
    let out = place.folder("out");
    let bad = Scripted::listen(move |wire| script(wire, &facts));
    Client::Libtorrent.leech_from(&place, &out, |torrent, _| {
        let ours = Start::new(&place.path(""), torrent, &[bad.addr])
            .encryption("allow")
            .seed(&place.data());
        watch(&bad);
        ours
    });
}

/// The bad peer is dropped.
#[track_caller]
fn is_dropped(script: impl Fn(&mut Wire, &Facts) -> io::Result<()> + Send + 'static) {
    let script = move |wire: &mut Wire, facts: &Facts| {
        script(wire, facts)?;
        wire.until_dropped()
    };
    seeds_to_others_after(script, |bad| bad.says("dropped"));
}

/// The bad peer, once unchoked, sends these numbers as a request.
#[track_caller]
fn a_request_is_refused(numbers: impl Fn(&Facts) -> [u32; 3] + Send + 'static) {
    is_dropped(move |wire, facts| {
        wire.pose_as_leech(facts)?;
        wire.send_numbers(REQUEST, &numbers(facts))
    });
}

#[test]
fn a_request_for_a_piece_out_of_range() {
    a_request_is_refused(|facts| [facts.pieces, 0, 16_384]);
}

#[test]
fn a_request_for_the_last_number_there_is() {
    a_request_is_refused(|_| [u32::MAX, u32::MAX, u32::MAX]);
}

#[test]
fn a_request_that_begins_beyond_the_piece() {
    a_request_is_refused(|facts| [0, facts.piece_len, 16_384]);
}

#[test]
fn a_request_that_ends_beyond_the_piece() {
    a_request_is_refused(|facts| [0, facts.piece_len - 1, 16_384]);
}

#[test]
fn a_request_that_ends_beyond_the_last_piece() {
    a_request_is_refused(|facts| [facts.pieces - 1, 0, 2]);
}

#[test]
fn a_request_for_nothing() {
    a_request_is_refused(|_| [0, 0, 0]);
}

#[test]
fn a_request_for_1_mib() {
    a_request_is_refused(|_| [0, 0, 1 << 20]);
}

#[test]
fn a_cancel_out_of_range() {
    is_dropped(|wire, facts| {
        wire.pose_as_leech(facts)?;
        wire.send_numbers(CANCEL, &[facts.pieces, 0, 16_384])
    });
}

#[test]
fn a_length_of_4_gib() {
    is_dropped(|wire, facts| {
        wire.handshake(&facts.info_hash)?;
        wire.send_raw(&u32::MAX.to_be_bytes())
    });
}

#[test]
fn garbage_after_the_handshake() {
    is_dropped(|wire, facts| {
        wire.handshake(&facts.info_hash)?;
        wire.send_raw(&scripted::garbage())
    });
}

#[test]
fn a_request_at_one_byte_a_second() {
    let script = |wire: &mut Wire, facts: &Facts| {
        wire.pose_as_leech(facts)?;
        wire.tell("begins");
        wire.drip(&scripted::frame(REQUEST, &[0; 12]))
    };
    seeds_to_others_after(script, |bad| bad.says("begins"));
}

#[test]
fn strangers_at_the_door() {
    if !enabled() {
        return;
    }
    let place = Place::new(LAST_PIECE_OF_1_BYTE);
    let out = place.folder("out");
    Client::Libtorrent.leech_from(&place, &out, |torrent, _| {
        let ours = Start::new(&place.path(""), torrent, &[]).seed(&place.data());
        let openings: [(&str, Vec<u8>); 4] = [
            ("another torrent", scripted::handshake(&[0xee; 20]).to_vec()),
            ("garbage", scripted::garbage()),
            (
                "HTTP",
                b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            ),
            (
                "half a handshake, slowly",
                scripted::handshake(&[0; 20])[..30].to_vec(),
            ),
        ];
        for (what, bytes) in openings {
            let mut wire = Wire::connect(ours.addr);
            let ended = wire.send_raw(&bytes).and_then(|()| wire.until_dropped());
            assert!(
                ended.is_err_and(|error| is_end(&error)),
                "{what}: not dropped"
            );
        }
        ours
    });
}
