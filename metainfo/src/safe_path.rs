//! Safe file names and paths, which stay inside their folder on every platform.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// A name is cut after the character that fills this many bytes; the extension is appended. File systems allow 255
/// bytes a name; the difference leaves room for the extension and for a number that tells two files apart.
const CUT_AFTER: usize = 240;

/// The longest extension that survives a cut, in bytes, dot included.
const MAX_EXTENSION: usize = 9;

/// The longest component, in bytes.
const MAX_COMPONENT: usize = 255;

/// A relative path, each component of which is a plain name on every platform: never empty, `.`, `..`, a Windows
/// device, or longer than 255 bytes, without separators, control characters and characters that cannot be seen or
/// change the direction of writing. Joined to a folder, it stays inside.
///
/// Only this crate makes them, out of the names in a torrent.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafePath(Box<str>);

impl SafePath {
    /// Takes components that [`mend`] made, joined by slashes.
    pub(crate) fn from_mended(joined: String) -> Self {
        Self(joined.into_boxed_str())
    }

    /// The path with a slash between the components.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The components, at least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last component.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The path inside `folder`, with the platform's separators.
    #[must_use]
    pub fn under(&self, folder: &Path) -> PathBuf {
        let mut path = folder.to_path_buf();
        path.extend(self.components());
        path
    }

    /// The same path with a number before its extension, cut where it would be too long.
    pub(crate) fn numbered(&self, number: usize) -> Self {
        let (folder, name) = match self.0.rsplit_once('/') {
            Some((folder, name)) => (Some(folder), name),
            None => (None, &*self.0),
        };
        let (stem, extension) = split_extension(name);
        let suffix = format!(".{number}{extension}");
        let stem = head(stem, MAX_COMPONENT.saturating_sub(suffix.len()));
        Self::from_mended(match folder {
            Some(folder) => format!("{folder}/{stem}{suffix}"),
            None => format!("{stem}{suffix}"),
        })
    }
}

impl fmt::Display for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SafePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafePath({:?})", self.as_str())
    }
}

impl AsRef<str> for SafePath {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// The replacement for a component of which nothing is left.
pub(crate) const NOTHING: &str = "_";

/// Makes one component of a path safe, as libtorrent does; `None` where nothing is left of it.
///
/// Separators, NUL and characters that cannot be seen or change the direction of writing are dropped, bytes that are not
/// UTF-8 and control characters become `_`. Of an empty name, `.` and `..` nothing is left. Overlong names are cut.
/// Windows' device names get a `_` in front on every platform, so that a torrent has the same files everywhere.
pub(crate) fn mend(raw: &[u8]) -> Option<Cow<'_, str>> {
    match std::str::from_utf8(raw) {
        Ok(name) if is_plain(name) => Some(Cow::Borrowed(name)),
        _ => rebuild(raw).map(Cow::Owned),
    }
}

/// Whether a name is safe as it is, which nearly all names are; some others are too.
fn is_plain(name: &str) -> bool {
    let is_plain = |byte: u8| {
        matches!(byte, b' '..=b'~') && !matches!(byte, b'/' | b'\\') && !is_refused(byte.into())
    };
    let is_dots = matches!(name, "" | "." | "..") || (cfg!(windows) && name.ends_with(['.', ' ']));
    name.len() <= CUT_AFTER && !is_dots && name.bytes().all(is_plain) && !is_windows_device(name)
}

/// Whether a name is safe as it is but for its length, which only some file systems limit as we do.
#[cfg(not(unix))]
pub(crate) fn is_safe_name(name: &str) -> bool {
    let is_changed = |c: char| is_dropped(c) || replace(c) != c;
    let is_dots = matches!(name, "" | "." | "..") || name.ends_with(['.', ' ']);
    name.encode_utf16().count() <= MAX_COMPONENT
        && !is_dots
        && !name.chars().any(is_changed)
        && !is_windows_device(name)
}

fn rebuild(raw: &[u8]) -> Option<String> {
    let mut name = String::new();
    let mut rest = raw;
    while let Some((character, after)) = first_char(rest) {
        rest = after;
        match character {
            Some(c) if is_dropped(c) => {}
            Some(c) => name.push(replace(c)),
            None => name.push('_'),
        }
    }
    if cfg!(windows) {
        name.truncate(name.trim_end_matches(['.', ' ']).len());
    }
    if matches!(&*name, "" | "." | "..") {
        return None;
    }
    let mut name = cut(name);
    if is_windows_device(&name) {
        name.insert(0, '_');
    }
    Some(name)
}

/// The first character, or none where the bytes are no UTF-8, and what follows it. For bytes in another encoding, as
/// many are skipped as the first byte announces in UTF-8: libtorrent does the same, so that the names are equal.
fn first_char(bytes: &[u8]) -> Option<(Option<char>, &[u8])> {
    let len = match bytes.first()? {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        0xf8..=0xfb => 5,
        _ => 1,
    };
    let (character, rest) = bytes.split_at(len.min(bytes.len()));
    let character = std::str::from_utf8(character).ok();
    Some((character.and_then(|text| text.chars().next()), rest))
}

/// Separators, and characters that make a name look like another: invisible ones, and ones that change the direction of
/// writing.
fn is_dropped(c: char) -> bool {
    let is_separator = matches!(c, '/' | '\\' | '\0');
    let is_direction = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    let is_unseen = matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    is_separator || is_direction || is_unseen
}

fn replace(c: char) -> char {
    if c.is_control() || is_refused(c) {
        '_'
    } else {
        c
    }
}

/// Windows refuses these, and a colon names a drive or a stream there.
fn is_refused(c: char) -> bool {
    cfg!(windows) && matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

fn cut(mut name: String) -> String {
    if name.len() <= CUT_AFTER {
        return name;
    }
    let (stem, extension) = split_extension(&name);
    let keep = if extension.len() <= MAX_EXTENSION {
        extension.to_owned()
    } else {
        String::new()
    };
    let stem_len = if keep.is_empty() {
        name.len()
    } else {
        stem.len()
    };
    let mut end = stem_len.min(CUT_AFTER);
    while !name.is_char_boundary(end) {
        end += 1;
    }
    name.truncate(end);
    name.push_str(&keep);
    name
}

/// The longest beginning of `text` that is whole characters of at most `len` bytes.
fn head(text: &str, len: usize) -> &str {
    let mut end = len.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The name without its last dot and what follows, and that; a name that only begins with a dot has no extension.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    }
}

fn is_windows_device(name: &str) -> bool {
    const DEVICES: [&str; 7] = ["con", "prn", "aux", "nul", "clock$", "conin$", "conout$"];
    // Windows looks no further than the first dot, and ignores spaces before it.
    let stem = name.split('.').next().unwrap_or_default().trim_end();
    let is_port = |(device, port): (&str, &str)| {
        let is_digit = matches!(port, "¹" | "²" | "³") || matches!(port.as_bytes(), [b'0'..=b'9']);
        is_digit && (device.eq_ignore_ascii_case("com") || device.eq_ignore_ascii_case("lpt"))
    };
    DEVICES
        .iter()
        .any(|device| stem.eq_ignore_ascii_case(device))
        || stem.split_at_checked(3).is_some_and(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    #[test]
    fn names_are_mended() {
        let cases: &[(&[u8], Option<&str>)] = &[
            (b"plain.txt", Some("plain.txt")),
            (b"...", Some("...")),
            (b".hidden", Some(".hidden")),
            (b"", None),
            (b".", None),
            (b"..", None),
            (b"/", None),
            (b"/../", None),
            ("\u{202e}".as_bytes(), None),
            (b"/etc", Some("etc")),
            (b"a/b\\c", Some("abc")),
            (b"a\0b\x1bc\x7f", Some("ab_c_")),
            (b"\0", None),
            ("a\u{200b}b\u{2060}\u{feff}".as_bytes(), Some("ab")),
            ("a\u{85}b".as_bytes(), Some("a_b")),
            ("evil\u{202e}gpj.exe".as_bytes(), Some("evilgpj.exe")),
            ("a\u{2066}b\u{2069}\u{200f}".as_bytes(), Some("ab")),
            (b"a\xffb\xc3", Some("a_b_")),
            (b"caf\xe9 noir", Some("caf_oir")),
            ("é".as_bytes(), Some("é")),
            (b"CON", Some("_CON")),
            (b"nul.tar.gz", Some("_nul.tar.gz")),
            (b"Com1 .txt", Some("_Com1 .txt")),
            (b"c\\on", Some("_con")),
            ("lpt²".as_bytes(), Some("_lpt²")),
            (b"console", Some("console")),
            (b"com10", Some("com10")),
        ];
        for &(raw, expected) in cases {
            assert_eq!(
                mend(raw).as_deref(),
                expected,
                "{}",
                String::from_utf8_lossy(raw)
            );
        }
    }

    #[test]
    fn long_names_are_cut_before_their_extension() {
        let long = |stem: usize, extension: &str| {
            mend(format!("{}{extension}", "x".repeat(stem)).as_bytes()).map(Cow::into_owned)
        };
        let expect =
            |stem: usize, extension: &str| Some(format!("{}{extension}", "x".repeat(stem)));
        assert_eq!(long(240, ""), expect(240, ""));
        assert_eq!(long(300, ""), expect(240, ""));
        assert_eq!(long(239, ".mkv"), expect(239, ".mkv"));
        assert_eq!(long(300, ".mkv"), expect(240, ".mkv"));
        assert_eq!(long(300, ".8letters"), expect(240, ".8letters"));
        assert_eq!(long(300, ".9_letters"), expect(240, ""));
        assert_eq!(long(300, ".no-extension"), expect(240, ""));
        assert_eq!(
            mend("é".repeat(150).as_bytes()).as_deref(),
            Some(&*"é".repeat(120))
        );
    }

    #[test]
    fn a_number_goes_before_the_extension() {
        let numbered = |path: &str| {
            SafePath::from_mended(path.to_owned())
                .numbered(7)
                .to_string()
        };
        assert_eq!(numbered("a/b.tar.gz"), "a/b.tar.7.gz");
        assert_eq!(numbered("a.d/b"), "a.d/b.7");
        assert_eq!(numbered(".profile"), ".profile.7");
        assert_eq!(numbered(&"x".repeat(255)).len(), 255);
    }

    proptest! {
        #[test]
        fn a_mended_name_is_one_plain_component(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(name) = mend(&raw) {
                prop_assert!(name.len() <= MAX_COMPONENT);
                let components: Vec<_> = Path::new(&*name).components().collect();
                prop_assert_eq!(components, vec![Component::Normal(AsRef::<std::ffi::OsStr>::as_ref(&*name))]);
                let again = mend(name.as_bytes());
                prop_assert_eq!(again.as_deref(), Some(&*name));
            }
        }

        #[test]
        fn any_text_too(raw in "([.]|[/]|\\PC|\u{202e}|\u{0}|CON|nul){0,40}") {
            if let Some(name) = mend(raw.as_bytes()) {
                let is_plain = !name.contains(['/', '\\', '\0', '\u{202e}']);
                prop_assert!(is_plain);
                prop_assert!(name != "." && name != "..");
                let again = mend(name.as_bytes());
                prop_assert_eq!(again.as_deref(), Some(&*name));
            }
        }
    }
}
