#![doc = include_str!("../README.md")]
#![expect(
    clippy::expect_used,
    reason = "a case that cannot be prepared is an error of this crate"
)]

mod cases;

use std::any::Any;

pub use cases::all as cases;
pub use cases::naive;

/// A hot path with a fixed input.
///
/// Everything random comes from fixed seeds, and nothing waits: a run takes the same instructions each time.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    name: &'static str,
    topic: Topic,
    operation: &'static str,
    operations: u32,
    prepare: fn() -> Run,
}

/// What a case does, once. It returns what it worked with, so that dropping that is not measured.
pub type Run = Box<dyn FnOnce() -> Box<dyn Any>>;

/// What a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topic {
    /// .torrent files.
    Bencode,
    /// The choice of blocks.
    Picker,
    /// The memory storage.
    Storage,
    /// The answers of a DHT node.
    Dht,
    /// Messages of peers, and their encryption.
    Wire,
}

impl Case {
    /// Its name, of small letters and dashes; that of a [`naive`] one has `naive ` before it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it is about.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        self.topic
    }

    /// What is done [`Self::operations`] times in a run, in words: `a block`.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// How often a run does that.
    #[must_use]
    pub const fn operations(&self) -> u32 {
        self.operations
    }

    /// Prepares a run, and returns what is to be measured.
    #[must_use]
    pub fn prepare(&self) -> Run {
        (self.prepare)()
    }
}

impl Topic {
    /// Its name, in small letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bencode => "bencode",
            Self::Picker => "picker",
            Self::Storage => "storage",
            Self::Dht => "dht",
            Self::Wire => "wire",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_case_runs_and_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for case in cases().into_iter().chain(naive()) {
            assert!(names.insert(case.name()), "{}", case.name());
            assert!(case.operations() > 0);
            // A case asserts what it does.
            drop(case.prepare()());
        }
    }
}
