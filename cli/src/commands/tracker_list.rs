//! The trackers of a torrent, each once.

use std::collections::HashSet;

use crate::args::{Tier, tracker_key};
use crate::out::Harmless;

/// The tiers as URLs, in their order. A tracker that comes again, however it is written, is left out with a warning.
pub(super) fn tiers(tiers: &[Tier], warn: impl Fn(String)) -> Vec<Vec<String>> {
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for Tier(urls) in tiers {
        let mut tier = Vec::new();
        for url in urls {
            match seen.insert(tracker_key(url.as_str())) {
                true => tier.push(url.to_string()),
                false => warn(format!(
                    "warning: the tracker {} is given twice, and taken once",
                    Harmless(url.as_str())
                )),
            }
        }
        kept.extend((!tier.is_empty()).then_some(tier));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tracker_is_taken_once() {
        let given = ["http://T:80/a", "udp://u:1,http://t/a", "http://t/a/"];
        let given: Vec<Tier> = given.map(|text| text.parse().expect("a tier")).to_vec();
        let warnings = std::cell::RefCell::new(Vec::new());
        let kept = tiers(&given, |text| warnings.borrow_mut().push(text));
        assert_eq!(kept, [["http://t/a"], ["udp://u:1"]]);
        assert_eq!(warnings.borrow().len(), 2);
    }
}
