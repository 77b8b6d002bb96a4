//! The extension handshake of BEP 10.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tailwater_bencode::{Dict, Item};

use super::bencoded::{dictionary, document, number, root};
use super::{ExtensionError, ExtensionId, ExtensionIds};
use crate::limits::MAX_CLIENT_LEN;

const MESSAGE: &str = "extension handshake";

/// The payload of the extension handshake. Every field is optional, also on the wire.
///
/// ```
/// use tailwater_wire::{ExtensionHandshake, ExtensionId, ExtensionIds};
///
/// let ours = ExtensionHandshake {
///     extensions: ExtensionIds::ours([ExtensionId::UtMetadata, ExtensionId::LtDontHave]),
///     listen_port: Some(6881),
///     ..ExtensionHandshake::default()
/// };
/// let payload = ours.encode();
/// assert_eq!(payload, b"d1:md11:lt_donthavei7e11:ut_metadatai2ee1:pi6881ee");
/// assert_eq!(ExtensionHandshake::decode(&payload), Ok(ours));
/// ```
// Not `#[non_exhaustive]`: it is made by struct literals with `..default()`, which a new field does not break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionHandshake {
    /// `m`: the numbers under which the sender takes extension messages.
    pub extensions: ExtensionIds,
    /// `p`: TCP port on which the sender listens; never 0.
    pub listen_port: Option<u16>,
    /// `v`: the sender's client and version. A decoded one has at most [`MAX_CLIENT_LEN`] bytes and no control
    /// characters, so that it is safe to print.
    pub client: Option<String>,
    /// `yourip`: the receiver's address as the sender sees it.
    pub your_ip: Option<IpAddr>,
    /// `ipv4`: the sender's own address.
    pub ipv4: Option<Ipv4Addr>,
    /// `ipv6`: the sender's own address.
    pub ipv6: Option<Ipv6Addr>,
    /// `reqq`: how many requests may be outstanding before the sender drops some; never 0.
    pub request_queue: Option<u32>,
    /// `metadata_size`: bytes of the info dictionary (BEP 9); never 0. It is what the peer claims: check it against a
    /// limit before reserving anything for it.
    pub metadata_size: Option<u32>,
    /// `upload_only`: whether the sender wants nothing (BEP 21).
    pub upload_only: Option<bool>,
}

impl ExtensionHandshake {
    /// The extension id of a handshake (BEP 10).
    pub const ID: u8 = 0;

    /// The payload to send.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let extensions: BTreeMap<_, _> = self
            .extensions
            .entries()
            .map(|(name, id)| (Cow::Borrowed(name.as_bytes()), Item::Int(id.into())))
            .collect();
        dictionary([
            ("ipv4", self.ipv4.map(|ip| Item::from(ip.octets().to_vec()))),
            ("ipv6", self.ipv6.map(|ip| Item::from(ip.octets().to_vec()))),
            ("m", Some(Item::Dict(extensions))),
            (
                "metadata_size",
                self.metadata_size.map(|size| Item::Int(size.into())),
            ),
            ("p", self.listen_port.map(|port| Item::Int(port.into()))),
            (
                "reqq",
                self.request_queue.map(|count| Item::Int(count.into())),
            ),
            (
                "upload_only",
                self.upload_only.map(|only| Item::Int(only.into())),
            ),
            ("v", self.client.as_deref().map(Item::from)),
            ("yourip", self.your_ip.map(|ip| Item::from(octets(ip)))),
        ])
    }

    /// Reads a payload. A field of the wrong type or out of range counts as absent; bytes after the dictionary are
    /// ignored: both occur in clients that otherwise work.
    ///
    /// # Errors
    ///
    /// When the payload is no bencoded dictionary.
    pub fn decode(payload: &[u8]) -> Result<Self, ExtensionError> {
        let (document, _) = document(MESSAGE, payload)?;
        let dict = root(MESSAGE, &document)?;
        Ok(Self {
            extensions: dict.get_dict("m").map(extensions).unwrap_or_default(),
            listen_port: number(dict, "p").filter(|port| *port != 0),
            client: dict.get_bytes("v").and_then(printable),
            your_ip: dict.get_bytes("yourip").and_then(ip),
            ipv4: dict.get_bytes("ipv4").and_then(ipv4),
            ipv6: dict.get_bytes("ipv6").and_then(ipv6),
            request_queue: number(dict, "reqq").filter(|count| *count != 0),
            metadata_size: number(dict, "metadata_size").filter(|size| *size != 0),
            upload_only: dict.get_int("upload_only").map(|value| value != 0),
        })
    }
}

fn extensions(m: Dict<'_, '_>) -> ExtensionIds {
    let mut ids = ExtensionIds::NONE;
    for extension in ExtensionId::ALL {
        if let Some(id) = number(m, extension.name()) {
            ids.set(extension, id);
        }
    }
    ids
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = ipv4(bytes).map(IpAddr::from);
    v4.or_else(|| ipv6(bytes).map(IpAddr::from))
}

fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

fn ipv6(bytes: &[u8]) -> Option<Ipv6Addr> {
    <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from)
}

/// The text without characters that could control a terminal or reorder a line, cut to [`MAX_CLIENT_LEN`] bytes.
fn printable(bytes: &[u8]) -> Option<String> {
    let mut text = String::new();
    // Cut before decoding: a long name costs nothing, and a character that the cut goes through is dropped.
    for part in bytes.get(..MAX_CLIENT_LEN).unwrap_or(bytes).utf8_chunks() {
        text.extend(part.valid().chars().filter(|c| !is_unprintable(*c)));
    }
    (!text.is_empty()).then_some(text)
}

/// Control characters, and the bidirectional and zero-width ones of Unicode.
const fn is_unprintable(c: char) -> bool {
    matches!(
        c,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_other_clients_send_is_understood() {
        let payload = b"d12:complete_agoi-1e1:md11:lt_donthavei7e10:share_modei8e11:upload_onlyi3e\
            12:ut_holepunchi4e11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei31235e4:reqqi500e\
            11:upload_onlyi1e1:v17:libtorrent/2.0.116:yourip4:\x7f\0\0\x01e";
        let handshake = ExtensionHandshake::decode(payload).unwrap();
        assert_eq!(
            handshake,
            ExtensionHandshake {
                extensions: ExtensionIds::ours(ExtensionId::ALL),
                client: Some("libtorrent/2.0.11".into()),
                your_ip: Some(Ipv4Addr::LOCALHOST.into()),
                request_queue: Some(500),
                metadata_size: Some(31_235),
                upload_only: Some(true),
                ..ExtensionHandshake::default()
            }
        );
    }

    #[test]
    fn a_field_that_makes_no_sense_counts_as_absent() {
        let nothing = ExtensionHandshake::default();
        for payload in [
            &b"de"[..],
            b"d1:mi5ee",
            b"d1:md6:ut_pexi256eee",
            b"d1:md6:ut_pexi-1eee",
            b"d1:md6:ut_pex1:1ee",
            b"d1:pi0ee",
            b"d1:pi65536ee",
            b"d1:p4:6881e",
            b"d1:v0:e",
            b"d1:v3:\x1b\x07\x00e",
            b"d6:yourip5:abcdee",
            b"d4:ipv416:aaaabbbbccccddddee",
            b"d4:ipv64:aaaae",
            b"d4:reqqi-1ee",
            b"d13:metadata_sizei4294967296ee",
            b"d11:upload_only0:e",
            b"detrailing",
        ] {
            assert_eq!(
                ExtensionHandshake::decode(payload).as_ref(),
                Ok(&nothing),
                "{}",
                payload.escape_ascii()
            );
        }
    }

    #[test]
    fn what_is_no_dictionary_is_refused() {
        assert_eq!(
            ExtensionHandshake::decode(b"i1e"),
            Err(ExtensionError::NotADictionary { message: MESSAGE })
        );
        for payload in [&b""[..], b"d", b"d1:v", &[b'l'; 100], &[b'd'; 100]] {
            let error = ExtensionHandshake::decode(payload).unwrap_err();
            assert!(matches!(error, ExtensionError::Bencode { .. }), "{error}");
        }
        let many = [&b"l"[..], &b"0:".repeat(2000), b"e"].concat();
        let error = ExtensionHandshake::decode(&many).unwrap_err();
        assert!(matches!(error, ExtensionError::Bencode { .. }), "{error}");
    }

    #[test]
    fn unsorted_keys_are_read() {
        let handshake = ExtensionHandshake::decode(b"d1:pi1e1:md6:ut_pexi3eee").unwrap();
        assert_eq!(handshake.listen_port, Some(1));
        assert_eq!(handshake.extensions.get(ExtensionId::UtPex), Some(3));
    }

    #[test]
    fn a_client_name_is_short_and_printable() {
        for (sent, kept) in [
            (&b"\xc2\xb5Torrent 1.2"[..], "µTorrent 1.2"),
            (b"a\x1b[31mb\x07\xe2\x80\xaec", "a[31mbc"),
            (b"ok\xff\xfe!", "ok!"),
            (&[b'x'; 300], &"x".repeat(MAX_CLIENT_LEN)),
            (&[&[b'x'; 63][..], b"\xc2\xb5"].concat(), &"x".repeat(63)),
        ] {
            let payload = [format!("d1:v{}:", sent.len()).as_bytes(), sent, b"e"].concat();
            let handshake = ExtensionHandshake::decode(&payload).unwrap();
            assert_eq!(handshake.client.as_deref(), Some(kept));
        }
    }

    fn ids() -> impl Strategy<Value = ExtensionIds> {
        any::<[Option<u8>; 5]>().prop_map(|numbers| {
            let mut ids = ExtensionIds::NONE;
            for (extension, id) in ExtensionId::ALL.into_iter().zip(numbers) {
                if let Some(id) = id {
                    ids.set(extension, id);
                }
            }
            ids
        })
    }

    prop_compose! {
        fn handshakes()(
            extensions in ids(),
            listen_port in prop::option::of(1..=u16::MAX),
            client in prop::option::of("[a-zµ /0-9.]{1,32}"),
            your_ip in any::<Option<IpAddr>>(),
            ipv4 in any::<Option<Ipv4Addr>>(),
            ipv6 in any::<Option<Ipv6Addr>>(),
            request_queue in prop::option::of(1..=u32::MAX),
            metadata_size in prop::option::of(1..=u32::MAX),
            upload_only in any::<Option<bool>>(),
        ) -> ExtensionHandshake {
            ExtensionHandshake {
                extensions, listen_port, client, your_ip, ipv4, ipv6, request_queue, metadata_size, upload_only,
            }
        }
    }

    proptest! {
        #[test]
        fn decode_reverses_encode(handshake in handshakes()) {
            let payload = handshake.encode();
            prop_assert!(tailwater_bencode::decode(&payload).is_ok(), "canonical");
            prop_assert_eq!(ExtensionHandshake::decode(&payload), Ok(handshake));
        }
    }
}
