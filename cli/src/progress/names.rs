//! Shortens names that are shown together: those of a series differ in a few characters, which must stay visible.

use std::collections::HashMap;

use unicode_segmentation::UnicodeSegmentation;

use super::width::{shortened, shortened_to};

/// Characters before the first difference that are shown too.
const CONTEXT: usize = 4;
/// The most names that are compared: no terminal has more lines.
const COMPARED: usize = 200;

/// Where names that are shown together differ.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// The graphemes that a name has in common with another at most.
    common: HashMap<String, usize>,
}

impl Names {
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut names: Vec<&str> = names.take(COMPARED).collect();
        names.sort_unstable();
        names.dedup();
        let mut common = HashMap::new();
        // Those that have the most in common are neighbours.
        for pair in names.windows(2) {
            let (one, other) = (pair[0], pair[1]);
            let both = one.graphemes(true).zip(other.graphemes(true));
            let alike = both.take_while(|(one, other)| one == other).count();
            for name in [one, other] {
                let most = common.entry(name.to_owned()).or_insert(0);
                *most = alike.max(*most);
            }
        }
        Self { common }
    }

    /// Shortened in the middle; or where it differs from the others, if that would not be seen.
    pub(super) fn shortened(&self, name: &str, columns: usize) -> String {
        let short = shortened(name, columns);
        let Some(&difference) = self.common.get(name) else {
            return short;
        };
        let head = short.graphemes(true).zip(name.graphemes(true));
        let head = head.take_while(|(one, other)| one == other).count();
        let total = name.graphemes(true).count();
        let tail = short.graphemes(true).count().saturating_sub(head + 1);
        let is_hidden = short != name && difference >= head && difference < total - tail;
        match is_hidden {
            true => shortened_to(name, difference.saturating_sub(CONTEXT), columns),
            false => short,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_series_are_told_apart() {
        let series = [
            "A.Long.Series.Name.S01E01.1080p.x265.mkv",
            "A.Long.Series.Name.S01E02.1080p.x265.mkv",
        ];
        let names = Names::of(series.into_iter());
        assert_eq!(names.shortened(series[0], 18), "A.Lon…01E01.1080p…");
        assert_eq!(names.shortened(series[1], 18), "A.Lon…01E02.1080p…");
        assert_eq!(names.shortened(series[0], 40), series[0]);
        // The difference is in what is shown anyway.
        assert_eq!(
            names.shortened(series[0], 36),
            "A.Long.Series.Name…01.1080p.x265.mkv"
        );
    }

    #[test]
    fn one_name_is_shortened_in_its_middle() {
        let names = Names::of(["A.Very.Long.Name.S01E02.mkv"].into_iter());
        assert_eq!(
            names.shortened("A.Very.Long.Name.S01E02.mkv", 16),
            "A.Very.L…E02.mkv"
        );
    }
}
