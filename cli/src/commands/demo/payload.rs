//! The demo's payload: a folder of random bytes, and its torrent.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use tailwater_metainfo::{CreateError, Creator, Metainfo};
use tailwater_serve::size::Size;

use crate::commands::Context;
use crate::error::CliError;
use crate::progress::OFTEN;

/// How many shares the payload is divided into.
const SHARES: u64 = 64;
/// Name and shares of each file; the first one takes what is left over.
const FILES: [(&str, u64); 6] = [
    ("film.bin", 40),
    ("extras/making-of.bin", 20),
    ("extras/trailer.bin", 3),
    ("cover.bin", 1),
    ("empty.bin", 0),
    ("readme.txt", 0),
];
const README: &[u8] = b"Random bytes that a tailwater demo was made of.\n";
/// The name of the payload's folder, and so of the torrent.
pub(super) const NAME: &str = "tailwater-demo";

/// Makes the payload and its torrent.
pub(super) async fn prepare(
    context: &Context,
    dir: PathBuf,
    size: u64,
    announce: String,
) -> Result<Metainfo, CliError> {
    let meter = context.progress.meter("payload", size, OFTEN);
    let interrupt = context.interrupt.clone();
    let work = tokio::task::spawn_blocking(move || {
        let root = dir.join(NAME);
        let lengths = FILES.map(|(_, share)| size / SHARES * share);
        let rest = size - lengths.iter().sum::<u64>();
        for (index, ((name, _), length)) in FILES.into_iter().zip(lengths).enumerate() {
            let length = if index == 0 { length + rest } else { length };
            let path = root.join(name);
            match write(&path, length, || interrupt.is_requested()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    return Err(CliError::Interrupted);
                }
                written => written.map_err(CliError::io("write", path))?,
            }
        }
        let readme = root.join("readme.txt");
        std::fs::write(&readme, README).map_err(CliError::io("write", readme))?;
        let created = Creator::new().tier([announce]).create(&root, |step| {
            meter.set(
                step.done,
                format_args!("hashing, {} of {}", Size(step.done), Size(step.total)),
            );
            match interrupt.is_requested() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        match created {
            Err(CreateError::Cancelled) => Err(CliError::Interrupted),
            created => Ok(created?.metainfo),
        }
    });
    // A thread that panicked has printed its message.
    work.await.unwrap_or(Err(CliError::Reported))
}

/// Writes a file of random bytes; fails with [`ErrorKind::Interrupted`] when told to stop.
fn write(path: &Path, length: u64, stop: impl Fn() -> bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    let mut random = fastrand::Rng::new();
    let mut bytes = vec![0; 256 * 1024];
    let mut left = length;
    while left > 0 {
        if stop() {
            return Err(ErrorKind::Interrupted.into());
        }
        let len = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        random.fill(&mut bytes[..len]);
        file.write_all(&bytes[..len])?;
        left -= u64::try_from(len).unwrap_or(left);
    }
    Ok(())
}
