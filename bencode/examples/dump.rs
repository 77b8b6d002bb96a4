//! Prints the values of a bencoded file as a tree: `cargo run --example dump -- file.torrent`.

use std::error::Error;
use tailwater_bencode::{Kind, Options, Value, decode_with};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("which file?")?;
    let bytes = std::fs::read(path)?;
    // What old software writes is shown too.
    let document = decode_with(&bytes, &Options::lenient())?;
    print(document.root(), 0);
    Ok(())
}

fn print(value: Value<'_, '_>, depth: usize) {
    let indent = "  ".repeat(depth);
    match value.kind() {
        Kind::Dict => {
            for (key, value) in value.as_dict().into_iter().flatten() {
                println!("{indent}{}:", key.escape_ascii());
                print(value, depth + 1);
            }
        }
        Kind::List => {
            for item in value.as_list().into_iter().flatten() {
                println!("{indent}-");
                print(item, depth + 1);
            }
        }
        _ => match (value.as_int(), value.as_bytes()) {
            (Some(number), _) => println!("{indent}{number}"),
            (None, Some(bytes)) if bytes.len() > 80 => println!("{indent}{} bytes", bytes.len()),
            (None, bytes) => println!("{indent}{}", bytes.unwrap_or_default().escape_ascii()),
        },
    }
}
