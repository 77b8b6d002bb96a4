//! Moves of files to another device, cut off by a kill.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::daemon::Daemon;
use crate::support::{Place, noise};

/// A folder on another file system than that of temporary files, where there is one.
fn other_device() -> Option<tempfile::TempDir> {
    let device = |path: &Path| std::fs::metadata(path).ok().map(|found| found.dev());
    let other = tempfile::tempdir_in("/dev/shm").ok()?;
    (device(other.path()) != device(&std::env::temp_dir())).then_some(other)
}

/// A torrent that is moved about.
struct Moving {
    id: String,
    path: String,
}

impl Moving {
    fn to(&self, daemon: &Daemon<'_>, folder: &Path) {
        let body = json!({ "folder": folder }).to_string();
        let moved = daemon.json("POST", &format!("{}/move", self.path), &body);
        assert_eq!(moved.status, 202, "{moved:?}");
    }

    /// Waits until it seeds, in this folder if one is named; where that is.
    fn settled(&self, daemon: &Daemon<'_>, folder: Option<&Path>) -> PathBuf {
        let begun = std::time::Instant::now();
        loop {
            let torrent = daemon.get(&self.path);
            let found = PathBuf::from(torrent["folder"].as_str().unwrap());
            let is_meant = folder.is_none_or(|folder| folder == found);
            if torrent["state"] == "seeding" && is_meant {
                return found;
            }
            assert!(begun.elapsed().as_secs() < 60, "{torrent}");
        }
    }

    /// The copy of a file that is not complete.
    fn partial(&self, folder: &Path) -> PathBuf {
        folder.join("film").join(format!(".{}.moving", self.id))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_move_to_another_device_that_is_killed_in_its_middle_goes_on_and_leaves_nothing_behind() {
    let Some(other) = other_device() else {
        let is_asked = std::env::var_os("TAILWATER_INTEROP").is_some();
        assert!(!is_asked, "/dev/shm is no other device");
        eprintln!("skipped: there is no other device");
        return;
    };
    let place = Place::new();
    let files = [("a.srt", noise(8, 3_000)), ("b.mkv", noise(7, 80_000_000))];
    for (name, bytes) in &files {
        place.write(&format!("here/film/{name}"), bytes);
        place.write(&format!("data/film/{name}"), bytes);
    }
    let torrent = place.create("here/film", &[]);
    let allowed = ["--allow-dir", other.path().to_str().unwrap()];
    let mut daemon = Daemon::start(&place, &allowed);
    let id = daemon.add(&torrent, "");
    let moving = Moving {
        path: format!("/api/v1/torrents/{id}"),
        id,
    };
    let home = moving.settled(&daemon, None);
    // A copy may be complete before this process has its turn: then there is another one.
    let mut attempts = (0..20).map(|attempt| other.path().join(attempt.to_string()));
    let target = loop {
        let target = attempts.next().expect("no copy was caught in its middle");
        moving.to(&daemon, &target);
        while !target.join("film/b.mkv").exists() && !moving.partial(&target).exists() {}
        daemon.signal("STOP");
        if moving.partial(&target).exists() {
            daemon.kill();
            break target;
        }
        daemon.signal("CONT");
        moving.settled(&daemon, Some(&target));
        moving.to(&daemon, &home);
        moving.settled(&daemon, Some(&home));
    };
    assert!(moving.partial(&target).exists());
    for (name, bytes) in &files {
        assert!(&std::fs::read(home.join("film").join(name)).unwrap() == bytes);
    }

    daemon = Daemon::start(&place, &allowed);
    moving.settled(&daemon, Some(&target));
    assert_eq!(names(&target.join("film")), ["a.srt", "b.mkv"]);
    for (name, bytes) in &files {
        assert!(&std::fs::read(target.join("film").join(name)).unwrap() == bytes);
    }
    assert!(!home.join("film").exists());
    assert!(daemon.get(&moving.path)["warning"].is_null());
    daemon.stop();
}
