//! `tailwater bench idle`: what many torrents cost that no peer asks for.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tailwater_metainfo::hash_many;
use tokio::time::sleep;

use super::clients::{Found, alone};
use super::lab::{Lab, Side};
use super::machine::About;
use super::process::Process;
use super::report::{Measure, Report};
use super::{Output, Turns, in_folder, installed};
use crate::args::{BenchIdle, Client};
use crate::commands::Context;
use crate::error::CliError;

const CPU: Measure = Measure::new("cpu", "% of a core");
const RESIDENT: Measure = Measure::new("resident", "MiB");
const READY: Measure = Measure::new("until all seed", "s");

/// The length of each torrent's only piece.
const PIECE: usize = 16 * 1024;
/// Room for a file, its torrent and what file systems need for both.
const ROOM: u64 = 32 * 1024;

pub(super) async fn run(context: &Context, args: &BenchIdle) -> Result<(), CliError> {
    let output = Output::new(&args.measuring)?;
    let needed = ROOM * u64::from(args.torrents);
    let report = in_folder(context, args.bed.dir.as_deref(), needed, async |dir| {
        let mut report = Report::new(About::of("idle"));
        let clients = [Client::Ours, Client::Libtorrent];
        let clients = installed(&clients, &args.bed.python, &mut report)?;
        make(args.torrents, dir).map_err(CliError::io("write", dir))?;
        let cases = clients.iter().map(|found| found.client.name()).collect();
        let mut turns = Turns::new(context, args.measuring.rounds, cases);
        while let Some(case) = turns.next() {
            let found = clients.iter().find(|found| found.client.name() == case);
            let Some(found) = found else { continue };
            for (measure, value) in measure(args, found, dir).await? {
                report.add(case, measure, value);
            }
        }
        report.compare_beside(Client::Ours.name(), Client::Libtorrent.name());
        Ok(report)
    });
    output.show(context, &report.await?)
}

/// Files of random bytes in `data`, their torrents in `torrents`, and a list of those.
fn make(count: u32, dir: &Path) -> std::io::Result<()> {
    let (data, torrents) = (dir.join("data"), dir.join("torrents"));
    fs::create_dir_all(&data)?;
    fs::create_dir_all(&torrents)?;
    let mut random = fastrand::Rng::new();
    let mut bytes = vec![0; PIECE];
    let mut list = String::new();
    for number in 0..count {
        random.fill(&mut bytes);
        let name = format!("file-{number:06}");
        fs::write(data.join(&name), &bytes)?;
        let torrent = torrents.join(format!("{name}.torrent"));
        fs::write(&torrent, of_one_piece(&name, &bytes))?;
        list += &format!("{}\n", torrent.display());
    }
    fs::write(dir.join("list"), list)
}

/// The .torrent of a file that is one piece.
fn of_one_piece(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut torrent = format!(
        "d4:infod6:lengthi{}e4:name{}:{name}12:piece lengthi{PIECE}e6:pieces20:",
        bytes.len(),
        name.len()
    )
    .into_bytes();
    for hash in hash_many(&[&[bytes]]) {
        torrent.extend_from_slice(hash.as_bytes());
    }
    torrent.extend_from_slice(b"ee");
    torrent
}

async fn measure(
    args: &BenchIdle,
    found: &Found,
    dir: &Path,
) -> Result<Vec<(Measure, f64)>, CliError> {
    let give_up = Duration::from_secs(args.bed.give_up.into());
    let listen = Lab::loopback().addr(Side::Seeder)?;
    let home = dir.join(format!("home-{}", found.client.name()));
    fs::create_dir_all(&home).map_err(CliError::io("make", &home))?;
    let data: PathBuf = dir.join("data");
    let command = match found.client {
        Client::Libtorrent => {
            let args = [OsString::from(data), dir.join("torrents").into()];
            found.libtorrent("idle", listen, "{}", &args)
        }
        _ => {
            let mut command = Command::new(found.program());
            command.arg("seed").arg("--input").arg(dir.join("list"));
            command.arg("--data").arg(data).args(alone(listen));
            command.env("XDG_STATE_HOME", &home).env_remove("RUST_LOG");
            command
        }
    };
    let began = Instant::now();
    let mut process = Process::start(&format!("{}-idle", found.client.name()), dir, command)?;
    let all = usize::try_from(args.torrents).unwrap_or(usize::MAX);
    let is_ready = |said: &str| {
        let mut lines = said.lines();
        said.ends_with("ready\n")
            || lines
                .by_ref()
                .filter(|line| line.starts_with("seeding "))
                .count()
                >= all
    };
    process.says(give_up, is_ready).await?;
    let ready = began.elapsed().as_secs_f64();
    sleep(Duration::from_secs(args.settle.into())).await;
    let (from, before) = (Instant::now(), process.threads_cpu());
    sleep(Duration::from_secs(args.seconds.into())).await;
    let (seconds, after) = (from.elapsed().as_secs_f64(), process.threads_cpu());
    process.check(Instant::now() + give_up)?;
    let mut figures = vec![(READY, ready)];
    let spent = after.zip(before).map(|(after, before)| after - before);
    figures.extend(spent.map(|spent| (CPU, spent / seconds * 100.0)));
    figures.extend(process.resident_mib().map(|resident| (RESIDENT, resident)));
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_metainfo::Metainfo;

    #[test]
    fn its_torrents_are_of_its_files() {
        let dir = tempfile::tempdir().expect("a folder");
        make(3, dir.path()).expect("files");
        let list = fs::read_to_string(dir.path().join("list")).expect("a list");
        assert_eq!(list.lines().count(), 3);
        for torrent in list.lines() {
            let torrent = Metainfo::from_bytes(&fs::read(torrent).expect("a file"));
            let torrent = torrent.expect("it is valid");
            let bytes = fs::read(dir.path().join("data").join(torrent.info().name()));
            let bytes = bytes.expect("a file");
            assert_eq!(torrent.info().geometry().total(), 16 * 1024);
            let again = of_one_piece(torrent.info().name(), &bytes);
            let again = Metainfo::from_bytes(&again).expect("it is valid");
            assert_eq!(again.info().info_hashes(), torrent.info().info_hashes());
        }
    }
}
