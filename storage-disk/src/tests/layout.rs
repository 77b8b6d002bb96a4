use super::super::{FileSpan, Layout, StorageError};
use proptest::prelude::*;
use std::path::PathBuf;
use tailwater_metainfo::Geometry;

fn spans(lengths: &[(u64, bool)]) -> (Vec<FileSpan>, u64) {
    let mut offset = 0;
    let spans = lengths.iter().enumerate().map(|(index, &(length, pad))| {
        let span = FileSpan {
            path: PathBuf::from(format!("f{index}")),
            offset,
            length,
            pad,
            link: None,
            is_part: false,
        };
        offset += length;
        span
    });
    (spans.collect(), offset)
}

proptest! {
    #[test]
    fn segments_agree_with_a_map_of_every_byte(
        lengths in prop::collection::vec((prop_oneof![Just(0u64), 1u64..40], any::<bool>()), 1..12),
        offset in 0u64..300,
        len in 0usize..300,
    ) {
        let (spans, total) = spans(&lengths);
        prop_assume!(total > 0);
        let naive: Vec<(Option<usize>, u64)> = spans
            .iter()
            .enumerate()
            .flat_map(|(index, span)| {
                let file = (!span.pad).then_some(index);
                (0..span.length).map(move |at| (file, at))
            })
            .collect();
        let geometry = Geometry::new(total, 16).unwrap();
        let layout = Layout::new("/root".into(), spans, geometry).unwrap();

        let mut at = usize::try_from(offset).unwrap();
        let end = (at + len).min(naive.len());
        for segment in layout.segments(offset, len) {
            prop_assert!(segment.len > 0);
            prop_assert_eq!(segment.offset, at as u64);
            for step in 0..segment.len {
                prop_assert_eq!(naive[at], (segment.file, segment.file_offset + step as u64));
                at += 1;
            }
        }
        prop_assert_eq!(at.max(end), at);
        prop_assert!(at <= end.max(usize::try_from(offset).unwrap()));
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
    let fits = vec![span("a/b", 0, 9, false), span("", 9, 1, true)];
    assert!(Layout::new("/root".into(), fits, geometry).is_ok());
}
