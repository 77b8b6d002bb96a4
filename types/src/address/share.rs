//! Limits for each address group, and counters for them.

use std::collections::HashMap;
use std::net::IpAddr;

use super::{AddressGroup, Scope};

/// A limit for each address group: how many of something it may have, such as connections or entries of a table.
///
/// An address is an [`AddressGroup`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
// Not `#[non_exhaustive]`: callers make it.
pub struct AddressShare {
    /// An address of the internet. Behind it is one home, or a few at a provider that translates addresses.
    pub global: usize,
    /// An address of this host, of a private network or of the shared address space: many clients may run on one machine, and a gateway may stand for
    /// all of its network.
    pub local: usize,
}

impl AddressShare {
    /// The share of an address.
    #[must_use]
    pub const fn of(&self, ip: IpAddr) -> usize {
        match Scope::of(ip) {
            Scope::Global => self.global,
            Scope::Shared | Scope::Local | Scope::LinkLocal | Scope::Loopback => self.local,
        }
    }
}

/// Counts how many of something each address group has. A group that has none takes no memory, others about 64 bytes.
#[derive(Clone, Debug, Default)]
pub struct AddressCounts {
    /// Never iterated: its order is random.
    counts: HashMap<AddressGroup, usize>,
}

impl AddressCounts {
    /// No group has any.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many the group of an address has.
    #[must_use]
    pub fn of(&self, ip: IpAddr) -> usize {
        let count = self.counts.get(&AddressGroup::of(ip));
        count.copied().unwrap_or_default()
    }

    /// Counts one more.
    pub fn add(&mut self, ip: IpAddr) {
        let count = self.counts.entry(AddressGroup::of(ip)).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts one less; nothing happens if there is none.
    pub fn remove(&mut self, ip: IpAddr) {
        let group = AddressGroup::of(ip);
        let Some(count) = self.counts.get_mut(&group) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&group);
        }
    }

    /// How many groups have any.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.counts.len()
    }

    /// How many there are in all. Looks at every group.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.values().sum()
    }
}
