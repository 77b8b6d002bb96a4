//! Reads the output of a program, and keeps the last lines.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The most lines of each output that are kept. Programs say at the end why they end.
const MAX_LINES: usize = 5;
/// The most bytes of a line that are kept.
const MAX_LINE: usize = 300;
/// How long the end of the output may take when the program has ended: one that it left behind may hold it open.
const LATE: Duration = Duration::from_millis(500);

/// Reads the outputs of a program, so that it is never held up, and keeps the last lines of each: some programs say on
/// standard output why they fail, and others have much to say there besides.
///
/// When this is dropped nothing more is read: what the program prints from then on fails.
#[derive(Debug, Default)]
pub(super) struct Said {
    kept: Vec<Arc<Mutex<VecDeque<String>>>>,
    reading: JoinSet<()>,
}

impl Said {
    /// Reads an output to its end, in a task of its own.
    pub(super) fn follow(&mut self, output: Option<impl AsyncRead + Send + Unpin + 'static>) {
        let Some(mut output) = output else { return };
        let kept = Arc::default();
        self.kept.push(Arc::clone(&kept));
        self.reading.spawn(async move {
            let mut lines = Lines::default();
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = output.read(&mut buffer).await {
                lines.feed(&buffer[..len], |line| keep(&kept, line));
            }
            lines.end(|line| keep(&kept, line));
        });
    }

    /// The last lines of a program that has ended, by output. The text is untrusted.
    pub(super) async fn last_lines(&mut self) -> Vec<String> {
        let all = async { while self.reading.join_next().await.is_some() {} };
        // The lines that have arrived by then must suffice.
        let _ = timeout(LATE, all).await;
        let kept = self.kept.iter();
        kept.flat_map(|kept| locked(kept).clone()).collect()
    }
}

fn keep(kept: &Mutex<VecDeque<String>>, line: String) {
    let mut kept = locked(kept);
    if kept.len() == MAX_LINES {
        kept.pop_front();
    }
    kept.push_back(line);
}

fn locked(kept: &Mutex<VecDeque<String>>) -> MutexGuard<'_, VecDeque<String>> {
    // Lines are whole even if the thread that wrote the last one panicked.
    kept.lock()
}

/// Divides output into lines, each cut to a length. Blank ones are left out; a carriage return ends one too, as progress
/// is written with it.
#[derive(Debug, Default)]
struct Lines {
    open: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(String)) {
        let mut parts = bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
        // There is one always; a line ends before each further one.
        if let Some(first) = parts.next() {
            self.extend(first);
        }
        for part in parts {
            self.end(&mut each);
            self.extend(part);
        }
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = MAX_LINE - self.open.len();
        self.open.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end(&mut self, mut each: impl FnMut(String)) {
        let line = String::from_utf8_lossy(&self.open);
        let line = line.trim();
        if !line.is_empty() {
            each(line.to_owned());
        }
        self.open.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_divided_into_lines_that_are_not_long() {
        let long = "x".repeat(1000);
        let output = format!("one\n\n  \nt\u{e9}l\u{e9}\r\n{long}{long}\nlast");
        let expected = ["one", "t\u{e9}l\u{e9}", &long[..MAX_LINE], "last"];
        for size in [1, 3, 4096] {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for part in output.as_bytes().chunks(size) {
                lines.feed(part, |line| found.push(line));
            }
            lines.end(|line| found.push(line));
            assert_eq!(found, expected, "{size}");
        }
    }

    #[tokio::test]
    async fn the_last_lines_are_kept() {
        let mut said = Said::default();
        let text: String = (0..100).map(|number| format!("{number}\n")).collect();
        said.follow(Some(std::io::Cursor::new(text.into_bytes())));
        said.follow(None::<tokio::io::Empty>);
        said.follow(Some(&b"why"[..]));
        assert_eq!(
            said.last_lines().await,
            ["95", "96", "97", "98", "99", "why"]
        );
    }
}
