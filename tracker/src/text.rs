//! Sanitises texts from strangers before they are shown.

/// The longest text of a tracker (failure reason, warning) that is kept, in bytes.
pub const MAX_TEXT_LEN: usize = 512;

/// Bounded, valid UTF-8, and without control characters: a tracker's words end up on terminals
/// and in logs, where an escape sequence could forge output.
pub(crate) fn displayable(bytes: &[u8]) -> String {
    let bounded = &bytes[..bytes.len().min(MAX_TEXT_LEN)];
    let mut text = String::new();
    for character in String::from_utf8_lossy(bounded).chars() {
        let shown = if is_unsafe(character) { ' ' } else { character };
        if text.len() + shown.len_utf8() > MAX_TEXT_LEN {
            break;
        }
        text.push(shown);
    }
    text.truncate(text.trim_end().len());
    text
}

fn is_unsafe(character: char) -> bool {
    let reorders = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character.is_control() || reorders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_become_spaces_and_length_is_bounded() {
        assert_eq!(displayable(b"go\x1b[2Jaway\n"), "go [2Jaway");
        assert_eq!(displayable("a\u{202e}b".as_bytes()), "a b");
        assert_eq!(displayable(b"\xff"), "\u{fffd}");
        assert_eq!(displayable(&[b'a'; 4096]).len(), MAX_TEXT_LEN);
        assert!(displayable(&[0xff; 4096]).len() <= MAX_TEXT_LEN);
    }
}
