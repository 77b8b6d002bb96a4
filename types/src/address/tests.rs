use std::net::{Ipv4Addr, SocketAddr};

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at_6881(text: &str) -> SocketAddr {
    SocketAddr::new(ip(text), 6881)
}

/// A range of addresses, what it means, and why.
struct Range {
    first: &'static str,
    last: &'static str,
    scope: Scope,
    is_public: bool,
    is_unicast: bool,
    why: &'static str,
}

/// Marks of a [`Range`]: which addresses are of the internet, and which no host can have.
const PUBLIC: (bool, bool) = (true, true);
const NOT_PUBLIC: (bool, bool) = (false, true);
const NO_HOST: (bool, bool) = (false, false);

const fn range(
    first: &'static str,
    last: &'static str,
    scope: Scope,
    (is_public, is_unicast): (bool, bool),
    why: &'static str,
) -> Range {
    Range {
        first,
        last,
        scope,
        is_public,
        is_unicast,
        why,
    }
}

/// All of IPv4 in order, without a gap, and the ranges of IPv6 that have a meaning of their own.
const RANGES: &[Range] = {
    use Scope::{Global, LinkLocal, Local, Loopback, Shared};
    &[
        range(
            "0.0.0.0",
            "0.255.255.255",
            Global,
            NO_HOST,
            "this network: RFC 791, 3.2",
        ),
        range("1.0.0.0", "9.255.255.255", Global, PUBLIC, "the internet"),
        range(
            "10.0.0.0",
            "10.255.255.255",
            Local,
            NOT_PUBLIC,
            "private networks: RFC 1918",
        ),
        range("11.0.0.0", "100.63.255.255", Global, PUBLIC, "the internet"),
        range(
            "100.64.0.0",
            "100.127.255.255",
            Shared,
            NOT_PUBLIC,
            "RFC 6598: not globally reachable, but a peer there may be ours behind the same carrier",
        ),
        range(
            "100.128.0.0",
            "126.255.255.255",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "127.0.0.0",
            "127.255.255.255",
            Loopback,
            NOT_PUBLIC,
            "this host: RFC 1122",
        ),
        range(
            "128.0.0.0",
            "169.253.255.255",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "169.254.0.0",
            "169.254.255.255",
            LinkLocal,
            NOT_PUBLIC,
            "one link: RFC 3927",
        ),
        range(
            "169.255.0.0",
            "172.15.255.255",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "172.16.0.0",
            "172.31.255.255",
            Local,
            NOT_PUBLIC,
            "private networks: RFC 1918",
        ),
        range(
            "172.32.0.0",
            "191.255.255.255",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "192.0.0.0",
            "192.0.0.255",
            Global,
            NOT_PUBLIC,
            "protocol assignments: RFC 6890",
        ),
        range("192.0.1.0", "192.0.1.255", Global, PUBLIC, "the internet"),
        range(
            "192.0.2.0",
            "192.0.2.255",
            Global,
            NOT_PUBLIC,
            "documentation: RFC 5737",
        ),
        range(
            "192.0.3.0",
            "192.167.255.255",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "192.168.0.0",
            "192.168.255.255",
            Local,
            NOT_PUBLIC,
            "private networks: RFC 1918",
        ),
        range(
            "192.169.0.0",
            "198.17.255.255",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "198.18.0.0",
            "198.19.255.255",
            Global,
            NOT_PUBLIC,
            "benchmarks: RFC 2544",
        ),
        range(
            "198.20.0.0",
            "198.51.99.255",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "198.51.100.0",
            "198.51.100.255",
            Global,
            NOT_PUBLIC,
            "documentation: RFC 5737",
        ),
        range(
            "198.51.101.0",
            "203.0.112.255",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "203.0.113.0",
            "203.0.113.255",
            Global,
            NOT_PUBLIC,
            "documentation: RFC 5737",
        ),
        range(
            "203.0.114.0",
            "223.255.255.255",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "224.0.0.0",
            "239.255.255.255",
            Global,
            NO_HOST,
            "multicast: RFC 5771",
        ),
        range(
            "240.0.0.0",
            "255.255.255.255",
            Global,
            NO_HOST,
            "reserved: RFC 1112; broadcast",
        ),
        range("::", "::", Global, NO_HOST, "unspecified: RFC 4291"),
        range("::1", "::1", Loopback, NOT_PUBLIC, "this host: RFC 4291"),
        range(
            "::ffff:10.0.0.0",
            "::ffff:10.255.255.255",
            Local,
            NOT_PUBLIC,
            "mapped IPv4",
        ),
        range(
            "::ffff:100.64.0.0",
            "::ffff:100.127.255.255",
            Shared,
            NOT_PUBLIC,
            "mapped IPv4",
        ),
        range(
            "::7f00:0",
            "::7fff:ffff",
            Loopback,
            NOT_PUBLIC,
            "IPv4-compatible: RFC 4291",
        ),
        range(
            "64:ff9b::a9fe:0",
            "64:ff9b::a9fe:ffff",
            LinkLocal,
            NOT_PUBLIC,
            "NAT64: RFC 6052",
        ),
        range(
            "64:ff9b::808:0",
            "64:ff9b::808:ffff",
            Global,
            PUBLIC,
            "NAT64: RFC 6052",
        ),
        range(
            "2001:200::",
            "2001:db7:ffff::",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "2001:db8::",
            "2001:db8:ffff::",
            Global,
            NOT_PUBLIC,
            "documentation: RFC 3849",
        ),
        range(
            "2002:7f00::",
            "2002:7fff:ffff::",
            Loopback,
            NOT_PUBLIC,
            "6to4: RFC 3056",
        ),
        range(
            "2002:c0a8::",
            "2002:c0a8:ffff::",
            Local,
            NOT_PUBLIC,
            "6to4: RFC 3056",
        ),
        range(
            "2606:4700::",
            "2606:4700:ffff::",
            Global,
            PUBLIC,
            "the internet",
        ),
        range(
            "3fff::",
            "3fff:fff::",
            Global,
            NOT_PUBLIC,
            "documentation: RFC 9637",
        ),
        range(
            "fc00::",
            "fdff:ffff::",
            Local,
            NOT_PUBLIC,
            "unique local: RFC 4193",
        ),
        range(
            "fe80::",
            "febf:ffff::",
            LinkLocal,
            NOT_PUBLIC,
            "one link: RFC 4291",
        ),
        range(
            "fec0::",
            "feff:ffff::",
            Local,
            NOT_PUBLIC,
            "site-local: RFC 3879",
        ),
        range(
            "ff00::",
            "ffff:ffff::",
            Global,
            NO_HOST,
            "multicast: RFC 4291",
        ),
    ]
};

#[test]
fn each_range_has_its_meaning() {
    for range in RANGES {
        for text in [range.first, range.last] {
            let ip = ip(text);
            let told = format!("{text}: {}", range.why);
            assert_eq!(Scope::of(ip), range.scope, "{told}");
            assert_eq!(is_public(ip), range.is_public, "{told}");
            assert_eq!(is_unicast(ip), range.is_unicast, "{told}");
            assert_eq!(is_local(ip), range.scope >= Scope::Local, "{told}");
        }
    }
}

#[test]
fn the_table_leaves_out_no_ipv4_address() {
    let mut next = Some(Ipv4Addr::UNSPECIFIED);
    for range in RANGES {
        let (IpAddr::V4(first), IpAddr::V4(last)) = (ip(range.first), ip(range.last)) else {
            continue;
        };
        assert_eq!(Some(first), next, "{}", range.why);
        next = last.to_bits().checked_add(1).map(Ipv4Addr::from_bits);
    }
    assert_eq!(next, None);
}

#[test]
fn an_address_is_named_only_by_who_can_see_it() {
    for (namer, named, can) in [
        ("8.8.8.8", "9.9.9.9", true),
        ("8.8.8.8", "10.0.0.1", false),
        ("8.8.8.8", "100.64.0.1", false),
        ("8.8.8.8", "100.128.0.1", true),
        ("8.8.8.8", "127.0.0.1", false),
        ("8.8.8.8", "169.254.169.254", false),
        ("8.8.8.8", "::ffff:192.168.0.1", false),
        ("8.8.8.8", "64:ff9b::c0a8:1", false),
        ("8.8.8.8", "fe80::1", false),
        ("8.8.8.8", "fd00::1", false),
        ("8.8.8.8", "2001:db8::1", true),
        ("100.64.0.1", "100.64.0.2", true),
        // Our own network lies behind our router, and the carrier's behind the carrier's.
        ("100.64.0.1", "192.168.0.1", false),
        ("192.168.0.1", "100.64.0.1", true),
        ("192.168.0.1", "10.0.0.1", true),
        ("192.168.0.1", "9.9.9.9", true),
        ("192.168.0.1", "169.254.169.254", false),
        ("192.168.0.1", "127.0.0.1", false),
        ("fe80::1", "fe80::2", true),
        ("fe80::1", "192.168.0.1", true),
        ("fe80::1", "::1", false),
        ("127.0.0.1", "127.0.0.2", true),
        ("::1", "192.168.0.1", true),
        ("127.0.0.1", "0.0.0.0", false),
        ("127.0.0.1", "255.255.255.255", false),
        ("127.0.0.1", "ff02::1", false),
    ] {
        assert_eq!(
            can_name(ip(namer), at_6881(named)),
            can,
            "{namer} names {named}"
        );
    }
}

#[test]
fn no_host_listens_at_an_unusable_address() {
    for text in [
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::ffff:0.0.0.0",
        "::ffff:240.0.0.1",
        "64:ff9b::e000:1",
        "ff02::1",
    ] {
        assert!(!is_usable(at_6881(text)), "{text}");
        assert!(!is_unicast(ip(text)), "{text}");
    }
    for text in [
        "1.0.0.1",
        "223.255.255.255",
        "127.0.0.1",
        "::1",
        "fe80::1",
        "2001:db8::1",
    ] {
        assert!(is_usable(at_6881(text)), "{text}");
        assert!(
            !is_usable(SocketAddr::new(ip(text), 0)),
            "{text} has no port"
        );
    }
}

#[test]
fn special_purpose_addresses_are_not_public() {
    for text in [
        "0.0.0.0",
        "0.1.2.3",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2001::1",
        "2001:db8::1",
        "2002:c0a8:101::1",
        "3fff::1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
    ] {
        assert!(!is_public(ip(text)), "{text}");
    }
    for text in [
        "1.1.1.1",
        "100.63.0.1",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2001:4860:4860::8888",
        "2606:4700::1111",
        "2002:808:808::1",
    ] {
        assert!(is_public(ip(text)), "{text}");
    }
}

#[test]
fn a_group_is_what_one_subscriber_has() {
    let group = |text| AddressGroup::of(ip(text));
    for (one, other, is_same) in [
        ("192.0.2.1", "192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        // A translator's addresses are those of different hosts.
        ("64:ff9b::c000:201", "64:ff9b::c000:202", false),
        ("64:ff9b::c000:201", "192.0.2.1", true),
        // A subscriber of 6to4 has 65 536 networks.
        ("2002:c000:201:1::1", "2002:c000:201:2::1", true),
        // Hosts of one link or private network are several.
        ("::1", "::", false),
        ("fe80::1", "fe80::2", false),
        ("fd00::1", "fd00::2", false),
    ] {
        assert_eq!(group(one) == group(other), is_same, "{one} and {other}");
    }
    assert_eq!(group("2001:db8::42").first(), ip("2001:db8::"));
    assert_eq!(
        AddressGroup::from(ip("::ffff:9.9.9.9")).first(),
        ip("9.9.9.9")
    );
}

#[test]
fn shares_are_counted_for_each_group() {
    let share = AddressShare {
        global: 2,
        local: 9,
    };
    assert_eq!(share.of(ip("8.8.8.8")), 2);
    assert_eq!(share.of(ip("2001:db8::1")), 2);
    assert_eq!(share.of(ip("::1")), 9);
    assert_eq!(share.of(ip("100.64.0.1")), 9);
    let mut counts = AddressCounts::new();
    for text in ["2001:db8::1", "2001:db8::2", "8.8.8.8"] {
        counts.add(ip(text));
    }
    assert_eq!(
        (counts.of(ip("2001:db8::3")), counts.of(ip("8.8.8.8"))),
        (2, 1)
    );
    assert_eq!((counts.groups(), counts.total()), (2, 3));
    counts.remove(ip("8.8.8.8"));
    counts.remove(ip("8.8.8.8"));
    counts.remove(ip("9.9.9.9"));
    assert_eq!((counts.groups(), counts.total()), (1, 2));
}
