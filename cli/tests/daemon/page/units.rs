//! The modules that look at no page, tested by node.

use std::path::Path;
use std::process::Command;

use super::enabled;

#[test]
fn pure_modules_do_what_they_say() {
    if !enabled() {
        return;
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../serve/src/api/pages/tests");
    let mut files: Vec<_> = std::fs::read_dir(tests)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let output = Command::new("node")
        .arg("--test")
        .args(&files)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    // Files that node took for no tests would pass too.
    let number = said.lines().find_map(|line| {
        line.trim_start_matches(['#', 'ℹ', ' '])
            .strip_prefix("tests ")?
            .parse()
            .ok()
    });
    assert!(number >= Some(20), "{said}");
}
