//! `tailwater edit`

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tailwater_metainfo::{Edited, Editor, Limits, Metainfo};

use super::Context;
use super::torrent_output::Output;
use super::tracker_list;
use crate::args::STDIN;
use crate::args::{Edit, tracker_key};
use crate::error::CliError;
use crate::input;
use crate::input::source::{self, Content};
use crate::out::{self, Harmless};
use crate::whole_file::{self, Existing};

/// The editable fields at one time: before or after the change.
#[derive(Serialize, PartialEq, Eq)]
struct State {
    trackers: Vec<Vec<String>>,
    comment: Option<String>,
}

impl State {
    fn of(metainfo: &Metainfo) -> Self {
        Self {
            trackers: metainfo.trackers().to_vec(),
            comment: metainfo.comment().map(str::to_owned),
        }
    }
}

#[derive(Serialize)]
struct Said {
    file: String,
    info_hash_v1: Option<String>,
    info_hash_v2: Option<String>,
    before: State,
    after: State,
    /// Where the result is, if it was written.
    written: Option<String>,
}

pub(super) async fn run(context: &Context, args: &Edit) -> Result<(), CliError> {
    let limit = Limits::default().len;
    let (origin, bytes) = match is_input(args) {
        true if args.output.is_none() && !args.dry_run => {
            return Err(CliError::Usage(
                "standard input cannot be changed in place: say with `--output` where the result goes"
                    .to_owned(),
            ));
        }
        true => {
            let reading = source::standard_input(limit);
            let bytes = match context.interrupt.guard(reading).await? {
                Content::Torrents(torrents) => input::only(torrents, "holds")?,
                // The parser reports what is wrong with it.
                Content::Text(text) => text.into_bytes(),
            };
            (STDIN.to_owned(), bytes)
        }
        false => {
            let bytes = source::read(&args.file, limit)?;
            (args.file.display().to_string(), bytes)
        }
    };
    let malformed = |error| CliError::Malformed {
        origin: Harmless(&origin).to_string(),
        error,
    };
    let mut editor = Editor::new(&bytes).map_err(malformed)?;
    let before = State::of(editor.before());
    let removed = change(context, args, &origin, &mut editor)?;
    let edited = editor.finish().map_err(malformed)?;
    let after = State::of(&edited.metainfo);
    let hashes = edited.metainfo.info().info_hashes();
    warn(context, &edited.metainfo, &after);
    let said = Said {
        file: origin,
        info_hash_v1: hashes.v1.map(|hash| hash.to_string()),
        info_hash_v2: hashes.v2.map(|hash| hash.to_string()),
        written: write(context, args, &edited, before == after && removed == 0)?,
        before,
        after,
    };
    show(context, args, &said)
}

/// Whether the torrent comes from standard input.
fn is_input(args: &Edit) -> bool {
    args.file.as_os_str() == "-"
}

/// Makes the changes; returns how many trackers were removed by their names.
fn change(
    context: &Context,
    args: &Edit,
    origin: &str,
    editor: &mut Editor<'_>,
) -> Result<usize, CliError> {
    let warn = |text: String| context.progress.note(text);
    let mut removed = 0;
    let mut known: HashSet<String> = match args.clear_trackers {
        true => HashSet::new(),
        false => {
            let urls = editor.before().trackers().iter().flatten();
            urls.map(|url| tracker_key(url)).collect()
        }
    };
    if !args.set_tracker.is_empty() {
        editor.set_trackers(tracker_list::tiers(&args.set_tracker, warn));
    } else {
        if args.clear_trackers {
            editor.set_trackers(Vec::<Vec<String>>::new());
        }
        removed = remove(args, origin, editor, &mut known)?;
        let mut added = Vec::new();
        for tier in tracker_list::tiers(&args.add_tracker, warn) {
            let (old, new): (Vec<_>, Vec<_>) = tier
                .into_iter()
                .partition(|url| known.contains(&tracker_key(url)));
            for url in old {
                context.progress.note(format_args!(
                    "warning: {} has the tracker {} already",
                    Harmless(origin),
                    Harmless(&url)
                ));
            }
            added.extend((!new.is_empty()).then_some(new));
        }
        if !added.is_empty() {
            editor.add_trackers(added);
        }
    }
    if let Some(comment) = &args.comment {
        editor.set_comment(Some(comment).filter(|comment| !comment.is_empty()));
    }
    Ok(removed)
}

/// Removes trackers, each of which must exist, also from `known`. They are compared by their text, as a torrent may
/// have trackers of kinds that we cannot ask.
fn remove(
    args: &Edit,
    origin: &str,
    editor: &mut Editor<'_>,
    known: &mut HashSet<String>,
) -> Result<usize, CliError> {
    let mut removed = 0;
    for url in &args.remove_tracker {
        let key = tracker_key(url);
        let gone =
            editor.remove_trackers(|bytes| tracker_key(&String::from_utf8_lossy(bytes)) == key);
        if gone == 0 {
            return Err(CliError::NoSuchTracker {
                name: Harmless(origin).to_string(),
                tracker: Harmless(url).to_string(),
            });
        }
        known.remove(&key);
        removed += gone;
    }
    Ok(removed)
}

fn warn(context: &Context, metainfo: &Metainfo, after: &State) {
    if metainfo.info().is_private() && after.trackers.is_empty() {
        context.progress.note(
            "warning: a private torrent has peers from its trackers only, and this one has no tracker now",
        );
    }
}

/// Writes the result, unless this is a dry run; returns where.
fn write(
    context: &Context,
    args: &Edit,
    edited: &Edited,
    is_same: bool,
) -> Result<Option<String>, CliError> {
    if args.dry_run {
        return Ok(None);
    }
    let Some(chosen) = &args.output else {
        if is_same {
            return Ok(None);
        }
        whole_file::write(&args.file, &edited.bytes, Existing::Replace)?;
        return Ok(Some(args.file.display().to_string()));
    };
    let name = match is_input(args) {
        // As `create` would call it.
        true => PathBuf::from(format!("{}.torrent", edited.metainfo.info().name())),
        false => PathBuf::from(args.file.file_name().unwrap_or_default()),
    };
    let output = Output::new(chosen, name);
    // To name the file itself is to ask for it to be replaced.
    let is_itself = !is_input(args)
        && output
            .path()
            .is_some_and(|path| is_same_file(path, &args.file));
    output.check(context, args.force || is_itself)?;
    output.write(&edited.bytes, args.force || is_itself)?;
    let path = output.path().map(|path| path.display().to_string());
    Ok(Some(path.unwrap_or_else(|| "-".to_owned())))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(one).is_some_and(|one| real(other) == Some(one))
}

fn show(context: &Context, args: &Edit, said: &Said) -> Result<(), CliError> {
    if context.common.json() {
        return out::json(said);
    }
    let is_on_stdout = said.written.as_deref() == Some("-");
    for line in lines(args, said) {
        match is_on_stdout {
            true => context.progress.note(line),
            false => out::line(line)?,
        }
    }
    Ok(())
}

fn lines(args: &Edit, said: &Said) -> Vec<String> {
    let mut lines = Vec::new();
    let hashes = said.info_hash_v1.iter().chain(&said.info_hash_v2);
    lines.extend(hashes.map(|hash| format!("info-hash:  {hash}, as before")));
    let Said { before, after, .. } = said;
    if before.trackers != after.trackers {
        lines.extend(trackers("before", &before.trackers));
        lines.extend(trackers("after", &after.trackers));
    }
    if before.comment != after.comment {
        lines.push(format!("comment before:  {}", comment(before)));
        lines.push(format!("comment after:   {}", comment(after)));
    }
    lines.push(match &said.written {
        _ if args.dry_run && before == after => "nothing would change".to_owned(),
        _ if args.dry_run => "nothing was written".to_owned(),
        Some(path) if path == "-" => "written to standard output".to_owned(),
        Some(path) => format!("written:    {}", Harmless(path)),
        None => "nothing changes: the file stays as it is".to_owned(),
    });
    lines
}

/// The trackers with the numbers of their tiers, in which they are asked.
fn trackers(when: &str, tiers: &[Vec<String>]) -> Vec<String> {
    if tiers.is_empty() {
        return vec![format!("trackers {when}: none")];
    }
    let mut lines = vec![format!("trackers {when}:")];
    for (number, tier) in tiers.iter().enumerate() {
        let tier = tier.iter();
        lines.extend(tier.map(|url| format!("  {}  {}", number + 1, Harmless(url))));
    }
    lines
}

fn comment(state: &State) -> String {
    match &state.comment {
        Some(comment) => Harmless(comment).to_string(),
        None => "none".to_owned(),
    }
}
