//! Messages about files that another program has changed, or that are longer than in the torrent.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;
use support::{LOCAL, Place, noise};

/// A file and its torrent, which names no trackers.
fn film(place: &Place) -> &'static str {
    place.write("here/film", &noise(5, 300_000));
    let create = ["create", "here/film", "-o", "film.torrent"];
    place.ok(&[&create[..], &["--piece-length", "16KiB"]].concat());
    "film.torrent"
}

fn download(torrent: &str) -> Vec<&str> {
    let download = ["download", torrent, "--no-progress", "-o", "there"];
    [&download[..], &LOCAL].concat()
}

#[cfg(unix)]
#[test]
fn a_download_whose_file_is_deleted_fails_and_the_same_command_mends_it() {
    let place = Place::new();
    let torrent = film(&place);
    let mut bytes = noise(5, 300_000);
    bytes[0] ^= 1;
    let path = place.write("there/film", &bytes);
    let downloader = place.start(&download(torrent));
    let listening = downloader.line("listening on ");
    let addr = listening.rsplit(' ').next().unwrap().to_owned();
    downloader.error_line("waiting for peers");

    fs::remove_file(&path).unwrap();
    let seed = [
        "seed",
        torrent,
        "--data",
        "here",
        "--no-progress",
        "--peer",
        &addr,
    ];
    let _seeder = place.start(&[&seed[..], &LOCAL].concat());
    let finished = downloader.finish();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let said =
        "there/film: the file was deleted or moved away by another program while it was in use";
    assert!(finished.err.contains(said), "{}", finished.err);
    assert!(finished.err.contains("help: run the same command again"));
    assert!(!finished.out.contains("complete"), "{}", finished.out);

    let (_seeder, addr) = place.seed(torrent, "here");
    place.ok(&[&download(torrent)[..], &["--peer", &addr]].concat());
    assert!(fs::read(&path).unwrap() == noise(5, 300_000));
}

#[test]
fn a_file_that_is_too_long_is_cut_by_a_download_and_said_by_seed_and_verify() {
    let place = Place::new();
    let torrent = film(&place);
    let mut bytes = noise(5, 300_000);
    bytes.extend([1, 2, 3]);
    let path = place.write("there/film", &bytes);

    let verified = place.run(&["verify", torrent, "--data", "there", "--no-progress"]);
    assert_eq!(verified.code, Some(1), "{verified:?}");
    let said = "film  (300003 bytes, should be 300000)";
    assert!(verified.out.contains(said), "{}", verified.out);
    let (seeder, _) = place.seed(torrent, "there");
    seeder.error_line("warning: film is 3 bytes longer than in the torrent");
    drop(seeder);
    assert_eq!(fs::metadata(&path).unwrap().len(), 300_003);

    place.ok(&download(torrent));
    assert!(fs::read(&path).unwrap() == noise(5, 300_000));
    place.ok(&["verify", torrent, "--data", "there"]);
}

#[cfg(unix)]
#[test]
fn a_download_does_not_write_through_a_link_and_a_seed_reads_through_it() {
    let place = Place::new();
    let torrent = film(&place);
    fs::create_dir(place.path("there")).unwrap();
    std::os::unix::fs::symlink(place.path("here/film"), place.path("there/film")).unwrap();
    let finished = place.run(&download(torrent));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(
        finished.err.contains("there/film: it is a symbolic link"),
        "{}",
        finished.err
    );
    assert!(
        finished
            .err
            .contains("help: put what the link points to in its place")
    );
    let _seeder = place.seed(torrent, "there");
}

#[test]
fn a_seed_whose_file_another_program_changed_sends_nothing_wrong() {
    let place = Place::new();
    let torrent = film(&place);
    let (seeder, addr) = place.seed(torrent, "here");
    let mut bytes = noise(5, 300_000);
    bytes[0] ^= 1;
    fs::write(place.path("here/film"), &bytes).unwrap();

    let downloader = place.start(&[&download(torrent)[..], &["--peer", &addr]].concat());
    let said = "here/film: the file was changed by another program while it was in use";
    seeder.error_line(said);
    assert_eq!(seeder.finish().code, Some(1));
    // No peer was accused of wrong data.
    downloader.signal("INT");
    let finished = downloader.finish();
    assert!(!finished.err.contains("corrupt"), "{}", finished.err);
}

#[cfg(unix)]
#[test]
fn a_seed_whose_file_is_deleted_ends_and_the_others_go_on() {
    let place = Place::new();
    let torrent = film(&place);
    place.write("here/song", &noise(6, 100_000));
    place.ok(&["create", "here/song", "-o", "song.torrent"]);
    let seed = [
        "seed",
        torrent,
        "song.torrent",
        "--data",
        "here",
        "--no-progress",
    ];
    let seeder = place.start(&[&seed[..], &LOCAL].concat());
    let listening = seeder.line("listening on ");
    let addr = listening.rsplit(' ').next().unwrap().to_owned();
    seeder.line("seeding film");
    seeder.line("seeding song");
    fs::remove_file(place.path("here/film")).unwrap();

    let peer = ["--peer", &addr];
    let _downloader = place.start(&[&download(torrent)[..], &peer].concat());
    seeder.error_line("film: ");
    place.ok(&[&download("song.torrent")[..], &peer].concat());
    assert!(fs::read(place.path("there/song")).unwrap() == noise(6, 100_000));
}

/// Overwrites a byte of a file; the time of change is that of now, or of before.
fn scribble(path: &std::path::Path, keep_time: bool) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[1000] ^= 1;
    fs::write(path, bytes).unwrap();
    // The kernel's clock is coarse: a time that is surely another.
    let time = match keep_time {
        true => before,
        false => before + std::time::Duration::from_secs(1),
    };
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

#[test]
fn a_file_that_is_another_is_not_overwritten_unasked() {
    let place = Place::new();
    let torrent = film(&place);
    let (_seeder, addr) = place.seed(torrent, "here");
    let mine = noise(9, 1_000);
    let path = place.write("there/film", &mine);
    let download = [&download(torrent)[..], &["--peer", &addr]].concat();
    for _ in 0..2 {
        let finished = place.run(&download);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let said = "there/film is another file: not one piece of it belongs to the torrent\n  help: `--overwrite` replaces it";
        assert!(finished.err.contains(said), "{}", finished.err);
        assert!(fs::read(&path).unwrap() == mine);
    }
    place.ok(&[&download[..], &["--overwrite"]].concat());
    assert!(fs::read(&path).unwrap() == noise(5, 300_000));

    // A longer one too.
    let path = place.write("elsewhere/film", &noise(9, 400_000));
    let elsewhere = ["download", torrent, "-o", "elsewhere", "--peer", &addr];
    let elsewhere = [&elsewhere[..], &LOCAL].concat();
    assert_eq!(place.run(&elsewhere).code, Some(1));
    assert_eq!(fs::metadata(&path).unwrap().len(), 400_000);
    place.ok(&[&elsewhere[..], &["--overwrite"]].concat());
    assert!(fs::read(&path).unwrap() == noise(5, 300_000));
}

#[test]
fn a_file_that_was_replaced_after_its_download_is_not_overwritten_unasked() {
    let place = Place::new();
    let torrent = film(&place);
    let (_seeder, addr) = place.seed(torrent, "here");
    let peer = ["--peer", &addr];
    let download = [&download(torrent)[..], &peer].concat();
    place.ok(&download);
    // Longer than the torrent's, so it would be cut too.
    let mine = noise(9, 400_000);
    let path = place.write("there/film", &mine);
    let stream = ["stream", torrent, "--storage", "disk", "-o", "there"];
    let stream = [&stream[..], &peer, &LOCAL].concat();
    for args in [
        download.clone(),
        [&download[..], &["--check"]].concat(),
        stream,
        download.clone(),
    ] {
        let finished = place.run(&args);
        assert_eq!(finished.code, Some(1), "{args:?}: {finished:?}");
        let said = "there/film is another file: not one piece of it belongs to the torrent\n  help: `--overwrite` replaces it";
        assert!(finished.err.contains(said), "{args:?}: {}", finished.err);
        assert!(fs::read(&path).unwrap() == mine, "{args:?}");
    }
    place.ok(&[&download[..], &["--overwrite"]].concat());
    assert!(fs::read(&path).unwrap() == noise(5, 300_000));
}

#[test]
fn one_of_two_files_that_was_replaced_is_named_and_left_alone() {
    let place = Place::new();
    place.write("here/films/film", &noise(5, 300_000));
    place.write("here/films/notes", &noise(6, 10_000));
    let create = ["create", "here/films", "-o", "films.torrent"];
    place.ok(&[&create[..], &["--piece-length", "16KiB"]].concat());
    let (_seeder, addr) = place.seed("films.torrent", "here");
    let download = [&download("films.torrent")[..], &["--peer", &addr]].concat();
    place.ok(&download);
    let path = place.write("there/films/notes", b"my own notes");
    let finished = place.run(&download);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let said = "there/films/notes is another file";
    assert!(finished.err.contains(said), "{}", finished.err);
    assert!(fs::read(&path).unwrap() == b"my own notes");
}

#[test]
fn what_a_download_began_is_its_own_even_if_it_is_killed() {
    let place = Place::new();
    let torrent = film(&place);
    let downloader = place.start(&download(torrent));
    downloader.error_line("waiting for peers");
    drop(downloader);
    // Blocks of pieces that are not whole yet.
    let path = place.write("there/film", &noise(9, 300_000));
    let (_seeder, addr) = place.seed(torrent, "here");
    place.ok(&[&download(torrent)[..], &["--peer", &addr]].concat());
    assert!(fs::read(&path).unwrap() == noise(5, 300_000));
}

#[cfg(unix)]
#[test]
fn what_another_program_changed_is_not_remembered_as_complete() {
    let place = Place::new();
    let torrent = film(&place);
    let path = place.write("there/film", &noise(5, 300_000));
    let sharing = place.start(&[&download(torrent)[..], &["--seed"]].concat());
    sharing.line("complete: film");
    scribble(&path, false);
    sharing.signal("INT");
    let said = "there/film: the file was changed by another program while it was in use";
    sharing.error_line(said);
    sharing.finish();

    // All three say the same.
    let verified = place.run(&["verify", torrent, "--data", "there", "--no-progress"]);
    assert_eq!(verified.code, Some(1), "{verified:?}");
    let seed = ["seed", torrent, "--data", "there", "--no-progress"];
    let refused = place.run(&[&seed[..], &LOCAL].concat());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let (_seeder, addr) = place.seed(torrent, "here");
    let out = place.ok(&[&download(torrent)[..], &["--peer", &addr]].concat());
    assert!(!out.contains("was here already"), "{out}");
    place.ok(&["verify", torrent, "--data", "there"]);
}

#[cfg(unix)]
#[test]
fn what_another_program_changes_during_a_download_is_fetched_again() {
    let place = Place::new();
    let torrent = film(&place);
    let mut bytes = noise(5, 300_000);
    bytes[299_999] ^= 1;
    let path = place.write("there/film", &bytes);
    let downloader = place.start(&download(torrent));
    let listening = downloader.line("listening on ");
    downloader.error_line("waiting for peers");
    scribble(&path, false);
    let addr = listening.rsplit(' ').next().unwrap();
    let seed = ["seed", torrent, "--data", "here", "--no-progress", "--peer"];
    let _seeder = place.start(&[&seed[..], &[addr], &LOCAL].concat());
    downloader.line("complete: film");
    assert_eq!(downloader.finish().code, Some(0));
    assert!(fs::read(&path).unwrap() == noise(5, 300_000));
}

#[test]
fn check_hashes_whatever_is_remembered() {
    let place = Place::new();
    let torrent = film(&place);
    let path = place.write("there/film", &noise(5, 300_000));
    place.ok(&download(torrent));
    scribble(&path, true);
    let out = place.ok(&download(torrent));
    assert!(out.contains("was here already"), "{out}");
    let (_seeder, addr) = place.seed(torrent, "here");
    let check = ["--check", "--peer", &addr];
    let out = place.ok(&[&download(torrent)[..], &check].concat());
    assert!(out.contains("16.0 KiB of it now"), "{out}");
    assert!(fs::read(&path).unwrap() == noise(5, 300_000));
    let refused = place.run(&["download", torrent, "--storage", "memory", "--check"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn the_same_torrent_in_two_folders_is_remembered_twice() {
    let place = Place::new();
    let torrent = film(&place);
    for folder in ["one", "two"] {
        place.write(&format!("{folder}/film"), &noise(5, 300_000));
        let args = ["download", torrent, "--no-progress", "-o", folder];
        let args = [&args[..], &LOCAL].concat();
        place.ok(&args);
    }
    let records = place.state();
    let records = records.iter().filter(|name| name.ends_with(".resume"));
    assert_eq!(records.count(), 2);
}

#[test]
fn what_is_right_of_an_incomplete_folder_can_be_shared() {
    let place = Place::new();
    let torrent = film(&place);
    let mut bytes = noise(5, 300_000);
    bytes[0] ^= 1;
    let path = place.write("some/film", &bytes[..200_000]);
    let seed = ["seed", torrent, "--data", "some", "--no-progress"];
    let seed = [&seed[..], &LOCAL].concat();
    let refused = place.run(&seed);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.err.contains("`--partial` shares"),
        "{}",
        refused.err
    );

    let partial = place.start(&[&seed[..], &["--partial"]].concat());
    let listening = partial.line("listening on ");
    let addr = listening.rsplit(' ').next().unwrap();
    // Of twelve whole pieces the first is wrong.
    partial.line("seeding film, 176 KiB of 292 KiB");
    let downloader = place.start(&[&download(torrent)[..], &["--peer", addr]].concat());
    let listening = downloader.line("listening on ");
    let addr = listening.rsplit(' ').next().unwrap();
    let rest = ["seed", torrent, "--data", "here", "--no-progress", "--peer"];
    let _rest = place.start(&[&rest[..], &[addr], &LOCAL].concat());
    downloader.line("complete: film");
    assert!(
        fs::read(&path).unwrap() == bytes[..200_000],
        "nothing is written"
    );

    // What is all wrong is no part.
    place.write("some/film", &noise(9, 300_000));
    let refused = place.run(&[&seed[..], &["--partial"]].concat());
    assert_eq!(refused.code, Some(1), "{refused:?}");
}

/// A torrent of one file of this length, which there is nowhere.
#[cfg(unix)]
fn huge(place: &Place, name: &str, len: u64) -> String {
    const PIECE: u64 = 512 * 1024 * 1024 - 16 * 1024;
    let hashes = usize::try_from(len.div_ceil(PIECE)).unwrap() * 20;
    let info = format!(
        "d4:infod6:lengthi{len}e4:name{}:{name}12:piece lengthi{PIECE}e6:pieces{hashes}:",
        name.len()
    );
    let torrent = [info.as_bytes(), &vec![7; hashes], b"ee"].concat();
    place.write(&format!("{name}.torrent"), &torrent);
    format!("{name}.torrent")
}

#[cfg(unix)]
#[test]
fn what_does_not_fit_the_disk_is_refused_before_a_byte_is_written() {
    let place = Place::new();
    let torrent = huge(&place, "vast", 100 << 40);
    let before = place.everything();
    let finished = place.run(&download(&torrent));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let said = "error: vast needs 100 TiB more, ";
    assert!(finished.err.contains(said), "{}", finished.err);
    let said = " are free in there\n  help: free some space";
    assert!(finished.err.contains(said), "{}", finished.err);
    assert_eq!(place.everything(), before);

    // Each of two fits, and both do not.
    let space = rustix::fs::statvfs(place.work()).unwrap();
    let len = space.f_bavail * space.f_frsize / 10 * 6;
    let torrents = ["one", "two"].map(|name| huge(&place, name, len));
    let args = [&download(&torrents[0])[..], &[&torrents[1]]].concat();
    let downloader = place.start(&args);
    // The refusal of one and the start of the other come in any order.
    let (mut refused, mut has_begun) = (None, false);
    while refused.is_none() || !has_begun {
        let line = downloader.error_line("");
        has_begun |= line.contains("waiting for peers");
        if line.contains(" more, ") {
            refused = Some(line);
        }
    }
    let said = refused.unwrap();
    assert!(said.contains(", of which the others need "), "{said}");
    let made = place.everything();
    let made = made.iter().filter(|name| name.starts_with("there/"));
    assert_eq!(made.count(), 1);
}

#[test]
fn the_state_folder_is_cleaned_at_a_start() {
    let place = Place::new();
    let torrent = film(&place);
    place.write("there/film", &noise(5, 300_000));
    place.ok(&download(torrent));
    fs::remove_file(place.path("there/film")).unwrap();
    let state = "../state/tailwater/resume";
    let old = place.write(&format!("{state}/.saving-abc"), b"x");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(100 * 86_400);
    let file = fs::File::options().write(true).open(old).unwrap();
    file.set_modified(long_ago).unwrap();
    let names = || fs::read_dir(place.path(state)).unwrap().count();
    assert_eq!(names(), 2);

    // What is remembered of the new folder is all that is left.
    place.write("elsewhere/film", &noise(5, 300_000));
    let args = ["download", torrent, "--no-progress", "-o", "elsewhere"];
    place.ok(&[&args[..], &LOCAL].concat());
    assert_eq!(names(), 1, "{:?}", place.state());
}
