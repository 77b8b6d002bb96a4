//! Which bytes of which files a range of the torrent is made of.

use std::ops::Range;

use tailwater_metainfo::Info;

/// A part of a range of the torrent that lies in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// The file, by its index in the info dictionary.
    pub(crate) file: usize,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    pub(crate) len: u64,
    /// A part of a pad file: zeros, which no server has (BEP 47).
    pub(crate) is_pad: bool,
}

/// The spans of a range, in order. Empty files have none.
pub(crate) fn spans(info: &Info, range: Range<u64>) -> Vec<Span> {
    let files = info.files();
    let first = files.partition_point(|file| file.range().end <= range.start);
    let mut spans = Vec::new();
    for (index, file) in files.iter().enumerate().skip(first) {
        if file.offset() >= range.end {
            break;
        }
        let start = file.offset().max(range.start);
        let end = file.range().end.min(range.end);
        if start < end {
            spans.push(Span {
                file: index,
                offset: start - file.offset(),
                len: end - start,
                is_pad: file.is_pad(),
            });
        }
    }
    spans
}
