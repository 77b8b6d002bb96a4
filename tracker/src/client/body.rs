//! Decompresses an HTTP answer's body within its limit.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::error::TrackerError;

/// Undoes gzip where there is any, by its magic number rather than by the header: trackers get
/// the header wrong both ways, and no bencoded dictionary begins like this.
pub(super) fn decompress(body: Vec<u8>, limit: usize) -> Result<Vec<u8>, TrackerError> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return Ok(body);
    }
    let beyond = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = MultiGzDecoder::new(body.as_slice())
        .take(beyond)
        .read_to_end(&mut bytes);
    read.map_err(|error| TrackerError::malformed(format!("gzip: {error}")))?;
    if bytes.len() > limit {
        return Err(TrackerError::TooLarge { limit });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_undone_within_the_limit() {
        assert_eq!(decompress(b"de".to_vec(), 10).unwrap(), b"de");
        assert_eq!(decompress(gzip(b"d1:ai1ee"), 8).unwrap(), b"d1:ai1ee");
        assert_eq!(
            decompress(gzip(b"d1:ai1ee"), 7),
            Err(TrackerError::TooLarge { limit: 7 })
        );
        let bomb = gzip(&vec![0; 10_000_000]);
        assert!(bomb.len() < 20_000);
        assert_eq!(
            decompress(bomb, 1 << 20),
            Err(TrackerError::TooLarge { limit: 1 << 20 })
        );
    }

    #[test]
    fn broken_gzip_is_an_error() {
        let mut cut = gzip(&[b'x'; 500]);
        cut.truncate(cut.len() - 9);
        assert!(matches!(
            decompress(cut, 1000),
            Err(TrackerError::Malformed { .. })
        ));
        assert!(matches!(
            decompress(b"\x1f\x8bjunk".to_vec(), 1000),
            Err(TrackerError::Malformed { .. })
        ));
    }
}
