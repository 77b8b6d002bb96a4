//! `tailwater bench hash`: SHA-1 and SHA-256, on one core.

use std::hint::black_box;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tailwater_metainfo::merkle::{block_hash, block_hashes};
use tailwater_metainfo::{BLOCK_LEN, hash_many, hashed_together};

use super::machine::About;
use super::report::{Measure, Report};
use super::{Output, Turns};
use crate::args::Measuring;
use crate::commands::Context;
use crate::error::CliError;

const RATE: Measure = Measure::new("rate", "GiB/s");

/// The length of a piece, in bytes.
const PIECE: usize = 1 << 20;
/// How many of them are hashed, one after the other or side by side.
const PIECES: usize = 16;
/// How long one measurement takes.
const TIME: Duration = Duration::from_millis(500);
/// What OpenSSL is told, in whole seconds.
const OPENSSL_SECONDS: &str = "1";

/// Names of SHA-1.
pub(super) struct Sha1;

impl Sha1 {
    pub(super) const OPENSSL: &str = "sha1";
}

const SIDE_BY_SIDE: &str = "SHA-1, pieces side by side";
const ONE_BY_ONE: &str = "SHA-1, one by one";
const SHA1_OPENSSL: &str = "SHA-1, openssl";
const BLOCKS_SIDE_BY_SIDE: &str = "SHA-256, blocks side by side";
const BLOCKS: &str = "SHA-256, blocks of 16 KiB";
const SHA256_OPENSSL: &str = "SHA-256, openssl";

pub(super) async fn run(context: &Context, args: &Measuring) -> Result<(), CliError> {
    let output = Output::new(args)?;
    let mut report = Report::new(About::of("hash"));
    let mut cases = vec![SIDE_BY_SIDE, ONE_BY_ONE, BLOCKS_SIDE_BY_SIDE, BLOCKS];
    match openssl_version() {
        Some(version) => {
            cases.extend([SHA1_OPENSSL, SHA256_OPENSSL]);
            report.about.with.push(version);
        }
        None => report
            .skipped
            .push("openssl: it is not installed".to_owned()),
    }
    let measuring = async {
        let mut turns = Turns::new(context, args.rounds, cases);
        while let Some(case) = turns.next() {
            let rate = match case {
                SHA1_OPENSSL => openssl(Sha1::OPENSSL).await,
                SHA256_OPENSSL => openssl("sha256").await,
                case => Some(ours(case).await?),
            };
            if let Some(rate) = rate {
                report.add(case, RATE, rate);
            }
        }
        Ok(())
    };
    context.interrupt.guard(measuring).await?;
    report.compare_beside(SIDE_BY_SIDE, SHA1_OPENSSL);
    report.compare_beside(ONE_BY_ONE, SHA1_OPENSSL);
    report.compare_beside(BLOCKS_SIDE_BY_SIDE, SHA256_OPENSSL);
    report.compare_beside(BLOCKS, SHA256_OPENSSL);
    output.show(context, &report)
}

async fn ours(case: &'static str) -> Result<f64, CliError> {
    in_a_thread(move || rate(case)).await
}

/// SHA-1 on so many threads at once, in GiB/s together.
pub(super) async fn on_all_cores(threads: usize) -> Result<f64, CliError> {
    let case = match hashed_together() {
        1 => ONE_BY_ONE,
        _ => SIDE_BY_SIDE,
    };
    in_a_thread(move || {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|_| scope.spawn(move || rate(case)))
                .collect();
            let rates = threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or(0.0));
            rates.sum()
        })
    })
    .await
}

async fn in_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CliError> {
    // A thread that panicked has printed its message.
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| CliError::Reported)
}

/// GiB/s.
fn rate(case: &str) -> f64 {
    let mut random = fastrand::Rng::with_seed(1);
    let mut data = vec![0; PIECE * PIECES];
    random.fill(&mut data);
    let block = usize::try_from(BLOCK_LEN).unwrap_or(PIECE);
    let blocks: Vec<&[u8]> = data.chunks(block).collect();
    let pieces: Vec<&[&[u8]]> = blocks.chunks(PIECE / block).collect();
    let began = Instant::now();
    let mut bytes = 0;
    while began.elapsed() < TIME {
        match case {
            SIDE_BY_SIDE => drop(black_box(hash_many(black_box(&pieces)))),
            ONE_BY_ONE => {
                for piece in &pieces {
                    black_box(hash_many(black_box(&[piece])));
                }
            }
            BLOCKS_SIDE_BY_SIDE => drop(black_box(block_hashes(black_box(&blocks)))),
            _ => {
                for block in &blocks {
                    black_box(block_hash(black_box(block)));
                }
            }
        }
        bytes += data.len();
    }
    gib(bytes) / began.elapsed().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "it is far below 2^52 bytes")]
fn gib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// The version of OpenSSL's program, if there is one.
pub(super) fn openssl_version() -> Option<String> {
    let mut command = Command::new("openssl");
    let output = command.arg("version").stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    let words: Vec<_> = said.split_whitespace().take(2).collect();
    (output.status.success() && !words.is_empty()).then(|| words.join(" "))
}

/// What OpenSSL says of one of its hashes on one core, in GiB/s.
pub(super) async fn openssl(name: &str) -> Option<f64> {
    let mut command = tokio::process::Command::new("openssl");
    command.args([
        "speed",
        "-mr",
        "-seconds",
        OPENSSL_SECONDS,
        "-bytes",
        "1048576",
        "-evp",
        name,
    ]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = bytes_per_second(&said)?;
    Some(rate / f64::from(1 << 30))
}

/// The figure in `+F:22:sha1:123456.78`.
fn bytes_per_second(said: &str) -> Option<f64> {
    let mut lines = said.lines();
    let figures = lines.find_map(|line| line.strip_prefix("+F:"))?;
    figures.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_openssl_says_is_read() {
        let said = "+DT:sha1:1:1048576\n+R:1792:sha1:1.00\n+H:1048576\n+F:0:sha1:1879048192.00\n";
        assert_eq!(bytes_per_second(said), Some(1_879_048_192.0));
        assert_eq!(bytes_per_second("no such digest"), None);
    }
}
