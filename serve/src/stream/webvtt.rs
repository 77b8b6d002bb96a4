//! Converts subtitles to WebVTT, which browsers read, from SubRip (.srt) or WebVTT in any encoding.

use std::borrow::Cow;

use chardetng::EncodingDetector;
use encoding_rs::{Encoding, UTF_8};

/// The type of WebVTT.
pub(crate) const CONTENT_TYPE: &str = "text/vtt; charset=utf-8";
const ARROW: &str = "-->";

/// WebVTT from the bytes of a file of either kind. It never fails: what is no cue is left out.
pub(crate) fn convert(bytes: &[u8]) -> String {
    let text = decode(bytes);
    match text.starts_with("WEBVTT") {
        true => text,
        false => from_subrip(&text),
    }
}

/// Text by its byte order mark, or as UTF-8 if it is that, or else by what its bytes look like: old files are in whatever
/// encoding their author's system had.
fn decode(bytes: &[u8]) -> String {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None if std::str::from_utf8(bytes).is_ok() => UTF_8,
        None => {
            let mut detector = EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
            detector.feed(bytes, true);
            detector.guess(None, chardetng::Utf8Detection::Deny)
        }
    };
    encoding.decode(bytes).0.into_owned()
}

fn from_subrip(text: &str) -> String {
    let mut all = "WEBVTT\n".to_owned();
    let mut cue: Option<Cue<'_>> = None;
    for line in text.split(['\n', '\r']) {
        if let Some(timing) = Timing::parse(line) {
            if let Some(mut done) = cue.replace(Cue::new(timing)) {
                // The number of the next cue, which stands before its times.
                done.drop_number();
                done.write(&mut all);
            }
        } else if let Some(cue) = &mut cue {
            cue.lines.push(line.trim_end());
        }
    }
    if let Some(cue) = cue {
        cue.write(&mut all);
    }
    all
}

/// When a cue is shown, in milliseconds.
struct Timing {
    from: u64,
    to: u64,
}

impl Timing {
    fn parse(line: &str) -> Option<Self> {
        let (from, to) = line.split_once(ARROW)?;
        // Coordinates may follow.
        let to = to.split_whitespace().next()?;
        Some(Self {
            from: millis(from.trim())?,
            to: millis(to)?,
        })
    }
}

/// `1:02:03,4` and the like.
fn millis(text: &str) -> Option<u64> {
    let (clock, fraction) = text.split_once([',', '.']).unwrap_or((text, "0"));
    let number = |digits: &str| -> Option<u64> {
        let is_number =
            (1..=4).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
        is_number.then(|| digits.parse().ok())?
    };
    let mut seconds = 0;
    let mut parts = 0;
    for part in clock.split(':') {
        seconds = seconds * 60 + number(part.trim())?;
        parts += 1;
    }
    let tail = number(fraction)?;
    let scaled = match fraction.len() {
        1 => tail * 100,
        2 => tail * 10,
        3 => tail,
        _ => tail / 10,
    };
    (2..=3).contains(&parts).then_some(seconds * 1_000 + scaled)
}

struct Cue<'a> {
    timing: Timing,
    lines: Vec<&'a str>,
}

impl Cue<'_> {
    const fn new(timing: Timing) -> Self {
        Self {
            timing,
            lines: Vec::new(),
        }
    }

    /// Takes a last line away that is nothing but a number.
    fn drop_number(&mut self) {
        while self.lines.last().is_some_and(|line| line.trim().is_empty()) {
            self.lines.pop();
        }
        let is_number =
            |line: &&str| !line.is_empty() && line.trim().bytes().all(|it| it.is_ascii_digit());
        if self.lines.last().is_some_and(is_number) {
            self.lines.pop();
        }
    }

    fn write(&self, all: &mut String) {
        let lines: Vec<_> = self.lines.iter().map(|line| Line::new(line)).collect();
        let text = lines.iter().filter(|line| !line.text.trim().is_empty());
        let text: Vec<_> = text.map(|line| line.text.as_str()).collect();
        if text.is_empty() {
            return;
        }
        let place = match lines.iter().any(|line| line.is_at_top) {
            true => " line:0",
            false => "",
        };
        let (from, to) = (time(self.timing.from), time(self.timing.to));
        all.push_str(&format!(
            "\n{from} {ARROW} {to}{place}\n{}\n",
            text.join("\n")
        ));
    }
}

/// A line of a cue, without what belongs to another format.
struct Line {
    text: String,
    is_at_top: bool,
}

impl Line {
    /// `{\an8}` and its kin come from ASS: 7 to 9 are the top of the picture.
    fn new(line: &str) -> Self {
        let mut text = String::with_capacity(line.len());
        let mut is_at_top = false;
        let mut rest = line;
        while let Some(start) = rest.find("{\\") {
            let Some(len) = rest[start..].find('}') else {
                break;
            };
            let code = &rest[start..start + len];
            is_at_top |= ["an7", "an8", "an9"].iter().any(|top| code.contains(top));
            text.push_str(&rest[..start]);
            rest = &rest[start + len + 1..];
        }
        text.push_str(rest);
        // The arrow would begin a cue; a lone NUL is no text.
        let text = text.replace(ARROW, "→").replace('\0', "");
        Self {
            text: escaped(&text),
            is_at_top,
        }
    }
}

/// SubRip's text as WebVTT's: with its tags for italics and the like, without those for fonts and colours. What looks like
/// a tag or an entity and is none is text.
fn escaped(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, special) = rest.split_at(at);
        all.push_str(before);
        let (shown, len) = match special.starts_with('<') {
            true => tag(special),
            false => entity(special),
        };
        all.push_str(&shown);
        rest = &special[len..];
    }
    all.push_str(rest);
    all
}

/// The replacement for a `<` and perhaps the text after it, and how many bytes it replaces.
fn tag(text: &str) -> (Cow<'static, str>, usize) {
    let none = (Cow::Borrowed("&lt;"), 1);
    let Some(end) = text.find('>') else {
        return none;
    };
    let inside = text[1..end].to_ascii_lowercase();
    let (slash, name) = match inside.strip_prefix('/') {
        Some(name) => ("/", name),
        None => ("", inside.as_str()),
    };
    let is_font = name == "font" || name.starts_with("font ");
    match name.trim_end() {
        _ if is_font => (Cow::Borrowed(""), end + 1),
        name @ ("i" | "b" | "u") => (Cow::Owned(format!("<{slash}{name}>")), end + 1),
        _ => none,
    }
}

/// The same for an `&`.
fn entity(text: &str) -> (Cow<'static, str>, usize) {
    const KNOWN: [&str; 6] = ["&amp;", "&lt;", "&gt;", "&nbsp;", "&lrm;", "&rlm;"];
    match KNOWN.into_iter().find(|known| text.starts_with(known)) {
        Some(known) => (Cow::Borrowed(known), known.len()),
        None => (Cow::Borrowed("&amp;"), 1),
    }
}

fn time(millis: u64) -> String {
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{millis:03}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn subrip_becomes_webvtt() {
        let text = "1\n00:00:01,000 --> 00:00:02,500\nHello\n<i>there</i>\n\n\
            2\n01:02:03,04 --> 1:02:04.5  X1:10 X2:20\n{\\an8}Top\n\n\
            3\n00:00:05,000 --> 00:00:06,000\n\n";
        let expected = "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHello\n<i>there</i>\n\n\
            01:02:03.040 --> 01:02:04.500 line:0\nTop\n";
        assert_eq!(convert(text.as_bytes()), expected);
    }

    #[test]
    fn ends_of_lines_and_marks_at_the_start_do_not_matter() {
        let text = "1\n00:01,0 --> 00:02,0\nGrüße\n\n2\n00:03,0 --> 00:04,0\nzwei\n";
        let expected = convert(text.as_bytes());
        assert!(
            expected.contains("00:00:01.000 --> 00:00:02.000\nGrüße\n"),
            "{expected}"
        );
        let windows = text.replace('\n', "\r\n");
        let marked = format!("\u{feff}{windows}");
        let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [windows.as_bytes(), marked.as_bytes(), &wide] {
            assert_eq!(convert(bytes), expected);
        }
    }

    #[test]
    fn old_encodings_are_recognised() {
        let latin = b"1\n00:01,0 --> 00:02,0\nC\xe9sar mange \xe0 la maison, d\xe9j\xe0\n";
        assert!(convert(latin).contains("César mange à la maison, déjà"));
        let cyrillic = "Привет, как дела? Всё хорошо, спасибо";
        let (bytes, ..) = encoding_rs::WINDOWS_1251.encode(cyrillic);
        let text = [b"1\n00:01,0 --> 00:02,0\n", &*bytes].concat();
        assert!(convert(&text).contains(cyrillic));
    }

    #[test]
    fn blank_lines_and_odd_numbers_do_not_end_a_cue() {
        let text = "00:01,0 --> 00:02,0\none\n\n1984\n\n7\n00:03,0 --> 00:04,0\na --> b--->\n";
        let expected = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\none\n1984\n\n\
            00:00:03.000 --> 00:00:04.000\na → b-→\n";
        assert_eq!(convert(text.as_bytes()), expected);
    }

    #[test]
    fn what_is_no_tag_is_text() {
        let cases = [
            ("I <3 you & <b>me</B>", "I &lt;3 you &amp; <b>me</b>"),
            (
                "<font color=\"#ff0000\">red</font> <I>it</I >",
                "red <i>it</i>",
            ),
            (
                "AT&T &amp; &lt;i&gt; &eacute;",
                "AT&amp;T &amp; &lt;i&gt; &amp;eacute;",
            ),
            ("a < b > c", "a &lt; b > c"),
            (
                "<whispers> hi </fontaine>",
                "&lt;whispers> hi &lt;/fontaine>",
            ),
            ("<", "&lt;"),
            ("&", "&amp;"),
        ];
        for (text, expected) in cases {
            let subrip = format!("1\n00:01,0 --> 00:02,0\n{text}\n");
            let expected = format!("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n{expected}\n");
            assert_eq!(convert(subrip.as_bytes()), expected);
        }
        // Nothing is left of it.
        assert_eq!(
            convert(b"1\n00:01,0 --> 00:02,0\n<font size=1></font>\n"),
            "WEBVTT\n"
        );
    }

    #[test]
    fn webvtt_stays_as_it_is() {
        let text = "WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000\nHello\n";
        assert_eq!(convert(text.as_bytes()), text);
        assert_eq!(convert(b"nothing of the kind"), "WEBVTT\n");
        assert_eq!(convert(b""), "WEBVTT\n");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_cues_come_out(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(convert(&bytes).starts_with("WEBVTT"));
        }

        #[test]
        fn every_arrow_is_of_a_cue(text in "([0-9]{1,2}:[0-9]{2},[0-9] --> [0-9]{1,2}:[0-9]{2},[0-9]\n|[-> a1\n]{0,12}){0,9}") {
            for line in convert(text.as_bytes()).lines().filter(|line| line.contains(ARROW)) {
                prop_assert!(Timing::parse(line).is_some(), "{}", line);
            }
        }
    }
}
