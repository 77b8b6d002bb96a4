//! The progress display on a terminal.

#![cfg(unix)]

mod support;

use support::{LOCAL, Place, noise};

/// Torrents whose names are long, wide and alike, without peers.
fn episodes(place: &Place, number: usize) -> Vec<String> {
    (1..=number)
        .map(|episode| {
            let name = format!("A.Very.Long.Series.Name.日本語.S01E{episode:02}.1080p.x265.mkv");
            place.write(&format!("here/{name}"), &noise(7, 40_000));
            place.ok(&["create", &format!("here/{name}")]);
            format!("{name}.torrent")
        })
        .collect()
}

#[test]
fn progress_follows_the_size_of_the_terminal_and_its_last_state_stays() {
    let place = Place::new();
    let torrents = episodes(&place, 12);
    let mut args = vec!["download", "-o", "there"];
    args.extend(LOCAL);
    args.extend(torrents.iter().map(String::as_str));

    let mut terminal = place.terminal(&args, 10, 60);
    let lines = terminal.until(|lines| lines.iter().any(|line| line.starts_with("total of 12")));
    let narrow: Vec<_> = lines.iter().filter(|line| line.contains(" 0 % ")).collect();
    assert_eq!(narrow.len(), 7, "six torrents and the total: {lines:#?}");
    assert!(
        narrow[0].contains("01E01.") && narrow[1].contains("01E02."),
        "names are told apart: {lines:#?}"
    );
    assert!(narrow[0].ends_with("no peers"), "{lines:#?}");
    let more = "… and 6 more (6 waiting)";
    assert!(lines.iter().any(|line| line == more), "{lines:#?}");

    terminal.resize(50, 200);
    let wide = |lines: &[String]| {
        let rows = lines.iter().filter(|line| line.contains("[  "));
        rows.filter(|line| line.contains("↓ 0 B/s")).count() == 13
    };
    let lines = terminal.until(wide);
    let first = lines.iter().find(|line| line.contains("[  ")).unwrap();
    assert!(
        first.starts_with("A.Very.Long.Series.Name.日本語.S01E01.1080p.x265.mkv "),
        "{lines:#?}"
    );
    let shown = ["39.0 KiB", "↓ 0 B/s", "↑ 0 B/s", "0 B sent", "0 peers"];
    assert!(shown.iter().all(|text| first.contains(text)), "{lines:#?}");
    assert!(first.ends_with("looking for peers"), "{lines:#?}");

    // As typed, not sent as a signal.
    terminal.type_in("\u{3}");
    let (code, lines) = terminal.finish();
    assert_eq!(code, Some(130), "{lines:#?}");
    for episode in 1..=12 {
        let name = format!("S01E{episode:02}.");
        let last = lines.iter().rfind(|line| line.contains(&name)).unwrap();
        assert!(last.contains("   0 %"), "{lines:#?}");
    }
    assert!(!lines.last().unwrap().contains("total of"), "{lines:#?}");
}

#[test]
fn peers_and_trackers_are_shown_below_their_torrent() {
    let place = Place::new();
    let (_tracker, url) = place.tracker();
    place.write("here/film.bin", &noise(7, 4 << 20));
    let make = [
        "create",
        "here/film.bin",
        "-o",
        "film.torrent",
        "--tracker",
        &url,
    ];
    place.ok(&make);
    let seed = [
        "seed",
        "film.torrent",
        "--data",
        "here",
        "--max-up",
        "300KiB",
    ];
    let seeder = place.start(&[&seed, &LOCAL[..]].concat());
    let listening = seeder.line("listening on ");
    let addr = listening.rsplit(' ').next().unwrap();
    seeder.line("seeding ");
    let download = [
        "download",
        "film.torrent",
        "-o",
        "there",
        "--show",
        "trackers,peers",
        "--transport",
        "tcp",
    ];
    let args = [&download, &LOCAL[..]].concat();
    let mut terminal = place.terminal(&args, 24, 100);
    let lines = terminal.until(|lines| {
        let below = |text: &str| {
            lines
                .iter()
                .find(|line| line.starts_with("  ") && line.contains(text))
        };
        below(&url).is_some_and(|line| line.contains(" peer") && line.contains("again in "))
            && below(addr).is_some_and(|line| line.contains("KiB/s"))
    });
    let peer = lines.iter().find(|line| line.contains(addr)).unwrap();
    assert!(
        peer.contains("100 %") && peer.contains("D---e  tailwater"),
        "{lines:#?}"
    );
    let torrent = lines
        .iter()
        .position(|line| line.starts_with("film.bin  "))
        .unwrap();
    assert!(
        lines[torrent + 1].contains(&url) && lines[torrent + 2].contains(addr),
        "{lines:#?}"
    );
}

#[test]
fn files_are_chosen_on_a_list() {
    let place = Place::new();
    for name in ["a.bin", "b.bin", "c.bin"] {
        place.write(&format!("here/album/{name}"), &noise(1, 30_000));
    }
    place.ok(&["create", "here/album"]);
    let (_seeder, addr) = place.seed("album.torrent", "here");
    let download = ["download", "album.torrent", "-o", "there", "--peer", &addr];
    let args = [&download, &LOCAL[..], &["--choose"]].concat();
    let mut terminal = place.terminal(&args, 20, 60);
    let lines = terminal.until(|lines| lines.iter().any(|line| line.contains("c.bin")));
    let file = lines.iter().find(|line| line.contains("a.bin")).unwrap();
    assert!(file.contains("29.2 KiB"), "{lines:#?}");
    // The first file is not wanted.
    terminal.type_in(" \r");
    let (code, lines) = terminal.finish();
    assert_eq!(code, Some(0), "{lines:#?}");
    assert!(!place.path("there/album/a.bin").exists());
    assert!(place.path("there/album/b.bin").exists() && place.path("there/album/c.bin").exists());

    for (keys, ends) in [("a\r", 1), ("\u{3}", 130)] {
        let mut terminal = place.terminal(&args, 20, 60);
        terminal.until(|lines| lines.iter().any(|line| line.contains("c.bin")));
        terminal.type_in(keys);
        let (code, lines) = terminal.finish();
        assert_eq!(code, Some(ends), "{lines:#?}");
    }
    let finished = place.run(&args);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.err.contains("--files"), "{}", finished.err);
}
