//! The memory budget holds for the whole process, not only for a counter in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::enabled;
use crate::place::{Place, Setup};
use crate::process;

const MIB: u64 = 1 << 20;

/// What a process needs besides the budget: tables, stacks, buffers of connections. The program itself is not counted: how much
/// of it is resident depends on how it was built.
const BESIDES: u64 = 6 * MIB;

/// The end of the file is fetched before the reader is there, at most a sixteenth of the budget. What of it is on its way when the
/// reader begins to wait for the first bytes is given up, and comes again.
const AGAIN: u64 = MIB;

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
    let mut command = Command::new("bash");
    command.args([
        "-c",
        "set -o pipefail; curl -sS \"$1\" | cmp - \"$2\"",
        "bash",
    ]);
    process::run("curl", command.arg(&place.ours.file).arg(&place.payload));
    let (peak, program) = (place.ours.peak_memory(), place.ours.program_memory());
    let [all, file] = [peak, program].map(|bytes| bytes as f64 / MIB as f64);
    eprintln!("memory: {all:.1} MiB at the peak, {file:.1} of it the program");
    assert!(
        peak - program <= budget + BESIDES,
        "{peak}, with {program} bytes of program"
    );
    let counts = place.seeder.counts();
    assert!(counts.again <= AGAIN, "{counts:?}");
}
