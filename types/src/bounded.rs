//! A bounded map for entries that strangers cause: it forgets its oldest entry when it is full.

use std::collections::BTreeMap;

/// At most `limit` entries; the one that was inserted longest ago makes room for a new one. Every operation costs
/// O(log entries), so that filling it is no attack.
#[derive(Debug)]
pub struct BoundedMap<K, V> {
    limit: usize,
    entries: BTreeMap<K, (u64, V)>,
    /// Keys by when they were inserted.
    order: BTreeMap<u64, K>,
    inserted: u64,
}

impl<K: Copy + Ord, V> BoundedMap<K, V> {
    /// An empty map of at most `limit` entries.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self {
            limit,
            entries: BTreeMap::new(),
            order: BTreeMap::new(),
            inserted: 0,
        }
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there is an entry.
    #[must_use]
    pub fn contains(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// The value of an entry.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The value of an entry, to change; its age stays.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// Inserts an entry, or replaces it; then it is the youngest.
    pub fn insert(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.entries.len() >= self.limit
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.inserted += 1;
        self.order.insert(self.inserted, key);
        self.entries.insert(key, (self.inserted, value));
    }

    /// Removes an entry, and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (number, value) = self.entries.remove(key)?;
        self.order.remove(&number);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_makes_room_whatever_its_key() {
        let mut map = BoundedMap::new(3);
        for key in [5, 1, 3] {
            map.insert(key, ());
        }
        // Inserted again: the youngest.
        map.insert(5, ());
        map.insert(9, ());
        let kept = [1, 3, 5, 9].map(|key| map.contains(&key));
        assert_eq!(kept, [false, true, true, true]);
        assert_eq!(map.remove(&3), Some(()));
        assert_eq!(map.remove(&3), None);
        map.insert(2, ());
        assert!(map.contains(&5));
        map.insert(4, ());
        assert!(!map.contains(&5));
        assert_eq!((map.len(), map.order.len()), (3, 3));
    }
}
