//! What symlinks of a torrent point to (BEP 47).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use tailwater_metainfo::Metainfo;

/// A v1 torrent `t` of one byte in each file, and of links with their targets.
fn torrent(files: &[&str], links: &[(&str, &str)]) -> Metainfo {
    let path = |path: &str| {
        let names = path.split('/').map(|name| format!("{}:{name}", name.len()));
        format!("l{}e", names.collect::<String>())
    };
    let files_of_bytes = files
        .iter()
        .map(|file| format!("d6:lengthi1e4:path{}e", path(file)));
    let links = links.iter().map(|(link, target)| {
        let (link, target) = (path(link), path(target));
        format!("d4:attr1:l6:lengthi0e4:path{link}12:symlink path{target}e")
    });
    let list: String = files_of_bytes.chain(links).collect();
    let head = format!("d4:infod5:filesl{list}e4:name1:t12:piece lengthi16384e6:pieces20:");
    Metainfo::from_bytes(&[head.as_bytes(), &[7; 20], b"ee"].concat()).unwrap()
}

fn targets(torrent: &Metainfo) -> Vec<&str> {
    let files = torrent.info().files().iter();
    files
        .filter_map(|file| Some(file.symlink_target()?.as_str()))
        .collect()
}

/// As libtorrent reads those that its older versions have made.
#[test]
fn a_target_that_is_not_there_is_looked_for_beside_the_link() {
    let files = ["d/e/f", "d/g", "h"];
    let links = [
        ("d/one", "g"),
        ("d/two", "e"),
        ("d/three", "e/f"),
        // It is there from the torrent's folder on.
        ("d/four", "h"),
        ("d/five", "d/g"),
        // Nowhere.
        ("d/six", "x"),
        ("seven", "g"),
    ];
    let torrent = torrent(&files, &links);
    assert_eq!(
        targets(&torrent),
        ["t/d/g", "t/d/e", "t/d/e/f", "t/h", "t/d/g", "t/x", "t/g"]
    );
    assert_eq!(torrent.info().warnings().len(), 2);
}
