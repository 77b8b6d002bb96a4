//! Peer ids: makes our own, and reads the client's name from those of others (BEP 20).

use tailwater_types::PeerId;

/// The prefix of our peer ids: `TW`, version 0.1.0.0.
const OWN_PREFIX: [u8; 8] = *b"-TW0100-";

/// How a client writes its version into the four characters that BEP 20 gives it.
#[derive(Clone, Copy)]
enum Version {
    /// Four numbers.
    Numbers,
    /// Three numbers, then a letter or digit that names the kind of build.
    NumbersAndBuild,
}

use Version::{Numbers, NumbersAndBuild};

/// Codes between the dashes of `-XX1234-` (BEP 20 and the ids that current clients send), in ASCII order.
const AZUREUS_STYLE: &[(&[u8; 2], &str, Version)] = &[
    (b"7T", "aTorrent", Numbers),
    (b"AG", "Ares", Numbers),
    (b"AR", "Arctic", Numbers),
    (b"AX", "BitPump", Numbers),
    (b"AZ", "Vuze", Numbers),
    (b"A~", "Ares", Numbers),
    (b"BC", "BitComet", Numbers),
    (b"BF", "Bitflu", Numbers),
    (b"BI", "BiglyBT", Numbers),
    (b"BT", "BitTorrent", NumbersAndBuild),
    (b"BW", "BitTorrent Web", NumbersAndBuild),
    (b"CD", "Enhanced CTorrent", Numbers),
    (b"CT", "CTorrent", Numbers),
    (b"DE", "Deluge", NumbersAndBuild),
    (b"EB", "EBit", Numbers),
    (b"FD", "Free Download Manager", Numbers),
    (b"FG", "FlashGet", Numbers),
    (b"FW", "FrostWire", Numbers),
    (b"GT", "anacrolix/torrent", Numbers),
    (b"HL", "Halite", Numbers),
    (b"KG", "KGet", Numbers),
    (b"KT", "KTorrent", Numbers),
    (b"LT", "libtorrent", Numbers),
    (b"LW", "LimeWire", Numbers),
    (b"MO", "MonoTorrent", Numbers),
    (b"NX", "Net Transport", Numbers),
    (b"PC", "CacheLogic", Numbers),
    (b"PI", "PicoTorrent", Numbers),
    (b"QD", "QQDownload", Numbers),
    (b"QT", "Qt 4 Torrent example", Numbers),
    (b"RT", "Retriever", Numbers),
    (b"SD", "Xunlei", Numbers),
    (b"SZ", "Shareaza", Numbers),
    (b"S~", "Shareaza alpha", Numbers),
    (b"TL", "Tribler", Numbers),
    (b"TR", "Transmission", NumbersAndBuild),
    (b"TS", "Torrentstorm", Numbers),
    (b"TT", "TuoTu", Numbers),
    (b"TW", "tailwater", Numbers),
    (b"TX", "Tixati", Numbers),
    (b"UM", "µTorrent for Mac", NumbersAndBuild),
    (b"UT", "µTorrent", NumbersAndBuild),
    (b"UW", "µTorrent Web", NumbersAndBuild),
    (b"WD", "WebTorrent Desktop", Numbers),
    (b"WT", "BitLet", Numbers),
    (b"WW", "WebTorrent", Numbers),
    (b"XF", "Xfplay", Numbers),
    (b"XL", "Xunlei", Numbers),
    (b"ZT", "ZipTorrent", Numbers),
    (b"lt", "rTorrent", Numbers),
    (b"qB", "qBittorrent", Numbers),
    (b"rQ", "rqbit", Numbers),
    (b"st", "sharktorrent", Numbers),
];

/// First letters of Shadow's style (BEP 20).
const SHADOW_STYLE: &[(u8, &str)] = &[
    (b'A', "ABC"),
    (b'O', "Osprey Permaseed"),
    (b'Q', "BTQueue"),
    (b'R', "Tribler"),
    (b'S', "Shadow's client"),
    (b'T', "BitTornado"),
    (b'U', "UPnP NAT Bit Torrent"),
];

/// A peer id of ours: `-TW0100-` and twelve bytes that the caller draws at random.
#[must_use]
pub fn own_peer_id(random: [u8; 12]) -> PeerId {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&OWN_PREFIX);
    bytes[8..].copy_from_slice(&random);
    PeerId::new(bytes)
}

/// The client that a peer id names, with its version, for display: `Transmission 4.0.6`.
///
/// `None` when the id follows no convention known here. Of what a peer sent, only ASCII letters, digits and `~` get into
/// the text, so that it is safe to print. Anyone can claim to be any client.
///
/// ```
/// use tailwater_types::PeerId;
/// use tailwater_wire::client_name;
///
/// let peer_id = PeerId::new(*b"-qB5010-abcdefghijkl");
/// assert_eq!(client_name(&peer_id).as_deref(), Some("qBittorrent 5.0.1"));
/// ```
#[must_use]
pub fn client_name(peer_id: &PeerId) -> Option<String> {
    let bytes = peer_id.as_bytes();
    azureus_style(bytes)
        .or_else(|| dashed_version(bytes))
        .or_else(|| shadow_style(bytes))
}

/// `-XX1234-`. A client that is not in the table goes by its code.
fn azureus_style(bytes: &[u8; 20]) -> Option<String> {
    let [b'-', a, b, version @ ..] = bytes.first_chunk::<7>()? else {
        return None;
    };
    let code = [*a, *b];
    let known = AZUREUS_STYLE.iter().find(|(known, ..)| **known == code);
    let Some((_, name, style)) = known else {
        let clean = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'~';
        let code = code.iter().all(clean).then_some(code)?;
        // A code that is not in the table counts only with the closing dash.
        let version = (bytes[7] == b'-').then(|| numbers(version))??;
        return Some(format!(
            "{}{} {version}",
            char::from(code[0]),
            char::from(code[1])
        ));
    };
    let version = match style {
        Numbers => numbers(version),
        NumbersAndBuild => numbers(&version[..3]),
    };
    Some(named(name, version))
}

/// `M7-10-5--`: mainline, and Queen Bee, which took up its style.
fn dashed_version(bytes: &[u8; 20]) -> Option<String> {
    let name = match bytes[0] {
        b'M' => "Mainline",
        b'Q' => "Queen Bee",
        _ => return None,
    };
    let text = bytes[1..8].strip_suffix(b"-")?;
    let text = text.strip_suffix(b"-").unwrap_or(text);
    let parts: Vec<&[u8]> = text.split(|byte| *byte == b'-').collect();
    let is_number = |part: &&[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if parts.len() != 3 || !parts.iter().all(is_number) {
        return None;
    }
    let version: String = text
        .iter()
        .map(|byte| {
            if *byte == b'-' {
                '.'
            } else {
                char::from(*byte)
            }
        })
        .collect();
    Some(named(name, Some(version)))
}

/// `S58B-----`: a letter, up to five characters of version padded with dashes, three dashes.
fn shadow_style(bytes: &[u8; 20]) -> Option<String> {
    let (_, name) = SHADOW_STYLE
        .iter()
        .find(|(letter, _)| *letter == bytes[0])?;
    if bytes[6..9] != *b"---" {
        return None;
    }
    let padding = bytes[1..6]
        .iter()
        .rev()
        .take_while(|byte| **byte == b'-')
        .count();
    Some(named(name, Some(numbers(&bytes[1..6 - padding])?)))
}

fn named(name: &str, version: Option<String>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
}

/// Characters as the numbers 0 to 35 (`A` is 10) and on to 61 for small letters, zeros at the end left out after the
/// second; `None` when a character is none of these, or there is none.
fn numbers(version: &[u8]) -> Option<String> {
    let digits = version.iter().map(|byte| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'Z' => Some(byte - b'A' + 10),
        b'a'..=b'z' => Some(byte - b'a' + 36),
        _ => None,
    });
    let mut digits: Vec<u8> = digits.collect::<Option<_>>()?;
    while digits.len() > 2 && digits.last() == Some(&0) {
        digits.pop();
    }
    let texts: Vec<String> = digits.iter().map(u8::to_string).collect();
    (!texts.is_empty()).then(|| texts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(id: &[u8; 20]) -> Option<String> {
        client_name(&PeerId::new(*id))
    }

    #[test]
    fn ours_is_known_as_ours() {
        let id = own_peer_id(*b"abcdefghijkl");
        assert_eq!(id.as_bytes(), b"-TW0100-abcdefghijkl");
        assert_eq!(client_name(&id).as_deref(), Some("tailwater 0.1"));
    }

    #[test]
    fn clients_go_by_their_names() {
        for (id, expected) in [
            (b"-TR4060-abcdefghijkl", "Transmission 4.0.6"),
            (b"-TR300Z-abcdefghijkl", "Transmission 3.0"),
            (b"-LT20B0-abcdefghijkl", "libtorrent 2.0.11"),
            (b"-lt0D80-abcdefghijkl", "rTorrent 0.13.8"),
            (b"-qB4650-abcdefghijkl", "qBittorrent 4.6.5"),
            (b"-UT355S-abcdefghijkl", "µTorrent 3.5.5"),
            (b"-AZ5760-abcdefghijkl", "Vuze 5.7.6"),
            (b"-DE211s-abcdefghijkl", "Deluge 2.1.1"),
            (b"-KT!!!!-abcdefghijkl", "KTorrent"),
            // FlashGet leaves out the closing dash (BEP 20).
            (b"-FG0180abcdefghijklm", "FlashGet 0.1.8"),
            (b"-zz1200-abcdefghijkl", "zz 1.2"),
            (b"M7-10-5--abcdefghijk", "Mainline 7.10.5"),
            (b"M4-3-6--abcdefghijkl", "Mainline 4.3.6"),
            (b"M4-20-8-abcdefghijkl", "Mainline 4.20.8"),
            (b"Q1-10-0-abcdefghijkl", "Queen Bee 1.10.0"),
            (b"S58B-----abcdefghijk", "Shadow's client 5.8.11"),
            (b"T03I-----abcdefghijk", "BitTornado 0.3.18"),
            (b"Q12-----------------", "BTQueue 1.2"),
        ] {
            assert_eq!(name(id).as_deref(), Some(expected), "{}", id.escape_ascii());
        }
    }

    #[test]
    fn ids_without_a_convention_have_no_name() {
        for id in [
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"-\x1b[2J00-abcdefghijkl",
            b"-zz120\x1b-abcdefghijkl",
            b"-zz1200abcdefghijklm",
            b"S---------abcdefghij",
            b"M---------abcdefghij",
            b"M\x07-1-2--abcdefghijkl",
        ] {
            assert_eq!(name(id), None, "{}", id.escape_ascii());
        }
    }

    #[test]
    fn the_table_is_sorted_and_has_no_code_twice() {
        assert!(AZUREUS_STYLE.is_sorted_by(|a, b| a.0 < b.0));
    }

    proptest! {
        #[test]
        fn no_byte_of_a_peer_gets_to_the_terminal_unseen(
            head in prop::sample::select(vec![&b"-"[..], b"-zz", b"-UT", b"M", b"S", b""]),
            tail in any::<[u8; 20]>(),
        ) {
            let mut id = tail;
            id[..head.len()].copy_from_slice(head);
            if let Some(name) = name(&id) {
                prop_assert!(!name.chars().any(char::is_control), "{name:?}");
                prop_assert!(name.len() < 64, "{name:?}");
            }
        }
    }
}
