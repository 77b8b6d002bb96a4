//! Checks files against a torrent, on all cores: `cargo run --example check -- file.torrent folder`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use tailwater_metainfo::Metainfo;
use tailwater_storage_disk::{check_files, locate_files};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    let (Some(torrent), Some(folder)) = (args.next(), args.next()) else {
        return Err("which torrent, and in which folder are its files?".into());
    };
    let metainfo = Metainfo::from_bytes(&std::fs::read(torrent)?)?;
    let (info, folder) = (metainfo.info(), Path::new(&folder));
    let info_hash = info
        .info_hashes()
        .v1
        .ok_or("a torrent of version 2 alone")?;

    let progress = Arc::new(|done, total| eprint!("\r{done} of {total} pieces"));
    let have = check_files(&metainfo, info_hash, folder, progress).await?;
    eprintln!();

    for (file, path) in info.files().iter().zip(locate_files(info, folder)) {
        let range = file.range();
        let mut pieces = info.geometry().pieces_in(range.start, range.end);
        let is_whole = pieces.all(|piece| have.has(piece));
        let word = if is_whole { "whole" } else { "not whole" };
        println!("{}: {word}", path.display());
    }
    Ok(())
}
