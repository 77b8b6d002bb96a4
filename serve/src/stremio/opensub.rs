//! The hash by which OpenSubtitles knows a file: its length, and the sums of its first and last 64 KiB as numbers of 64 bits.

use std::time::Duration;

use tailwater_session::{ReadError, Reader, ReaderOptions, Torrent};
use tokio::time::timeout;

/// Bytes at each end that are read.
const PART: u64 = 64 * 1_024;
/// How long the two ends may take to come.
const WITHIN: Duration = Duration::from_secs(60);

/// The hash of a file, as hexadecimal digits; words if it has none.
pub(super) async fn hash(torrent: &Torrent, file: usize) -> Result<(String, u64), String> {
    let reader = torrent.reader(file, ReaderOptions::default());
    let mut reader = reader.map_err(|error| error.to_string())?;
    let len = reader.len();
    if len < PART {
        return Err("the file is too short for a hash".to_owned());
    }
    let reading = async {
        let first = part(&mut reader, 0).await?;
        let last = part(&mut reader, len - PART).await?;
        Ok::<_, ReadError>((first, last))
    };
    let read = timeout(WITHIN, reading).await;
    let read = read.map_err(|_| "the ends of the file did not come in time".to_owned())?;
    let (first, last) = read.map_err(|error| error.to_string())?;
    Ok((format!("{:016x}", sum(len, &first, &last)), len))
}

async fn part(reader: &mut Reader, from: u64) -> Result<Vec<u8>, ReadError> {
    reader.seek_to(from);
    let len = usize::try_from(PART).unwrap_or(0);
    let mut part = Vec::with_capacity(len);
    while part.len() < len {
        let bytes = reader.next_bytes(len - part.len()).await?;
        if bytes.is_empty() {
            break;
        }
        part.extend_from_slice(&bytes);
    }
    Ok(part)
}

fn sum(len: u64, first: &[u8], last: &[u8]) -> u64 {
    let (first, _) = first.as_chunks::<8>();
    let (last, _) = last.as_chunks::<8>();
    let words = first
        .iter()
        .chain(last)
        .map(|word| u64::from_le_bytes(*word));
    words.fold(len, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_added_to_the_length() {
        let part = |byte: u8| vec![byte; usize::try_from(PART).unwrap()];
        assert_eq!(sum(7, &part(0), &part(0)), 7);
        // 8,192 words of ones at each end.
        let ones = 0x0101_0101_0101_0101_u64;
        let expected = ones.wrapping_mul(2 * 8_192).wrapping_add(7);
        assert_eq!(sum(7, &part(1), &part(1)), expected);
        assert_eq!(sum(0, &[1, 2, 0, 0, 0, 0, 0, 0, 9], &[]), 0x0201);
    }
}
