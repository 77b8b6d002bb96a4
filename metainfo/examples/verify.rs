//! Checks the pieces of a torrent of one file: `cargo run --example verify -- file.torrent file`.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use tailwater_metainfo::{Metainfo, PieceHasher};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(torrent), Some(data)) = (args.next(), args.next()) else {
        return Err("which torrent, and which file?".into());
    };
    let metainfo = Metainfo::from_bytes(&std::fs::read(torrent)?)?;
    let geometry = metainfo.info().geometry();
    let hashes = metainfo.piece_hashes();
    let mut file = File::open(data)?;
    let mut valid = 0;
    for piece in geometry.pieces() {
        let mut bytes = vec![0; geometry.piece_len(piece) as usize];
        file.read_exact(&mut bytes)?;
        let Some(expected) = hashes.expected(piece) else {
            println!("the hash of piece {piece} is not in the torrent");
            continue;
        };
        let mut hasher = PieceHasher::new(expected);
        hasher.update(&bytes);
        valid += u32::from(hasher.is_valid());
    }
    println!("{valid} of {} pieces are valid", geometry.piece_count());
    Ok(())
}
