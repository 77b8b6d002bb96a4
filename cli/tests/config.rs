//! Tests of the configuration file and the environment variables.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use serde_json::Value;
use support::{Finished, LOCAL, Place, noise};

fn with_env(place: &Place, args: &[&str], variables: &[(&str, &str)]) -> Finished {
    let output = place
        .command(args)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    Finished {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What `config COMMAND` prints for an option: its values and where they come from.
fn holds(place: &Place, command: &str, option: &str, more: &[(&str, &str)]) -> (String, String) {
    let finished = with_env(place, &["config", command, "--json"], more);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let lines = finished.out.lines();
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let line = lines.find(|line| line["option"] == option).unwrap();
    let values = line["values"].as_array().unwrap().iter();
    let values: Vec<_> = values.map(|value| value.as_str().unwrap()).collect();
    (values.join(" "), line["from"].as_str().unwrap().to_owned())
}

fn assert_wrong(finished: &Finished, told: &[&str]) {
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert_eq!(finished.out, "");
    for told in told {
        assert!(finished.err.contains(told), "{told}: {}", finished.err);
    }
}

#[test]
fn what_is_typed_comes_before_the_environment_before_the_table_before_the_top() {
    let place = Place::new();
    place.write("one", &noise(9, 20_000));
    let made = |args: &[&str], variables: &[(&str, &str)]| {
        let create = ["create", "one", "--force"];
        let finished = with_env(&place, &[&create, args].concat(), variables);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let said = place.ok(&["inspect", "one.torrent", "--json", "--no-config"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        said["comment"].as_str().map(str::to_owned)
    };
    let is = |text: &str| Some(text.to_owned());
    assert_eq!(made(&[], &[]), None);
    place.configure("comment = 'top'\n");
    assert_eq!(made(&[], &[]), is("top"));
    place.configure("comment = 'top'\n[create]\ncomment = 'table'\n");
    assert_eq!(made(&[], &[]), is("table"));
    let all = ("TAILWATER_COMMENT", "all");
    assert_eq!(made(&[], &[all]), is("all"));
    let own = ("TAILWATER_CREATE_COMMENT", "own");
    assert_eq!(made(&[], &[all, own]), is("own"));
    assert_eq!(made(&["--comment", "typed"], &[all, own]), is("typed"));
    assert_eq!(made(&["--no-config"], &[]), None);
    // Where downloads go is not where a torrent is written.
    place.configure("output = 'there'\n");
    assert_eq!(made(&[], &[("TAILWATER_OUTPUT", "there")]), None);
}

#[test]
fn each_value_is_shown_with_where_it_comes_from() {
    let place = Place::new();
    let nothing = place.ok(&["config"]);
    assert!(nothing.starts_with("nothing is set"), "{nothing}");
    let path = place.configure(
        "max-down = '2MiB'\nverbose = 2\n\n[download]\nmax-down = 500\npeer = ['a:1', 'b:2']\nseed = true\nseed-ratio = 1.5\n",
    );
    let at = |line: usize| format!("{}:{line}", path.display());
    let text = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    let of = |command, option| holds(&place, command, option, &[]);
    assert_eq!(of("download", "max-down"), text("500", &at(5)));
    assert_eq!(of("stream", "max-down"), text("2MiB", &at(1)));
    assert_eq!(of("download", "peer"), text("a:1 b:2", &at(6)));
    assert_eq!(of("download", "seed"), text("true", &at(7)));
    assert_eq!(of("download", "seed-ratio"), text("1.5", &at(8)));
    assert_eq!(of("download", "verbose"), text("2", &at(2)));
    assert_eq!(of("download", "storage"), text("disk", "default"));
    let variables = [
        ("TAILWATER_MAX_DOWN", "7"),
        ("TAILWATER_DOWNLOAD_NO_DHT", "yes"),
    ];
    let from = |name| format!("the environment variable {name}");
    let found = holds(&place, "download", "max-down", &variables);
    assert_eq!(found, text("7", &from("TAILWATER_MAX_DOWN")));
    let found = holds(&place, "download", "no-dht", &variables);
    assert_eq!(found, text("true", &from("TAILWATER_DOWNLOAD_NO_DHT")));
    let shown = place.ok(&["config"]);
    assert!(
        shown.contains(&format!("  max-down = 500  ({})", at(5))),
        "{shown}"
    );
    assert_eq!(
        place.ok(&["config", "--path"]).trim(),
        path.to_str().unwrap()
    );
}

#[test]
fn what_the_file_says_wrongly_is_named_with_its_line() {
    let place = Place::new();
    let path = place.configure("");
    let at = |line: usize| format!("{}:{line}: ", path.display());
    let cases: [(&str, usize, &[&str]); 9] = [
        (
            "\nmax-dwon = '1M'",
            2,
            &["max-dwon", "did you mean max-down?"],
        ),
        ("[downlaod]\n", 1, &["downlaod", "did you mean download?"]),
        ("[seed]\nsequential = true", 2, &["seed", "sequential"]),
        ("[tracker]\n\nhttps = 1", 3, &["did you mean http?"]),
        ("no-dht = 'yes'", 1, &["no-dht takes true or false"]),
        ("max-down = true", 1, &["max-down takes a text"]),
        ("max-down = ", 1, &[]),
        ("nodes = 5", 1, &["nodes", "[sim.dht]"]),
        ("xyzzyx = 1", 1, &["config --example"]),
    ];
    for (text, line, told) in cases {
        place.configure(text);
        let finished = place.run(&["create", "nothing"]);
        assert_wrong(&finished, &[&[at(line).as_str()], told].concat());
    }
    // What an option does not take is found where it is used.
    for (text, told) in [
        ("\nmax-down = '1 potato'", "unknown unit"),
        ("\nmax-peers = 0", "not from 1 to 65535"),
        ("\nupload-slots = 0", "not from 1 to 65535"),
        ("\nstorage = 'tape'", "disk, memory"),
    ] {
        place.configure(text);
        assert_wrong(&place.run(&["download", "x"]), &[&at(2), told]);
    }
    let variable = [("TAILWATER_NO_DHT", "maybe")];
    place.configure("");
    let finished = with_env(&place, &["download", "x"], &variable);
    assert_wrong(&finished, &["TAILWATER_NO_DHT", "true or false"]);
    assert_wrong(
        &place.run(&["demo", "--config", "no.toml"]),
        &["no.toml", "no such file"],
    );
    // Help and the way out work with a broken one.
    place.configure("nonsense");
    place.ok(&["--help"]);
    place.ok(&["config", "--path"]);
    place.ok(&["config", "--example"]);
    assert_wrong(&place.run(&["config"]), &[&at(1)]);
}

#[test]
fn what_is_set_never_stands_against_what_is_typed() {
    let place = Place::new();
    place.configure("no-dht = true\nmemory = '1GiB'\noutput = 'there'\ncheck = true\n[download]\nseed = true\npart = true\n");
    // `--memory` means nothing for files, `--output` nothing in memory: neither was typed.
    for storage in ["disk", "memory"] {
        let finished = place.run(&["download", "nonsense", "--storage", storage]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.err.contains("nonsense"), "{}", finished.err);
    }
    let finished = place.run(&["download", "nonsense", "--dht-bootstrap", "a:1"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert_wrong(
        &place.run(&["download", "nonsense", "--memory", "1GiB"]),
        &["--storage memory"],
    );
}

#[test]
fn a_switch_that_is_set_can_be_turned_off_and_a_folder_need_not_be_typed() {
    let place = Place::new();
    place.write("here/one", &noise(9, 50_000));
    place.ok(&["create", "here/one"]);
    place.configure(
        "no-progress = true\n[seed]\ndata = 'here'\n[download]\nseed = true\noutput = 'there'\n",
    );
    let seeder = place.start(&[&["seed", "one.torrent"], &LOCAL[..]].concat());
    let line = seeder.line("listening on ");
    seeder.line("seeding one");
    let addr = line.rsplit(' ').next().unwrap();
    let download = ["download", "one.torrent", "--seed=false", "--peer", addr];
    let finished = place.run(&[&download, &LOCAL[..]].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.out.contains("complete: one"), "{}", finished.out);
    assert!(place.path("there/one").exists());
    // Without it, it is seeded.
    let typed = [&download[..2], &download[3..], &LOCAL[..]].concat();
    let downloader = place.start(&typed);
    downloader.line("complete: one");
    let help = place.ok(&["download", "--help"]);
    assert!(help.contains("--seed\n"), "{help}");
    place.configure("json = true\n");
    assert!(place.ok(&["config"]).starts_with('{'));
    let off = place.ok(&["config", "--json=false"]);
    assert!(off.starts_with("all commands:"), "{off}");
}

#[test]
fn the_example_holds_every_option_and_is_a_file() {
    let place = Place::new();
    let example = place.ok(&["config", "--example"]);
    let widest = example.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(100), "a line of {widest:?}");
    for told in [
        "#max-down = ",
        "#stop-timeout = ",
        "[download]",
        "[dht.node]",
    ] {
        assert!(example.contains(told), "{told}: {example}");
    }
    place.configure(&example);
    assert!(place.ok(&["config"]).starts_with("nothing is set"));
    let output = ["json", "verbose", "log-file", "quiet"];
    // With each # taken away every option is set.
    let lines = example.lines().map(|line| match line.strip_prefix('#') {
        // Those change how the result is printed.
        Some(option) if output.iter().any(|name| option.starts_with(name)) => line,
        Some(option) if option.starts_with(|c: char| c.is_ascii_lowercase()) => option,
        _ => line,
    });
    let all: String = lines.flat_map(|line| [line, "\n"]).collect();
    place.configure(&all);
    let shown = place.ok(&["config"]);
    let set = all
        .lines()
        .filter(|line| line.contains(" = ") && !line.starts_with('#'));
    assert!(shown.lines().count() >= set.count(), "{shown}");
    for told in ["  seed = true", "  max-down = SIZE", "  no-progress = true"] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
}

#[test]
fn a_tilde_is_the_home_folder_where_no_shell_says_so() {
    let place = Place::new();
    let file = place.configure(
        "[download]\noutput = '~/foo'\n[seed]\ndata = '~'\n[create]\ncomment = '~/foo'\n",
    );
    let home = [("HOME", "/home/a"), ("USERPROFILE", "/home/a")];
    let value = |command, option, more: &[(&str, &str)]| {
        holds(&place, command, option, &[&home, more].concat()).0
    };
    assert_eq!(value("download", "output", &[]), "/home/a/foo");
    assert_eq!(value("seed", "data", &[]), "/home/a");
    assert_eq!(value("create", "comment", &[]), "~/foo");
    let variable = [("TAILWATER_OUTPUT", "~/bar"), ("TAILWATER_INPUT", "~/l ~x")];
    assert_eq!(value("stream", "output", &variable), "/home/a/bar");
    assert_eq!(value("download", "input", &variable), "/home/a/l ~x");
    let homeless = [("HOME", ""), ("USERPROFILE", "")];
    let finished = with_env(&place, &["download", "x"], &homeless);
    let at = format!("{}:2: output: ", file.display());
    assert_wrong(
        &finished,
        &[&at, "\"~/foo\"", "HOME", "help: write the whole path"],
    );
}

#[test]
fn a_variable_that_no_option_has_is_named_with_the_one_that_is_meant() {
    let place = Place::new();
    let variables = [
        ("TAILWATER_OUPUT", "x"),
        ("TAILWATER_XYZZY", "x"),
        ("TAILWATER_NAME", "a fact"),
        ("TAILWATER_INTEROP", "1"),
    ];
    let finished = with_env(&place, &["config"], &variables);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(
        finished.out.starts_with("nothing is set"),
        "{}",
        finished.out
    );
    let said = finished.err.lines().collect::<Vec<_>>();
    let warning = |name| {
        format!("warning: the environment variable {name} means nothing: no option has that name")
    };
    assert_eq!(said.len(), 4, "{said:#?}");
    assert_eq!(said[0], warning("TAILWATER_OUPUT"));
    assert_eq!(said[1], "  help: did you mean TAILWATER_OUTPUT?");
    assert_eq!(said[2], warning("TAILWATER_XYZZY"));
}

#[test]
fn all_that_is_wrong_in_the_file_is_named() {
    let place = Place::new();
    let path = place.configure("max-dwon = 1\nno-dht = 'yes'\n[downlaod]\nseed = true\n");
    let finished = place.run(&["config"]);
    let at = |line: usize| format!("error: {}:{line}: ", path.display());
    let told = [at(1), at(2), at(3)];
    let told: Vec<_> = told.iter().map(String::as_str).collect();
    assert_wrong(&finished, &told);
    for help in [
        "help: did you mean max-down?",
        "help: did you mean download?",
    ] {
        assert_eq!(finished.err.matches(help).count(), 1, "{}", finished.err);
    }
}
