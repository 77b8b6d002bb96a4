//! Prints the pieces of files that share none: `cargo run --example pieces -- 65536 100000 20000`.

use std::error::Error;
use tailwater_types::Geometry;

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>());
    let piece_length = numbers.next().ok_or("which piece length?")??;
    let files = numbers.collect::<Result<Vec<_>, _>>()?;
    let geometry = Geometry::aligned(files, u32::try_from(piece_length)?)?;
    for piece in geometry.pieces() {
        let (range, blocks) = (geometry.piece_range(piece), geometry.block_count(piece));
        println!("piece {piece}: bytes {range:?}, {blocks} blocks");
    }
    Ok(())
}
