//! `tailwater sim utp`: simulated connections, reports and charts.
#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use serde_json::Value;
use support::Place;

/// A slow link, so that the test is fast.
const SLOW: [&str; 6] = ["sim", "utp", "--rate", "5", "--seconds", "20"];

fn json(place: &Place, more: &[&str]) -> Value {
    let out = place.ok(&[&SLOW, more, &["--json"]].concat());
    serde_json::from_str(&out).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_report_byte_for_byte_and_a_chart() {
    let place = Place::new();
    let run = |seed: &str, more: &[&str]| {
        let trouble = ["--loss", "1%", "--reorder", "2%", "--duplicate", "1%"];
        let clocks = ["--jitter", "5", "--drift", "-100", "--json", "--seed", seed];
        place.ok(&[&SLOW, &trouble[..], &clocks[..], more].concat())
    };
    let report = run("7", &["--chart", "link.svg"]);
    assert_eq!(run("7", &[]), report);
    assert_ne!(run("8", &[]), report);
    let report: Value = serde_json::from_str(&report).unwrap();
    let flow = &report["flows"][0];
    assert_eq!(flow["congestion"], "ledbat");
    assert!(flow["mbit"].as_f64().unwrap() > 3.5, "{flow}");
    assert!(flow["packets_resent"].as_u64().unwrap() > 50, "{flow}");
    let svg = std::fs::read_to_string(place.path("link.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("Congestion window"));
}

#[test]
fn a_flow_yields_to_one_of_another_kind() {
    let place = Place::new();
    let flows = ["--flow", "cubic", "--flow", "ledbat@8", "--queue", "128"];
    let report = json(&place, &flows);
    let phases = report["phases"].as_array().unwrap();
    let cubic = |phase: &Value| phase["mbit"][0].as_f64().unwrap();
    assert_eq!(phases.len(), 2);
    assert!(cubic(&phases[1]) > 0.85 * cubic(&phases[0]), "{phases:?}");
    assert!(phases[1]["mbit"][1].as_f64().unwrap() > 0.0, "{phases:?}");
}

#[test]
fn the_report_is_readable_and_a_chart_is_replaced_only_when_asked_for() {
    let place = Place::new();
    let flows = ["--flow", "ledbat++", "--flow", "cubic@5-10"];
    let report = place.ok(&[&SLOW, &flows[..], &["--chart", "link.svg"]].concat());
    for told in [
        "5 Mbit/s, 40 ms; 2 flows, for 20 s\n",
        "flow 1      ledbat++: ",
        "flow 2      cubic: ",
        "0-5 s ",
        "5-10 s ",
        "10-20 s ",
        "\nwritten: link.svg\n",
    ] {
        assert!(report.contains(told), "{told:?} is not in {report}");
    }
    let refused = place.run(&[&SLOW[..], &["--chart", "link.svg"]].concat());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.err.contains("link.svg exists already"),
        "{refused:?}"
    );
    place.ok(&[&SLOW[..], &["--chart", "link.svg", "--force"]].concat());
}

#[test]
fn what_cannot_be_simulated_is_refused_with_a_reason() {
    let place = Place::new();
    let cases: [(&[&str], &str); 5] = [
        (&["--flow", "reno"], "not ledbat, cubic or ledbat++"),
        (&["--flow", "cubic@9-5"], "such as ledbat@20 or cubic@20-40"),
        (&["--loss", "2"], "from 0 (none) to 1 (all)"),
        (&["--rate", "0"], "0 is not from 1 to 10000"),
        (&["--drift", "-20000"], "-20000 is not from -10000 to 10000"),
    ];
    for (more, reason) in cases {
        let refused = place.run(&[&["sim", "utp"], more].concat());
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.err.contains(reason), "{refused:?}");
    }
}
