//! Things by their names: when each was found changed, and which are gone. Of what they say a hash is kept, not the value.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};

use serde_json::Value;

/// The most things that are gone and remembered. A client that has not asked since the one before these starts over.
const MAX_GONE: usize = 4_096;

/// Numbers of revisions begin with the seconds since this time (2023-11-14), as they have to be small: clients keep them in
/// 32 bits. A process counts no faster than its clock, and so none meets a number of the one before it.
const FIRST: u64 = 1_700_000_000;

/// The first revision of a process that begins at a Unix time.
pub(super) fn first_revision(now: u64) -> u32 {
    u32::try_from(now.saturating_sub(FIRST)).unwrap_or(1).max(1)
}

/// What of a value is kept.
pub(super) fn fingerprint(value: &Value) -> u64 {
    let hasher = &mut DefaultHasher::new();
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(is_so) => (1_u8, is_so).hash(hasher),
        Value::Number(number) => match number.as_i64() {
            Some(int) => (2_u8, int).hash(hasher),
            None => (3_u8, number.as_f64().unwrap_or(0.0).to_bits()).hash(hasher),
        },
        Value::String(text) => (4_u8, text).hash(hasher),
        value => (5_u8, value.to_string()).hash(hasher),
    }
    hasher.finish()
}

/// Named things.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    there: BTreeMap<String, Seen>,
    gone: VecDeque<(u32, String)>,
    /// What is gone since this revision is known.
    pub(super) knows_since: u32,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    fingerprint: u64,
    revision: u32,
}

impl Tracked {
    /// Compares all with how they were; `next` is the revision of what is found. Whether something was.
    pub(super) fn look(&mut self, all: impl IntoIterator<Item = (String, u64)>, next: u32) -> bool {
        let mut before = std::mem::take(&mut self.there);
        let mut has_changed = false;
        for (name, fingerprint) in all {
            let known = before
                .remove(&name)
                .filter(|known| known.fingerprint == fingerprint);
            has_changed |= known.is_none();
            let seen = known.unwrap_or(Seen {
                fingerprint,
                revision: next,
            });
            self.there.insert(name, seen);
        }
        has_changed |= !before.is_empty();
        for name in before.into_keys() {
            self.handle_gone(name, next);
        }
        has_changed
    }

    /// Something is gone.
    pub(super) fn handle_gone(&mut self, name: String, next: u32) {
        if self.gone.len() == MAX_GONE
            && let Some((revision, _)) = self.gone.pop_front()
        {
            self.knows_since = revision;
        }
        self.gone.push_back((next, name));
    }

    /// Whether it has changed since a revision.
    pub(super) fn has_changed(&self, name: &str, since: u32) -> bool {
        self.there
            .get(name)
            .is_some_and(|seen| seen.revision > since)
    }

    /// Those that are gone since a revision, and not there again.
    pub(super) fn gone_since(&self, since: u32) -> Vec<String> {
        let gone = self.gone.iter().filter(|(revision, _)| *revision > since);
        let gone = gone.filter(|(_, name)| !self.there.contains_key(name));
        let mut names: Vec<String> = gone.map(|(_, name)| name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn look(tracked: &mut Tracked, all: &[(&str, u64)], next: u32) -> bool {
        tracked.look(
            all.iter().map(|(name, hash)| ((*name).to_owned(), *hash)),
            next,
        )
    }

    #[test]
    fn what_is_new_changed_or_gone_is_told_since_a_revision() {
        let mut tracked = Tracked::default();
        assert!(look(&mut tracked, &[("a", 1), ("b", 1)], 5));
        assert!(!look(&mut tracked, &[("a", 1), ("b", 1)], 6));
        assert!(look(&mut tracked, &[("a", 2), ("c", 1)], 7));
        let changed = |since| ["a", "b", "c"].map(|name| tracked.has_changed(name, since));
        assert_eq!(changed(4), [true, false, true]);
        assert_eq!(changed(6), [true, false, true]);
        assert_eq!(changed(7), [false; 3]);
        assert_eq!(
            (tracked.gone_since(6), tracked.gone_since(7)),
            (vec!["b".to_owned()], vec![])
        );
        assert!(look(&mut tracked, &[("a", 2), ("b", 1), ("c", 1)], 8));
        assert!(tracked.gone_since(6).is_empty() && tracked.has_changed("b", 7));
    }

    #[test]
    fn what_is_gone_is_remembered_within_bounds() {
        let mut tracked = Tracked::default();
        for number in 0..10_000_u32 {
            tracked.handle_gone(number.to_string(), number);
        }
        assert_eq!(tracked.gone.len(), MAX_GONE);
        assert_eq!(tracked.gone_since(0).len(), MAX_GONE);
        assert_eq!(tracked.knows_since, 10_000 - 4_096 - 1);
    }

    #[test]
    fn values_have_fingerprints() {
        let values = [
            json!(null),
            json!(true),
            json!(1),
            json!(1.5),
            json!("1"),
            json!([1]),
            json!({"a": 1}),
        ];
        let mut all: Vec<u64> = values.iter().map(fingerprint).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), values.len());
    }

    #[test]
    fn revisions_fit_into_31_bits_until_2091() {
        assert!(first_revision(3_840_000_000) < 1 << 31);
        assert_eq!((first_revision(0), first_revision(FIRST + 7)), (1, 7));
    }
}
