//! The table of docs/stremio.md names every call, each as full, partial or ignored.

const DOCS: &str = include_str!("../../../docs/stremio.md");

const CALLS: [&str; 13] = [
    "/{infoHash}/{fileIdx}",
    "/{infoHash}/create",
    "/create",
    "/{infoHash}/{fileIdx}/stats.json",
    "/{infoHash}/stats.json",
    "/stats.json",
    "/{infoHash}/remove",
    "/settings",
    "/network-info",
    "/device-info",
    "/heartbeat",
    "/opensubHash",
    "/hlsv2",
];

#[test]
fn the_docs_say_of_each_call_how_far_it_goes() {
    let (_, after) = DOCS.split_once("\n## Calls\n").unwrap();
    let rows = after.lines().filter(|line| line.starts_with('|'));
    let mut named = Vec::new();
    for row in rows.skip(2) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert!(["full", "partial", "ignored"].contains(&cells[1]), "{row}");
        assert!(cells[1] == "full" || !cells[2].is_empty(), "{row}");
        named.extend(cells[0].split(", ").map(|name| name.trim_matches('`')));
    }
    for call in CALLS {
        assert!(named.contains(&call), "{call}: {named:?}");
    }
}
