//! Geometry against a model that lists every piece.

use super::*;
use proptest::prelude::*;

/// Every piece as where it begins and how long it is, found by laying the files out one by one.
#[derive(Debug)]
struct Model {
    pieces: Vec<Range<u64>>,
}

impl Model {
    fn contiguous(total: u64, piece_length: u32) -> Self {
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < total {
            let end = total.min(at + u64::from(piece_length));
            pieces.push(at..end);
            at = end;
        }
        Self { pieces }
    }

    fn aligned(files: &[u64], piece_length: u32) -> Self {
        let mut pieces: Vec<Range<u64>> = Vec::new();
        for &file in files {
            let mut left = file;
            while left > 0 {
                let start = pieces
                    .last()
                    .map_or(0, |last| last.start + u64::from(piece_length));
                let len = left.min(u64::from(piece_length));
                pieces.push(start..start + len);
                left -= len;
            }
        }
        Self { pieces }
    }

    fn numbers(&self, mut wanted: impl FnMut(&Range<u64>) -> bool) -> Vec<u32> {
        let numbered = (0..).zip(&self.pieces);
        let wanted = numbered.filter(|(_, piece)| wanted(piece));
        wanted.map(|(number, _)| number).collect()
    }
}

fn len(range: &Range<u64>) -> u64 {
    range.end - range.start
}

/// Pieces as their numbers.
fn numbers(pieces: impl Iterator<Item = PieceIndex>) -> Vec<u32> {
    pieces.map(PieceIndex::get).collect()
}

/// A geometry of either kind, and its model.
fn either() -> impl Strategy<Value = (Geometry, Model)> {
    let lengths = prop_oneof![1u32..60, Just(16_384), Just(20_000), Just(65_536)];
    let contiguous = (1u64..60, lengths.clone(), any::<u64>()).prop_map(|(pieces, length, cut)| {
        let total = pieces * u64::from(length) - cut % u64::from(length);
        let geometry = Geometry::new(total, length).unwrap();
        (geometry, Model::contiguous(total, length))
    });
    let file = (0u64..4, 0u64..200_000, any::<bool>());
    let files = proptest::collection::vec(file, 1..12);
    let aligned = (files, lengths).prop_map(|(mut files, length)| {
        // At least one that is not empty.
        files.push((1, 1, false));
        let length_of = |(pieces, rest, even): &(u64, u64, bool)| {
            let rest = if *even { 0 } else { rest % u64::from(length) };
            pieces * u64::from(length) + rest
        };
        let files: Vec<u64> = files.iter().map(length_of).collect();
        let geometry = Geometry::aligned(files.iter().copied(), length).unwrap();
        (geometry, Model::aligned(&files, length))
    });
    prop_oneof![contiguous, aligned]
}

#[test]
fn sizes_out_of_range_are_refused() {
    assert_eq!(Geometry::new(1, 0), Err(GeometryError::PieceLength(0)));
    assert_eq!(Geometry::new(0, 1), Err(GeometryError::Empty));
    assert_eq!(
        Geometry::new(u64::MAX, 1),
        Err(GeometryError::TooManyPieces(u64::MAX))
    );
    assert!(Geometry::new(u64::from(MAX_PIECES), 1).is_ok());
}

#[test]
fn files_out_of_range_are_refused() {
    assert_eq!(
        Geometry::aligned([1], MAX_PIECE_LENGTH + 1),
        Err(GeometryError::PieceLength(u64::from(MAX_PIECE_LENGTH + 1)))
    );
    assert_eq!(Geometry::aligned([0, 0], 1), Err(GeometryError::Empty));
    assert_eq!(Geometry::aligned([], 1), Err(GeometryError::Empty));
    for files in [[u64::MAX, 1], [1, u64::MAX], [u64::MAX; 2]] {
        let error = Geometry::aligned(files, 1);
        assert_eq!(error, Err(GeometryError::TooManyPieces(u64::MAX)));
    }
    let most = (0..MAX_PIECES).map(|_| 1);
    assert!(Geometry::aligned(most.clone(), MAX_PIECE_LENGTH).is_ok());
    assert!(Geometry::aligned(most.chain([1]), MAX_PIECE_LENGTH).is_err());
}

#[test]
fn requests_out_of_range_are_refused() {
    let geometry = Geometry::new(100_000, 40_000).unwrap();
    assert!(geometry.block(2, 19_999, 1).is_ok());
    for (piece, offset, len) in [(3, 0, 1), (2, 20_000, 1), (0, 0, 0), (0, u32::MAX, 2)] {
        assert!(geometry.block(piece, offset, len).is_err());
    }
}

#[test]
fn a_request_past_the_end_of_a_file_is_refused() {
    let geometry = Geometry::aligned([50_000, 10], 40_000).unwrap();
    assert!(geometry.block(1, 9_999, 1).is_ok());
    assert!(geometry.block(1, 10_000, 1).is_err());
    assert!(geometry.block(2, 10, 1).is_err());
}

#[test]
fn files_without_early_ends_are_contiguous() {
    let aligned = Geometry::aligned([0, 80, 40, 30, 0], 40).unwrap();
    assert_eq!(aligned, Geometry::new(150, 40).unwrap());
    assert!(aligned.short.is_none());
}

proptest! {
    #[test]
    fn pieces_are_those_of_the_model((geometry, model) in either()) {
        prop_assert_eq!(geometry.piece_count() as usize, model.pieces.len());
        prop_assert_eq!(geometry.total(), model.pieces.iter().map(len).sum::<u64>());
        prop_assert_eq!(geometry.end(), model.pieces.last().unwrap().end);
        let mut before = 0;
        for (piece, expected) in geometry.pieces().zip(&model.pieces) {
            prop_assert_eq!(geometry.piece(piece.get()), Ok(piece));
            prop_assert_eq!(&geometry.piece_range(piece), expected);
            prop_assert_eq!(u64::from(geometry.piece_len(piece)), len(expected));
            prop_assert_eq!(geometry.len_of_first(piece.get()), before);
            before += len(expected);
        }
        prop_assert_eq!(geometry.len_of_first(geometry.piece_count()), before);
        prop_assert_eq!(geometry.len_of_first(u32::MAX), before);
        prop_assert!(geometry.piece(geometry.piece_count()).is_err());
    }

    #[test]
    fn blocks_tile_each_piece((geometry, _) in either()) {
        for piece in geometry.pieces() {
            let mut offset = 0;
            for block in geometry.blocks(piece) {
                prop_assert_eq!(block.offset(), offset);
                prop_assert!(geometry.is_on_grid(block));
                prop_assert_eq!(geometry.block(piece.get(), offset, block.len()), Ok(block));
                prop_assert_eq!(geometry.block_start(block), geometry.piece_start(piece) + u64::from(offset));
                offset += block.len();
            }
            prop_assert_eq!(offset, geometry.piece_len(piece));
            prop_assert!(geometry.block(piece.get(), offset - 1, 2).is_err());
            prop_assert_eq!(geometry.nth_block(piece, geometry.block_count(piece)), None);
        }
    }

    #[test]
    fn positions_are_in_the_piece_of_the_model((geometry, model) in either(), at in any::<u64>()) {
        // Just around every border, and somewhere.
        let borders = model.pieces.iter().flat_map(|piece| [piece.start, piece.end - 1, piece.end]);
        for at in borders.chain([at % (geometry.end() + 2), u64::MAX]) {
            let expected = model.numbers(|piece| piece.contains(&at));
            prop_assert_eq!(numbers(geometry.piece_at(at).into_iter()), expected);
            let begun = model.numbers(|piece| piece.start <= at);
            let number = geometry.number_at(at);
            prop_assert_eq!(number.min(geometry.piece_count() - 1), *begun.last().unwrap());
            prop_assert!(geometry.start_of_number(number) <= at);
        }
    }

    #[test]
    fn pieces_in_a_range_are_those_that_overlap_it(
        (geometry, model) in either(),
        (from, to) in any::<(prop::sample::Index, prop::sample::Index)>(),
        (less, more) in (0u64..3, 0u64..3),
    ) {
        let borders = model.pieces.iter().flat_map(|piece| [piece.start, piece.end]);
        let borders: Vec<u64> = borders.collect();
        let start = from.get(&borders).saturating_sub(less);
        let end = to.get(&borders) + more;
        let overlap = |piece: &Range<u64>| piece.start.max(start) < piece.end.min(end);
        let expected = model.numbers(overlap);
        prop_assert_eq!(numbers(geometry.pieces_in(start, end)), expected);
    }

    #[test]
    fn several_pieces_reach_from_the_first_to_the_end_of_the_last(
        (geometry, model) in either(),
        (first, count) in (any::<prop::sample::Index>(), 0u32..5),
    ) {
        let first = first.index(model.pieces.len());
        let numbers = u32::try_from(first).unwrap()..u32::try_from(first).unwrap() + count;
        let mut some = model.pieces[first..].iter().take(count as usize);
        let start = model.pieces[first].start;
        let end = some.next_back().map_or(start, |last| last.end);
        prop_assert_eq!(geometry.range_of(&numbers), start..end);
    }

    #[test]
    fn a_set_of_pieces_is_as_long_as_they_are((geometry, model) in either(), seed in any::<u64>()) {
        let mut bits = Bitfield::none(&geometry);
        let mut expected = 0;
        for (piece, range) in geometry.pieces().zip(&model.pieces) {
            if seed >> (piece.get() % 64) & 1 == 1 {
                bits.set(piece);
                expected += len(range);
            }
        }
        prop_assert_eq!(geometry.len_of(&bits), expected);
        prop_assert_eq!(geometry.len_of(&Bitfield::all(&geometry)), geometry.total());
    }
}
