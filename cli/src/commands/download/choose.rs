//! `--choose`: a list of a torrent's files on the terminal.

use std::io::{self, IsTerminal};

use dialoguer::MultiSelect;
use dialoguer::console::{Term, truncate_str};
use dialoguer::theme::SimpleTheme;
use tailwater_metainfo::Info;
use tailwater_serve::size::Size;
use tokio::sync::Mutex;

use crate::error::CliError;
use crate::out::Harmless;
use crate::progress::Progress;

/// One question at a time: there is one terminal.
static ASKING: Mutex<()> = Mutex::const_new(());
/// Columns of the mark before a file.
const MARK: usize = 8;

/// Refuses to ask where there is no terminal.
pub(super) fn check_terminal() -> Result<(), CliError> {
    match io::stdin().is_terminal() && io::stderr().is_terminal() {
        true => Ok(()),
        false => Err(CliError::Usage(
            "`--choose` asks on a terminal, and there is none: choose with `--files`".to_owned(),
        )),
    }
}

/// Asks which files are wanted; `marked` are to begin with, `None` for all.
///
/// # Cancel safety
///
/// A thread waits for a key until the process ends; the cursor is visible again.
pub(super) async fn choose(
    info: &Info,
    marked: Option<&[usize]>,
    progress: &Progress,
) -> Result<Vec<usize>, CliError> {
    let all = info.files().iter().enumerate();
    let files: Vec<_> = all.filter(|(_, file)| !file.is_pad()).collect();
    let indices: Vec<_> = files.iter().map(|(index, _)| *index).collect();
    // There is nothing to choose from one.
    if indices.len() < 2 {
        return Ok(indices);
    }
    let items: Vec<_> = files
        .iter()
        .map(|(index, file)| {
            let is_marked = marked.is_none_or(|marked| marked.contains(index));
            let (path, size) = (
                Harmless(file.path().as_str()).to_string(),
                Size(file.length()),
            );
            (line(&path, &size.to_string()), is_marked)
        })
        .collect();
    let prompt = format!(
        "{}: space marks a file, a all of them, enter goes on",
        Harmless(info.name())
    );
    let _turn = ASKING.lock().await;
    let _cursor = Cursor;
    let asked = progress.ask(move || {
        MultiSelect::with_theme(&SimpleTheme)
            .with_prompt(prompt)
            .items_checked(items)
            .report(false)
            .interact_on_opt(&Term::stderr())
    });
    let failed = |source| CliError::System {
        operation: "ask on the terminal",
        source,
    };
    let chosen = match asked.await {
        Ok(Ok(chosen)) => chosen.unwrap_or_default(),
        Ok(Err(dialoguer::Error::IO(error))) if error.kind() == io::ErrorKind::Interrupted => {
            return Err(CliError::Interrupted);
        }
        Ok(Err(dialoguer::Error::IO(error))) => return Err(failed(error)),
        Err(error) => return Err(failed(error.into())),
    };
    match chosen.is_empty() {
        true => Err(CliError::NothingChosen(info.name().to_owned())),
        false => Ok(chosen.into_iter().map(|item| indices[item]).collect()),
    }
}

/// A file and its size on one line of the terminal; a long path loses its beginning.
fn line(path: &str, size: &str) -> String {
    let columns = usize::from(Term::stderr().size().1);
    let room = columns.saturating_sub(MARK + size.len() + 3).max(10);
    let mut path = path;
    let mut is_cut = false;
    while dialoguer::console::measure_text_width(path) + usize::from(is_cut) > room {
        is_cut = true;
        let mut rest = path.chars();
        rest.next();
        path = rest.as_str();
    }
    let cut = if is_cut { "…" } else { "" };
    truncate_str(&format!("{cut}{path}  {size}"), columns.max(20), "…").into_owned()
}

/// Shows the cursor at the end, which the list hides.
struct Cursor;

impl Drop for Cursor {
    fn drop(&mut self) {
        // A terminal that is gone has none.
        let _ = Term::stderr().show_cursor();
    }
}
