//! `tailwater bench start`: from the start of a process to its first request.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::clients::{Found, alone};
use super::lab::{Lab, Side};
use super::machine::About;
use super::process::Process;
use super::report::{Measure, Report};
use super::{Output, Turns, in_folder, installed};
use crate::args::{BenchStart, Client};
use crate::commands::Context;
use crate::error::CliError;

const REQUEST: Measure = Measure::new("first request after", "ms");
const CPU: Measure = Measure::new("cpu until then", "ms");

/// The length of a piece, in bytes: a large torrent of little data.
const PIECE: u64 = 16 * 1024;
/// The length of a peer's handshake, and where the info-hash begins in it.
const HANDSHAKE: usize = 68;
const INFO_HASH_AT: usize = 28;
/// The longest message before the first request: a bitfield.
const LONGEST: u32 = 1 << 20;
/// BitTorrent's numbers of messages.
const UNCHOKE: u8 = 1;
const BITFIELD: u8 = 5;
const REQUEST_ID: u8 = 6;

pub(super) async fn run(context: &Context, args: &BenchStart) -> Result<(), CliError> {
    let output = Output::new(&args.measuring)?;
    // The files are sparse, but we make no download that would not fit.
    let needed = PIECE * u64::from(args.pieces) * 2;
    let report = in_folder(context, args.bed.dir.as_deref(), needed, async |dir| {
        let mut report = Report::new(About::of("start"));
        let clients = [Client::Ours, Client::Libtorrent];
        let clients = installed(&clients, &args.bed.python, &mut report)?;
        let torrent = dir.join("large.torrent");
        fs::write(&torrent, large(args.pieces)).map_err(CliError::io("write", &torrent))?;
        let cases = clients.iter().map(|found| found.client.name()).collect();
        let mut turns = Turns::new(context, args.measuring.rounds, cases);
        while let Some(case) = turns.next() {
            let found = clients.iter().find(|found| found.client.name() == case);
            let Some(found) = found else { continue };
            for (measure, value) in measure(args, found, dir, &torrent).await? {
                report.add(case, measure, value);
            }
        }
        report.compare_beside(Client::Ours.name(), Client::Libtorrent.name());
        Ok(report)
    });
    output.show(context, &report.await?)
}

/// The .torrent of a file that no peer has: its hashes are random.
fn large(pieces: u32) -> Vec<u8> {
    let length = PIECE * u64::from(pieces);
    let count = usize::try_from(pieces).unwrap_or(0) * 20;
    let mut torrent =
        format!("d4:infod6:lengthi{length}e4:name5:large12:piece lengthi{PIECE}e6:pieces{count}:")
            .into_bytes();
    let mut random = fastrand::Rng::with_seed(1);
    torrent.extend((0..count).map(|_| random.u8(..)));
    torrent.extend_from_slice(b"ee");
    torrent
}

async fn measure(
    args: &BenchStart,
    found: &Found,
    dir: &Path,
    torrent: &Path,
) -> Result<Vec<(Measure, f64)>, CliError> {
    let failed = |source| CliError::System {
        operation: "listen for a peer",
        source,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .map_err(failed)?;
    let peer = listener.local_addr().map_err(failed)?;
    let out = dir.join("out");
    let home = dir.join("home");
    for folder in [&out, &home] {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(CliError::io("remove", folder))?;
        }
        fs::create_dir_all(folder).map_err(CliError::io("make", folder))?;
    }
    let command = command(found, torrent, &out, &home, peer)?;
    let process = Process::start(&format!("{}-start", found.client.name()), dir, command)?;
    let within = Duration::from_secs(args.bed.give_up.into());
    let Ok(asked) = timeout(within, first_request(&listener, args.pieces)).await else {
        return Err(CliError::Bench(format!(
            "{} requested nothing; it said: {}",
            found.client.name(),
            process.said().trim()
        )));
    };
    let asked = asked.map_err(failed)?;
    let millis = asked.duration_since(process.started()).as_secs_f64() * 1e3;
    let cpu = process.threads_cpu().map(|seconds| (CPU, seconds * 1e3));
    Ok([(REQUEST, millis)].into_iter().chain(cpu).collect())
}

fn command(
    found: &Found,
    torrent: &Path,
    out: &Path,
    home: &Path,
    peer: SocketAddr,
) -> Result<Command, CliError> {
    let listen = Lab::loopback().addr(Side::Downloader)?;
    let peer = peer.to_string();
    if found.client == Client::Libtorrent {
        let args = [OsString::from(out), torrent.into(), peer.into()];
        let plain = r#"{"out_enc_policy": 2, "enable_outgoing_utp": false}"#;
        return Ok(found.libtorrent("start", listen, plain, &args));
    }
    let mut command = Command::new(found.program());
    command
        .arg("download")
        .arg(torrent)
        .arg("--output")
        .arg(out);
    command.args(["--peer", &peer, "--transport", "tcp", "--encryption", "off"]);
    command.args(alone(listen));
    command.env("XDG_STATE_HOME", home).env_remove("RUST_LOG");
    Ok(command)
}

/// A peer that has everything and says so; when it is asked for the first block.
async fn first_request(listener: &TcpListener, pieces: u32) -> io::Result<Instant> {
    loop {
        let (stream, _) = listener.accept().await?;
        // One that ends early is followed by another.
        if let Ok(asked) = answer(stream, pieces).await {
            return Ok(asked);
        }
    }
}

async fn answer(mut stream: TcpStream, pieces: u32) -> io::Result<Instant> {
    stream.set_nodelay(true)?;
    let mut handshake = [0; HANDSHAKE];
    stream.read_exact(&mut handshake).await?;
    let info_hash = &handshake[INFO_HASH_AT..INFO_HASH_AT + 20];
    let mut said = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
    said.extend_from_slice(info_hash);
    said.extend_from_slice(b"-XX0001-tailwaterbench"[..20].as_ref());
    said.extend_from_slice(&bitfield(pieces));
    said.extend_from_slice(&[0, 0, 0, 1, UNCHOKE]);
    stream.write_all(&said).await?;
    loop {
        let len = stream.read_u32().await?;
        if len > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut message = vec![0; usize::try_from(len).unwrap_or(0)];
        stream.read_exact(&mut message).await?;
        if message.first() == Some(&REQUEST_ID) {
            return Ok(Instant::now());
        }
    }
}

/// The message of a peer that has every piece.
fn bitfield(pieces: u32) -> Vec<u8> {
    let bytes = pieces.div_ceil(8);
    let mut message = (bytes + 1).to_be_bytes().to_vec();
    message.push(BITFIELD);
    message.extend((0..bytes).map(|_| 0xff));
    let spare = bytes * 8 - pieces;
    if let Some(last) = message.last_mut() {
        *last <<= spare;
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use tailwater_metainfo::Metainfo;

    #[test]
    fn a_bitfield_has_no_spare_bits() {
        assert_eq!(bitfield(8), [0, 0, 0, 2, BITFIELD, 0xff]);
        assert_eq!(bitfield(10), [0, 0, 0, 3, BITFIELD, 0xff, 0xc0]);
    }

    #[test]
    fn the_torrent_is_valid_and_has_that_many_pieces() {
        let torrent = Metainfo::from_bytes(&large(1_000)).expect("it is valid");
        assert_eq!(torrent.info().geometry().piece_count(), 1_000);
    }

    #[tokio::test]
    async fn the_first_request_is_noticed() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let addr = listener.local_addr().expect("an address");
        let asking = async {
            // The first one gives up.
            drop(TcpStream::connect(addr).await.expect("a connection"));
            let mut stream = TcpStream::connect(addr).await.expect("a connection");
            stream
                .write_all(&[7; HANDSHAKE])
                .await
                .expect("a handshake");
            stream
                .write_all(&[0, 0, 0, 1, 2])
                .await
                .expect("interested");
            let request = [&[0, 0, 0, 13, REQUEST_ID][..], &[0; 12]].concat();
            stream.write_all(&request).await.expect("a request");
            let mut handshake = [0; HANDSHAKE];
            stream
                .read_exact(&mut handshake)
                .await
                .expect("a handshake");
            assert_eq!(handshake[INFO_HASH_AT..48], [7; 20]);
        };
        let (asked, ()) = tokio::join!(first_request(&listener, 10), asking);
        asked.expect("a request");
    }
}
