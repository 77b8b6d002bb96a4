//! The result of a check, in numbers of files.

use std::fmt;

use serde::Serialize;

use crate::report::{FileReport, Verdict};

/// How many files are right, and how many have which defect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) files: usize,
    pub(crate) ok: usize,
    pub(crate) missing: usize,
    pub(crate) wrong: usize,
    /// They share pieces with one that is missing or wrong.
    pub(crate) unsure: usize,
}

impl Tally {
    pub(crate) fn of(files: &[FileReport]) -> Self {
        let mut tally = Self {
            files: files.len(),
            ..Self::default()
        };
        for file in files {
            *match file.verdict {
                Verdict::Ok => &mut tally.ok,
                Verdict::Missing => &mut tally.missing,
                Verdict::Unsure { .. } => &mut tally.unsure,
                Verdict::WrongLength { .. }
                | Verdict::Wrong { .. }
                | Verdict::Unreadable { .. } => &mut tally.wrong,
            } += 1;
        }
        tally
    }

    pub(crate) const fn is_right(&self) -> bool {
        self.ok == self.files
    }
}

/// `1 missing; 1 999 cannot be checked because of it`
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bad = self.missing + self.wrong;
        match (self.missing, self.wrong) {
            (0, 0) => {}
            (missing, 0) => write!(f, "{} missing", Grouped(missing))?,
            (0, wrong) => write!(f, "{} wrong", Grouped(wrong))?,
            (missing, wrong) => {
                write!(f, "{} missing, {} wrong", Grouped(missing), Grouped(wrong))?;
            }
        }
        if self.unsure > 0 {
            let because = if bad == 1 { "it" } else { "them" };
            let unsure = Grouped(self.unsure);
            write!(f, "; {unsure} cannot be checked because of {because}")?;
        }
        Ok(())
    }
}

/// A number with a space between groups of three digits.
pub(crate) struct Grouped(pub(crate) usize);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                write!(f, " ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// `1 file`, `2 000 files`.
pub(crate) fn grouped_count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", Grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(missing: usize, wrong: usize, unsure: usize) -> String {
        let tally = Tally {
            missing,
            wrong,
            unsure,
            ..Tally::default()
        };
        tally.to_string()
    }

    #[test]
    fn what_cannot_be_checked_is_not_called_missing() {
        let unsure = "1 missing; 1 999 cannot be checked because of it";
        assert_eq!(tally(1, 0, 1_999), unsure);
        assert_eq!(tally(0, 1, 0), "1 wrong");
        assert_eq!(
            tally(1_234_567, 2, 1),
            "1 234 567 missing, 2 wrong; 1 cannot be checked because of them"
        );
    }
}
