//! Extension messages, under the numbers that our binary gives to extensions.

use tailwater_wire::{
    DontHave, ExtensionHandshake, ExtensionId, ExtensionIds, Holepunch, Message, MetadataMessage,
    PexFlags, PexMessage, PexPeer, UploadOnly,
};

use super::no_machine;

/// How many peers a peer exchange message of the kit names.
const PEX_PEERS: u16 = 50;

/// An extension handshake that offers everything.
pub(super) fn hello(listen_port: u16) -> ExtensionHandshake {
    ExtensionHandshake {
        extensions: ExtensionIds::ours(ExtensionId::ALL),
        listen_port: Some(listen_port),
        client: Some("hostile".to_owned()),
        request_queue: Some(u32::MAX),
        ..ExtensionHandshake::default()
    }
}

pub(super) fn hello_message(listen_port: u16) -> Message {
    Message::Extended {
        id: ExtensionHandshake::ID,
        payload: hello(listen_port).encode().into(),
    }
}

fn extended(id: ExtensionId, payload: Vec<u8>) -> Message {
    Message::Extended {
        id: id.as_u8(),
        payload: payload.into(),
    }
}

pub(super) fn upload_only(is_on: bool) -> Message {
    extended(ExtensionId::UploadOnly, UploadOnly(is_on).encode().to_vec())
}

pub(super) fn dont_have(index: u32) -> Message {
    extended(
        ExtensionId::LtDontHave,
        DontHave { index }.encode().to_vec(),
    )
}

pub(super) fn metadata_request(piece: u32) -> Message {
    extended(
        ExtensionId::UtMetadata,
        MetadataMessage::Request { piece }.encode(),
    )
}

/// A peer exchange message with peers that do not exist.
pub(super) fn pex() -> Message {
    let added = (0..PEX_PEERS).map(|number| PexPeer {
        addr: no_machine(number),
        flags: PexFlags::NONE,
    });
    let message = PexMessage {
        added: added.collect(),
        ..PexMessage::default()
    };
    extended(ExtensionId::UtPex, message.encode())
}

pub(super) fn holepunch(number: u16) -> Message {
    extended(
        ExtensionId::UtHolepunch,
        Holepunch::Rendezvous(no_machine(number)).encode(),
    )
}
