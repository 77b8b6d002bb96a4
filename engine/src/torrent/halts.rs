//! The reasons for which a torrent requests nothing.

use super::Halt;

/// The reasons for which requests stop, each by itself. A torrent that is paused while its storage has failed needs
/// both resolved when it resumes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Halts {
    paused: bool,
    storage: bool,
    contradiction: bool,
}

impl Halts {
    pub(super) const fn add(&mut self, why: Halt) {
        match why {
            Halt::Paused => self.paused = true,
            Halt::Storage => self.storage = true,
            Halt::Contradiction => self.contradiction = true,
        }
    }

    pub(super) const fn has(self, why: Halt) -> bool {
        match why {
            Halt::Paused => self.paused,
            Halt::Storage => self.storage,
            Halt::Contradiction => self.contradiction,
        }
    }

    pub(super) const fn first(self) -> Option<Halt> {
        match (self.contradiction, self.paused, self.storage) {
            (true, ..) => Some(Halt::Contradiction),
            (_, true, _) => Some(Halt::Paused),
            (_, _, true) => Some(Halt::Storage),
            (false, false, false) => None,
        }
    }

    pub(super) const fn any(self) -> bool {
        self.paused || self.storage || self.contradiction
    }
}
