//! Our external addresses, by the votes of others.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tailwater_types::address::is_unicast;

use crate::torrent::membership::host::site;

/// Votes that are kept for each address family; older ones make room.
const MAX_VOTES: usize = 32;
/// The least number of sites that have to agree: one peer could say anything, and two addresses are cheap.
const MIN_VOTES: usize = 3;

/// The votes on our external address, for both address families.
#[derive(Debug, Default)]
pub(crate) struct External {
    v4: Ballot,
    v6: Ballot,
}

#[derive(Debug, Default)]
struct Ballot {
    /// What a trusted source says; peers do not outvote it.
    told: Option<IpAddr>,
    /// Which site voted for what, the latest last. Each has one vote, whatever the number of its addresses.
    votes: VecDeque<(IpAddr, IpAddr)>,
}

impl External {
    pub(crate) fn v4(&self) -> Option<Ipv4Addr> {
        match self.v4.winner() {
            Some(IpAddr::V4(ip)) => Some(ip),
            _ => None,
        }
    }

    pub(crate) fn v6(&self) -> Option<Ipv6Addr> {
        match self.v6.winner() {
            Some(IpAddr::V6(ip)) => Some(ip),
            _ => None,
        }
    }

    /// A trusted source has told our address.
    pub(crate) fn handle_told(&mut self, ip: IpAddr) {
        let ip = ip.to_canonical();
        if is_unicast(ip) {
            self.ballot(ip).told = Some(ip);
        }
    }

    /// A peer has told the address that it sees (`yourip`, BEP 10).
    pub(crate) fn handle_vote(&mut self, voter: IpAddr, ip: IpAddr) {
        let (voter, ip) = (site(voter), ip.to_canonical());
        if is_unicast(ip) {
            let votes = &mut self.ballot(ip).votes;
            votes.retain(|(who, _)| *who != voter);
            if votes.len() == MAX_VOTES {
                votes.pop_front();
            }
            votes.push_back((voter, ip));
        }
    }

    const fn ballot(&mut self, ip: IpAddr) -> &mut Ballot {
        match ip {
            IpAddr::V4(_) => &mut self.v4,
            IpAddr::V6(_) => &mut self.v6,
        }
    }
}

impl Ballot {
    /// The address that was told, or else that of more than half of the votes.
    fn winner(&self) -> Option<IpAddr> {
        let for_ip = |ip: IpAddr| self.votes.iter().filter(|(_, vote)| *vote == ip).count();
        let needed = MIN_VOTES.max(self.votes.len() / 2 + 1);
        let mut voted = self.votes.iter().map(|(_, vote)| *vote);
        self.told.or_else(|| voted.find(|ip| for_ip(*ip) >= needed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([9, 9, 9, last])
    }

    /// A voter at a site of its own.
    fn voter(number: u8) -> IpAddr {
        IpAddr::from([8, 8, number, 8])
    }

    #[test]
    fn more_than_half_of_the_voters_decide_and_two_alone_do_not() {
        let mut external = External::default();
        for number in [1, 1, 2] {
            external.handle_vote(voter(number), ip(1));
        }
        assert_eq!(external.v4(), None, "two voters");
        external.handle_vote(voter(3), ip(1));
        assert_eq!(external.v4(), Some([9, 9, 9, 1].into()));
        for number in 4..=6 {
            external.handle_vote(voter(number), ip(number));
        }
        assert_eq!(external.v4(), None, "half is not more than half");
        // A voter that changes its mind has voted once.
        external.handle_vote(voter(4), ip(1));
        assert_eq!(external.v4(), Some([9, 9, 9, 1].into()));
        assert_eq!(external.v6(), None);
    }

    #[test]
    fn a_site_has_one_vote_whatever_the_number_of_its_addresses() {
        let mut external = External::default();
        for last in 0..200 {
            external.handle_vote(IpAddr::from([8, 8, 8, last]), ip(1));
            let six = [0x2001, 0xdb8, 1, u16::from(last), 0, 0, 0, 1];
            external.handle_vote(IpAddr::from(six), ip(1));
        }
        assert_eq!(external.v4(), None);
        assert_eq!(external.v4.votes.len(), 2);
    }

    #[test]
    fn the_word_of_who_knows_is_not_outvoted() {
        let mut external = External::default();
        external.handle_told(ip(7));
        for number in 0..100 {
            external.handle_vote(voter(number), ip(1));
        }
        assert_eq!(external.v4(), Some([9, 9, 9, 7].into()));
        assert_eq!(external.v4.votes.len(), MAX_VOTES);
    }

    #[test]
    fn what_nobody_can_have_does_not_count() {
        let mut external = External::default();
        for impossible in [
            "0.0.0.0",
            "240.0.0.1",
            "255.255.255.255",
            "224.0.0.1",
            "::",
            "ff02::1",
        ] {
            external.handle_told(impossible.parse().unwrap());
            for number in 0..5 {
                external.handle_vote(voter(number), impossible.parse().unwrap());
            }
        }
        assert_eq!((external.v4(), external.v6()), (None, None));
        // An IPv4-mapped IPv6 address is an IPv4 address.
        external.handle_told("::ffff:9.9.9.9".parse().unwrap());
        assert_eq!(external.v4(), Some([9, 9, 9, 9].into()));
    }
}
