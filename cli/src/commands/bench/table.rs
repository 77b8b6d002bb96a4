//! The figures as a table for people.

use std::fmt::Write;

use super::report::{Earlier, Line, Report};

/// Between two columns.
const GAP: &str = "  ";

/// The table, with what it was measured on above it: a line for each measure of each case.
pub(super) fn text(report: &Report, earlier: Option<&Earlier>) -> String {
    let mut text = head(report);
    let mut rows = vec![titles(earlier.is_some())];
    let mut last = None;
    for line in report.lines() {
        let case = match last.as_ref() == Some(&line.case) {
            true => String::new(),
            false => line.case.clone(),
        };
        rows.push(cells(case, &line, earlier));
        last = Some(line.case);
    }
    text += &aligned(&rows);
    for skipped in &report.skipped {
        _ = writeln!(text, "not measured: {skipped}");
    }
    text.truncate(text.trim_end().len());
    text
}

fn head(report: &Report) -> String {
    let about = &report.about;
    let machine = &about.machine;
    let mut text = format!("{}, tailwater {}", about.bench, about.version);
    if let Some(commit) = &about.commit {
        _ = write!(text, " ({commit})");
    }
    _ = writeln!(text, ", {}", about.date);
    let processor = machine.processor.as_deref().unwrap_or("a processor");
    let kernel = machine.kernel.as_deref().unwrap_or_default();
    _ = writeln!(
        text,
        "{processor}, {} cores, {}; {} {kernel}",
        machine.cores,
        machine.features.join(" "),
        machine.system
    );
    if !about.with.is_empty() {
        _ = writeln!(text, "with {}", about.with.join(", "));
    }
    if let Some(network) = about.network {
        _ = writeln!(text, "over {network}");
    }
    if !about.is_optimised {
        text += "warning: this build is not optimised: its figures mean nothing\n";
    }
    text.push('\n');
    text
}

fn titles(is_compared: bool) -> Vec<String> {
    let mut titles = ["", "", "median", "least..most", ""]
        .map(str::to_owned)
        .to_vec();
    if is_compared {
        titles.push("to earlier".to_owned());
    }
    titles
}

fn cells(case: String, line: &Line, earlier: Option<&Earlier>) -> Vec<String> {
    let spread = match line.n {
        1 => String::new(),
        _ => format!("{}..{}", number(line.min), number(line.max)),
    };
    let beside = match (&line.beside, line.ratio) {
        (Some(other), Some(ratio)) => format!("{ratio:.2} of {other}"),
        _ => String::new(),
    };
    let measure = format!("{}, {}", line.measure, line.unit);
    let mut cells = vec![case, measure, number(line.median), spread, beside];
    if let Some(earlier) = earlier {
        let ratio = earlier.ratio(line);
        cells.push(ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default());
    }
    cells
}

/// Three digits, or all those before the point.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Names to the left, numbers to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let len =
        |row: &Vec<String>, column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| len(row, column)).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            _ = match column {
                0 => write!(line, "{cell:<width$}"),
                1 => write!(line, "{GAP}{cell:<width$}"),
                _ => write!(line, "{GAP}{cell:>width$}"),
            };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::report::tests::report;

    #[test]
    fn a_table_has_medians_spreads_and_ratios() {
        let text = text(&report(1.0), None);
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let table = &lines[lines.len() - 4..];
        assert_eq!(table[0], "median least..most");
        assert_eq!(table[1], "lt-lt wall, s 2.00 1.00..3.00");
        assert_eq!(table[2], "cpu, s/GiB 2.00 1.00..3.00");
        assert_eq!(
            table[3],
            "lt-ours cpu, s/GiB 0.500 0.250..0.750 0.25 of lt-lt"
        );
    }

    #[test]
    fn what_is_not_there_is_said() {
        let mut report = report(1.0);
        report.skipped.push("aria2: not installed".to_owned());
        let text = text(&report, Some(&Earlier::default()));
        assert!(text.ends_with("not measured: aria2: not installed"));
        assert!(text.contains("to earlier"));
    }
}
