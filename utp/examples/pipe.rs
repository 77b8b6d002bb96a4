//! Sends bytes through one connection, and says how fast: over uTP, or over TCP to compare.
//!
//! ```text
//! pipe receive ADDR                  # accepts one connection, reads to its end
//! pipe send ADDR MIB                 # connects, writes so many MiB
//! pipe receive-tcp ADDR, pipe send-tcp ADDR MIB
//! ```

#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tailwater_utp::Config;
use tailwater_utp::driver::{Interest, UtpSocket, UtpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const MIB: usize = 1024 * 1024;

#[tokio::main]
async fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let began = Instant::now();
    let parse = |text: &str| text.parse().map_err(io::Error::other);
    let bytes = match *args.as_slice() {
        ["receive", addr] => receive(parse(addr)?).await?,
        ["send", addr, mib] => send(parse(addr)?, mib.parse().unwrap_or(1)).await?,
        ["receive-tcp", addr] => receive_tcp(parse(addr)?).await?,
        ["send-tcp", addr, mib] => send_tcp(parse(addr)?, mib.parse().unwrap_or(1)).await?,
        _ => return Err(io::Error::other("see the head of pipe.rs")),
    };
    report(args[0], bytes, began.elapsed());
    Ok(())
}

fn report(what: &str, bytes: (usize, Duration), elapsed: Duration) {
    let (bytes, took) = bytes;
    let seconds = took.as_secs_f64();
    let mbit = bytes as f64 * 8.0 / seconds / 1e6;
    let cpu = cpu_seconds() / (bytes as f64 / 1024.0 / 1024.0 / 1024.0);
    println!(
        "{what}: {bytes} bytes in {seconds:.3} s, {mbit:.0} Mbit/s, {cpu:.3} CPU s/GiB ({elapsed:?} in all)"
    );
}

/// User and system time of this process so far, by `/proc`; 0 where there is none.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

async fn receive(addr: SocketAddr) -> io::Result<(usize, Duration)> {
    let socket = UtpSocket::bind(addr, Config::new(1))?;
    let stream = socket.accept().await?;
    let began = Instant::now();
    let mut buf = Vec::with_capacity(MIB / 4);
    let mut bytes = 0;
    loop {
        stream.ready(Interest::READABLE).await;
        buf.clear();
        match stream.try_read_buf(&mut buf) {
            Ok(0) => break,
            Ok(len) => bytes += len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let took = began.elapsed();
    println!("{:?}", stream.stats());
    drop(stream);
    socket.close().await;
    Ok((bytes, took))
}

async fn send(addr: SocketAddr, mib: usize) -> io::Result<(usize, Duration)> {
    let any = if addr.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UtpSocket::bind(any.parse().map_err(io::Error::other)?, Config::new(2))?;
    let stream = socket.connect(addr).await?;
    let began = Instant::now();
    write_all(&stream, mib * MIB).await?;
    stream.shutdown();
    // The end of the other side: it has read all.
    stream.ready(Interest::READABLE).await;
    let took = began.elapsed();
    println!("{:?}", stream.stats());
    drop(stream);
    socket.close().await;
    Ok((mib * MIB, took))
}

async fn write_all(stream: &UtpStream, mut left: usize) -> io::Result<()> {
    let bytes = vec![7; MIB / 4];
    while left > 0 {
        stream.ready(Interest::WRITABLE).await;
        let slice = &bytes[..left.min(bytes.len())];
        match stream.try_write_vectored(&[IoSlice::new(slice)]) {
            Ok(len) => left -= len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn receive_tcp(addr: SocketAddr) -> io::Result<(usize, Duration)> {
    let (mut stream, _) = TcpListener::bind(addr).await?.accept().await?;
    let began = Instant::now();
    let mut buf = vec![0; MIB / 4];
    let mut bytes = 0;
    loop {
        match stream.read(&mut buf).await? {
            0 => return Ok((bytes, began.elapsed())),
            len => bytes += len,
        }
    }
}

async fn send_tcp(addr: SocketAddr, mib: usize) -> io::Result<(usize, Duration)> {
    let mut stream = TcpStream::connect(addr).await?;
    let began = Instant::now();
    let bytes = vec![7; MIB / 4];
    for _ in 0..mib * 4 {
        stream.write_all(&bytes).await?;
    }
    stream.shutdown().await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok((mib * MIB, began.elapsed()))
}
