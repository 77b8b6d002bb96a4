//! Super-seeding (BEP 16): a connection serves the pieces that its peer was told of, and no others.

use super::*;

#[test]
fn only_pieces_that_the_peer_was_told_of_are_served() {
    for fast in [false, true] {
        let mut pair = Pair::new(fast);
        let none = Bitfield::none(&geometry());
        let (told, other) = (block(1, 0), block(2, 0));
        for command in [
            Command::ServeToldOnly(true),
            Command::Greet(none),
            Command::Have(told.piece()),
            Command::Unchoke,
        ] {
            pair.connection.handle_command(command);
        }
        let greeting = pair.sent();
        assert_eq!(greeting.contains(&Message::HaveNone), fast);
        assert!(greeting.contains(&Message::Have(1)));
        let requests = [other, told].map(|block| Message::Request(block.into()));
        pair.receive(&requests).unwrap();
        assert_eq!(pair.connection.next_upload(), Some(told));
        assert_eq!(pair.connection.next_upload(), None);
        let rejected = fast.then(|| Message::RejectRequest(other.into()));
        assert_eq!(pair.sent(), Vec::from_iter(rejected));
        // When super-seeding is over, every piece is served.
        pair.connection
            .handle_command(Command::ServeToldOnly(false));
        pair.receive(&requests[..1]).unwrap();
        assert_eq!(pair.connection.next_upload(), Some(other));
    }
}
