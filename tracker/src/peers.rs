//! Compact peer lists (BEP 23, BEP 7), shared by HTTP and UDP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tailwater_types::address::is_unicast;

use crate::announce::MAX_PEERS;

/// Address and port of an IPv4 peer (BEP 23).
pub(crate) const COMPACT_V4_LEN: usize = 6;
/// Address and port of an IPv6 peer (BEP 7).
pub(crate) const COMPACT_V6_LEN: usize = 18;

/// The most peers of one address: a list of thousands of its ports must not push out the rest. Swarms at one address
/// are those of tests.
const MAX_PORTS_OF_ADDRESS: usize = 500;

/// Adds the usable ones of a packed list, up to [`MAX_PEERS`] in all. A last entry that is cut
/// short is ignored.
pub(crate) fn read_v4(packed: &[u8], peers: &mut Vec<SocketAddr>) {
    for entry in packed.chunks_exact(COMPACT_V4_LEN) {
        let &[a, b, c, d, high, low] = entry else {
            continue;
        };
        add(
            IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            u16::from_be_bytes([high, low]),
            peers,
        );
    }
}

/// As [`read_v4`], for entries of 18 bytes.
pub(crate) fn read_v6(packed: &[u8], peers: &mut Vec<SocketAddr>) {
    for entry in packed.chunks_exact(COMPACT_V6_LEN) {
        let Some((&address, &[high, low])) = entry.split_first_chunk::<16>() else {
            continue;
        };
        add(
            IpAddr::V6(Ipv6Addr::from(address)),
            u16::from_be_bytes([high, low]),
            peers,
        );
    }
}

/// Adds a peer unless no host can be there or the list is full, of its address or in all.
pub(crate) fn add(address: IpAddr, port: u16, peers: &mut Vec<SocketAddr>) {
    // `::ffff:1.2.3.4` is the IPv4 peer: it takes an IPv4 socket to reach it.
    let address = address.to_canonical();
    if port == 0 || !is_unicast(address) || peers.len() >= MAX_PEERS {
        return;
    }
    let ports = peers.iter().filter(|peer| peer.ip() == address);
    if ports.take(MAX_PORTS_OF_ADDRESS).count() < MAX_PORTS_OF_ADDRESS {
        peers.push(SocketAddr::new(address, port));
    }
}

/// Appends one peer: 6 bytes for IPv4, 18 for IPv6.
pub(crate) fn write(peer: SocketAddr, packed: &mut Vec<u8>) {
    match peer.ip() {
        IpAddr::V4(v4) => packed.extend_from_slice(&v4.octets()),
        IpAddr::V6(v6) => packed.extend_from_slice(&v6.octets()),
    }
    packed.extend_from_slice(&peer.port().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(packed: &[u8]) -> Vec<SocketAddr> {
        let mut peers = Vec::new();
        read_v4(packed, &mut peers);
        peers
    }

    #[test]
    fn thousands_of_ports_of_one_address_leave_room_for_others() {
        let mut packed = Vec::new();
        for port in 1..=5_000 {
            write(SocketAddr::from(([1, 1, 1, 1], port)), &mut packed);
        }
        let honest = SocketAddr::from(([2, 2, 2, 2], 6881));
        write(honest, &mut packed);
        let peers = read(&packed);
        assert_eq!(peers.len(), MAX_PORTS_OF_ADDRESS + 1);
        assert_eq!(peers.last(), Some(&honest));
    }

    #[test]
    fn a_packed_list_round_trips() {
        let list: [SocketAddr; 2] = [
            "10.1.2.3:6881".parse().unwrap(),
            "1.1.1.1:1".parse().unwrap(),
        ];
        let mut packed = Vec::new();
        list.iter().for_each(|peer| write(*peer, &mut packed));
        assert_eq!(packed.len(), 2 * COMPACT_V4_LEN);
        assert_eq!(read(&packed), list);

        let six: SocketAddr = "[2001:db8::7]:6881".parse().unwrap();
        let (mut packed, mut peers) = (Vec::new(), Vec::new());
        write(six, &mut packed);
        assert_eq!(packed.len(), COMPACT_V6_LEN);
        read_v6(&packed, &mut peers);
        assert_eq!(peers, [six]);
    }

    #[test]
    fn nobody_is_at_these_addresses() {
        let unusable: [&[u8; 6]; 4] = [
            b"\x01\x01\x01\x01\x00\x00",
            b"\x00\x00\x00\x00\x1a\xe1",
            b"\xff\xff\xff\xff\x1a\xe1",
            b"\xe0\x00\x00\x01\x1a\xe1",
        ];
        for packed in unusable {
            assert_eq!(read(packed), [], "{packed:?}");
        }
    }

    #[test]
    fn the_list_is_bounded_and_a_cut_entry_ignored() {
        let mut packed = Vec::new();
        for number in 0..u32::try_from(MAX_PEERS).unwrap() + 5 {
            let ip = Ipv4Addr::from_bits(0x0101_0000 + number);
            write(SocketAddr::new(ip.into(), 6881), &mut packed);
        }
        assert_eq!(read(&packed).len(), MAX_PEERS);
        assert_eq!(read(&[1; COMPACT_V4_LEN + 3]).len(), 1);
    }

    #[test]
    fn a_mapped_address_becomes_ipv4() {
        let mut packed = Ipv4Addr::new(9, 8, 7, 6).to_ipv6_mapped().octets().to_vec();
        packed.extend_from_slice(&80u16.to_be_bytes());
        let mut peers = Vec::new();
        read_v6(&packed, &mut peers);
        assert_eq!(peers, ["9.8.7.6:80".parse().unwrap()]);
    }
}
