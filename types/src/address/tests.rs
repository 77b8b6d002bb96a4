use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at_6881(text: &str) -> SocketAddr {
    SocketAddr::new(ip(text), 6881)
}

#[test]
fn each_range_has_its_scope() {
    for (scope, texts) in [
        (
            Scope::Loopback,
            &[
                "127.0.0.1",
                "127.255.255.255",
                "::1",
                "::ffff:127.0.0.1",
                "::7f00:1",
                "64:ff9b::7f00:1",
                "2002:7f00:1::1",
            ][..],
        ),
        (
            Scope::LinkLocal,
            &[
                "169.254.169.254",
                "::ffff:169.254.169.254",
                "64:ff9b::a9fe:a9fe",
                "fe80::1",
                "febf::1",
            ],
        ),
        (
            Scope::Local,
            &[
                "10.0.0.1",
                "172.16.0.1",
                "172.31.255.255",
                "192.168.1.1",
                "100.64.0.1",
                "100.127.255.255",
                "::ffff:10.0.0.1",
                "fc00::1",
                "fdff::1",
                "fec0::1",
                "2002:c0a8:101::1",
            ],
        ),
        (
            Scope::Global,
            &[
                "8.8.8.8",
                "100.63.255.255",
                "100.128.0.1",
                "169.253.0.1",
                "169.255.0.1",
                "172.15.0.1",
                "172.32.0.1",
                "203.0.113.1",
                "2001:db8::1",
                "2606:4700::1111",
                "64:ff9b::808:808",
                "2002:808:808::1",
            ],
        ),
    ] {
        for text in texts {
            assert_eq!(Scope::of(ip(text)), scope, "{text}");
        }
    }
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
