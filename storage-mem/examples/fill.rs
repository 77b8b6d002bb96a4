//! Measures the CPU time of filling an empty storage, as a download into fresh memory does.
//!
//! `cargo run --release -p tailwater-storage-mem --example fill -- [MEBIBYTES] [THREADS]`, on Linux.

use std::sync::Arc;
use std::time::Instant;

use sha1::{Digest, Sha1};
use tailwater_metainfo::{Geometry, PieceHash, PieceHashes};
use tailwater_storage_mem::{Config, MemoryStorage, Verdict};

const PIECE: u32 = 1024 * 1024;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// User and system time of this process so far, in clock ticks of 10 ms.
fn ticks() -> Result<(u64, u64), Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("no process name")?;
    let mut times = fields.split(' ').skip(11).map(str::parse);
    let mut next = || times.next().ok_or("too few fields");
    Ok((next()??, next()??))
}

fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1);
    let mebibytes: u32 = numbers.next().as_deref().unwrap_or("1024").parse()?;
    let threads: usize = numbers.next().as_deref().unwrap_or("1").parse()?;

    let geometry = Geometry::new(u64::from(mebibytes) * u64::from(PIECE), PIECE)?;
    let data = vec![0x5a; PIECE as usize];
    let hash = PieceHash::new(Sha1::digest(&data).into());
    let storage = MemoryStorage::new(Config::new(geometry.total()));
    let hashes: PieceHashes = (0..mebibytes).map(|_| hash).collect();
    let handle = storage.add_torrent(geometry.clone(), hashes)?;
    let data = Arc::new(data);

    let together = storage.verify_together(handle)?;
    let fill = |thread: usize| -> Result<(), Failure> {
        let own = geometry.pieces().skip(thread).step_by(threads);
        for pieces in own.collect::<Vec<_>>().chunks(together) {
            for &piece in pieces {
                let _ = storage.reserve(handle, piece)?;
                for block in geometry.blocks(piece) {
                    storage.write_block(handle, block, &data[..block.len() as usize])?;
                }
            }
            let mut valid = 0;
            storage.verify_many(handle, pieces, |_, verdict| {
                valid += usize::from(verdict == Ok(Verdict::Valid));
            });
            if valid < pieces.len() {
                return Err("a wrong hash".into());
            }
        }
        Ok(())
    };
    let fill = &fill;
    let (begin, (user, system)) = (Instant::now(), ticks()?);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || fill(thread)))
            .collect();
        workers.into_iter().try_for_each(|worker| {
            let result = worker.join();
            result.unwrap_or_else(|_| Err(Failure::from("a worker panicked")))
        })
    })?;
    let (elapsed, (user_end, system_end)) = (begin.elapsed(), ticks()?);
    let (user, system) = (user_end - user, system_end - system);
    let seconds = |ticks: u64| format!("{}.{:02}", ticks / 100, ticks % 100);
    println!(
        "{mebibytes} MiB: CPU {} s (user {}, system {}), wall {:.2} s",
        seconds(user + system),
        seconds(user),
        seconds(system),
        elapsed.as_secs_f64()
    );
    Ok(())
}
