//! The daemon as a service: its configuration is read again, a service manager is told how it is, and its end is a clean one.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::daemon::Daemon;
use crate::http::Events;
use crate::support::{Place, noise};

/// Nothing here takes longer unless it hangs.
const HANGS_AFTER: Duration = Duration::from_secs(60);

#[test]
fn a_hangup_has_the_configuration_read_again() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(6, 50_000));
    let torrent = place.create("here/film.mp4", &[]);
    std::fs::create_dir(place.path("watched")).unwrap();
    place.configure("[daemon]\nmax-down = \"1MiB\"\nmax-peers = 7\n");
    let daemon = Daemon::start(&place, &[]);
    let limits = || {
        let settings = daemon.get("/api/v1/settings");
        let [down, up, peers] = ["download_limit", "upload_limit", "max_peers"]
            .map(|name| settings[name].as_u64().unwrap_or(0));
        (down >> 20, up >> 20, peers)
    };
    assert_eq!(limits(), (1, 0, 7));
    let mut events = Events::open(&daemon.addr, None);

    place.configure("[daemon]\nmax-down = \"2MiB\"\nmax-up = \"5MiB\"\nwatch = [\"watched\"]\n");
    daemon.signal("HUP");
    daemon.says("the configuration was read again");
    assert_eq!(limits(), (2, 5, 200), "what is gone is the default again");
    // The connection stands.
    events.next_named("settings_changed");
    std::fs::copy(place.path(&torrent), place.path("watched/film.torrent")).unwrap();
    assert_eq!(events.next_named("added").1["name"], "film.mp4");

    // A wrong one changes nothing, and says what is wrong.
    place.configure("[daemon]\nmax-dwon = \"3MiB\"\n");
    daemon.signal("HUP");
    let told = daemon.says("was not taken over");
    assert!(told.contains("max-dwon"), "{told}");
    assert_eq!(limits(), (2, 5, 200));

    // What a program changed comes first, and what cannot change is said.
    daemon.json("PATCH", "/api/v1/settings", r#"{"upload_limit":1048576}"#);
    place.configure("[daemon]\nmax-down = \"4MiB\"\nmax-up = \"9MiB\"\nmemory = \"64MiB\"\n");
    daemon.signal("HUP");
    let told = daemon.says("cannot change");
    assert!(told.contains("but --memory cannot"), "{told}");
    assert_eq!(limits(), (4, 1, 200));
    daemon.stop();
}

#[test]
fn a_service_manager_is_told_when_it_is_ready_reloads_and_ends() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(HANGS_AFTER)).unwrap();
    let told = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let mut command = place.command(&Daemon::args(&[]));
    command.env("NOTIFY_SOCKET", place.path("notify"));
    let daemon = Daemon::of(&place, command);
    assert_eq!(told(), "READY=1\n");
    daemon.signal("HUP");
    let reloading = told();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(told(), "READY=1\n");
    daemon.signal("TERM");
    assert_eq!(told(), "STOPPING=1\n");
    assert_eq!(daemon.finish().code, Some(0));
}

#[test]
fn a_service_manager_that_wants_signs_of_life_gets_them_to_the_end() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(HANGS_AFTER)).unwrap();
    let told = || {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    // A tracker that never answers: the end has to wait for it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let tracker = format!("http://{}/announce", silent.local_addr().unwrap());
    place.write("here/one", &noise(9, 100_000));
    let torrent = place.create("here/one", &["--tracker", &tracker]);
    let mut command = place.command(&Daemon::args(&[]));
    command.env("NOTIFY_SOCKET", place.path("notify"));
    command.env("WATCHDOG_USEC", "100000");
    let daemon = Daemon::of(&place, command);
    daemon.add(&torrent, "");
    let _call = silent.accept().unwrap();
    let mut signs = 0;
    while signs < 5 {
        signs += usize::from(told() == "WATCHDOG=1\n");
    }
    daemon.signal("TERM");
    while told() != "STOPPING=1\n" {}
    assert_eq!(told(), "WATCHDOG=1\n", "while it closes");
    // A manager that reads nothing more does not hold it up.
    assert_eq!(daemon.finish().code, Some(0));
}

#[test]
fn a_long_end_says_what_it_waits_for_and_a_second_signal_is_the_end() {
    let place = Place::new();
    // A tracker that takes a call and never answers: the farewell has to wait for it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let tracker = format!("http://{}/announce", silent.local_addr().unwrap());
    place.write("here/one", &noise(9, 100_000));
    let torrent = place.create("here/one", &["--tracker", &tracker]);
    let daemon = Daemon::start(&place, &[]);
    daemon.add(&torrent, "");
    // It is being told that we are there.
    let _call = silent.accept().unwrap();
    daemon.signal("INT");
    let told = daemon.says("closing: ");
    assert!(told.contains("1 torrent still"), "{told}");
    daemon.signal("INT");
    assert_eq!(daemon.finish().code, Some(130));
}

#[test]
fn a_log_for_programs_is_json_in_every_line() {
    let place = Place::new();
    place.write("watched/broken.torrent", b"nothing");
    let more = [
        "--log-format",
        "json",
        "--watch",
        "watched",
        "--log-file",
        "log",
        "-v",
    ];
    let daemon = Daemon::start(&place, &more);
    let refused = daemon.says("cannot add");
    daemon.signal("HUP");
    let told = daemon.says("the configuration was read again");
    daemon.stop();
    let log = std::fs::read_to_string(place.path("log")).unwrap();
    let lines = [refused.as_str(), &told].into_iter().chain(log.lines());
    for line in lines {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        for field in ["timestamp", "level", "target", "message"] {
            assert!(entry[field].is_string(), "{field}: {line}");
        }
    }
    assert!(
        log.contains("cannot add") && log.contains("read again"),
        "{log}"
    );
    // What ends it is no exception.
    place.write("file", b"no folder");
    let failed = place.run(&["daemon", "--log-format", "json", "--state", "file"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    for line in failed.err.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

fn docs(name: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    std::fs::read_to_string(root.join(name)).unwrap()
}

#[test]
fn the_unit_and_the_image_start_a_daemon_with_options_that_there_are() {
    let place = Place::new();
    let unit = docs("tailwater.service");
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let start: Vec<_> = start.unwrap().split_whitespace().skip(1).collect();
    let image = docs("Containerfile");
    let command = image.lines().find_map(|line| line.strip_prefix("CMD "));
    let command: Vec<String> = serde_json::from_str(command.unwrap()).unwrap();
    let command: Vec<_> = command.iter().map(String::as_str).collect();
    for args in [start, command] {
        assert_eq!(args[0], "daemon");
        place.ok(&[&args[..], &["--print-config"]].concat());
    }
    // What systemd says of it, where there is one.
    let binary = env!("CARGO_BIN_EXE_tailwater");
    place.write(
        "tailwater.service",
        unit.replace("/usr/local/bin/tailwater", binary).as_bytes(),
    );
    let verify = |args: &[&str]| {
        let mut command = std::process::Command::new("systemd-analyze");
        command
            .args(args)
            .arg(place.path("tailwater.service"))
            .output()
            .ok()
    };
    let Some(verified) = verify(&["verify", "--recursive-errors=no"]) else {
        eprintln!("skipped: there is no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    let ours: Vec<_> = said
        .lines()
        .filter(|line| line.contains("tailwater.service"))
        .collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
    // An exposure of at most 3 of 10.
    let secured = verify(&["security", "--offline=true", "--threshold=30", "--no-pager"]).unwrap();
    let said = String::from_utf8_lossy(&secured.stdout);
    assert!(secured.status.success(), "{said}");
}

/// The resume data of a torrent.
fn resume_data(place: &Place, id: &str) -> Vec<u8> {
    let mut files = std::fs::read_dir(place.path("daemon/resume")).unwrap();
    let file = files.find_map(|file| {
        let path = file.unwrap().path();
        path.to_str().unwrap().contains(id).then_some(path)
    });
    std::fs::read(file.unwrap()).unwrap()
}

#[test]
fn resume_data_is_saved_at_an_end_that_a_tracker_holds_up() {
    let place = Place::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let tracker = format!("http://{}/announce", silent.local_addr().unwrap());
    place.write("here/film.mp4", &noise(5, 2_000_000));
    let torrent = place.create("here/film.mp4", &["--tracker", &tracker]);
    let (_seeder, peer) = place.seed(&torrent, "here");
    let daemon = Daemon::start(&place, &[]);
    let id = daemon.add(&torrent, "");
    let _call = silent.accept().unwrap();
    let path = format!("/api/v1/torrents/{id}");
    daemon.json("PATCH", &path, r#"{"download_limit":400000}"#);
    daemon.connect(&id, &peer);
    let have = |daemon: &Daemon<'_>| daemon.get(&path)["have"].as_u64().unwrap();
    // In the middle of the download.
    while have(&daemon) == 0 {}
    let before = resume_data(&place, &id);
    daemon.signal("TERM");
    let finished = daemon.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    // While it runs, it is saved every 30 s.
    assert_ne!(resume_data(&place, &id), before);
    let daemon = Daemon::start(&place, &[]);
    while daemon.get(&path)["state"] != "downloading" {}
    assert!(have(&daemon) > 0);
    daemon.kill();
}
