//! Prints a peer's client and what it supports: `cargo run --example handshake -- 127.0.0.1:6881 INFO_HASH`.

#![expect(
    clippy::disallowed_types,
    reason = "the crate does no I/O: the example brings its own"
)]

use bytes::BytesMut;
use std::error::Error;
use std::io::{Read, Write};
use tailwater_wire::limits::HANDSHAKE_LEN;
use tailwater_wire::{Handshake, Reserved, client_name, own_peer_id};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(addr), Some(info_hash)) = (args.next(), args.next()) else {
        return Err("which address, and which info-hash?".into());
    };
    let ours = Handshake {
        reserved: Reserved::EXTENSION_PROTOCOL | Reserved::FAST,
        info_hash: info_hash.parse()?,
        peer_id: own_peer_id(*b"example12345"),
    };
    let mut buffer = BytesMut::new();
    ours.encode(&mut buffer);
    let mut stream = std::net::TcpStream::connect(addr)?;
    stream.write_all(&buffer)?;

    let mut received = [0; HANDSHAKE_LEN];
    stream.read_exact(&mut received)?;
    let mut received = BytesMut::from(&received[..]);
    let theirs = Handshake::decode(&mut received)?.ok_or("the handshake is not whole")?;
    let client = client_name(&theirs.peer_id);
    println!("client: {}", client.as_deref().unwrap_or("unknown"));
    println!("fast extension: {}", theirs.reserved.fast());
    let extensions = theirs.reserved.extension_protocol();
    println!("extension protocol: {extensions}");
    Ok(())
}
