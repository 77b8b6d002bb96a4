//! The cases, by name.

use std::panic::resume_unwind;
use std::thread;

use crate::bed::{Bed, Setup};
use crate::figures::Figures;
use crate::net::Link;
use crate::{plays, seeks};

/// One case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    setup: Setup,
    run: fn(&Bed, Setup, &mut Figures),
}

/// A round trip of [`seeks::ROUND_TRIP_MS`].
const DELAYED: Link = Link::Delayed { one_way_ms: 25 };

const fn setup(link: Link, piece_mib: u64, memory: &'static str) -> Setup {
    Setup {
        link,
        piece_mib,
        memory,
    }
}

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "seek-1mib",
        about: "forward seeks into nothing, 100 Mbit/s, pieces of 1 MiB",
        setup: setup(Link::Rated, 1, "256MiB"),
        run: seeks::seek_1_mib,
    },
    Case {
        name: "seek-4mib",
        about: "the same with pieces of 4 MiB",
        setup: setup(Link::Rated, 4, "256MiB"),
        run: seeks::seek_4_mib,
    },
    Case {
        name: "seek-50ms",
        about: "the same with pieces of 1 MiB and a round trip of 50 ms",
        setup: setup(DELAYED, 1, "256MiB"),
        run: seeks::seek_50_ms,
    },
    Case {
        name: "rewind",
        about: "rewinds within the lookbehind while nothing is missing",
        setup: setup(Link::Rated, 1, "128MiB"),
        run: seeks::rewind,
    },
    Case {
        name: "rewind-in-flow",
        about: "rewinds within the lookbehind while the link is busy",
        setup: setup(Link::Rated, 1, "128MiB"),
        run: seeks::rewind_in_flow,
    },
    Case {
        name: "play-through",
        about: "the whole file at 100 Mbit/s, as fast as it comes",
        setup: setup(Link::Rated, 1, "64MiB"),
        run: plays::play_through,
    },
    Case {
        name: "half-rate",
        about: "a minute of a film that needs half the link",
        setup: setup(Link::Rated, 1, "64MiB"),
        run: plays::half_rate,
    },
    Case {
        name: "memory",
        about: "the whole file over a link without a limit",
        setup: setup(Link::Free, 1, "64MiB"),
        run: plays::memory,
    },
    Case {
        name: "three-readers",
        about: "three players that seek at random for a minute",
        setup: setup(Link::Rated, 1, "64MiB"),
        run: plays::three_readers,
    },
];

impl Case {
    /// Runs it on a link of its own.
    pub(crate) fn run(&'static self) -> Figures {
        // The thread stays in the player's namespace, and ends there.
        let case = thread::spawn(|| {
            let bed = Bed::new(self.setup);
            let mut figures = Figures {
                case: self.name,
                ..Figures::default()
            };
            (self.run)(&bed, self.setup, &mut figures);
            figures
        });
        case.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}
