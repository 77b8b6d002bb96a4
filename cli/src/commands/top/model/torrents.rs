//! The torrents that the daemon has, and which of them are listed in which order.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::torrent::{Id, State, Torrent};

/// What the list can be sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SortBy {
    #[default]
    Added,
    Name,
    State,
    Progress,
    Down,
    Up,
    Size,
    Ratio,
    Eta,
    Peers,
    Queue,
}

impl SortBy {
    pub(crate) const ALL: [Self; 11] = [
        Self::Added,
        Self::Name,
        Self::State,
        Self::Progress,
        Self::Down,
        Self::Up,
        Self::Size,
        Self::Ratio,
        Self::Eta,
        Self::Peers,
        Self::Queue,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Name => "name",
            Self::State => "state",
            Self::Progress => "done",
            Self::Down => "down",
            Self::Up => "up",
            Self::Size => "size",
            Self::Ratio => "ratio",
            Self::Eta => "left",
            Self::Peers => "peers",
            Self::Queue => "place",
        }
    }

    /// Whether the largest comes first unless it is asked the other way round.
    pub(crate) const fn is_descending(self) -> bool {
        matches!(
            self,
            Self::Progress | Self::Down | Self::Up | Self::Size | Self::Ratio | Self::Peers
        )
    }

    fn compare(self, a: &Row, b: &Row) -> Ordering {
        let (one, other) = (&a.torrent, &b.torrent);
        match self {
            Self::Added => one.added.cmp(&other.added),
            Self::Name => a.lower.cmp(&b.lower),
            Self::State => one.state.cmp(&other.state),
            Self::Progress => one.progress.total_cmp(&other.progress),
            Self::Down => one.down_rate.cmp(&other.down_rate),
            Self::Up => one.up_rate.cmp(&other.up_rate),
            Self::Size => one.size.cmp(&other.size),
            Self::Ratio => one.ratio.total_cmp(&other.ratio),
            Self::Eta => {
                let eta = |torrent: &Torrent| torrent.eta.unwrap_or(u64::MAX);
                eta(one).cmp(&eta(other))
            }
            Self::Peers => one.peers.cmp(&other.peers),
            Self::Queue => one.queue_position.cmp(&other.queue_position),
        }
    }
}

/// Which torrents are listed, by what they do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Filter {
    #[default]
    All,
    Active,
    Downloading,
    Seeding,
    Paused,
    Queued,
    Failed,
}

impl Filter {
    pub(crate) const ALL: [Self; 7] = [
        Self::All,
        Self::Active,
        Self::Downloading,
        Self::Seeding,
        Self::Paused,
        Self::Queued,
        Self::Failed,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Active => "active",
            Self::Downloading => "downloading",
            Self::Seeding => "seeding",
            Self::Paused => "paused",
            Self::Queued => "queued",
            Self::Failed => "with an error",
        }
    }

    const fn has(self, torrent: &Torrent) -> bool {
        match self {
            Self::All => true,
            Self::Active => torrent.is_active(),
            Self::Downloading => matches!(torrent.state, State::Downloading | State::Metadata),
            Self::Seeding => matches!(torrent.state, State::Seeding),
            Self::Paused => matches!(torrent.state, State::Paused),
            Self::Queued => matches!(torrent.state, State::Queued),
            Self::Failed => matches!(torrent.state, State::Error),
        }
    }
}

/// The order and the choice of what is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) sort: SortBy,
    pub(crate) is_reversed: bool,
    pub(crate) filter: Filter,
    /// In lower case; behind a `#` the beginning of a label, else a part of the name.
    pub(crate) search: String,
}

impl Listing {
    fn has(&self, row: &Row) -> bool {
        let is_found = match self.search.strip_prefix('#') {
            Some(label) => {
                let mut labels = row.torrent.labels.iter();
                label.is_empty() || labels.any(|it| it.to_lowercase().starts_with(label))
            }
            None => row.lower.contains(&self.search),
        };
        is_found && self.filter.has(&row.torrent)
    }

    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        let order = self.sort.compare(a, b);
        let order = match self.sort.is_descending() != self.is_reversed {
            true => order.reverse(),
            false => order,
        };
        order.then_with(|| a.torrent.number.cmp(&b.torrent.number))
    }
}

/// A torrent, and its name as it is searched and sorted.
#[derive(Clone, Debug)]
struct Row {
    torrent: Torrent,
    lower: String,
}

/// All torrents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Torrents {
    rows: Vec<Row>,
    by_id: HashMap<Id, usize>,
    listing: Listing,
    /// Places in `rows`: those that are listed, in their order.
    listed: Vec<usize>,
}

impl Torrents {
    /// Takes changes over. Where everything begins anew, torrents that are not named are gone.
    pub(crate) fn take(&mut self, is_whole: bool, changed: Vec<Torrent>, removed: &[Id]) {
        if is_whole {
            self.rows.clear();
            self.by_id.clear();
        }
        for id in removed {
            self.remove(id);
        }
        for torrent in changed {
            match self.by_id.get(&torrent.id) {
                Some(place) => {
                    let row = &mut self.rows[*place];
                    if row.torrent.shown() != torrent.shown() {
                        row.lower = torrent.shown().to_lowercase();
                    }
                    row.torrent = torrent;
                }
                None => {
                    self.by_id.insert(torrent.id.clone(), self.rows.len());
                    let lower = torrent.shown().to_lowercase();
                    self.rows.push(Row { torrent, lower });
                }
            }
        }
        self.list();
    }

    fn remove(&mut self, id: &str) {
        let Some(place) = self.by_id.remove(id) else {
            return;
        };
        self.rows.swap_remove(place);
        if let Some(moved) = self.rows.get(place) {
            self.by_id.insert(moved.torrent.id.clone(), place);
        }
    }

    /// Lists others, or in another order.
    pub(crate) fn set_listing(&mut self, listing: Listing) {
        self.listing = listing;
        self.list();
    }

    fn list(&mut self) {
        let (rows, listing) = (&self.rows, &self.listing);
        self.listed.clear();
        let places = (0..rows.len()).filter(|place| listing.has(&rows[*place]));
        self.listed.extend(places);
        self.listed
            .sort_by(|a, b| listing.compare(&rows[*a], &rows[*b]));
    }

    pub(crate) const fn listing(&self) -> &Listing {
        &self.listing
    }

    /// How many there are.
    pub(crate) const fn total(&self) -> usize {
        self.rows.len()
    }

    /// How many are listed.
    pub(crate) const fn len(&self) -> usize {
        self.listed.len()
    }

    /// One that is listed.
    pub(crate) fn listed(&self, place: usize) -> Option<&Torrent> {
        let row = *self.listed.get(place)?;
        self.rows.get(row).map(|row| &row.torrent)
    }

    /// Where one is listed.
    pub(crate) fn place(&self, id: &str) -> Option<usize> {
        let row = *self.by_id.get(id)?;
        self.listed.iter().position(|listed| *listed == row)
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Torrent> {
        let row = *self.by_id.get(id)?;
        self.rows.get(row).map(|row| &row.torrent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn torrent(id: u8, name: &str, state: State, down_rate: u64) -> Torrent {
        Torrent {
            id: format!("{id}").into(),
            number: i64::from(id),
            name: name.to_owned(),
            state,
            down_rate,
            labels: vec![format!("Label{}", id % 2)],
            ..Torrent::default()
        }
    }

    fn names(torrents: &Torrents) -> Vec<&str> {
        let all = (0..torrents.len()).filter_map(|place| torrents.listed(place));
        all.map(|torrent| torrent.name.as_str()).collect()
    }

    #[test]
    fn torrents_are_sorted_filtered_and_searched() {
        let mut torrents = Torrents::default();
        let all = vec![
            torrent(1, "beta", State::Seeding, 0),
            torrent(2, "Alpha", State::Downloading, 7),
            torrent(3, "gamma", State::Paused, 3),
        ];
        torrents.take(true, all, &[]);
        assert_eq!(names(&torrents), ["beta", "Alpha", "gamma"]);
        let mut list = |sort, is_reversed, filter, search: &str| {
            torrents.set_listing(Listing {
                sort,
                is_reversed,
                filter,
                search: search.to_owned(),
            });
            names(&torrents).join(" ")
        };
        let by = |sort| (sort, false, Filter::All, "");
        for ((sort, reversed, filter, search), expected) in [
            (by(SortBy::Name), "Alpha beta gamma"),
            (by(SortBy::Down), "Alpha gamma beta"),
            ((SortBy::Down, true, Filter::All, ""), "beta gamma Alpha"),
            ((SortBy::Name, false, Filter::Active, ""), "Alpha gamma"),
            ((SortBy::Name, false, Filter::Paused, ""), "gamma"),
            ((SortBy::Name, false, Filter::All, "a"), "Alpha beta gamma"),
            ((SortBy::Name, false, Filter::All, "alp"), "Alpha"),
            ((SortBy::Name, false, Filter::All, "#label1"), "beta gamma"),
            ((SortBy::Name, false, Filter::All, "#"), "Alpha beta gamma"),
        ] {
            assert_eq!(
                list(sort, reversed, filter, search),
                expected,
                "{sort:?} {search}"
            );
        }
    }

    proptest! {
        /// The model is a plain list of torrents.
        #[test]
        fn changes_are_taken_over(
            changes in prop::collection::vec(
                (any::<bool>(), prop::collection::vec((0_u8..12, 0_u64..9), 0..6), prop::collection::vec(0_u8..12, 0..4)),
                0..12,
            ),
            sort in prop::sample::select(SortBy::ALL.to_vec()),
        ) {
            let mut torrents = Torrents::default();
            torrents.set_listing(Listing { sort, ..Listing::default() });
            let mut model = std::collections::BTreeMap::new();
            for (is_whole, changed, removed) in changes {
                if is_whole {
                    model.clear();
                }
                for id in &removed {
                    model.remove(id);
                }
                let made = changed.iter().map(|(id, rate)| torrent(*id, &format!("{id}"), State::Seeding, *rate));
                let made: Vec<_> = made.collect();
                model.extend(changed.iter().copied());
                let removed: Vec<Id> = removed.iter().map(|id| format!("{id}").into()).collect();
                torrents.take(is_whole, made, &removed);
                prop_assert_eq!(torrents.total(), model.len());
                prop_assert_eq!(torrents.len(), model.len());
                for (id, rate) in &model {
                    let id = format!("{id}");
                    prop_assert_eq!(torrents.get(&id).map(|it| it.down_rate), Some(*rate));
                    let place = torrents.place(&id).unwrap();
                    prop_assert_eq!(&*torrents.listed(place).unwrap().id, id.as_str());
                }
                let listed: Vec<_> = torrents.listed.iter().map(|place| &torrents.rows[*place]).collect();
                prop_assert!(listed.is_sorted_by(|a, b| torrents.listing.compare(a, b).is_le()));
            }
        }
    }
}
