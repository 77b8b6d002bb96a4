//! The options after a UDP announce (BEP 41).

/// The longest path and query of a tracker's URL that is sent or read, in bytes, so that an
/// announce stays within one unfragmented packet.
pub const MAX_URL_DATA_LEN: usize = 1024;

// The option types of BEP 41.
const END_OF_OPTIONS: u8 = 0;
const NOP: u8 = 1;
const URL_DATA: u8 = 2;

/// Appends path and query, in pieces of at most 255 bytes. Nothing is appended for none.
pub(super) fn write_url_data(url_data: &[u8], out: &mut Vec<u8>) {
    for part in url_data.chunks(usize::from(u8::MAX)) {
        // `chunks` keeps the length within a byte.
        let len = u8::try_from(part.len()).unwrap_or(u8::MAX);
        out.extend_from_slice(&[URL_DATA, len]);
        out.extend_from_slice(part);
    }
}

/// The concatenated path and query, up to [`MAX_URL_DATA_LEN`]. An option that is cut short ends
/// the options; unknown ones are skipped.
pub(super) fn read_url_data(mut options: &[u8]) -> Vec<u8> {
    let mut url_data = Vec::new();
    while let Some((&kind, rest)) = options.split_first() {
        if kind == END_OF_OPTIONS {
            break;
        }
        options = rest;
        if kind == NOP {
            continue;
        }
        let Some((&len, rest)) = options.split_first() else {
            break;
        };
        let Some((data, rest)) = rest.split_at_checked(usize::from(len)) else {
            break;
        };
        options = rest;
        if kind == URL_DATA && url_data.len() + data.len() <= MAX_URL_DATA_LEN {
            url_data.extend_from_slice(data);
        }
    }
    url_data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_the_bep_shows() {
        let table: [(&[u8], &[u8]); 7] = [
            (b"\x02\x0c/dir?a=b&c=d", b"/dir?a=b&c=d"),
            (b"\x02\x0c/dir?a=b&c=d\x01\x01\x00", b"/dir?a=b&c=d"),
            (b"\x02\x00", b""),
            (b"\x02\x02/a\x02\x02?b", b"/a?b"),
            (b"\x09\x03xyz\x01\x02\x02/a", b"/a"),
            (b"\x00\x02\x02/a", b""),
            (b"\x02\x02/a\x02\xffshort", b"/a"),
        ];
        for (options, expected) in table {
            assert_eq!(read_url_data(options), expected, "{options:?}");
        }
    }

    #[test]
    fn long_data_is_split_and_joined() {
        let long = vec![b'x'; 700];
        let mut options = Vec::new();
        write_url_data(&long, &mut options);
        assert_eq!(options.len(), 700 + 3 * 2);
        assert_eq!(read_url_data(&options), long);
    }

    #[test]
    fn data_beyond_the_limit_is_not_kept() {
        let mut options = Vec::new();
        write_url_data(&vec![b'x'; 60_000], &mut options);
        assert!(read_url_data(&options).len() <= MAX_URL_DATA_LEN);
    }
}
