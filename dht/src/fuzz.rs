//! Bodies of the fuzz targets: they assert what must hold for any input.

use tailwater_bencode::decode;

use crate::{Body, MAX_DATAGRAM_LEN, MAX_ERROR_TEXT_LEN, MAX_NODES, MAX_VALUES, Message, Method};

/// A datagram: what can be read can be written, in canonical bencode, and then says the same.
///
/// # Panics
///
/// When the codec breaks one of its promises.
pub fn krpc(data: &[u8]) {
    let message = match Message::decode(data) {
        Ok(message) => message,
        Err(error) => {
            assert!(error.query.is_none() || data.len() <= MAX_DATAGRAM_LEN);
            return;
        }
    };
    assert!(data.len() <= MAX_DATAGRAM_LEN);
    match &message.body {
        Body::Query(query) => {
            if let Method::AnnouncePeer {
                port, implied_port, ..
            } = query.method
            {
                assert!(port != 0 || implied_port);
            }
        }
        Body::Response(response) => {
            assert!(response.all_nodes().count() <= 2 * MAX_NODES);
            assert!(response.values.len() <= MAX_VALUES);
        }
        Body::Error(error) => {
            assert!(error.text.len() <= MAX_ERROR_TEXT_LEN);
            assert!(!error.text.chars().any(char::is_control));
        }
    }
    let encoded = message.encode();
    decode(&encoded).expect("the encoder writes canonical bencode");
    assert_eq!(Message::decode(&encoded).as_ref(), Ok(&message));
}
