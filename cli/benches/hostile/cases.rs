//! The cases, by name.

use tailwater_hostile::Flood;

use crate::bed::Bed;
use crate::connections::Idle;
use crate::downloads::Ports;
use crate::figures::Figures;
use crate::floods::{Attack, Side};
use crate::{connections, downloads, http, strangers, streams, uploads};

/// One case.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) run: Box<dyn Fn(&Bed) -> Figures>,
}

pub(crate) fn case(name: &str, about: &str, run: impl Fn(&Bed) -> Figures + 'static) -> Case {
    Case {
        name: name.to_owned(),
        about: about.to_owned(),
        run: Box::new(run),
    }
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(of_connections());
    cases.extend(of_peers());
    cases.extend(of_clients());
    cases.extend(floods());
    cases.extend(strangers::cases());
    cases
}

fn of_connections() -> Vec<Case> {
    use connections::{download, seed};
    vec![
        case(
            "silent/64/seed",
            "64 silent sockets of one host, an honest peer after them",
            |bed| seed(bed, Idle::Silent(64)),
        ),
        case("silent/257/seed", "257 of them", |bed| {
            seed(bed, Idle::Silent(257))
        }),
        case("silent/500/seed", "500 of them", |bed| {
            seed(bed, Idle::Silent(500))
        }),
        case("silent/500/download", "500 of them at a download", |bed| {
            download(bed, Idle::Silent(500))
        }),
        case(
            "idle/seed",
            "250 idle peers of one host, an honest peer after them",
            |bed| seed(bed, Idle::Peers(250)),
        ),
        case(
            "idle/interested/seed",
            "the same, and they want all",
            |bed| seed(bed, Idle::Interested(250)),
        ),
        case(
            "idle/download",
            "250 idle peers of one host, an honest seeder after them",
            |bed| download(bed, Idle::Peers(250)),
        ),
    ]
}

fn of_peers() -> Vec<Case> {
    vec![
        case(
            "ports/silent",
            "a tracker names 2 000 ports of a host that accepts and says nothing",
            |bed| downloads::ports(bed, Ports::Silent),
        ),
        case(
            "ports/hang-up",
            "the same, and it hangs up on each caller",
            |bed| downloads::ports(bed, Ports::HangUp),
        ),
        case(
            "ports/closed",
            "the same, and no program listens there",
            |bed| downloads::ports(bed, Ports::Closed),
        ),
        case(
            "liars",
            "40 slow metadata liars of one host",
            downloads::liars,
        ),
        case(
            "stallers/0",
            "20 hosts take requests and serve nothing",
            |bed| downloads::stallers(bed, 0),
        ),
        case("stallers/3", "20 hosts stop after three blocks", |bed| {
            downloads::stallers(bed, 3)
        }),
        case(
            "colluders",
            "8 hosts stop after 20 blocks, among 8 good ones; a player jumps",
            streams::colluders,
        ),
        case(
            "hoarders",
            "8 peers ask a stream of 64 MiB for a block of each piece and never read",
            streams::hoarders,
        ),
        case(
            "outbox/requests",
            "20 peers request without end and never read",
            uploads::outbox_requests,
        ),
        case(
            "outbox/big-requests",
            "the same with requests of 128 KiB",
            uploads::outbox_big_requests,
        ),
        case(
            "outbox/each-piece",
            "20 peers ask for a block of each piece and never read",
            uploads::outbox_each_piece,
        ),
        case(
            "choked/allowed-fast",
            "a choked peer asks for its allowed-fast pieces without end",
            uploads::allowed_fast,
        ),
    ]
}

fn of_clients() -> Vec<Case> {
    vec![
        case(
            "http/silent",
            "64 silent sockets at the stream's port",
            http::silent,
        ),
        case(
            "http/stuck",
            "16 clients of the stream that do not read",
            http::stuck,
        ),
        case(
            "http/tracker",
            "641 silent sockets at the tracker",
            http::tracker,
        ),
    ]
}

/// Every flood, on either side, from one host and from twenty, read and unread.
fn floods() -> impl Iterator<Item = Case> {
    let both = [true, false];
    let sides = [Side::Seed, Side::Download];
    Flood::ALL.into_iter().flat_map(move |flood| {
        sides.into_iter().flat_map(move |side| {
            [1, 20].into_iter().flat_map(move |hosts| {
                both.into_iter().map(move |reads| {
                    let attack = Attack {
                        flood,
                        side,
                        hosts,
                        reads,
                    };
                    case(&attack.name(), &attack.about(), move |bed| attack.run(bed))
                })
            })
        })
    })
}
