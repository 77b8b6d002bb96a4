//! Notices that gateways multicast after a restart: a NAT-PMP gateway announces its address ([RFC 6886, 3.2.1]), a PCP
//! server that its state is new ([RFC 6887, 14.1]).
//!
//! [RFC 6886, 3.2.1]: https://www.rfc-editor.org/rfc/rfc6886#section-3.2.1
//! [RFC 6887, 14.1]: https://www.rfc-editor.org/rfc/rfc6887#section-14.1

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::net::UdpSocket;

use super::terms::Notice;

// Both protocols send notices to all hosts of the link, at this address and port (RFC 6886, 3.2.1; RFC 6887, 14.1).
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const PORT: u16 = 5350;
/// No PCP message is longer (RFC 6887, 7).
const MAX_LEN: usize = 1100;

// The first byte of a message is the version of its protocol.
const NAT_PMP: u8 = 0;
const PCP: u8 = 2;
/// The answer to "external address" in NAT-PMP, and to "announce" in PCP.
const ADDRESS_OR_ANNOUNCE: u8 = 0x80;
const PCP_HEADER_LEN: usize = 24;

/// The socket that receives notices.
pub(super) struct Notices {
    socket: Option<UdpSocket>,
}

impl Notices {
    /// Listens for notices. It never receives any if not asked to listen, or if another program has the port to itself.
    pub(super) fn new(listens: bool) -> Self {
        let listening = listens.then(listen).transpose();
        let socket = listening
            .inspect_err(|error| tracing::debug!("not listening to what gateways say: {error}"))
            .ok()
            .flatten();
        Self { socket }
    }

    /// Waits for the next notice. Cancel safe.
    pub(super) async fn next(&mut self) -> Notice {
        let mut buffer = [0; MAX_LEN];
        while let Some(socket) = &self.socket {
            match socket.recv_from(&mut buffer).await {
                Ok((len, from)) => {
                    let said = buffer.get(..len).unwrap_or_default();
                    if let Some(notice) = parse(said, from) {
                        return notice;
                    }
                }
                // The next attempt would fail at once, too.
                Err(error) => {
                    tracing::debug!("not listening any more to what gateways say: {error}");
                    self.socket = None;
                }
            }
        }
        std::future::pending().await
    }
}

fn listen() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    // Other programs of this machine that map ports listen too.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)).into())?;
    socket.join_multicast_v4(&GROUP, &Ipv4Addr::UNSPECIFIED)?;
    UdpSocket::from_std(socket.into())
}

fn parse(said: &[u8], from: SocketAddr) -> Option<Notice> {
    let IpAddr::V4(from) = from.ip() else {
        return None;
    };
    let (epoch, address) = match *said {
        // Result 0; the rest is epoch and address.
        [
            NAT_PMP,
            ADDRESS_OR_ANNOUNCE,
            0,
            0,
            e0,
            e1,
            e2,
            e3,
            a0,
            a1,
            a2,
            a3,
        ] => {
            let address = Ipv4Addr::new(a0, a1, a2, a3);
            ([e0, e1, e2, e3], Some(address))
        }
        // Result 0 is the fourth byte; the lifetime after it means nothing here. Options may follow.
        [
            PCP,
            ADDRESS_OR_ANNOUNCE,
            _,
            0,
            _,
            _,
            _,
            _,
            e0,
            e1,
            e2,
            e3,
            ..,
        ] if said.len() >= PCP_HEADER_LEN => ([e0, e1, e2, e3], None),
        _ => return None,
    };
    Some(Notice {
        from,
        epoch: u32::from_be_bytes(epoch),
        address: address.filter(|address| !address.is_unspecified()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FROM: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 168, 1, 1)), 5351);

    fn notice(epoch: u32, address: Option<[u8; 4]>) -> Notice {
        Notice {
            from: Ipv4Addr::new(192, 168, 1, 1),
            epoch,
            address: address.map(Ipv4Addr::from),
        }
    }

    fn pcp(len: usize) -> Vec<u8> {
        let mut said = vec![2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2];
        said.resize(len, 0);
        said
    }

    #[test]
    fn both_protocols_are_understood() {
        let nat_pmp = [0, 0x80, 0, 0, 0, 0, 0, 9, 203, 0, 113, 7];
        assert_eq!(
            parse(&nat_pmp, FROM),
            Some(notice(9, Some([203, 0, 113, 7])))
        );
        assert_eq!(parse(&pcp(24), FROM), Some(notice(258, None)));
    }

    #[test]
    fn an_address_of_zeros_is_none() {
        let lost = [0, 0x80, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0];
        assert_eq!(parse(&lost, FROM), Some(notice(9, None)));
    }

    #[test]
    fn anything_else_is_ignored() {
        let with = |at: usize, byte| {
            let mut said = pcp(24);
            said[at] = byte;
            said
        };
        let wrong = [
            vec![],
            pcp(12),
            pcp(23),
            with(0, 1),
            with(1, 0x00),
            with(1, 0x81),
            with(3, 2),
            vec![0, 0x80, 0, 3, 0, 0, 0, 9, 1, 2, 3, 4],
            vec![0, 0x80, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4, 5],
            vec![0, 0x81, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4],
        ];
        for said in wrong {
            assert_eq!(parse(&said, FROM), None, "{said:?}");
        }
        let v6 = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 5351));
        assert_eq!(parse(&pcp(24), v6), None);
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(said: Vec<u8>) {
            if let Some(notice) = parse(&said, FROM) {
                prop_assert!(said.len() >= 12);
                prop_assert_eq!(IpAddr::V4(notice.from), FROM.ip());
            }
        }
    }
}
