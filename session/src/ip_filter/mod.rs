//! Addresses that are not connected with: a set of ranges, and the lists that it is read from (`lists.rs`).

mod lists;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::RwLock;

/// The fewest ranges of IPv4 addresses for which an index of 256 KiB is worth its memory.
const MIN_INDEXED: usize = 4_096;

/// Ranges of addresses that a session neither dials nor accepts; see [`SessionBuilder::ip_filter`](crate::SessionBuilder::ip_filter).
///
/// It takes 8 bytes for a range of IPv4 addresses and 32 for one of IPv6, and 256 KiB for an index of many; ranges that
/// touch are one. A lookup costs the logarithm of their number, or of those that begin in one /16.
///
/// ```
/// use tailwater_session::IpFilter;
///
/// let filter = IpFilter::parse(b"10.0.0.0/8\nSome Corp:192.0.2.0-192.0.2.99\n")?;
/// assert!(filter.contains("10.1.2.3".parse()?));
/// assert!(!filter.contains("192.0.2.100".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpFilter {
    /// Sorted, apart from each other, both ends included.
    v4: Vec<(u32, u32)>,
    /// How many ranges of `v4` begin below each /16, and at last all: a lookup searches those of one /16.
    v4_below: Vec<u32>,
    v6: Vec<(u128, u128)>,
    /// Lines of its lists that were no range, and the first of them.
    skipped: usize,
    first_skipped: Option<usize>,
}

/// A list that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IpFilterError {
    /// No line of it is a range of addresses.
    #[error("line {line} is no range of addresses, and neither is any other")]
    NoRanges {
        /// The first line that is none, counted from 1.
        line: usize,
    },
    /// It has more ranges than are kept, alone or together with others.
    #[error("more than {limit} ranges")]
    TooManyRanges {
        /// [`IpFilter::MAX_RANGES`].
        limit: usize,
    },
    /// It is longer than is read.
    #[error("it is longer than {limit} bytes when it is unpacked")]
    TooLong {
        /// [`IpFilter::MAX_LEN`].
        limit: usize,
    },
    /// It begins as a gzip file does, and is none.
    #[error("it cannot be unpacked: {reason}")]
    Packed {
        /// What is wrong.
        reason: String,
    },
}

impl IpFilter {
    /// The most ranges: twice the largest list that is in use.
    pub const MAX_RANGES: usize = 1_000_000;
    /// The longest list, unpacked, in bytes: those ranges with long names.
    pub const MAX_LEN: usize = 128 * 1024 * 1024;

    /// Reads a list, plain or packed with gzip. Each line is a range in any of these forms:
    ///
    /// | form | example |
    /// |---|---|
    /// | CIDR, or one address | `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1` |
    /// | first and last | `192.0.2.0-192.0.2.255` |
    /// | PeerGuardian, `.p2p` | `Some Corp:192.0.2.0-192.0.2.255` |
    /// | eMule, `.dat` | `192.0.2.0 - 192.0.2.255 , 100 , Some Corp`; a level above 127 permits, and is passed over |
    ///
    /// Empty lines and those that begin with `#` or `//` are comments. A line that is none of these is passed over:
    /// [`IpFilter::skipped`] counts them.
    ///
    /// # Errors
    ///
    /// When it has lines and none is a range, or when it passes a limit.
    pub fn parse(list: &[u8]) -> Result<Self, IpFilterError> {
        lists::parse(list)
    }

    /// Whether an address is in one of the ranges. An IPv4-mapped IPv6 address is an IPv4 address.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(ip) => holds(self.v4_up_to(ip), u32::from(ip)),
            IpAddr::V6(ip) => holds(&self.v6, u128::from(ip)),
        }
    }

    /// How many ranges there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many lines were no range, and the number of the first of them.
    #[must_use]
    pub const fn skipped(&self) -> (usize, Option<usize>) {
        (self.skipped, self.first_skipped)
    }

    /// Adds the ranges of another filter.
    ///
    /// # Errors
    ///
    /// [`IpFilterError::TooManyRanges`] when both together have more than [`IpFilter::MAX_RANGES`].
    pub fn with(mut self, other: &Self) -> Result<Self, IpFilterError> {
        self.v4.extend(&other.v4);
        self.v6.extend(&other.v6);
        self.skipped += other.skipped;
        self.first_skipped = self.first_skipped.or(other.first_skipped);
        self.merge();
        let limit = Self::MAX_RANGES;
        match self.len() > limit {
            true => Err(IpFilterError::TooManyRanges { limit }),
            false => Ok(self),
        }
    }

    fn insert(&mut self, first: IpAddr, last: IpAddr) -> bool {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
                self.v4.push((first.into(), last.into()));
            }
            (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
                self.v6.push((first.into(), last.into()));
            }
            _ => return false,
        }
        true
    }

    /// Some of the ranges up to the /16 of an address: those that begin in it, and the one before them.
    fn v4_up_to(&self, ip: Ipv4Addr) -> &[(u32, u32)] {
        let [first, second, ..] = ip.octets();
        let prefix = usize::from(u16::from_be_bytes([first, second]));
        let below = |prefix: usize| Some(*self.v4_below.get(prefix)? as usize);
        let part = below(prefix).zip(below(prefix + 1));
        let part = part.map_or(0..self.v4.len(), |(begin, end)| {
            begin.saturating_sub(1)..end
        });
        self.v4.get(part).unwrap_or_default()
    }

    fn merge(&mut self) {
        join(&mut self.v4, |number| number.saturating_add(1));
        self.v4_below = index(&self.v4);
        join(&mut self.v6, |number| number.saturating_add(1));
    }
}

/// Sorts ranges, and makes one of those that touch or overlap.
fn join<N: Copy + Ord>(ranges: &mut Vec<(N, N)>, next: impl Fn(N) -> N) {
    ranges.sort_unstable();
    ranges.dedup_by(|later, kept| {
        let joins = later.0 <= next(kept.1);
        if joins {
            kept.1 = kept.1.max(later.1);
        }
        joins
    });
    ranges.shrink_to_fit();
}

/// How many of the sorted ranges begin below each /16, and at last all of them. Few ranges need none.
fn index(ranges: &[(u32, u32)]) -> Vec<u32> {
    if ranges.len() < MIN_INDEXED {
        return Vec::new();
    }
    let mut below = vec![0; usize::from(u16::MAX) + 2];
    for (first, _) in ranges {
        let prefix = (first >> 16) as usize;
        below[prefix + 1] += 1;
    }
    let mut sum = 0;
    for count in &mut below {
        sum += *count;
        *count = sum;
    }
    below
}

/// Whether one of the sorted ranges has this number.
fn holds<N: Copy + Ord>(ranges: &[(N, N)], number: N) -> bool {
    let after = ranges.partition_point(|&(first, _)| first <= number);
    after
        .checked_sub(1)
        .is_some_and(|at| number <= ranges[at].1)
}

/// The addresses of a prefix: its first and its last one.
fn prefix(ip: IpAddr, len: u32) -> Option<(IpAddr, IpAddr)> {
    match ip {
        IpAddr::V4(ip) => {
            let host = u32::MAX.checked_shr(len).unwrap_or(0);
            let first = u32::from(ip) & !host;
            (len <= 32).then(|| {
                (
                    Ipv4Addr::from(first).into(),
                    Ipv4Addr::from(first | host).into(),
                )
            })
        }
        IpAddr::V6(ip) => {
            let host = u128::MAX.checked_shr(len).unwrap_or(0);
            let first = u128::from(ip) & !host;
            (len <= 128).then(|| {
                (
                    Ipv6Addr::from(first).into(),
                    Ipv6Addr::from(first | host).into(),
                )
            })
        }
    }
}

/// The filter of a session, which can be replaced while it runs. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedFilter {
    filter: Arc<RwLock<Arc<IpFilter>>>,
}

impl SharedFilter {
    pub(crate) fn new(filter: IpFilter) -> Self {
        Self {
            filter: Arc::new(RwLock::new(Arc::new(filter))),
        }
    }

    pub(crate) fn get(&self) -> Arc<IpFilter> {
        Arc::clone(&self.filter.read())
    }

    pub(crate) fn replace(&self, filter: IpFilter) {
        *self.filter.write() = Arc::new(filter);
    }

    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.filter.read().contains(ip)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The naive model: each range is asked.
        #[test]
        fn an_address_is_in_the_set_when_it_is_in_a_range(
            ranges in prop::collection::vec((0u32..2_000, 0u32..60), 0..40),
            asked in prop::collection::vec(0u32..2_100, 50),
        ) {
            let mut filter = IpFilter::default();
            for &(first, len) in &ranges {
                let ip = |number: u32| IpAddr::from(Ipv4Addr::from(number));
                prop_assert!(filter.insert(ip(first), ip(first + len)));
                let ip = |number: u32| IpAddr::from(Ipv6Addr::from(u128::from(number) << 64 | 0xffff_ffff_ffff));
                prop_assert!(filter.insert(ip(first), ip(first + len)));
            }
            filter.merge();
            for number in asked {
                let is_in = ranges.iter().any(|&(first, len)| (first..=first + len).contains(&number));
                prop_assert_eq!(filter.contains(Ipv4Addr::from(number).into()), is_in);
                let mapped = Ipv4Addr::from(number).to_ipv6_mapped();
                prop_assert_eq!(filter.contains(mapped.into()), is_in);
            }
            for pair in filter.v4.windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0);
            }
        }
    }

    #[test]
    fn the_ends_of_the_address_space_are_no_trouble() {
        let all = IpFilter::parse(b"0.0.0.0/0\n255.255.255.255\n::/0\n").unwrap();
        assert_eq!(all.len(), 2);
        for ip in ["0.0.0.0", "255.255.255.255", "::", "ffff::ffff"] {
            assert!(all.contains(ip.parse().unwrap()), "{ip}");
        }
        assert!(!IpFilter::default().contains(Ipv4Addr::LOCALHOST.into()));
    }

    #[test]
    fn a_filter_grows_by_another() {
        let [first, second] = [&b"10.0.0.0/8\n"[..], b"11.0.0.0/8\nnonsense\n"];
        let both = IpFilter::parse(first)
            .unwrap()
            .with(&IpFilter::parse(second).unwrap())
            .unwrap();
        assert_eq!((both.len(), both.skipped()), (1, (1, Some(2))));
        assert!(both.contains([11, 255, 0, 1].into()));
    }

    #[test]
    fn an_index_changes_no_answer() {
        let mut filter = IpFilter::default();
        for number in 0..2 * u32::try_from(MIN_INDEXED).unwrap() {
            // Some /16 have several ranges, some none, and some ranges cross into the next one.
            let first = number * 50_021;
            let last = first + number % 7 * 9_000;
            assert!(filter.insert(Ipv4Addr::from(first).into(), Ipv4Addr::from(last).into()));
        }
        filter.merge();
        assert!(!filter.v4_below.is_empty());
        for (first, last) in filter.v4.clone() {
            for number in [
                first.saturating_sub(1),
                first,
                last,
                last + 1,
                first | 0xffff,
            ] {
                let ip = Ipv4Addr::from(number);
                let expected = holds(&filter.v4, number);
                assert_eq!(filter.contains(ip.into()), expected, "{ip}");
            }
        }
    }

    #[test]
    fn all_lists_together_have_a_limit() {
        let half = |odd: u32| {
            let ranges = 0..u32::try_from(IpFilter::MAX_RANGES / 2).unwrap() + 1;
            let first = ranges.map(|number| (number * 8 + odd, number * 8 + odd));
            IpFilter {
                v4: first.collect(),
                ..IpFilter::default()
            }
        };
        let too_many = half(0).with(&half(4));
        let limit = IpFilter::MAX_RANGES;
        assert_eq!(too_many, Err(IpFilterError::TooManyRanges { limit }));
        // The same ranges again are no more than before.
        assert_eq!(half(0).with(&half(0)).unwrap().len(), limit / 2 + 1);
    }
}
