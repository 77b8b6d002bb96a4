//! `tailwater edit`

use std::collections::HashSet;
use std::path::Path;

use serde::Serialize;
use tailwater_metainfo::{Edited, Editor, Limits, Metainfo};

use super::Context;
use super::torrent_output::Output;
use super::tracker_list;
use crate::args::{Edit, tracker_key};
use crate::error::CliError;
use crate::out::{self, Harmless};
use crate::source;
use crate::whole_file::{self, Existing};

/// What can be changed, as it is at one time.
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

pub(super) fn run(context: &Context, args: &Edit) -> Result<(), CliError> {
    let origin = args.file.display().to_string();
    let bytes = source::read(&args.file, Limits::default().len)?;
    let malformed = |error| CliError::Malformed {
        origin: Harmless(&origin).to_string(),
        error,
    };
    let mut editor = Editor::new(&bytes).map_err(malformed)?;
    let before = State::of(editor.before());
    change(context, args, &origin, &mut editor)?;
    let edited = editor.finish().map_err(malformed)?;
    let after = State::of(&edited.metainfo);
    let hashes = edited.metainfo.info().info_hashes();
    warn(context, &edited.metainfo, &after);
    let said = Said {
        file: origin,
        info_hash_v1: hashes.v1.map(|hash| hash.to_string()),
        info_hash_v2: hashes.v2.map(|hash| hash.to_string()),
        written: write(context, args, &edited, before == after)?,
        before,
        after,
    };
    show(context, args, &said)
}

fn change(
    context: &Context,
    args: &Edit,
    origin: &str,
    editor: &mut Editor<'_>,
) -> Result<(), CliError> {
    let warn = |text: String| context.progress.note(text);
    if !args.set_tracker.is_empty() {
        editor.set_trackers(tracker_list::tiers(&args.set_tracker, warn));
    } else if !args.add_tracker.is_empty() || !args.remove_tracker.is_empty() || args.clear_trackers
    {
        let mut tiers = match args.clear_trackers {
            true => Vec::new(),
            false => editor.before().trackers().to_vec(),
        };
        remove(&mut tiers, args, origin)?;
        let known: HashSet<String> = tiers.iter().flatten().map(|url| tracker_key(url)).collect();
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
            tiers.push(new);
        }
        editor.set_trackers(tiers);
    }
    if let Some(comment) = &args.comment {
        editor.set_comment(Some(comment).filter(|comment| !comment.is_empty()));
    }
    Ok(())
}

/// Takes out the trackers that are to go, each of which must be there.
fn remove(tiers: &mut Vec<Vec<String>>, args: &Edit, origin: &str) -> Result<(), CliError> {
    for url in &args.remove_tracker {
        let key = tracker_key(url.as_str());
        let count = |tiers: &[Vec<String>]| tiers.iter().map(Vec::len).sum::<usize>();
        let before = count(tiers);
        for tier in tiers.iter_mut() {
            tier.retain(|tracker| tracker_key(tracker) != key);
        }
        if count(tiers) == before {
            return Err(CliError::NoSuchTracker {
                name: Harmless(origin).to_string(),
                tracker: Harmless(url.as_str()).to_string(),
            });
        }
    }
    tiers.retain(|tier| !tier.is_empty());
    Ok(())
}

fn warn(context: &Context, metainfo: &Metainfo, after: &State) {
    if metainfo.info().is_private() && after.trackers.is_empty() {
        context.progress.note(
            "warning: a private torrent has peers from its trackers only, and this one has no tracker now",
        );
    }
}

/// Writes the result, if it is to be; says where.
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
    let name = args.file.file_name().unwrap_or_default();
    let output = Output::new(chosen, name);
    // To name the file itself is to ask for it to be replaced.
    let is_itself = output
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
