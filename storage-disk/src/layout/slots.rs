//! Slots: the number of a file among a torrent's open files, its index, or [`PARTS`].

/// The parts file's number in the cache, which no file of a torrent has.
pub(crate) const PARTS: u32 = u32::MAX;

/// A torrent's file list fits into a .torrent of a few megabytes, so its indices fit a `u32`.
pub(crate) fn index_to_slot(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(PARTS - 1)
}

pub(crate) fn slot_to_index(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}
