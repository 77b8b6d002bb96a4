//! `tailwater man`

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::roff::{Roff, roman};

use crate::args::{self, Man};
use crate::error::CliError;
use crate::out;
use crate::whole_file::{self, Existing};

/// The name of the section for commands.
const MANUAL: &str = "User Commands";
/// The day on which the pages' text was last revised. A page without one has the version in its place.
const DATE: &str = "2026-11-28";

pub(super) fn run(args: &Man) -> Result<(), CliError> {
    // Pages have no terminal's width, and every command has its own `--help`.
    let mut root = args::command().disable_help_subcommand(true);
    root.build();
    match &args.out {
        Some(dir) => {
            fs::create_dir_all(dir).map_err(CliError::io("make the folder", dir))?;
            write_all(&root, dir)
        }
        None => {
            let page = page(find(&root, &args.command)?)?;
            out::line(page.trim_end())
        }
    }
}

/// The command that the words lead to.
fn find<'c>(root: &'c Command, words: &[String]) -> Result<&'c Command, CliError> {
    let mut command = root;
    for word in words {
        command = command.find_subcommand(word).ok_or_else(|| {
            CliError::Usage(format!(
                "no command {:?}: `{} --help` lists them",
                words.join(" "),
                command
                    .get_display_name()
                    .unwrap_or("tailwater")
                    .replace('-', " ")
            ))
        })?;
    }
    Ok(command)
}

/// Writes the pages of a command and of all below it.
fn write_all(command: &Command, dir: &Path) -> Result<(), CliError> {
    let path = dir.join(clap_mangen::Man::new(command.clone()).get_filename());
    whole_file::write(&path, page(command)?.as_bytes(), Existing::Replace)?;
    out::line(path.display())?;
    let mut inner = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    inner.try_for_each(|command| write_all(command, dir))
}

fn page(command: &Command) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    render(command, &mut bytes).map_err(CliError::Output)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Renders a page as the crate does, except for the text after the options, which it would join to paragraphs.
fn render(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let source = concat!("tailwater ", env!("CARGO_PKG_VERSION"));
    let man = clap_mangen::Man::new(command.clone())
        .date(DATE)
        .source(source)
        .manual(MANUAL);
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    if command.get_subcommands().next().is_some() {
        man.render_subcommands_section(page)?;
    }
    let notes = command.get_after_long_help().or(command.get_after_help());
    let notes = notes.map(ToString::to_string).unwrap_or_default();
    let mut roff = Roff::default();
    notes
        .split("\n\n")
        .for_each(|block| section(&mut roff, block));
    if let Some(name) = command.get_display_name().filter(|name| name.contains('-')) {
        let above = name.rsplit_once('-').map_or(name, |(above, _)| above);
        roff.control("SH", ["SEE ALSO"]);
        roff.control("BR", [above, "(1)"]);
    }
    roff.to_writer(page)
}

/// A block of text under a heading of its own, if it has one. Lines that are indented stay lines.
fn section(roff: &mut Roff, block: &str) {
    let (first, rest) = block.split_once('\n').unwrap_or((block, ""));
    let lines: Vec<&str> = match first.split_once(": ") {
        _ if first == "Examples:" => {
            roff.control("SH", ["EXAMPLES"]);
            rest.lines().collect()
        }
        Some(("Exit codes", codes)) => {
            roff.control("SH", ["EXIT STATUS"]);
            std::iter::once(codes).chain(rest.lines()).collect()
        }
        _ => {
            roff.control("PP", []);
            block.lines().collect()
        }
    };
    let mut is_verbatim = false;
    for line in lines {
        let is_indented = line.starts_with("  ");
        if is_indented != is_verbatim {
            roff.control(if is_indented { "nf" } else { "fi" }, []);
            is_verbatim = is_indented;
        }
        roff.text([roman(line)]);
    }
    if is_verbatim {
        roff.control("fi", []);
    }
}
