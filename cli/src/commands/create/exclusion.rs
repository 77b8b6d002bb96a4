//! Excludes files of a folder from the torrent, by pattern.

use std::path::{Path, PathBuf};

use globset::GlobMatcher;

use crate::args::Create;
use crate::commands::torrent_output::Output;
use crate::error::CliError;

/// Patterns, and the torrent file itself where it lies in the folder.
#[derive(Debug)]
pub(super) struct Exclusion {
    patterns: Vec<Pattern>,
    root: PathBuf,
    /// The file that is written.
    output: Option<PathBuf>,
    /// Files and folders that were left out.
    pub(super) count: usize,
}

#[derive(Debug)]
struct Pattern {
    matcher: GlobMatcher,
    /// Compared with the whole path rather than with each name.
    is_path: bool,
    is_used: bool,
}

impl Exclusion {
    pub(super) fn new(args: &Create, output: &Output) -> Result<Self, CliError> {
        if !args.exclude.is_empty() && args.path.is_file() {
            return Err(CliError::Usage(
                "`--exclude` leaves out a part of a folder, and this is a file".to_owned(),
            ));
        }
        let pattern = |glob: &globset::Glob| Pattern {
            matcher: glob.compile_matcher(),
            is_path: glob.glob().contains('/'),
            is_used: false,
        };
        Ok(Self {
            patterns: args.exclude.iter().map(pattern).collect(),
            root: args.path.clone(),
            output: output.path().and_then(|path| path.canonicalize().ok()),
            count: 0,
        })
    }

    /// Whether something is left out, by its path inside the folder.
    pub(super) fn excludes(&mut self, path: &Path) -> bool {
        let mut excludes = false;
        for pattern in &mut self.patterns {
            let subject = match pattern.is_path {
                true => Some(path.as_os_str()),
                false => path.file_name(),
            };
            if subject.is_some_and(|subject| pattern.matcher.is_match(subject)) {
                pattern.is_used = true;
                excludes = true;
            }
        }
        excludes |= self.is_output(path);
        self.count += usize::from(excludes);
        excludes
    }

    /// The torrent of an earlier run, which is replaced: it cannot be a part of its successor.
    fn is_output(&self, path: &Path) -> bool {
        let Some(output) = &self.output else {
            return false;
        };
        path.file_name() == output.file_name()
            && self
                .root
                .join(path)
                .canonicalize()
                .is_ok_and(|path| path == *output)
    }

    /// Patterns that nothing has matched, as typed.
    pub(super) fn unused(&self) -> impl Iterator<Item = &str> {
        let unused = self.patterns.iter().filter(|pattern| !pattern.is_used);
        unused.map(|pattern| pattern.matcher.glob().glob())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use globset::GlobBuilder;

    fn exclusion(patterns: &[&str]) -> Exclusion {
        let pattern = |text: &&str| {
            let glob = GlobBuilder::new(text).literal_separator(true).build();
            Pattern {
                matcher: glob.expect("a pattern").compile_matcher(),
                is_path: text.contains('/'),
                is_used: false,
            }
        };
        Exclusion {
            patterns: patterns.iter().map(pattern).collect(),
            root: PathBuf::new(),
            output: None,
            count: 0,
        }
    }

    #[test]
    fn patterns_without_a_slash_match_at_any_depth() {
        let mut exclusion = exclusion(&["*.nfo", "scans", "disc1/*.log", "**/tmp/*", "never"]);
        for path in [
            "a.nfo",
            "x/y/a.nfo",
            "x/scans",
            "disc1/a.log",
            "a/b/tmp/c",
            "tmp/c",
        ] {
            assert!(exclusion.excludes(Path::new(path)), "{path}");
        }
        for path in [
            "a.nfo.txt",
            "scans2",
            "x/disc1/a.log",
            "disc1/x/a.log",
            "tmp",
        ] {
            assert!(!exclusion.excludes(Path::new(path)), "{path}");
        }
        assert_eq!(exclusion.count, 6);
        assert_eq!(exclusion.unused().collect::<Vec<_>>(), ["never"]);
    }
}
