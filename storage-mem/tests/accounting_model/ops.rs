//! The random operations on a storage.

use proptest::prelude::*;

pub(crate) const TORRENTS: usize = 3;
/// No torrent has more pieces, no piece more blocks; what a torrent does not have is left out.
const PIECES: u32 = 6;
const BLOCKS: u32 = 3;
const READERS: u64 = 3;

/// The first number says which torrent, the second which piece or reader.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Add(usize),
    Remove(usize),
    Reserve(usize, u32),
    Write(usize, u32, u32, bool),
    /// Reserve, write all, verify: else few pieces would ever become valid.
    Put(usize, u32),
    Verify(usize, u32),
    Read(usize, u32, u32),
    CloneLease(prop::sample::Index),
    DropLease(prop::sample::Index),
    Evict(usize, u32),
    Release(usize, u32),
    /// Cursor, ahead, behind, first and last byte of the bounds.
    SetWindow(usize, u64, [u64; 5]),
    RemoveWindow(usize, u64),
    SetPins(usize, Vec<(u64, u64)>),
    SetLookbehindPieces(usize, u32),
    ClearLookbehind(usize, u64),
    SetAvailability(usize, u32, u32),
    /// This many seconds pass.
    Later(u64),
    Wait(u64),
    DropWaiter(prop::sample::Index),
}

/// A bit more than the longest torrent has.
const BYTES: u64 = 150_000;

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let torrent = || 0..TORRENTS;
    let place = || (torrent(), 0..PIECES);
    let block = || (torrent(), 0..PIECES, 0..BLOCKS);
    let reader = || (torrent(), 0..READERS);
    let any = any::<prop::sample::Index>;
    let window = (0..BYTES, 0..60_000u64, 0..60_000u64, 0..BYTES, 0..BYTES).prop_map(
        |(cursor, ahead, behind, one, other)| {
            // Mostly a whole torrent, of which no byte may be missing.
            let bounds = [one.min(other) / 3, one.max(other)];
            [cursor, ahead, behind, bounds[0], bounds[1].min(90_000)]
        },
    );
    let pin = (0..BYTES, 0..30_000u64).prop_map(|(start, len)| (start, start + len));
    prop_oneof![
        2 => torrent().prop_map(Op::Add),
        1 => torrent().prop_map(Op::Remove),
        6 => place().prop_map(|(t, p)| Op::Reserve(t, p)),
        8 => (block(), prop::bool::weighted(0.9)).prop_map(|((t, p, b), good)| Op::Write(t, p, b, good)),
        16 => place().prop_map(|(t, p)| Op::Put(t, p)),
        4 => place().prop_map(|(t, p)| Op::Verify(t, p)),
        10 => block().prop_map(|(t, p, b)| Op::Read(t, p, b)),
        1 => any().prop_map(Op::CloneLease),
        9 => any().prop_map(Op::DropLease),
        2 => place().prop_map(|(t, p)| Op::Evict(t, p)),
        3 => place().prop_map(|(t, p)| Op::Release(t, p)),
        8 => (reader(), window).prop_map(|((t, r), w)| Op::SetWindow(t, r, w)),
        3 => reader().prop_map(|(t, r)| Op::RemoveWindow(t, r)),
        2 => (torrent(), prop::collection::vec(pin, 0..3)).prop_map(|(t, p)| Op::SetPins(t, p)),
        2 => (torrent(), 0..3u32).prop_map(|(t, p)| Op::SetLookbehindPieces(t, p)),
        2 => reader().prop_map(|(t, r)| Op::ClearLookbehind(t, r)),
        4 => (place(), 0..5u32).prop_map(|((t, p), n)| Op::SetAvailability(t, p, n)),
        3 => (1..100u64).prop_map(Op::Later),
        3 => (0..150_000u64).prop_map(Op::Wait),
        1 => any().prop_map(Op::DropWaiter),
    ]
}
