//! Prints the torrent that was made, or would be made.

use serde::Serialize;
use tailwater_metainfo::{Created, Creator, Found};
use tailwater_serve::size::Size;

use super::exclusion::Exclusion;
use super::{explain, shown};
use crate::commands::Context;
use crate::commands::torrent_output::Output;
use crate::error::CliError;
use crate::out::{self, Harmless};
use crate::words::count;

#[derive(Serialize)]
pub(super) struct Made {
    torrent: String,
    info_hash_v1: Option<String>,
    info_hash_v2: Option<String>,
    magnet: String,
    piece_length: u32,
    piece_count: u32,
    total_size: u64,
    files: usize,
    excluded: usize,
    /// Paths of what cannot be shared.
    left_out: Vec<String>,
}

impl Made {
    pub(super) fn new(
        output: &Output,
        created: &Created,
        found: &Found,
        exclusion: &Exclusion,
    ) -> Self {
        let info = created.metainfo.info();
        Self {
            torrent: output
                .path()
                .map_or_else(|| "-".to_owned(), |path| path.display().to_string()),
            info_hash_v1: info.info_hashes().v1.map(|hash| hash.to_string()),
            info_hash_v2: info.info_hashes().v2.map(|hash| hash.to_string()),
            magnet: created.metainfo.magnet().to_string(),
            piece_length: info.geometry().piece_length(),
            piece_count: info.geometry().piece_count(),
            total_size: info.payload_len(),
            files: info.files().iter().filter(|file| !file.is_pad()).count(),
            excluded: exclusion.count,
            left_out: left_out(found),
        }
    }

    /// On standard output, unless the torrent is there.
    pub(super) fn show(&self, context: &Context, output: &Output) -> Result<(), CliError> {
        if context.common.json() {
            return out::json(self);
        }
        for line in self.lines() {
            match output {
                Output::File(_) => out::line(line)?,
                Output::Stdout => context.progress.note(line),
            }
        }
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        let (size, piece) = (Size(self.total_size), Size(u64::from(self.piece_length)));
        let pieces = count(
            usize::try_from(self.piece_count).unwrap_or(usize::MAX),
            "piece",
        );
        let torrent = match &*self.torrent {
            "-" => "on standard output".to_owned(),
            path => Harmless(path).to_string(),
        };
        let mut lines = vec![format!(
            "torrent:    {torrent} ({size} in {pieces} of {piece})"
        )];
        match (&self.info_hash_v1, &self.info_hash_v2) {
            (Some(v1), Some(v2)) => {
                lines.push(format!("info-hash:  v1 {v1}"));
                lines.push(format!("            v2 {v2}"));
            }
            (v1, v2) => {
                let hash = v1.iter().chain(v2);
                lines.extend(hash.map(|hash| format!("info-hash:  {hash}")));
            }
        }
        lines.push(format!("magnet:     {}", self.magnet));
        lines
    }
}

fn left_out(found: &Found) -> Vec<String> {
    found
        .left_out()
        .iter()
        .map(|left_out| shown(&left_out.path))
        .collect()
}

#[derive(Serialize)]
struct PlannedFile {
    path: String,
    length: u64,
}

/// The output of `--dry-run`.
#[derive(Serialize)]
pub(super) struct Planned {
    name: String,
    files: Vec<PlannedFile>,
    piece_length: u32,
    piece_count: u32,
    total_size: u64,
    excluded: usize,
    left_out: Vec<String>,
}

impl Planned {
    pub(super) fn new(
        name: &str,
        creator: &Creator,
        found: &Found,
        exclusion: &Exclusion,
    ) -> Result<Self, CliError> {
        let geometry = creator.geometry(found).map_err(explain)?;
        let file = |(path, length): (String, u64)| PlannedFile {
            path: match found.is_folder() {
                true => format!("{name}/{path}"),
                false => name.to_owned(),
            },
            length,
        };
        Ok(Self {
            name: name.to_owned(),
            files: found.files().map(file).collect(),
            piece_length: geometry.piece_length(),
            piece_count: geometry.piece_count(),
            total_size: geometry.total(),
            excluded: exclusion.count,
            left_out: left_out(found),
        })
    }

    pub(super) fn show(&self, context: &Context) -> Result<(), CliError> {
        if context.common.json() {
            return out::json(self);
        }
        for PlannedFile { path, length } in &self.files {
            let size = Size(*length).to_string();
            out::line(format_args!("{size:>10}  {}", Harmless(path)))?;
        }
        let mut total = format!(
            "{} in {}, {} of {}",
            Size(self.total_size),
            count(self.files.len(), "file"),
            count(
                usize::try_from(self.piece_count).unwrap_or(usize::MAX),
                "piece"
            ),
            Size(u64::from(self.piece_length)),
        );
        for (number, what) in [
            (self.excluded, "excluded"),
            (self.left_out.len(), "unreadable and left out"),
        ] {
            if number > 0 {
                total.push_str(&format!("; {number} {what}"));
            }
        }
        out::line(total)?;
        out::line("nothing was hashed or written")
    }
}
