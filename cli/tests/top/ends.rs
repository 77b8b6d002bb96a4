//! However it ends, the terminal is as it was.

use std::process::Command;

use crate::daemon::Daemon;
use crate::enabled;
use crate::support::{LOCAL, Place};
use crate::tmux::Tmux;

/// The process of the program in the terminal.
fn process(tmux: &Tmux) -> String {
    let shell = tmux.fact("pane_pid");
    let found = Command::new("pgrep").args(["-P", &shell]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().trim().to_owned()
}

fn kill(tmux: &Tmux, signal: &str) {
    let killed = Command::new("kill")
        .args(["-s", signal, &process(tmux)])
        .status();
    assert!(killed.unwrap().success());
}

#[test]
fn the_terminal_is_given_back_at_any_end() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    let daemon = Daemon::start(&place, &[]);
    let tmux = Tmux::start(&place, "exec sh", 80, 24);
    tmux.see("$");
    tmux.type_in("stty -a > before; clear; echo before q\n");
    let ends: [(&str, &dyn Fn(), u8, &str); 4] = [
        ("q", &|| tmux.press(&["q"]), 0, "Ctrl-C"),
        ("Ctrl-C", &|| tmux.press(&["C-c"]), 0, "SIGTERM"),
        ("SIGTERM", &|| kill(&tmux, "TERM"), 0, "SIGINT"),
        ("SIGINT", &|| kill(&tmux, "INT"), 130, ""),
    ];
    for (name, end, code, next) in ends {
        let begun = format!("before {name}");
        tmux.until(&begun, |lines| lines[0] == begun);
        let top = format!(
            "tailwater top --daemon http://{}; echo code $?\n",
            daemon.addr
        );
        tmux.type_in(&top);
        tmux.see("no torrents; press a to add one");
        assert_eq!(tmux.fact("alternate_on"), "1");
        end();
        let line = format!("code {code}");
        let lines = tmux.until(&format!("{line} after {name}"), |lines| {
            lines.contains(&line)
        });
        assert!(lines.contains(&begun), "{name}: {lines:#?}");
        assert_eq!(tmux.fact("alternate_on"), "0", "{name}");
        assert_eq!(tmux.fact("cursor_flag"), "1", "{name}");
        tmux.type_in("stty -a > after; echo it is the same: $(cmp before after && echo yes)\n");
        tmux.see("it is the same: yes");
        tmux.type_in(&format!("clear; echo before {next}\n"));
    }
}

#[test]
fn where_no_daemon_runs_the_torrents_run_in_this_process_and_are_saved() {
    if !enabled() {
        return;
    }
    let place = Place::new();
    place.write("here/film.mkv", b"a film");
    let torrent = place.create("here/film.mkv", &[]);
    let flags = LOCAL.join(" ");
    let top = format!("--own --data data --state own {flags}");
    for is_first in [true, false] {
        let tmux = Tmux::top(&place, &top, 100, 24);
        tmux.see("own session");
        if is_first {
            tmux.press(&["a"]);
            tmux.type_in(place.path(&torrent).to_str().unwrap());
            tmux.press(&["Enter"]);
            tmux.see("1 of 1 file wanted");
            tmux.press(&["p", "Enter"]);
        }
        tmux.until("the torrent", |lines| {
            lines
                .iter()
                .any(|line| line.contains("paused") && line.contains("film.mkv"))
        });
        tmux.press(&["q"]);
        tmux.ended();
    }
}

#[test]
fn what_is_no_terminal_is_refused() {
    let place = Place::new();
    let refused = place.run(&["top", "--daemon", "http://127.0.0.1:1"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.err.contains("standard output is not a terminal"),
        "{refused:?}"
    );
    assert!(refused.err.contains("tailwater ctl list"), "{refused:?}");
    assert_eq!(refused.out, "");
}
