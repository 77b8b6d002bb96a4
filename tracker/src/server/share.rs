//! How many of something each address has.

use std::collections::HashMap;
use std::net::IpAddr;

use tailwater_types::address::AddressGroup;

/// A count for each address that has any: an IPv4 address, or a /64 of IPv6.
#[derive(Debug, Default)]
pub(super) struct Shares {
    counts: HashMap<AddressGroup, usize>,
}

impl Shares {
    pub(super) fn of(&self, ip: IpAddr) -> usize {
        let count = self.counts.get(&AddressGroup::of(ip));
        count.copied().unwrap_or_default()
    }

    pub(super) fn add(&mut self, ip: IpAddr) {
        *self.counts.entry(AddressGroup::of(ip)).or_default() += 1;
    }

    /// Takes back what was added; an address that has none left takes no memory.
    pub(super) fn remove(&mut self, ip: IpAddr) {
        let group = AddressGroup::of(ip);
        if let Some(count) = self.counts.get_mut(&group) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&group);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn total(&self) -> usize {
        self.counts.values().sum()
    }
}
