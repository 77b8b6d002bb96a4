//! What figures depend on beside the code: the machine, the kernel, the build.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::SystemTime;

use serde::Serialize;

/// Instructions of a processor that matter to us: SHA-1 and SHA-256 in hardware, and the widths of vectors.
const FEATURES: [&str; 5] = ["sha_ni", "avx2", "avx512f", "sha2", "asimd"];

/// The first line of JSON of a bench.
#[derive(Clone, Debug, Serialize)]
pub(super) struct About {
    event: &'static str,
    pub(super) bench: String,
    /// The arguments that it was given.
    pub(super) arguments: Vec<String>,
    pub(super) version: &'static str,
    /// Of the checkout that the program lies in, with `-dirty` if files of it were changed.
    pub(super) commit: Option<String>,
    /// Whether the compiler optimised.
    pub(super) is_optimised: bool,
    pub(super) date: String,
    pub(super) machine: Machine,
    /// The other programs, with their versions.
    pub(super) with: Vec<String>,
    /// What joins the processes.
    pub(super) network: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    pub(super) processor: Option<String>,
    pub(super) features: Vec<&'static str>,
    pub(super) cores: usize,
    pub(super) memory_mib: Option<u64>,
    pub(super) system: &'static str,
    pub(super) kernel: Option<String>,
}

impl About {
    pub(super) fn of(bench: &str) -> Self {
        Self {
            event: "about",
            bench: bench.to_owned(),
            arguments: std::env::args().skip(1).collect(),
            version: env!("CARGO_PKG_VERSION"),
            commit: commit(),
            is_optimised: !cfg!(debug_assertions),
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            machine: Machine::this(),
            with: Vec::new(),
            network: None,
        }
    }
}

impl Machine {
    fn this() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        Self {
            processor: value(&processor, "model name").map(str::to_owned),
            features: features(&processor),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_mib: value(&memory, "MemTotal")
                .and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok())
                .map(|kib| kib / 1024),
            system: std::env::consts::OS,
            kernel: kernel.map(|text| text.trim().to_owned()),
        }
    }
}

/// What stands behind a name and a colon, in the first such line.
pub(super) fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then_some(value.trim())
    })
}

fn features(processor: &str) -> Vec<&'static str> {
    let flags = value(processor, "flags").or_else(|| value(processor, "Features"));
    let flags: Vec<_> = flags.unwrap_or_default().split_whitespace().collect();
    let features = FEATURES.into_iter();
    features.filter(|feature| flags.contains(feature)).collect()
}

/// The commit of the checkout that this program was built in, if it still lies there.
fn commit() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let checkout = program.ancestors().find(|dir| dir.join(".git").exists())?;
    let head = git(checkout, &["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(checkout, &["status", "--porcelain", "--untracked-files=no"])?;
    Some(match changed.is_empty() {
        true => head,
        false => format!("{head}-dirty"),
    })
}

fn git(dir: &Path, args: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(dir).args(args).stdin(Stdio::null());
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_of_a_processor_are_read() {
        let text = "processor\t: 0\nmodel name\t: A Processor\nflags\t\t: fpu avx2 sha_ni\n";
        assert_eq!(value(text, "model name"), Some("A Processor"));
        assert_eq!(features(text), ["sha_ni", "avx2"]);
        assert!(features("Features : fp asimd sha1 sha2\n").contains(&"sha2"));
        assert!(features("").is_empty());
    }
}
