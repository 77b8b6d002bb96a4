//! The table of docs/qbittorrent.md names every call, field and preference, each as full, partial or ignored.

use tailwater_serve::qbittorrent::{CALLS, FIELDS, PREFERENCES};

const DOCS: &str = include_str!("../../../docs/qbittorrent.md");

#[test]
fn the_docs_say_of_each_call_and_field_how_far_it_goes() {
    let heading = |title: &str| {
        let (_, after) = DOCS.split_once(title).unwrap();
        after.split("\n## ").next().unwrap()
    };
    for (title, names) in [
        ("\n## Calls\n", CALLS.as_slice()),
        ("\n## Fields of a torrent\n", FIELDS.as_slice()),
        ("\n## Preferences\n", PREFERENCES.as_slice()),
    ] {
        let rows = heading(title).lines().filter(|line| line.starts_with('|'));
        let mut missing = names.to_vec();
        for row in rows.skip(2) {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            assert!(["full", "partial", "ignored"].contains(&cells[1]), "{row}");
            // What is not full has a reason.
            assert!(cells[1] == "full" || !cells[2].is_empty(), "{row}");
            for name in cells[0]
                .split(',')
                .map(|name| name.trim().trim_matches('`'))
            {
                assert!(names.contains(&name), "{title}: {name}");
                missing.retain(|it| it != &name);
            }
        }
        assert!(missing.is_empty(), "{title}: {missing:?}");
    }
}
