//! `tailwater create`

use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tailwater_metainfo::{CreateError, Created, Creator};
use tempfile::NamedTempFile;

use super::Context;
use crate::args::Create;
use crate::error::CliError;
use crate::out;
use crate::progress::OFTEN;
use crate::size::Size;

#[derive(Serialize)]
struct Made {
    torrent: String,
    info_hash_v1: Option<String>,
    magnet: String,
    piece_length: u32,
    piece_count: u32,
    total_size: u64,
}

pub(super) async fn run(context: &Context, args: Create) -> Result<(), CliError> {
    let creator = creator(&args)?;
    let chosen = args.output.clone();
    // Found out before an hour of hashing, not after it.
    if let Some(path) = chosen.as_ref().filter(|path| !args.force && path.exists()) {
        return Err(CliError::Exists(path.clone()));
    }
    let created = hash(context, creator, args.path.clone()).await?;
    let info = created.metainfo.info();
    let path = chosen.unwrap_or_else(|| PathBuf::from(format!("{}.torrent", info.name())));
    write(&path, &created.bytes, args.force)?;
    for folder in &created.empty_folders {
        context.progress.note(format_args!(
            "warning: {} is empty, and a torrent has no empty folders",
            folder.display()
        ));
    }
    for warning in created.metainfo.warnings() {
        context.progress.note(format_args!("warning: {warning}"));
    }
    let made = Made {
        torrent: path.display().to_string(),
        info_hash_v1: info.info_hashes().v1.map(|hash| hash.to_string()),
        magnet: created.metainfo.magnet().to_string(),
        piece_length: info.geometry().piece_length(),
        piece_count: info.geometry().piece_count(),
        total_size: info.payload_len(),
    };
    match context.common.json() {
        true => out::json(&made),
        false => show(&made),
    }
}

fn show(made: &Made) -> Result<(), CliError> {
    let Made {
        torrent,
        piece_count,
        ..
    } = made;
    let (size, piece) = (Size(made.total_size), Size(u64::from(made.piece_length)));
    out::line(format_args!(
        "torrent:    {torrent} ({size} in {piece_count} pieces of {piece})"
    ))?;
    if let Some(hash) = &made.info_hash_v1 {
        out::line(format_args!("info-hash:  {hash}"))?;
    }
    out::line(format_args!("magnet:     {}", made.magnet))
}

fn creator(args: &Create) -> Result<Creator, CliError> {
    let mut creator = Creator::new()
        .private(args.private)
        .created_by(concat!("tailwater ", env!("CARGO_PKG_VERSION")));
    if let Some(size) = args.piece_length {
        let length = u32::try_from(size.0).map_err(|_| CreateError::PieceLength(u32::MAX))?;
        creator = creator.piece_length(length);
    }
    // Each in a tier of its own: the later ones are for when the earlier ones fail (BEP 12).
    for url in &args.tracker {
        creator = creator.tier([url.as_str()]);
    }
    for url in &args.web_seed {
        creator = creator.web_seed(url.as_str());
    }
    if let Some(comment) = &args.comment {
        creator = creator.comment(comment);
    }
    Ok(creator)
}

async fn hash(context: &Context, creator: Creator, path: PathBuf) -> Result<Created, CliError> {
    let interrupt = context.interrupt.clone();
    let progress = context.progress.clone();
    let hashing = tokio::task::spawn_blocking(move || {
        let name = path.file_name().map_or_else(
            || path.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        );
        let mut meter = None;
        creator.create(&path, |step| {
            let meter = meter.get_or_insert_with(|| progress.meter(&name, step.total, OFTEN));
            meter.set(
                step.done,
                format_args!("hashing, {} of {}", Size(step.done), Size(step.total)),
            );
            match interrupt.is_requested() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })
    });
    match hashing.await {
        Ok(Err(CreateError::Cancelled)) => Err(CliError::Interrupted),
        Ok(created) => Ok(created?),
        // A thread that panicked has said so.
        Err(_) => Err(CliError::Reported),
    }
}

/// Writes the whole file or nothing.
fn write(path: &Path, bytes: &[u8], force: bool) -> Result<(), CliError> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let failed = || CliError::io("write", path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".tailwater-");
    // Temporary files are for their owner only; a torrent is to be passed on, as far as the umask allows.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file: NamedTempFile = builder.tempfile_in(folder).map_err(failed())?;
    file.write_all(bytes).map_err(failed())?;
    file.as_file().sync_all().map_err(failed())?;
    let persisted = match force {
        true => file.persist(path),
        false => file.persist_noclobber(path),
    };
    match persisted {
        Ok(_) => Ok(()),
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => {
            Err(CliError::Exists(path.to_owned()))
        }
        Err(refused) => Err(failed()(refused.error)),
    }
}
