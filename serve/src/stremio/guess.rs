//! Which file of a torrent is meant: the episode that is asked for, or else the largest film.

/// What a client knows of what it wants to play.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Episode {
    pub(super) season: Option<u32>,
    pub(super) episode: Option<u32>,
}

/// A file of a torrent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) index: usize,
    pub(super) path: &'a str,
    pub(super) length: u64,
    pub(super) is_playable: bool,
}

/// The index of the file that is meant; none if there is no file.
pub(super) fn guess(files: &[Candidate<'_>], wanted: Episode) -> Option<usize> {
    let playable = || files.iter().filter(|file| file.is_playable);
    let of_episode = wanted.episode.and_then(|episode| {
        let is_meant = |file: &&Candidate<'_>| is_episode(file.path, wanted.season, episode);
        largest(playable().filter(is_meant))
    });
    of_episode
        .or_else(|| largest(playable()))
        .or_else(|| largest(files.iter()))
}

fn largest<'a>(files: impl Iterator<Item = &'a Candidate<'a>>) -> Option<usize> {
    // Of equals the first.
    let best = files.max_by_key(|file| (file.length, std::cmp::Reverse(file.index)));
    best.map(|file| file.index)
}

/// Whether a path names an episode: `S02E05`, `2x05`; or `E05`, `Episode 5` in a folder of the season.
fn is_episode(path: &str, season: Option<u32>, episode: u32) -> bool {
    let path = path.to_ascii_lowercase();
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    let pairs = numbered(name);
    if !pairs.is_empty() {
        return pairs.iter().any(|(named, number)| {
            *number == episode && season.is_none_or(|season| *named == season)
        });
    }
    let is_named = ["episode", "ep", "e"]
        .iter()
        .any(|word| after(name, word).contains(&episode));
    let of_season = || {
        let named = ["season", "s"].iter().flat_map(|word| after(folder, word));
        let named: Vec<u32> = named.collect();
        season.is_none_or(|season| named.is_empty() || named.contains(&season))
    };
    is_named && of_season()
}

/// Seasons and episodes that are named together: `s02e05`, `2x05`.
fn numbered(name: &str) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    for (at, letter) in name.char_indices() {
        if !matches!(letter, 'e' | 'x') {
            continue;
        }
        let (before, after) = (&name[..at], &name[at + 1..]);
        let (Some((rest, season)), Some(episode)) = (number_before(before), number_at(after))
        else {
            continue;
        };
        let is_pair = match letter {
            'e' => rest.ends_with('s'),
            // A size, as in 1920x1080, is no episode.
            _ => season < 100 && episode < 400,
        };
        if is_pair {
            found.push((season, episode));
        }
    }
    found
}

/// Numbers that follow a word, with something like a blank between them or not.
fn after(text: &str, word: &str) -> Vec<u32> {
    let found = text.match_indices(word).filter_map(|(at, word)| {
        let is_begun = text[..at]
            .chars()
            .next_back()
            .is_some_and(char::is_alphabetic);
        let rest = text[at + word.len()..].trim_start_matches([' ', '.', '_', '-']);
        (!is_begun).then(|| number_at(rest))?
    });
    found.collect()
}

/// The number at the start.
fn number_at(text: &str) -> Option<u32> {
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    text[..end.unwrap_or(text.len())].parse().ok()
}

/// The number at the end, and what stands before it.
fn number_before(text: &str) -> Option<(&str, u32)> {
    let rest = text.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let number = text[rest.len()..].parse().ok()?;
    Some((rest, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(paths: &[&str], season: Option<u32>, episode: Option<u32>) -> Option<usize> {
        let files = paths.iter().enumerate().map(|(index, path)| Candidate {
            index,
            path,
            length: 100 + u64::try_from(index).unwrap(),
            is_playable: path.ends_with(".mkv"),
        });
        let files: Vec<_> = files.collect();
        guess(&files, Episode { season, episode })
    }

    #[test]
    fn the_episode_that_is_asked_for_is_found() {
        let cases: [(&[&str], u32, u32, usize); 6] = [
            (
                &["Show.S01E01.mkv", "Show.S01E02.mkv", "Show.S02E01.mkv"],
                1,
                2,
                1,
            ),
            (
                &["Show.S01E01.mkv", "Show.S01E02.mkv", "Show.S02E01.mkv"],
                2,
                1,
                2,
            ),
            (
                &[
                    "show 1x01 1920x1080.mkv",
                    "show 1x02 1920x1080.mkv",
                    "z.mkv",
                ],
                1,
                1,
                0,
            ),
            (
                &[
                    "Show/Season 1/Episode 2.mkv",
                    "Show/Season 2/Episode 2.mkv",
                    "x.mkv",
                ],
                1,
                2,
                0,
            ),
            (
                &["Show/s02/e05 - Name.mkv", "Show/s02/e06 - Name.mkv"],
                2,
                5,
                0,
            ),
            (
                &["Show S01E02.srt", "Show S01E02.mkv", "Show S01E12.mkv"],
                1,
                2,
                1,
            ),
        ];
        for (paths, season, episode, index) in cases {
            assert_eq!(
                guessed(paths, Some(season), Some(episode)),
                Some(index),
                "{paths:?}"
            );
        }
    }

    #[test]
    fn otherwise_it_is_the_largest_film() {
        assert_eq!(guessed(&["a.mkv", "b.mkv", "c.nfo"], None, None), Some(1));
        assert_eq!(guessed(&["a.mkv", "b.mkv"], Some(1), Some(9)), Some(1));
        assert_eq!(guessed(&["a.nfo", "b.txt"], Some(1), Some(1)), Some(1));
        assert_eq!(guessed(&[], Some(1), Some(1)), None);
    }

    proptest::proptest! {
        #[test]
        fn any_name_is_read(name in "\\PC{0,60}", season in 0_u32..5, episode in 0_u32..30) {
            let _ = is_episode(&name, Some(season), episode);
        }
    }
}
