//! Downloads a torrent into an object store, or seeds it from there.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bucket::{Bucket, BucketFactory};
use clap::{Args, Parser, Subcommand};
use tailwater_metainfo::Metainfo;
use tailwater_session::{AddOptions, Phase, Session, Torrent};
use url::Url;

/// How often the progress is printed.
const PRINT_EVERY: Duration = Duration::from_secs(1);

/// Downloads torrents into an object store and seeds them from there.
///
/// A place is a URL: s3://bucket/prefix, gs://bucket/prefix, azure://container/prefix, file:///folder. Credentials and
/// endpoints come from the environment, such as AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT.
#[derive(Debug, Parser)]
#[command(name = "object-store", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Download a torrent, and end when it is complete.
    Download(Transfer),
    /// Seed what is there of a torrent, until Ctrl-C.
    Seed(Transfer),
}

#[derive(Debug, Args)]
struct Transfer {
    /// A .torrent file.
    torrent: PathBuf,
    /// Where the pieces are kept.
    place: Url,
    /// Connect to this peer too; may be given again.
    #[arg(long, value_name = "IP:PORT")]
    peer: Vec<SocketAddr>,
    /// Listen here for peers. Default: the first free port from 6881.
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    /// The most mebibytes of pieces that are downloaded at a time.
    #[arg(long, value_name = "MIB", default_value_t = 64)]
    write_memory: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let command = Cli::parse().command;
    // The HTTP client of the object store takes the program's. It fails when there is one already, which is as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (args, is_seed) = match command {
        Command::Download(args) => (args, false),
        Command::Seed(args) => (args, true),
    };
    let metainfo = Metainfo::from_bytes(&std::fs::read(&args.torrent)?)?;
    let factory = BucketFactory::new(Bucket::open(&args.place)?);
    let factory = factory.write_bytes(args.write_memory.saturating_mul(1 << 20));
    let mut session = Session::builder();
    if let Some(addr) = args.listen {
        session = session.listen(addr);
    }
    let session = session.start()?;
    let options = AddOptions::with_storage(Arc::new(factory)).peers(args.peer);
    // A part of a torrent is worth sharing, too.
    let torrent = session.add(metainfo, options.seed_partial(is_seed)).await?;
    let ended = tokio::select! {
        ended = transfer(&torrent, is_seed) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    session.close().await;
    ended
}

/// Prints the progress until a download is complete, or for ever.
async fn transfer(torrent: &Torrent, is_seed: bool) -> Result<(), Box<dyn Error>> {
    loop {
        let status = torrent.status();
        let stats = status.stats;
        println!(
            "{} of {} pieces, {} peers, {} bytes down, {} bytes up",
            stats.pieces_have,
            torrent.info().geometry().piece_count(),
            stats.peers,
            stats.downloaded,
            stats.uploaded
        );
        match status.phase {
            Phase::Failed(error) => return Err(error.into()),
            Phase::Complete if !is_seed => return Ok(()),
            _ => tokio::time::sleep(PRINT_EVERY).await,
        }
    }
}
