//! `--reuse`: files that are there by hash are not downloaded.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::{LOCAL, Place, noise};

const FILES: [(&str, u64, usize); 4] = [
    ("long", 1, 300_001),
    ("part/short", 2, 500),
    ("same", 1, 300_001),
    ("block", 3, 16_384),
];

/// A torrent, and a folder that has its files under other names, others of the same lengths, and links.
fn place(option: &str) -> (Place, String) {
    let place = Place::new();
    for (name, seed, len) in FILES {
        place.write(&format!("here/new/{name}"), &noise(seed, len));
    }
    place.write("here/new/none", b"");
    let torrent = place.create("here/new", &[option, "--piece-length", "32KiB"]);
    place.write("old/deep/er/film.mkv", &noise(1, 300_001));
    // As long, and other bytes.
    place.write("old/long", &noise(9, 300_001));
    place.write("old/short", &noise(8, 500));
    place.write("old/a", &noise(2, 500));
    place.write("old/b", &noise(3, 16_384));
    std::os::unix::fs::symlink("..", place.path("old/loop")).unwrap();
    (place, torrent)
}

fn download<'a>(torrent: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let download = ["download", torrent, "-o", "there", "--no-progress"];
    [&download[..], &LOCAL[..], more].concat()
}

fn assert_arrived(place: &Place) {
    for (name, seed, len) in FILES {
        let found = fs::read(place.path(&format!("there/new/{name}"))).unwrap();
        assert!(found == noise(seed, len), "{name}");
    }
    assert_eq!(fs::read(place.path("there/new/none")).unwrap(), b"");
    let left: Vec<_> = place.everything();
    assert!(
        !left.iter().any(|name| name.contains(".reused")),
        "{left:?}"
    );
}

#[test]
fn files_that_are_there_by_hash_are_not_downloaded() {
    for option in ["--v2", "--hybrid"] {
        let (place, torrent) = place(option);
        // There is nobody to download from.
        place.ok(&download(&torrent, &["--reuse", "old"]));
        assert_arrived(&place);
        // The others are as they were, and what is shared is not copied where it need not be.
        assert!(fs::read(place.path("old/long")).unwrap() == noise(9, 300_001));
        let inode = |name: &str| fs::metadata(place.path(name)).unwrap().ino();
        let is_linked = inode("there/new/long") == inode("old/deep/er/film.mkv");
        let blocks = fs::metadata(place.path("there/new/long")).unwrap().nlink();
        // A file system with reflinks has two files.
        assert!(is_linked || blocks == 1);
        // It is known as complete at the next start.
        place.ok(&download(&torrent, &[]));
    }
}

#[test]
fn the_rest_is_downloaded() {
    let (place, torrent) = place("--v2");
    fs::remove_file(place.path("old/b")).unwrap();
    let (_seeder, peer) = place.seed(&torrent, "here");
    // Files that were skipped are not looked for.
    let some = ["--reuse", "old", "--files", "part/short", "--peer", &peer];
    place.ok(&download(&torrent, &some));
    assert!(!place.path("there/new/long").exists());
    let all = ["--reuse", "old", "--reuse", "missing", "--peer", &peer];
    place.ok(&download(&torrent, &all));
    assert_arrived(&place);
}

#[test]
fn what_has_no_files_or_no_hashes_of_files_says_so() {
    let (place, torrent) = place("--v2");
    let memory = place.run(&[
        "download",
        &torrent,
        "--reuse",
        "old",
        "--storage",
        "memory",
    ]);
    assert_eq!(memory.code, Some(2), "{memory:?}");
    assert!(
        memory.err.contains("`--reuse` needs `--storage disk`"),
        "{}",
        memory.err
    );
    let v1 = place.create("here/new/long", &[]);
    let (_seeder, peer) = place.seed(&v1, "here/new");
    let done = place.run(&download(&v1, &["--reuse", "old", "--peer", &peer]));
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.err.contains("a v1 torrent has no hashes of files"),
        "{}",
        done.err
    );
}

/// A file system of its own, mounted at a folder of the place; unmounted when it is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, and it says so, where this process may not mount it.
    fn new(place: &Place, name: &str, args: &[&str]) -> Option<Self> {
        let folder = place.path(name);
        fs::create_dir(&folder).unwrap();
        let mut mount = Command::new("mount");
        let mounted = mount.args(args).arg(&folder).output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: `mount {}` is not allowed here", args.join(" "));
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Files of the torrent that are there, and what has no name of it.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// There, a file cannot be linked.
#[test]
fn files_of_another_file_system_are_copied() {
    let (place, torrent) = place("--v2");
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped: there is no /dev/shm");
        return;
    };
    let target = other.path().to_str().unwrap();
    let download = ["download", &torrent, "-o", target, "--no-progress"];
    let reuse = [&download[..], &LOCAL[..], &["--reuse", "old"]].concat();
    place.ok(&reuse);
    for (name, seed, len) in FILES {
        let path = other.path().join("new").join(name);
        assert!(fs::read(&path).unwrap() == noise(seed, len), "{name}");
        assert_eq!(fs::metadata(&path).unwrap().nlink(), 1, "{name}");
    }
    assert_eq!(
        names(&other.path().join("new")),
        ["block", "long", "none", "part", "same"]
    );
}

/// The copy that does not fit is not left behind, and the user hears of the room.
#[test]
fn a_disk_that_is_full_in_the_middle_keeps_no_part_of_a_copy() {
    let place = Place::new();
    place.write("here/film", &noise(1, 12_000_000));
    let torrent = place.create("here/film", &["--v2"]);
    let args = ["-t", "tmpfs", "-o", "size=9m", "tmpfs"];
    let Some(small) = Mounted::new(&place, "small", &args) else {
        return;
    };
    let download = ["download", &torrent, "-o", "small", "--no-progress"];
    let done = place.run(&[&download[..], &LOCAL[..], &["--reuse", "here"]].concat());
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.err.contains("not reused"), "{}", done.err);
    assert!(done.err.contains("free"), "{}", done.err);
    assert_eq!(names(&small.0), [] as [&str; 0]);
}

/// Neither is one that the user interrupts; the next run begins anew.
#[test]
fn an_interrupted_copy_leaves_nothing_behind() {
    const LEN: u64 = 200 << 20;
    let place = Place::new();
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped: there is no /dev/shm");
        return;
    };
    // Nothing but zeros, so that it takes little room here.
    let film = place.write("here/film", b"");
    fs::File::options()
        .write(true)
        .open(&film)
        .unwrap()
        .set_len(LEN)
        .unwrap();
    let torrent = place.create("here/film", &["--v2"]);
    let target = other.path().to_str().unwrap();
    let download = ["download", &torrent, "-o", target, "--no-progress"];
    let reuse = [&download[..], &LOCAL[..], &["--reuse", "here"]].concat();
    let running = place.start(&reuse);
    let begun = Instant::now();
    while names(other.path()).is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(100),
            "it copies nothing"
        );
        std::thread::yield_now();
    }
    running.signal("INT");
    running.finish();
    let left = names(other.path());
    assert!(left.is_empty() || left == ["film"], "{left:?}");
    place.ok(&reuse);
    assert_eq!(fs::metadata(other.path().join("film")).unwrap().len(), LEN);
}

/// Both files share their blocks, and neither changes with the other.
#[test]
fn a_file_system_with_reflinks_shares_blocks() {
    let (place, torrent) = place("--hybrid");
    let image = place.write("image", b"");
    fs::File::options()
        .write(true)
        .open(&image)
        .unwrap()
        .set_len(256 << 20)
        .unwrap();
    let made = Command::new("mkfs.btrfs")
        .arg("--quiet")
        .arg(&image)
        .status();
    if !made.is_ok_and(|made| made.success()) {
        eprintln!("skipped: there is no mkfs.btrfs (`apt-get install btrfs-progs`)");
        return;
    }
    let args = ["-o", "loop", image.to_str().unwrap()];
    let Some(btrfs) = Mounted::new(&place, "btrfs", &args) else {
        return;
    };
    let old = btrfs.0.join("old");
    fs::create_dir(&old).unwrap();
    for (name, seed, len) in FILES {
        fs::write(old.join(name.replace('/', "-")), noise(seed, len)).unwrap();
    }
    let download = ["download", &torrent, "-o", "btrfs/there", "--no-progress"];
    place.ok(&[&download[..], &LOCAL[..], &["--reuse", "btrfs/old"]].concat());
    for (name, seed, len) in FILES {
        let path = btrfs.0.join("there/new").join(name);
        assert_eq!(fs::metadata(&path).unwrap().nlink(), 1, "{name}");
        assert!(fs::read(&path).unwrap() == noise(seed, len), "{name}");
    }
    fs::write(btrfs.0.join("there/new/long"), b"changed").unwrap();
    assert!(fs::read(old.join("long")).unwrap() == noise(1, 300_001));
}
