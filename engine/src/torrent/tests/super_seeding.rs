//! What a torrent that super-seeds makes of what its peers say.

use super::*;

/// aria2 says so instead of many `have` messages.
#[test]
fn a_peer_that_shows_its_new_pieces_by_a_bitfield_is_told_of_the_next_at_once() {
    let mut config = Config::new(InfoHash::new([1; 20]), OUR_ID);
    config.super_seeding = true;
    let mut bench = Bench::sized(config, 40, 100, Bitfield::all);
    let leech = bench.connect(1, Direction::Incoming).unwrap();
    let mut shown = Bitfield::none(&bench.geometry);
    bench.tell(leech, [Fact::Bitfield(shown.clone()), Fact::Interested]);
    while !shown.is_all() {
        let told = bench
            .commands
            .iter()
            .filter_map(|(_, command)| match command {
                Command::Have(piece) => Some(*piece),
                _ => None,
            });
        let told: Vec<_> = told.collect();
        bench.commands.clear();
        assert!(
            !told.is_empty(),
            "{} of 40 were shown",
            shown.iter().count()
        );
        for piece in &told {
            shown.set(*piece);
        }
        bench.tell(leech, [Fact::Bitfield(shown.clone())]);
    }
}
