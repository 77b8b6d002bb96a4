use crate::{FileSpan, Layout, StorageError};
use proptest::prelude::*;
use std::path::PathBuf;
use tailwater_metainfo::Geometry;

const PIECE: u32 = 16;

/// Files that follow each other, or of which each begins with a piece of its own.
fn spans(lengths: &[(u64, bool)], aligned: bool) -> Vec<FileSpan> {
    let mut end = 0_u64;
    let spans = lengths.iter().enumerate().map(|(index, &(length, pad))| {
        // As the parser has it, an empty file begins where the last one ended.
        let offset = match aligned && length > 0 {
            true => end.next_multiple_of(PIECE.into()),
            false => end,
        };
        end = offset + length;
        FileSpan {
            path: PathBuf::from(format!("f{index}")),
            offset,
            length,
            pad,
            link: None,
            executable: false,
            is_part: false,
        }
    });
    spans.collect()
}

fn geometry(spans: &[FileSpan], aligned: bool) -> Geometry {
    let lengths = spans.iter().map(|span| span.length);
    match aligned {
        true => Geometry::aligned(lengths, PIECE).unwrap(),
        false => Geometry::new(lengths.sum(), PIECE).unwrap(),
    }
}

proptest! {
    #[test]
    fn segments_agree_with_a_map_of_every_byte(
        lengths in prop::collection::vec((prop_oneof![Just(0u64), 1u64..40], any::<bool>()), 1..12),
        aligned in any::<bool>(),
        offset in 0u64..500,
        len in 0usize..500,
    ) {
        let spans = spans(&lengths, aligned);
        prop_assume!(lengths.iter().any(|(length, _)| *length > 0));
        let geometry = geometry(&spans, aligned);
        // What lies at each position; nothing between files.
        let mut naive = vec![None; usize::try_from(geometry.end()).unwrap()];
        for (index, span) in spans.iter().enumerate() {
            for at in 0..span.length {
                let file = (!span.pad).then_some(index);
                naive[usize::try_from(span.offset + at).unwrap()] = Some((file, at));
            }
        }
        let layout = Layout::new("/root".into(), spans, geometry).unwrap();

        let from = usize::try_from(offset).unwrap().min(naive.len());
        let to = (from + len).min(naive.len());
        let mut found = vec![None; naive.len()];
        let mut end = offset;
        for segment in layout.segments(offset, len) {
            prop_assert!(segment.len > 0);
            prop_assert!(segment.offset >= end);
            for step in 0..segment.len {
                let at = usize::try_from(segment.offset).unwrap() + step;
                found[at] = Some((segment.file, segment.file_offset + step as u64));
            }
            end = segment.offset + segment.len as u64;
        }
        prop_assert_eq!(&found[from..to], &naive[from..to]);
        prop_assert!(found[..from].iter().chain(&found[to..]).all(Option::is_none));
    }

    /// A file that lies a byte beside its place is found out.
    #[test]
    fn files_beside_their_place_are_refused(
        lengths in prop::collection::vec(1u64..40, 1..12),
        aligned in any::<bool>(),
        which in any::<prop::sample::Index>(),
        forward in any::<bool>(),
    ) {
        let lengths: Vec<_> = lengths.into_iter().map(|length| (length, false)).collect();
        let mut spans = spans(&lengths, aligned);
        let geometry = geometry(&spans, aligned);
        let which = which.index(spans.len());
        let offset = &mut spans[which].offset;
        prop_assume!(forward || *offset > 0);
        *offset = if forward { *offset + 1 } else { *offset - 1 };
        let layout = Layout::new("/root".into(), spans, geometry);
        prop_assert!(matches!(layout, Err(StorageError::Layout(_))));
    }
}

#[test]
fn file_lists_that_do_not_fit_are_refused() {
    let geometry = Geometry::new(10, 4).unwrap();
    let span = |path: &str, offset, length, pad| FileSpan {
        path: path.into(),
        offset,
        length,
        pad,
        link: None,
        executable: false,
        is_part: false,
    };
    let cases = [
        vec![],
        vec![span("a", 0, 9, false)],
        vec![span("a", 1, 9, false)],
        vec![span("a", 0, 5, false), span("b", 6, 5, false)],
        vec![span("a", 0, 5, false), span("b", 4, 6, false)],
        vec![
            span("a", 0, u64::MAX, false),
            span("b", u64::MAX, 11, false),
        ],
        vec![span("../a", 0, 10, false)],
        vec![span("/a", 0, 10, false)],
        vec![span("a/../b", 0, 10, false)],
        vec![span("", 0, 10, false)],
    ];
    for case in cases {
        let layout = Layout::new("/root".into(), case.clone(), geometry.clone());
        assert!(matches!(layout, Err(StorageError::Layout(_))), "{case:?}");
    }
    let aligned = Geometry::aligned([5, 3], 4).unwrap();
    let cases = [
        vec![span("a", 0, 5, false), span("b", 5, 3, false)],
        vec![span("a", 0, 5, false), span("b", 4, 3, false)],
        vec![span("a", 0, 5, false), span("b", 12, 3, false)],
        vec![span("a", 0, 6, false), span("b", 8, 3, false)],
        vec![span("a", 0, 5, false), span("b", 8, 4, false)],
        vec![
            span("a", 0, 5, false),
            span("empty", 4, 0, false),
            span("b", 8, 3, false),
        ],
        vec![span("a", 0, u64::MAX, false), span("b", u64::MAX, 3, false)],
    ];
    for case in cases {
        let layout = Layout::new("/root".into(), case.clone(), aligned.clone());
        assert!(matches!(layout, Err(StorageError::Layout(_))), "{case:?}");
    }
    let empty = span("empty", 5, 0, false);
    let fits = vec![span("a", 0, 5, false), empty, span("b", 8, 3, false)];
    assert!(Layout::new("/root".into(), fits, aligned).is_ok());
    let fits = vec![span("a/b", 0, 9, false), span("", 9, 1, true)];
    assert!(Layout::new("/root".into(), fits, geometry).is_ok());
}
