//! The allowed-fast set of BEP 6.

use std::net::IpAddr;

use sha1::{Digest, Sha1};
use tailwater_types::InfoHash;

use crate::limits::MAX_ALLOWED_FAST;

/// The pieces that a peer at `ip` may have even while it is choked, by the canonical algorithm of BEP 6.
///
/// `k` is how many; the set has fewer when the torrent has fewer pieces, and never more than [`MAX_ALLOWED_FAST`]. A
/// smaller `k` gives a part of the set of a larger one. All addresses of one network get the same set, so that a second
/// address brings no second set: a /24 for IPv4, as BEP 6 has it; for IPv6, of which BEP 6 says nothing, the /64, the
/// least that one subscriber holds, hashed as 16 bytes of which the last 8 are zero. An IPv4-mapped address counts as
/// IPv4.
#[must_use]
pub fn allowed_fast_set(ip: IpAddr, info_hash: &InfoHash, piece_count: u32, k: usize) -> Vec<u32> {
    let k = k.min(MAX_ALLOWED_FAST);
    if piece_count as usize <= k {
        // Without this, the draws below would go on until the last piece happens to be drawn.
        return (0..piece_count).collect();
    }
    let hasher = match ip.to_canonical() {
        IpAddr::V4(ip) => Sha1::new_with_prefix((u32::from(ip) & 0xffff_ff00).to_be_bytes()),
        IpAddr::V6(ip) => Sha1::new_with_prefix((u128::from(ip) >> 64 << 64).to_be_bytes()),
    };
    let mut hash = hasher.chain_update(info_hash.as_bytes()).finalize();
    let mut set = Vec::with_capacity(k);
    loop {
        for word in hash.as_chunks::<4>().0 {
            if set.len() == k {
                return set;
            }
            let index = u32::from_be_bytes(*word) % piece_count;
            if !set.contains(&index) {
                set.push(index);
            }
        }
        hash = Sha1::digest(hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: &str = "80.4.4.200";
    /// The example of BEP 6.
    const BEP_6: [u32; 9] = [1059, 431, 808, 1217, 287, 376, 1188, 353, 508];

    fn set(ip: &str, piece_count: u32, k: usize) -> Vec<u32> {
        allowed_fast_set(
            ip.parse().unwrap(),
            &InfoHash::new([0xaa; 20]),
            piece_count,
            k,
        )
    }

    #[test]
    fn the_examples_of_bep_6() {
        assert_eq!(set(IP, 1313, 7), BEP_6[..7]);
        assert_eq!(set(IP, 1313, 9), BEP_6);
    }

    #[test]
    fn one_network_has_one_set() {
        for (a, b, same) in [
            (IP, "80.4.4.1", true),
            (IP, "80.4.5.200", false),
            (IP, "::ffff:80.4.4.7", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            assert_eq!(set(a, 100_000, 10) == set(b, 100_000, 10), same, "{a} {b}");
        }
    }

    #[test]
    fn a_set_has_as_many_different_pieces_as_there_are() {
        for (piece_count, k, expected) in [
            (0, 10, 0),
            (1, 10, 1),
            (10, 10, 10),
            (11, 10, 10),
            (1313, 0, 0),
            (129, usize::MAX, MAX_ALLOWED_FAST),
            (u32::MAX, usize::MAX, MAX_ALLOWED_FAST),
        ] {
            let mut pieces = set(IP, piece_count, k);
            pieces.sort_unstable();
            pieces.dedup();
            assert_eq!(pieces.len(), expected, "{piece_count} {k}");
            assert!(pieces.iter().all(|&piece| piece < piece_count));
        }
    }
}
