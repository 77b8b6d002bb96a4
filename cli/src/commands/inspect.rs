//! `tailwater inspect`

use std::fmt::Display;

use serde::Serialize;
use tailwater_metainfo::{FileEntry, Metainfo};
use tailwater_serve::size::Size;

use super::Context;
use crate::args::Inspect;
use crate::args::Source;
use crate::error::CliError;
use crate::out::{self, Harmless};

/// The content of a torrent, for programs.
#[derive(Serialize)]
struct Said {
    name: String,
    /// `v1`, `v2` or `hybrid`.
    version: &'static str,
    info_hash_v1: Option<String>,
    info_hash_v2: Option<String>,
    piece_length: u32,
    piece_count: u32,
    total_size: u64,
    private: bool,
    files: Vec<SaidFile>,
    trackers: Vec<Vec<String>>,
    web_seeds: Vec<String>,
    magnet: String,
    comment: Option<String>,
    created_by: Option<String>,
    creation_date: Option<i64>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct SaidFile {
    path: String,
    length: u64,
    pad: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    executable: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hidden: bool,
    /// What it points to, if it is a symlink.
    #[serde(skip_serializing_if = "Option::is_none")]
    symlink: Option<String>,
    /// The root of its hash tree, in a v2 or hybrid torrent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pieces_root: Option<String>,
    /// How many hashes of pieces its tree has, if it is longer than a piece and they need not come from peers.
    #[serde(skip_serializing_if = "Option::is_none")]
    piece_layer_len: Option<usize>,
    /// These hashes, with `--trees`.
    #[serde(skip_serializing_if = "Option::is_none")]
    piece_layer: Option<Vec<String>>,
}

pub(super) async fn run(context: &Context, args: &Inspect) -> Result<(), CliError> {
    let mut is_right = true;
    for (number, source) in args.sources.iter().enumerate() {
        match one(context, args, source, number > 0).await {
            Ok(()) => {}
            Err(error @ (CliError::Interrupted | CliError::Output(_) | CliError::Usage(_))) => {
                return Err(error);
            }
            // The others are shown all the same.
            Err(error) => {
                is_right = false;
                context.progress.failure(&error);
            }
        }
    }
    match is_right {
        true => Ok(()),
        false => Err(CliError::Reported),
    }
}

async fn one(
    context: &Context,
    args: &Inspect,
    source: &Source,
    is_next: bool,
) -> Result<(), CliError> {
    let metainfo = context.load(source, &args.network).await?.metainfo;
    let said = said(&metainfo, args.trees);
    if context.common.json() {
        return out::json(&said);
    }
    if is_next {
        out::line("")?;
    }
    out::line(Human(&said, &metainfo, args.trees).to_string().trim_end())
}

fn said(metainfo: &Metainfo, has_trees: bool) -> Said {
    let info = metainfo.info();
    let hashes = info.info_hashes();
    let files = info
        .files()
        .iter()
        .map(|file| said_file(metainfo, file, has_trees));
    Said {
        name: info.name().to_owned(),
        version: match (hashes.v1, hashes.v2) {
            (Some(_), Some(_)) => "hybrid",
            (None, Some(_)) => "v2",
            _ => "v1",
        },
        info_hash_v1: hashes.v1.map(|hash| hash.to_string()),
        info_hash_v2: hashes.v2.map(|hash| hash.to_string()),
        piece_length: info.geometry().piece_length(),
        piece_count: info.geometry().piece_count(),
        total_size: info.files().iter().map(FileEntry::length).sum(),
        private: info.is_private(),
        files: files.collect(),
        trackers: metainfo.trackers().to_vec(),
        web_seeds: metainfo.web_seeds().to_vec(),
        magnet: metainfo.magnet().to_string(),
        comment: metainfo.comment().map(str::to_owned),
        created_by: metainfo.created_by().map(str::to_owned),
        creation_date: metainfo.creation_date(),
        warnings: metainfo
            .warnings()
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

fn said_file(metainfo: &Metainfo, file: &FileEntry, has_trees: bool) -> SaidFile {
    let layer = metainfo.piece_layer(file);
    let attributes = file.attributes();
    SaidFile {
        path: file.path().to_string(),
        length: file.length(),
        pad: file.is_pad(),
        executable: attributes.executable,
        hidden: attributes.hidden,
        symlink: file.symlink_target().map(ToString::to_string),
        pieces_root: file.pieces_root().map(|root| root.to_string()),
        piece_layer_len: layer.as_ref().map(Vec::len),
        piece_layer: layer
            .filter(|_| has_trees)
            .map(|layer| layer.iter().map(ToString::to_string).collect()),
    }
}

/// The same for people; with trees, if they are asked for.
struct Human<'a>(&'a Said, &'a Metainfo, bool);

impl Display for Human<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(said, metainfo, has_trees) = self;
        writeln!(f, "name:          {}", said.name)?;
        if said.info_hash_v2.is_some() {
            writeln!(f, "version:       {}", said.version)?;
        }
        for (label, hash) in [("v1", &said.info_hash_v1), ("v2", &said.info_hash_v2)] {
            if let Some(hash) = hash {
                writeln!(f, "info-hash {label}:  {hash}")?;
            }
        }
        match said.total_size {
            // In bytes already.
            bytes @ 0..1024 => writeln!(f, "size:          {}", Size(bytes))?,
            bytes => writeln!(f, "size:          {} ({bytes} bytes)", Size(bytes))?,
        }
        let padding = said.total_size - metainfo.info().payload_len();
        if padding > 0 {
            writeln!(f, "padding:       {} of it", Size(padding))?;
        }
        writeln!(
            f,
            "pieces:        {} of {}",
            said.piece_count,
            Size(u64::from(said.piece_length))
        )?;
        if said.private {
            writeln!(f, "private:       yes: peers come only from its trackers")?;
        }
        for (label, text) in [
            ("comment:     ", &said.comment),
            ("created by:  ", &said.created_by),
        ] {
            if let Some(text) = text {
                writeln!(f, "{label}  {}", Harmless(text))?;
            }
        }
        for (number, tier) in said.trackers.iter().enumerate() {
            let label = if number == 0 { "trackers:" } else { "" };
            writeln!(f, "{label:<13}  {}", Harmless(&tier.join(", ")))?;
        }
        for url in &said.web_seeds {
            writeln!(f, "web seed:      {}", Harmless(url))?;
        }
        writeln!(f, "magnet:        {}", said.magnet)?;
        writeln!(f, "files:")?;
        let width = said.files.len().saturating_sub(1).to_string().len();
        let files = metainfo
            .info()
            .files()
            .iter()
            .enumerate()
            .filter(|(_, file)| !file.is_pad());
        for (number, file) in files {
            write!(
                f,
                "  {number:>width$}  {:>10}  {}",
                Size(file.length()).to_string(),
                file.path()
            )?;
            if let Some(target) = file.symlink_target() {
                write!(f, " -> {target}")?;
            }
            writeln!(f)?;
            if *has_trees {
                tree(f, metainfo, file, width)?;
            }
        }
        for warning in &said.warnings {
            writeln!(f, "warning: {}", Harmless(warning))?;
        }
        Ok(())
    }
}

/// The root of a file, and what is known of the layer that has a hash for each piece.
fn tree(
    f: &mut std::fmt::Formatter<'_>,
    metainfo: &Metainfo,
    file: &FileEntry,
    width: usize,
) -> std::fmt::Result {
    let Some(root) = file.pieces_root() else {
        return Ok(());
    };
    let piece_length = u64::from(metainfo.info().geometry().piece_length());
    let layer = match metainfo.piece_layer(file) {
        Some(layer) => format!("a layer of {} hashes", layer.len()),
        None if file.length() <= piece_length => "no layer: it is one piece".to_owned(),
        None => "its layer is not in the torrent: it comes from peers".to_owned(),
    };
    writeln!(f, "  {:width$}  {:>10}  root {root}, {layer}", "", "")
}
