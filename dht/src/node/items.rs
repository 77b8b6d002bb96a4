//! The store of items that others have put (BEP 44).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use tailwater_types::address::{AddressCounts, AddressGroup, AddressShare};

use crate::{ErrorCode, Item, NodeId};

/// How long an item is kept after it was last put (BEP 44).
pub const ITEM_LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Debug)]
pub(super) struct ItemStore {
    items: BTreeMap<NodeId, Stored>,
    limit: usize,
    share: AddressShare,
    /// How many of the items each address has stored.
    of_address: AddressCounts,
    expire_at: Option<Instant>,
}

#[derive(Debug)]
struct Stored {
    item: Item,
    put: Instant,
    /// The address that stored it first. A later put does not change it, or an address could have its items counted as another's.
    by: IpAddr,
}

impl ItemStore {
    pub(super) fn new(limit: usize, share: AddressShare) -> Self {
        Self {
            items: BTreeMap::new(),
            limit,
            share,
            of_address: AddressCounts::new(),
            expire_at: None,
        }
    }

    pub(super) fn get(&self, target: &NodeId) -> Option<&Item> {
        self.items.get(target).map(|stored| &stored.item)
    }

    /// Stores an item that the address `from` puts, or extends its lifetime.
    pub(super) fn put(
        &mut self,
        now: Instant,
        from: IpAddr,
        item: Item,
        cas: Option<i64>,
    ) -> Result<(), ErrorCode> {
        let target = item.target();
        let stored = self.items.get(&target).map(|stored| &stored.item);
        if let (Item::Mutable(new), Some(Item::Mutable(old))) = (&item, stored) {
            if cas.is_some_and(|cas| cas != old.seq()) {
                return Err(ErrorCode::CAS_MISMATCH);
            }
            // One sequence number has one value.
            if new.seq() < old.seq() || new.seq() == old.seq() && new.value() != old.value() {
                return Err(ErrorCode::SEQ_TOO_LOW);
            }
        }
        if stored.is_none() && self.of_address.of(from) >= self.share.of(from) {
            return Err(ErrorCode::SERVER);
        }
        // Checked last, as it costs the most; not again for what is known.
        if stored != Some(&item)
            && let Item::Mutable(new) = &item
            && !new.is_valid()
        {
            return Err(ErrorCode::INVALID_SIGNATURE);
        }
        if stored.is_none() && self.items.len() >= self.limit {
            self.drop_stalest();
        }
        if self.limit == 0 {
            return Err(ErrorCode::SERVER);
        }
        let by = match self.items.get(&target) {
            Some(stored) => stored.by,
            None => {
                self.of_address.add(from);
                from
            }
        };
        self.items.insert(target, Stored { item, put: now, by });
        self.expire_at = self.expire_at.or_else(|| now.checked_add(ITEM_LIFETIME));
        Ok(())
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.expire_at.is_none_or(|at| at > now) {
            return;
        }
        let of_address = &mut self.of_address;
        self.items.retain(|_, stored| {
            let is_young = now.saturating_duration_since(stored.put) < ITEM_LIFETIME;
            if !is_young {
                of_address.remove(stored.by);
            }
            is_young
        });
        let oldest = self.items.values().map(|stored| stored.put).min();
        self.expire_at = oldest.and_then(|put| put.checked_add(ITEM_LIFETIME));
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.expire_at
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    fn drop_stalest(&mut self) {
        let stalest = self.items.iter().min_by_key(|(_, stored)| stored.put);
        let stalest = stalest.map(|(target, _)| *target);
        if let Some(gone) = stalest.and_then(|target| self.items.remove(&target)) {
            self.of_address.remove(gone.by);
        }
    }

    pub(super) fn check_invariants(&self) {
        assert!(self.items.len() <= self.limit, "too many items");
        assert_eq!(
            self.of_address.total(),
            self.items.len(),
            "shares are counted"
        );
        assert!(
            self.items.is_empty() || self.expire_at.is_some(),
            "items for ever"
        );
        for (target, stored) in &self.items {
            assert_eq!(stored.item.target(), *target, "an item in another's place");
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let values = self.items.values();
        let values: usize = values
            .map(|stored| stored.item.value().as_bytes().len())
            .sum();
        values
            + self.items.len() * 2 * size_of::<(NodeId, Stored)>()
            + self.of_address.groups() * 2 * size_of::<(AddressGroup, usize)>()
    }
}
