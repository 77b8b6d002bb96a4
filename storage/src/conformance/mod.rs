//! The conformance suite: checks that a storage's own tests run.
//!
//! ```no_run
//! use std::sync::Arc;
//! use tailwater_storage::conformance::{Subject, block_on, check};
//! # fn my_factory() -> Arc<dyn tailwater_storage::StorageFactory> { unimplemented!() }
//!
//! // Each check gets a factory whose place is empty.
//! block_on(check(&Subject::new(my_factory)));
//! ```
//!
//! The checks need no runtime: [`block_on`] is enough for a storage that has threads of its own. One that needs tokio
//! awaits [`check`] in a tokio test. A check that fails panics; its name is printed before.

#![expect(
    clippy::unwrap_used,
    reason = "it runs in tests: a panic is the result"
)]

mod closing;
mod evicting;
mod judging;
mod keeping;
mod pieces;
mod rig;
mod suppliers;
mod torrent;
mod trees;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::StorageFactory;

pub use rig::block_on;
pub use torrent::TestTorrent;

type Make = Box<dyn Fn() -> Arc<dyn StorageFactory>>;
type MakeBounded = Box<dyn Fn(u64) -> Arc<dyn StorageFactory>>;

/// A kind of storage that is checked.
pub struct Subject {
    make: Make,
    keeps: bool,
    judges: bool,
    bounded: Option<MakeBounded>,
}

impl Subject {
    /// Storages that `make` brings: each call returns a factory over a place of its own, in which nothing is stored. It
    /// has to have room for 4 MiB.
    pub fn new(make: impl Fn() -> Arc<dyn StorageFactory> + 'static) -> Self {
        Self {
            make: Box::new(make),
            keeps: false,
            judges: false,
            bounded: None,
        }
    }

    /// What is stored outlives the storage: opened again by the same factory, it is found.
    #[must_use]
    pub const fn keeps(mut self) -> Self {
        self.keeps = true;
        self
    }

    /// It judges blocks one by one where their hashes are known, and serves the hashes of blocks (BEP 52).
    #[must_use]
    pub const fn judges(mut self) -> Self {
        self.judges = true;
        self
    }

    /// It evicts pieces of torrents that are read on demand when room is needed. `make` gets a budget in bytes.
    #[must_use]
    pub fn evicts(mut self, make: impl Fn(u64) -> Arc<dyn StorageFactory> + 'static) -> Self {
        self.bounded = Some(Box::new(make));
        self
    }
}

type Check = for<'a> fn(&'a Subject) -> Pin<Box<dyn Future<Output = ()> + 'a>>;

macro_rules! checks {
    ($($module:ident :: $name:ident),* $(,)?) => {
        /// Every check, by its name.
        const CHECKS: &[(&str, Check)] = &[
            $((stringify!($name), |subject| Box::pin($module::$name(subject)))),*
        ];
    };
}

checks! {
    pieces::a_fresh_place_holds_nothing,
    pieces::a_piece_that_is_written_and_verified_is_read_back,
    pieces::a_wrong_piece_is_invalid_and_has_the_digests_of_its_blocks,
    pieces::a_valid_piece_has_digests,
    pieces::pieces_are_verified_together,
    pieces::what_is_not_verified_reads_as_none,
    pieces::odd_ranges_are_read,
    pieces::a_reader_is_handed_one_buffer,
    pieces::files_without_bytes_and_padding_are_no_matter,
    pieces::two_torrents_do_not_mix,
    trees::files_that_share_no_pieces_are_stored,
    trees::pieces_with_trees_are_verified_together,
    trees::a_piece_that_its_tree_does_not_fit_is_invalid,
    trees::odd_ranges_are_read_where_files_end,
    trees::a_piece_whose_hash_is_not_known_is_never_valid,
    judging::a_wrong_block_is_refused_alone_and_right_ones_are_read_at_once,
    judging::blocks_that_came_before_their_hashes_are_judged_when_those_come,
    judging::a_block_counts_for_the_attempt_in_which_it_came,
    judging::the_hashes_of_blocks_are_those_of_the_files,
    suppliers::the_first_copy_of_a_block_counts,
    suppliers::a_piece_takes_blocks_only_while_it_is_fetched,
    suppliers::what_one_attempt_wrote_counts_for_nothing_in_the_next,
    suppliers::a_settled_piece_takes_no_more,
    suppliers::copies_of_several_suppliers_at_once_do_not_mix,
    closing::bytes_that_were_read_outlive_close,
    closing::after_close_nothing_is_taken_or_held,
    closing::close_waits_for_writes_under_way,
    closing::closing_twice_does_no_harm,
    keeping::what_was_verified_is_found_again,
    keeping::what_was_not_verified_is_not_found,
    evicting::what_is_evicted_is_named_and_reads_as_none,
    evicting::another_torrent_is_told_of_what_it_lost,
    evicting::what_a_window_covers_stays,
    evicting::waiting_for_space_ends_when_there_is_some,
    evicting::what_lies_behind_a_reader_is_told,
}

/// Runs all checks, one after the other. Those of evicting, keeping and judging are run for a [`Subject`] that says it does.
///
/// # Panics
///
/// When a check fails.
pub async fn check(subject: &Subject) {
    for (name, check) in CHECKS {
        // Shown by the test harness when a check fails: which one it was.
        println!("conformance: {name}");
        check(subject).await;
    }
}
