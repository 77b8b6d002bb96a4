//! A download against peers that offer everything and break the rules.

use std::io;
use std::path::PathBuf;

use crate::ours::{Ours, Start};
use crate::payload::ONE_FILE;
use crate::place::Place;
use crate::scripted::{self, BITFIELD, Facts, HAVE, PIECE, Scripted, UNCHOKE, Wire};
use crate::{enabled, libtorrent};

const BLOCK_LEN: usize = 16 * 1024;

/// A download whose only peer is a bad one.
struct Trial {
    place: Place,
    torrent: PathBuf,
    out: PathBuf,
    bad: Scripted,
    ours: Ours,
}

impl Trial {
    fn start(script: impl Fn(&mut Wire, &Facts) -> io::Result<()> + Send + 'static) -> Self {
        let place = Place::new(ONE_FILE);
        let torrent = place.torrent(&[]);
        let out = place.folder("out");
        let facts = Facts::of(&torrent);
        let bad = Scripted::listen(move |wire| script(wire, &facts));
        let ours = Start::new(&place.path(""), &torrent, &[bad.addr])
            .encryption("allow")
            .download(&out);
        Self {
            place,
            torrent,
            out,
            bad,
            ours,
        }
    }

    /// A good seed connects, and the download must complete.
    #[track_caller]
    fn completes_from_a_good_seed(mut self) {
        assert!(self.ours.process.is_running());
        let _good = libtorrent::seed(&self.torrent, &self.place.data(), &[self.ours.addr]);
        self.ours.process.succeed();
        self.place.assert_arrived(&self.out);
    }
}

/// The bad peer is dropped while it is the only one, and the download completes from another.
#[track_caller]
fn is_dropped(script: impl Fn(&mut Wire, &Facts) -> io::Result<()> + Send + 'static) {
    if !enabled() {
        return;
    }
    let trial = Trial::start(move |wire, facts| {
        script(wire, facts)?;
        wire.until_dropped()
    });
    trial.bad.says("dropped");
    trial.completes_from_a_good_seed();
}

#[test]
fn a_length_of_4_gib() {
    is_dropped(|wire, facts| {
        wire.handshake(&facts.info_hash)?;
        wire.send_raw(&u32::MAX.to_be_bytes())?;
        wire.send_raw(&[PIECE])
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
fn garbage_for_a_handshake() {
    is_dropped(|wire, _| wire.send_raw(&scripted::garbage()));
}

#[test]
fn a_handshake_for_another_torrent() {
    is_dropped(|wire, _| wire.handshake(&[0xee; 20]));
}

#[test]
fn a_handshake_at_one_byte_a_second() {
    is_dropped(|wire, facts| wire.drip(&scripted::handshake(&facts.info_hash)));
}

#[test]
fn a_bitfield_of_another_size() {
    is_dropped(|wire, facts| {
        wire.handshake(&facts.info_hash)?;
        let longer = [facts.all_pieces(), vec![0]].concat();
        wire.send(BITFIELD, &longer)
    });
}

#[test]
fn a_piece_out_of_range() {
    is_dropped(|wire, facts| {
        wire.handshake(&facts.info_hash)?;
        wire.send_numbers(HAVE, &[facts.pieces])
    });
}

#[test]
fn blocks_that_nobody_asked_for() {
    is_dropped(|wire, facts| {
        // No requests come: it is choking.
        wire.handshake(&facts.info_hash)?;
        wire.send(BITFIELD, &facts.all_pieces())?;
        for piece in 0..facts.pieces {
            wire.send(PIECE, &scripted::block(piece, 0, &[0xbd; BLOCK_LEN]))?;
        }
        Ok(())
    });
}

#[test]
fn longer_blocks_than_asked_for() {
    is_dropped(|wire, facts| {
        wire.pose_as_seed(facts)?;
        let [piece, begin, length] = wire.request()?;
        let longer = vec![0xbd; length as usize + 1];
        wire.send(PIECE, &scripted::block(piece, begin, &longer))
    });
}

/// Answers every request with bytes that are not the torrent's.
fn lie(wire: &mut Wire, facts: &Facts) -> io::Result<()> {
    wire.pose_as_seed(facts)?;
    loop {
        let [piece, begin, length] = wire.request()?;
        wire.send(
            PIECE,
            &scripted::block(piece, begin, &vec![0xbd; length as usize]),
        )?;
    }
}

#[test]
fn corrupt_blocks() {
    if !enabled() {
        return;
    }
    let trial = Trial::start(lie);
    let ip = trial.bad.ip().to_string();
    trial.ours.event_where("banned", |event| event["ip"] == *ip);
    assert!(!trial.ours.events("piece_failed").is_empty());
    trial.bad.says("dropped");
    trial
        .ours
        .event_where("progress", |event| event["wasted"].as_u64() > Some(0));
    trial.completes_from_a_good_seed();
}

#[test]
fn corrupt_blocks_beside_good_ones() {
    if !enabled() {
        return;
    }
    let place = Place::new(ONE_FILE);
    let torrent = place.torrent(&[]);
    let facts = Facts::of(&torrent);
    let bad = Scripted::listen(move |wire| {
        wire.pose_as_seed(&facts)?;
        let mut asked = wire.request()?;
        wire.tell("asked");
        loop {
            // One wrong byte in each block: the others are not to blame for the pieces that fail.
            let [piece, begin, length] = asked;
            wire.send(
                PIECE,
                &scripted::block(piece, begin, &vec![0xbd; length as usize]),
            )?;
            asked = wire.request()?;
        }
    });
    // The good seed is there first, and slow enough to leave the bad one something to do.
    let (home, peers) = (place.folder("seeder"), []);
    let good = Start::new(&home, &torrent, &peers)
        .max_up("1MiB")
        .seed(&place.data());
    let out = place.folder("out");
    let peers = [good.addr, bad.addr];
    let home = place.path("");
    let start = Start::new(&home, &torrent, &peers);
    let mut ours = start.encryption("allow").download(&out);
    bad.says("asked");
    let ip = bad.ip().to_string();
    ours.event_where("banned", |event| event["ip"] == *ip);
    ours.event_where("progress", |event| event["wasted"].as_u64() > Some(0));
    ours.process.succeed();
    assert!(ours.events("banned").iter().all(|event| event["ip"] == *ip));
    place.assert_arrived(&out);
}

#[test]
fn a_block_at_one_byte_a_second() {
    if !enabled() {
        return;
    }
    let trial = Trial::start(|wire, facts| {
        wire.pose_as_seed(facts)?;
        let [piece, begin, length] = wire.request()?;
        wire.tell("asked");
        let block = scripted::block(piece, begin, &vec![0xbd; length as usize]);
        wire.drip(&scripted::frame(PIECE, &block))
    });
    // It keeps its connection for a while, and with it the blocks that it was asked for.
    trial.bad.says("asked");
    trial.completes_from_a_good_seed();
}

#[test]
fn an_unchoke_and_then_nothing() {
    if !enabled() {
        return;
    }
    let trial = Trial::start(|wire, facts| {
        wire.handshake(&facts.info_hash)?;
        wire.send(BITFIELD, &facts.all_pieces())?;
        wire.send(UNCHOKE, &[])?;
        wire.request()?;
        wire.tell("asked");
        wire.until_dropped()
    });
    trial.bad.says("asked");
    trial.completes_from_a_good_seed();
}
