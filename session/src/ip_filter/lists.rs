//! The lists that filters are read from, a range in each line.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};

use flate2::read::MultiGzDecoder;

use super::{IpFilter, IpFilterError, prefix};

/// A level above this one permits a range of a `.dat` list.
const LAST_BLOCKED_LEVEL: u32 = 127;
/// How a gzip file begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

pub(super) fn parse(list: &[u8]) -> Result<IpFilter, IpFilterError> {
    let limit = IpFilter::MAX_LEN;
    if !list.starts_with(&GZIP) {
        return match list.len() > limit {
            true => Err(IpFilterError::TooLong { limit }),
            false => parse_lines(list),
        };
    }
    let mut unpacked = Vec::new();
    let longest = u64::try_from(limit).unwrap_or(u64::MAX);
    MultiGzDecoder::new(list)
        .take(longest.saturating_add(1))
        .read_to_end(&mut unpacked)
        .map_err(|error| IpFilterError::Packed {
            reason: error.to_string(),
        })?;
    match unpacked.len() > limit {
        true => Err(IpFilterError::TooLong { limit }),
        false => parse_lines(&unpacked),
    }
}

fn parse_lines(list: &[u8]) -> Result<IpFilter, IpFilterError> {
    let mut filter = IpFilter::default();
    for (number, line) in list.split(|&byte| byte == b'\n').enumerate() {
        // Names are in any encoding; what is a range is ASCII.
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
            continue;
        }
        match read_line(line) {
            Some(Line::Blocked(first, last)) if filter.insert(first, last) => {
                let limit = IpFilter::MAX_RANGES;
                if filter.len() > limit {
                    return Err(IpFilterError::TooManyRanges { limit });
                }
            }
            Some(Line::Permitted) => {}
            _ => {
                filter.skipped += 1;
                filter.first_skipped.get_or_insert(number + 1);
            }
        }
    }
    filter.merge();
    match (filter.is_empty(), filter.first_skipped) {
        (true, Some(line)) => Err(IpFilterError::NoRanges { line }),
        _ => Ok(filter),
    }
}

enum Line {
    Blocked(IpAddr, IpAddr),
    /// A range of a `.dat` list whose level permits it.
    Permitted,
}

fn read_line(line: &str) -> Option<Line> {
    // Names of `.p2p` lists may have commas too: in a `.dat` list, what is before the first is a range.
    let mut fields = line.splitn(3, ',');
    if let (Some(range), Some(level)) = (fields.next().and_then(range), fields.next()) {
        let level: u32 = level.trim().parse().ok()?;
        return Some(match level > LAST_BLOCKED_LEVEL {
            true => Line::Permitted,
            false => Line::Blocked(range.0, range.1),
        });
    }
    let (first, last) = range(line).or_else(|| {
        // The name may have colons. A range of IPv6 addresses has them too, and none without a name is left here.
        line.match_indices(':')
            .find_map(|(at, _)| range(&line[at + 1..]))
    })?;
    Some(Line::Blocked(first, last))
}

/// A prefix, an address, or a first and a last one.
fn range(text: &str) -> Option<(IpAddr, IpAddr)> {
    let text = text.trim();
    if let Some((first, last)) = text.split_once('-') {
        return Some((address(first)?, address(last)?));
    }
    match text.split_once('/') {
        Some((ip, len)) => prefix(address(ip)?, len.trim().parse().ok()?),
        None => address(text).map(|ip| (ip, ip)),
    }
}

/// An address; the numbers of an IPv4 one may begin with zeros, which are no octal.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if text.contains(':') {
        return text.parse().ok();
    }
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        *octet = part.parse().ok().filter(|_| is_number && part.len() <= 3)?;
    }
    parts
        .next()
        .is_none()
        .then(|| Ipv4Addr::from(octets).into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const LIST: &str = "\u{feff}\n# a comment\n// another\n\
        Some Corp, Inc: a:b:192.0.2.0-192.0.2.255\r\n\
        010.000.000.000 - 010.255.255.255 , 000 , some, name\n\
        011.000.000.000 - 011.255.255.255 , 200 , permitted\n\
        172.16.0.0/12\n2001:db8::/32\n198.51.100.7\nSix:2001:db9::1-2001:db9::2\n\
        fc00:: - fc00::ff\nnonsense\n9.9.9.9-1.1.1.1\n1.2.3.4/33\n";

    #[test]
    fn each_form_is_read() {
        let filter = IpFilter::parse(LIST.as_bytes()).unwrap();
        for ip in [
            "192.0.2.0",
            "192.0.2.255",
            "10.0.0.0",
            "10.255.255.255",
            "172.31.255.255",
            "2001:db8:ffff::1",
            "198.51.100.7",
            "2001:db9::2",
            "fc00::ff",
        ] {
            assert!(filter.contains(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "192.0.3.0",
            "11.0.0.1",
            "172.32.0.0",
            "2001:db9::3",
            "198.51.100.8",
            "1.2.3.4",
            "5.5.5.5",
        ] {
            assert!(!filter.contains(ip.parse().unwrap()), "{ip}");
        }
        assert_eq!(filter.len(), 7);
        // The mark of a file's encoding is a line of its own here; nonsense, a range that ends before it begins, and a
        // prefix that is too long.
        assert_eq!(filter.skipped(), (4, Some(1)));
    }

    #[test]
    fn a_packed_list_is_the_same() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(LIST.as_bytes()).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(IpFilter::parse(&packed), IpFilter::parse(LIST.as_bytes()));
        let cut = IpFilter::parse(&packed[..packed.len() / 2]);
        assert!(matches!(cut, Err(IpFilterError::Packed { .. })));
    }

    #[test]
    fn a_file_that_is_no_list_is_refused() {
        let page = b"<!DOCTYPE html>\n<p>Not found</p>\n";
        assert_eq!(
            IpFilter::parse(page),
            Err(IpFilterError::NoRanges { line: 1 })
        );
        assert!(IpFilter::parse(b"# nothing\n\n").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "+1.2.3.4",
            "1.2.3.0004",
            "a.b.c.d",
            "1.2.3.-4",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }
}
