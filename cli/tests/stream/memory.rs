//! The budget is a promise about the process, not about a counter in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::enabled;
use crate::place::{Place, Setup};
use crate::process;

const MIB: u64 = 1 << 20;

/// What passing a file through needs besides the budget: tables, buffers of connections, code that had not run before. The
/// program itself is not counted: how much of it is mapped depends on how it was built.
const BESIDES: u64 = 8 * MIB;

/// A file of bytes that do not compress, made by the first run.
fn noise(len: u64) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("noise");
    let path = dir.join(format!("{len}.bin"));
    if fs::metadata(&path).is_ok_and(|found| found.len() == len) {
        return path;
    }
    fs::create_dir_all(&dir).unwrap();
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    fastrand::Rng::with_seed(3).fill(&mut bytes);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_file_ten_times_the_budget_passes_through_it() {
    if !enabled() {
        return;
    }
    let budget = 16 * MIB;
    let setup = Setup {
        memory: "16MiB",
        max_up: 0,
    };
    let place = Place::new(&noise(12 * budget), setup);
    let idle = place.ours.peak_memory();
    let mut command = Command::new("bash");
    command.args([
        "-c",
        "set -o pipefail; curl -sS \"$1\" | cmp - \"$2\"",
        "bash",
    ]);
    process::run("curl", command.arg(&place.ours.file).arg(&place.payload));
    let peak = place.ours.peak_memory();
    let [idle_mib, peak_mib] = [idle, peak].map(|bytes| bytes as f64 / MIB as f64);
    eprintln!("memory: {idle_mib:.1} MiB before, {peak_mib:.1} at the peak");
    assert!(
        peak - idle <= budget + BESIDES,
        "{idle} and then {peak} bytes"
    );
    let counts = place.seeder.counts();
    assert_eq!(counts.again, 0, "{counts:?}");
}
