//! Bodies of the fuzz targets: they assert what must hold for any input.

use crate::{
    Document, Encoded, Item, Kind, Options, Value, decode, decode_prefix, decode_with, encode,
};

/// Decodes `data` in every mode and checks the modes against each other and against the encoder.
///
/// # Panics
///
/// When the decoder breaks one of its promises.
pub fn decode_any(data: &[u8]) {
    let lenient = Options::lenient();
    let prefix = decode_prefix(data, &lenient);
    if let Ok((document, consumed)) = &prefix {
        assert_eq!(document.root().span(), 0..*consumed);
        assert!(document.token_count() <= (*consumed).max(1));
        walk(document);
        let encoded = encode(&Item::from(document));
        let again = decode(&encoded).expect("the encoder writes canonical bencode");
        assert_eq!(encode(&Item::from(&again)), encoded);
        let spliced = Item::list([Item::Raw(Encoded::from(document.root()))]);
        decode_with(&encode(&spliced), &lenient).expect("a spliced value stays well-formed");
    }
    match decode(data) {
        Ok(document) => {
            assert_eq!(encode(&Item::from(&document)), data);
            assert!(prefix.is_ok(), "lenient accepts whatever strict does");
            let theirs: serde_bencode::value::Value =
                serde_bencode::from_bytes(data).expect("both decoders agree");
            assert_same(document.root(), &theirs);
        }
        Err(error) => assert!(error.offset <= data.len()),
    }
}

/// Every child lies inside its parent, after its elder sibling.
fn walk(document: &Document<'_>) {
    let mut seen = 0;
    let mut stack = vec![document.root()];
    while let Some(value) = stack.pop() {
        seen += 1;
        let children: Vec<_> = match value.kind() {
            Kind::Int => {
                assert!(value.as_int().is_some());
                continue;
            }
            Kind::Bytes => {
                assert!(value.as_bytes().is_some());
                continue;
            }
            Kind::List => value.as_list().into_iter().flatten().collect(),
            Kind::Dict => {
                let dict = value.as_dict().expect("it is a dictionary");
                seen += dict.len();
                dict.iter().map(|(_, value)| value).collect()
            }
        };
        let mut at = value.span().start + 1;
        for child in &children {
            assert!(child.span().start >= at);
            at = child.span().end;
        }
        assert!(at < value.span().end);
        stack.extend(children);
    }
    assert_eq!(seen, document.token_count());
}

fn assert_same(ours: Value<'_, '_>, theirs: &serde_bencode::value::Value) {
    use serde_bencode::value::Value as Theirs;
    match theirs {
        Theirs::Int(value) => assert_eq!(ours.as_int(), Some(*value)),
        Theirs::Bytes(bytes) => assert_eq!(ours.as_bytes(), Some(&bytes[..])),
        Theirs::List(items) => {
            let list = ours.as_list().expect("both see a list");
            assert_eq!(list.len(), items.len());
            list.iter()
                .zip(items)
                .for_each(|(ours, theirs)| assert_same(ours, theirs));
        }
        Theirs::Dict(entries) => {
            let dict = ours.as_dict().expect("both see a dictionary");
            assert_eq!(dict.len(), entries.len());
            for (key, ours) in dict {
                assert_same(ours, &entries[key]);
            }
        }
    }
}
