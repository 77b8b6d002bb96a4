//! Processes that are measured: their processor time, their memory, their end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::machine::value;
use crate::error::CliError;

/// How often a process is looked at. It is also how exact its end is known.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How much of what a failed process said is shown.
const LAST_LINES: usize = 5;
/// A second has so many of the units in which Linux tells the time of a process, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

/// A child process. It is killed when dropped.
pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    started: Instant,
    /// The most resident memory that was seen, in KiB.
    peak_kib: u64,
    has_ended: bool,
}

/// The time of a processor that a process took, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CpuTime {
    pub(super) user: f64,
    pub(super) system: f64,
}

/// A process that has ended by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// From its start to its end.
    pub(super) wall: Duration,
    /// Of the process and those of its children that it has waited for; `None` where the system does not say.
    pub(super) cpu: Option<CpuTime>,
    pub(super) peak_mib: Option<f64>,
}

impl CpuTime {
    pub(super) fn total(self) -> f64 {
        self.user + self.system
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            user: self.user - before.user,
            system: self.system - before.system,
        }
    }
}

impl Process {
    /// Starts a process; what it prints goes to `NAME.log` in `dir`. Its standard input ends with this process.
    pub(super) fn start(name: &str, dir: &Path, mut command: Command) -> Result<Self, CliError> {
        let log = dir.join(format!("{name}.log"));
        let failed = |source| CliError::Io {
            operation: "write",
            path: log.clone(),
            source,
        };
        let output = File::create(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        command.stdin(Stdio::piped()).stdout(output).stderr(errors);
        let started = Instant::now();
        let child = command.spawn().map_err(|source| {
            let program = command.get_program().to_string_lossy();
            CliError::Bench(format!("cannot start {program}: {source}"))
        })?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
            started,
            peak_kib: 0,
            has_ended: false,
        })
    }

    pub(super) const fn started(&self) -> Instant {
        self.started
    }

    /// What it has printed.
    pub(super) fn said(&self) -> String {
        fs::read(&self.log).map_or_else(
            |_| String::new(),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// Waits until `is_done` says so of what it has printed; fails when it ends before, or after `within`.
    pub(super) async fn says(
        &mut self,
        within: Duration,
        is_done: impl Fn(&str) -> bool,
    ) -> Result<(), CliError> {
        let until = Instant::now() + within;
        loop {
            if is_done(&self.said()) {
                return Ok(());
            }
            self.check(until)?;
            sleep(LOOK_EVERY * 4).await;
        }
    }

    /// Fails if it has ended, or `until` is past.
    pub(super) fn check(&mut self, until: Instant) -> Result<(), CliError> {
        if let Some(status) = self.child.try_wait().map_err(|error| self.broken(&error))? {
            self.has_ended = true;
            return Err(self.failed(&format!("ended too early ({status})")));
        }
        match Instant::now() < until {
            true => Ok(()),
            false => Err(self.failed("did not get done in time")),
        }
    }

    /// Waits until it has ended by itself with success.
    pub(super) async fn end(mut self, within: Duration) -> Result<Ended, CliError> {
        let until = self.started + within;
        let (status, wall, cpu) = loop {
            if let Some((status, cpu)) = self.poll().map_err(|error| self.broken(&error))? {
                break (status, self.started.elapsed(), cpu);
            }
            if Instant::now() > until {
                return Err(self.failed("did not get done in time"));
            }
            sleep(LOOK_EVERY).await;
        };
        self.has_ended = true;
        match status.success() {
            true => Ok(Ended {
                wall,
                cpu,
                peak_mib: self.peak_mib(),
            }),
            false => Err(self.failed(&format!("failed ({status})"))),
        }
    }

    /// The most resident memory so far, in MiB.
    pub(super) fn peak_mib(&mut self) -> Option<f64> {
        self.look();
        (self.peak_kib > 0).then(|| mib(self.peak_kib))
    }

    /// The resident memory now, in MiB.
    pub(super) fn resident_mib(&self) -> Option<f64> {
        memory_kib(&self.proc("status")?, "VmRSS").map(mib)
    }

    /// What it has taken so far, to a hundredth of a second.
    pub(super) fn cpu(&self) -> Option<CpuTime> {
        cpu_time(&self.proc("stat")?)
    }

    /// What all its threads have taken so far, in seconds, to the nanosecond; those that have ended do not count.
    pub(super) fn threads_cpu(&self) -> Option<f64> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
        let nanos = tasks.flatten().map(|task| {
            let spent = fs::read_to_string(task.path().join("schedstat")).ok()?;
            spent.split_whitespace().next()?.parse::<f64>().ok()
        });
        Some(nanos.flatten().sum::<f64>() / 1e9)
    }

    fn look(&mut self) {
        let peak = self
            .proc("status")
            .and_then(|status| memory_kib(&status, "VmHWM"));
        self.peak_kib = self.peak_kib.max(peak.unwrap_or(0));
    }

    fn proc(&self, file: &str) -> Option<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).ok()
    }

    /// Whether it has ended, and what it has taken.
    #[cfg(target_os = "linux")]
    fn poll(&mut self) -> std::io::Result<Option<(ExitStatus, Option<CpuTime>)>> {
        use wait4::Wait4;
        self.look();
        // A process that has ended stays until it is waited for, and only then its exact times are told.
        if self
            .proc("stat")
            .is_some_and(|stat| state(&stat) != Some('Z'))
        {
            return Ok(None);
        }
        let used = self.child.wait4()?;
        self.has_ended = true;
        let cpu = CpuTime {
            user: used.rusage.utime.as_secs_f64(),
            system: used.rusage.stime.as_secs_f64(),
        };
        Ok(Some((used.status, Some(cpu))))
    }

    #[cfg(not(target_os = "linux"))]
    fn poll(&mut self) -> std::io::Result<Option<(ExitStatus, Option<CpuTime>)>> {
        Ok(self.child.try_wait()?.map(|status| (status, None)))
    }

    fn failed(&self, what: &str) -> CliError {
        let said = self.said();
        let lines: Vec<_> = said.lines().collect();
        let last = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
        let last = match last.is_empty() {
            true => String::new(),
            false => format!("; it said:\n  {last}"),
        };
        CliError::Bench(format!("{} {what}{last}", self.name))
    }

    fn broken(&self, error: &std::io::Error) -> CliError {
        CliError::Bench(format!("cannot wait for {}: {error}", self.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.has_ended {
            // It may have ended by itself just now.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a process has less than 2^52 KiB"
)]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

fn memory_kib(status: &str, name: &str) -> Option<u64> {
    value(status, name)?.trim_end_matches(" kB").parse().ok()
}

/// What stands behind the name, which may have spaces and parentheses, in `/proc/PID/stat`.
fn after_name(stat: &str) -> Option<&str> {
    Some(stat.rsplit_once(')')?.1.trim_start())
}

#[cfg(target_os = "linux")]
fn state(stat: &str) -> Option<char> {
    after_name(stat)?.chars().next()
}

fn cpu_time(stat: &str) -> Option<CpuTime> {
    let mut fields = after_name(stat)?.split_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / TICKS_PER_SECOND);
    Some(CpuTime {
        user: seconds()?,
        system: seconds()?,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const STAT: &str = "7 (a ) b) Z 1 7 7 0 -1 4194304 0 0 0 0 250 125 0 0 20 0 1 0 1 0 0";

    #[test]
    fn a_line_of_proc_is_read_whatever_the_program_is_called() {
        assert_eq!(state(STAT), Some('Z'));
        let cpu = cpu_time(STAT).expect("times");
        assert_eq!((cpu.user, cpu.system), (2.5, 1.25));
        assert_eq!(cpu_time("7 (a"), None);
        assert_eq!(
            memory_kib("VmPeak:\t9 kB\nVmHWM:\t 2048 kB\n", "VmHWM"),
            Some(2048)
        );
    }

    #[tokio::test]
    async fn a_process_ends_with_its_times_or_says_why_it_failed() {
        let dir = tempfile::tempdir().expect("a folder");
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Process::start("sh", dir.path(), command).expect("a shell")
        };
        let minute = Duration::from_secs(60);
        let busy = shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
        let ended = busy.end(minute).await.expect("success");
        assert!(ended.cpu.expect("times").total() > 0.0);
        let failed = shell("echo no room; exit 3").end(minute).await;
        let error = failed.expect_err("a failure").to_string();
        assert!(error.contains("no room") && error.contains('3'), "{error}");
        let endless = shell("sleep 1000").end(Duration::ZERO).await;
        let error = endless.expect_err("a failure").to_string();
        assert!(error.contains("in time"), "{error}");
    }
}
