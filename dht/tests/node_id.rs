//! The id space against bit-by-bit models, and BEP 42's vectors.

use std::net::{IpAddr, Ipv6Addr};

use proptest::prelude::*;
use tailwater_dht::{NODE_ID_BITS, NodeId};

fn ids() -> impl Strategy<Value = NodeId> {
    any::<[u8; 20]>().prop_map(NodeId::new)
}

/// The bits, most significant first.
fn bits(id: &NodeId) -> Vec<bool> {
    let bytes = id.as_bytes().iter();
    bytes
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1))
        .collect()
}

/// BEP 42's reference code, with a CRC-32C that goes bit by bit.
fn bep_42_prefix(octets: &[u8], seed: u8) -> u32 {
    let masks: &[u8] = match octets.len() {
        4 => &[0x03, 0x0f, 0x3f, 0xff],
        _ => &[0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff],
    };
    let mut masked: Vec<u8> = octets.iter().zip(masks).map(|(o, m)| o & m).collect();
    masked[0] |= (seed & 7) << 5;
    let mut crc = u32::MAX;
    for byte in masked {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            let carry = crc & 1 == 1;
            crc >>= 1;
            if carry {
                crc ^= 0x82f6_3b78;
            }
        }
    }
    !crc >> 11
}

fn first_21_bits(id: &NodeId) -> u32 {
    bits(id)[..21]
        .iter()
        .fold(0, |number, bit| number << 1 | u32::from(*bit))
}

proptest! {
    #[test]
    fn distance_and_common_prefix_are_those_of_the_bits(a in ids(), b in ids(), shared in 0..=NODE_ID_BITS) {
        let b = b.with_prefix(&a, shared);
        let differ: Vec<bool> = bits(&a).iter().zip(bits(&b)).map(|(a, b)| *a != b).collect();
        let distance = a.distance(&b);
        prop_assert_eq!(bits(&NodeId::new(*distance.as_bytes())), differ.clone());
        let common = differ.iter().take_while(|differs| !**differs).count();
        prop_assert!(common >= shared);
        prop_assert_eq!(a.common_prefix_len(&b), common);
        prop_assert_eq!(distance.leading_zeros(), common);
        prop_assert_eq!(distance, b.distance(&a));
    }

    #[test]
    fn of_two_ids_the_one_with_more_in_common_is_nearer(target in ids(), a in ids(), b in ids()) {
        let (in_a, in_b) = (target.common_prefix_len(&a), target.common_prefix_len(&b));
        prop_assume!(in_a > in_b);
        prop_assert!(target.distance(&a) < target.distance(&b));
    }

    #[test]
    fn a_prefix_is_taken_bit_by_bit(id in ids(), prefix in ids(), count in 0..200_usize) {
        let taken = count.min(NODE_ID_BITS);
        let expected = [&bits(&prefix)[..taken], &bits(&id)[taken..]].concat();
        prop_assert_eq!(bits(&id.with_prefix(&prefix, count)), expected);
    }

    #[test]
    fn one_bit_is_flipped(id in ids(), bit in 0..200_usize) {
        let mut expected = bits(&id);
        if let Some(bit) = expected.get_mut(bit) {
            *bit = !*bit;
        }
        prop_assert_eq!(bits(&id.with_flipped_bit(bit)), expected);
    }

    #[test]
    fn hex_round_trips(id in ids()) {
        prop_assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn made_ids_are_those_of_the_reference_code(ip in any::<IpAddr>(), random in any::<[u8; 20]>()) {
        let octets = match ip.to_canonical() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets()[..8].to_vec(),
        };
        let id = NodeId::for_ip(ip, random);
        prop_assert_eq!(first_21_bits(&id), bep_42_prefix(&octets, random[19]));
        prop_assert!(id.is_valid_for(ip));
        prop_assert_eq!(&bits(&id)[21..], &bits(&NodeId::new(random))[21..]);
        // The bits that BEP 42 masks out do not count.
        if let IpAddr::V6(ip) = ip && ip.to_ipv4_mapped().is_none() {
            let neighbour = Ipv6Addr::from(u128::from(ip) ^ 1);
            prop_assert!(id.is_valid_for(neighbour.into()));
        }
    }
}

#[test]
fn the_vectors_of_bep_42_hold() {
    let vectors = [
        (
            "124.31.75.21",
            1,
            "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401",
        ),
        (
            "21.75.31.124",
            86,
            "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256",
        ),
        (
            "65.23.51.170",
            22,
            "a5d43220bc8f112a3d426c84764f8c2a1150e616",
        ),
        (
            "84.124.73.14",
            65,
            "1b0321dd1bb1fe518101ceef99462b947a01ff41",
        ),
        (
            "43.213.53.83",
            90,
            "e56f6cbf5b7c4be0237986d5243b87aa6d51305a",
        ),
    ];
    for (ip, random, id) in vectors {
        let ip: IpAddr = ip.parse().unwrap();
        let id: NodeId = id.parse().unwrap();
        assert_eq!(id.as_bytes()[19], random);
        assert!(id.is_valid_for(ip), "{ip}");
        // The unbound bits of the vector, and nothing of its prefix.
        let random = *id.with_prefix(&NodeId::new([0; 20]), 21).as_bytes();
        assert_eq!(NodeId::for_ip(ip, random), id, "{ip}");
        for bit in [0, 20, 159] {
            assert!(
                !id.with_flipped_bit(bit).is_valid_for(ip),
                "{ip}, bit {bit}"
            );
        }
        assert!(id.with_flipped_bit(21).is_valid_for(ip), "{ip}");
    }
}

#[test]
fn local_addresses_may_have_any_id() {
    let id = NodeId::new([0x55; 20]);
    let local = [
        "10.1.2.3",
        "172.31.0.1",
        "192.168.0.1",
        "169.254.9.9",
        "127.0.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.1.2.3",
    ];
    for ip in local {
        assert!(id.is_valid_for(ip.parse().unwrap()), "{ip}");
    }
    for ip in ["172.32.0.1", "11.0.0.1", "2001:db8::1", "::ffff:11.0.0.1"] {
        assert!(!id.is_valid_for(ip.parse().unwrap()), "{ip}");
    }
}
