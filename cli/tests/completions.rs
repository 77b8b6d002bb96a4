//! Completion scripts and manual pages.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::Place;

/// A folder to complete in, and the program under another name beside it, as a distribution may call it.
fn place() -> Place {
    let place = Place::new();
    for file in [
        "a.torrent",
        "b film.torrent",
        "x.mkv",
        "sub/in.TORRENT",
        "sub/y.txt",
    ] {
        place.write(file, b"");
    }
    fs::create_dir(bin(&place)).unwrap();
    let link = bin(&place).join("tw-2");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tailwater"), link).unwrap();
    place
}

/// Where the program is, outside of the folder to complete in.
fn bin(place: &Place) -> PathBuf {
    place.work().with_file_name("bin")
}

/// The output of a shell that runs a script, with the program on its path; `None` if there is no such shell.
fn shell(place: &Place, shell: &str, script: &str) -> Option<Vec<String>> {
    let path = std::env::var("PATH").unwrap();
    let output = Command::new(shell)
        .args(["-c", script])
        .current_dir(place.work())
        .env("PATH", format!("{}:{path}", bin(place).display()))
        .env("HOME", place.work())
        .stdin(Stdio::null())
        .output()
        .ok()?;
    assert!(output.status.success(), "{shell}: {output:?}");
    let out = String::from_utf8(output.stdout).unwrap();
    Some(out.lines().map(str::to_owned).collect())
}

/// The candidates that bash gets for a line, in which the last word is to be completed.
fn bash(place: &Place, words: &[&str]) -> Vec<String> {
    let words: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let script = format!(
        "source <(tw-2 completions bash)\n\
         COMP_WORDS=({}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9\n\
         eval \"$(complete -p tw-2 | sed 's/.*-F \\([^ ]*\\) .*/f=\\1/')\"\n\
         $f tw-2 \"${{COMP_WORDS[COMP_CWORD]}}\" '' 2>/dev/null\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" ")
    );
    shell(place, "bash", &script).unwrap()
}

#[test]
fn bash_completes_the_program_by_the_name_that_it_has() {
    let place = place();
    let cases: [(&[&str], &[&str]); 12] = [
        (&["tw-2", "do"], &["download"]),
        (
            &["tw-2", "download", ""],
            &["a.torrent", "b film.torrent", "sub/"],
        ),
        (&["tw-2", "download", "sub/"], &["sub/in.TORRENT"]),
        (&["tw-2", "seed", "a.torrent", "b"], &["b film.torrent"]),
        (&["tw-2", "edit", "a"], &["a.torrent"]),
        (&["tw-2", "download", "--storage", ""], &["disk", "memory"]),
        (&["tw-2", "dht", "p"], &["peers", "put", "ping"]),
        (&["tw-2", "create", "--dry"], &["--dry-run"]),
        (&["tw-2", "man", "do"], &["download"]),
        (&["tw-2", "man", "dht", "p"], &["peers", "put", "ping"]),
        (&["tw-2", "--json", "=", "e"], &["events"]),
        (
            &["tw-2", "download", "--json", "=", ""],
            &["results", "events", "pieces"],
        ),
    ];
    for (words, expected) in cases {
        assert_eq!(bash(&place, words), expected, "{words:?}");
    }
    let shells = bash(&place, &["tw-2", "completions", ""]);
    assert!(shells.contains(&"zsh".to_owned()), "{shells:?}");
    // Options are asked for by a dash.
    assert!(bash(&place, &["tw-2", "download", "--"]).contains(&"--output".to_owned()));
}

#[test]
fn other_shells_complete_too() {
    let place = place();
    let fish = "tw-2 completions fish | source; complete -C 'tw-2 download '";
    if let Some(lines) = shell(&place, "fish", fish) {
        assert_eq!(lines, ["a.torrent", "b film.torrent", "sub/"]);
    }
    let zsh =
        "autoload -U compinit; compinit -u; source <(tw-2 completions zsh); echo $_comps[tw-2]";
    if let Some(lines) = shell(&place, "zsh", zsh) {
        assert!(lines[0].starts_with("_clap"), "{lines:?}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.ok(&["completions", shell]);
        assert!(
            script.contains("tailwater") && script.contains("TAILWATER_COMPLETE"),
            "{script}"
        );
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let place = Place::new();
    let written = place.ok(&["man", "--out", "man/man1"]);
    for page in [
        "tailwater",
        "tailwater-download",
        "tailwater-dht-node",
        "tailwater-man",
    ] {
        let path = format!("man/man1/{page}.1");
        assert!(written.contains(&path), "{path} is not in {written}");
        let text = fs::read_to_string(place.path(&path)).unwrap();
        for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES"] {
            assert!(
                text.contains(&format!(".SH {heading}\n")),
                "{page}: {heading}"
            );
        }
    }
    let node = place.ok(&["man", "dht", "node"]);
    assert!(node.starts_with(".ie") || node.starts_with(".TH"), "{node}");
    // Its fields: the name, the section, a date, the version and the manual.
    let title = node.lines().find(|line| line.starts_with(".TH ")).unwrap();
    let fields: Vec<_> = title.splitn(5, ' ').collect();
    let [_, "tailwater-dht-node", "1", date, rest] = fields[..] else {
        panic!("{title}");
    };
    let is_date = |c: char| c.is_ascii_digit() || c == '-';
    assert!(date.len() == 10 && date.chars().all(is_date), "{title}");
    let rest = rest.split_once('"').unwrap().1;
    assert!(
        rest.starts_with("tailwater ") && rest.ends_with("\" \"User Commands\""),
        "{title}"
    );
    assert!(node.contains("tailwater dht node \\-\\-table"), "{node}");
    assert!(
        node.contains(".SH \"EXIT STATUS\"") && node.contains(".BR tailwater-dht (1)"),
        "{node}"
    );
    let missing = place.run(&["man", "dht", "nope"]);
    assert_eq!(missing.code, Some(2), "{missing:?}");
    assert!(
        missing.err.contains("tailwater dht --help"),
        "{}",
        missing.err
    );
}

/// Where there is a formatter, it has nothing to complain of, and keeps the examples on lines of their own.
#[test]
fn manual_pages_can_be_formatted() {
    let place = Place::new();
    place.ok(&["man", "--out", "pages"]);
    for page in fs::read_dir(place.path("pages")).unwrap() {
        let page = page.unwrap().path();
        let mut groff = Command::new("groff");
        groff
            .args(["-man", "-Kutf8", "-Tutf8", "-ww", "-rLL=100n"])
            .arg(&page);
        let Ok(output) = groff.output() else { return };
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && complaints.is_empty(),
            "{page:?}: {complaints}"
        );
        if page.ends_with("tailwater-tracker.1") {
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.contains("  tailwater tracker --udp 6969"), "{text}");
        }
    }
}
