//! What a connection sends and receives by the extension protocol (BEP 10).

use std::net::IpAddr;

use tailwater_wire::UploadOnly;

use super::*;

impl Pair {
    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut pair = Self::new(true);
        let mut config = Config {
            extensions: true,
            ..pair.connection.config.clone()
        };
        change(&mut config);
        pair.connection = Connection::new(pair.now, config);
        pair
    }

    fn greet(&mut self, theirs: &ExtensionHandshake) {
        let payload = theirs.encode().into();
        self.receive(&[Message::Extended { id: 0, payload }])
            .unwrap();
    }

    fn hellos(&mut self) -> Vec<ExtensionHandshake> {
        let hello = |message: Message| match message {
            Message::Extended { id: 0, payload } => ExtensionHandshake::decode(&payload).ok(),
            _ => None,
        };
        self.sent().into_iter().filter_map(hello).collect()
    }
}

#[test]
fn the_handshake_says_all_that_we_know() {
    let theirs: IpAddr = [192, 0, 2, 7].into();
    let ours: IpAddr = "2001:db8::7".parse().unwrap();
    let mut pair = Pair::with(|config| {
        config.listen_port = Some(6881);
        config.addr = Some(theirs);
        config.other_ip = Some(ours);
        config.metadata = Bytes::from_static(&[1; 99]);
        config.upload_only = true;
    });
    let expected = ExtensionHandshake {
        extensions: ExtensionIds::ours(ExtensionId::ALL),
        listen_port: Some(6881),
        client: Some(concat!("tailwater ", env!("CARGO_PKG_VERSION")).to_owned()),
        your_ip: Some(theirs),
        ipv4: None,
        ipv6: "2001:db8::7".parse().ok(),
        request_queue: u32::try_from(REQUEST_QUEUE).ok(),
        metadata_size: Some(99),
        upload_only: Some(true),
    };
    assert_eq!(pair.hellos(), [expected]);
    // A peer that wants something need not say so.
    assert_eq!(Pair::with(|_| {}).hellos()[0].upload_only, None);
}

#[test]
fn what_a_peer_says_of_itself_and_of_us_is_passed_on() {
    let six = "2001:db8::7".parse().unwrap();
    let said = ExtensionHandshake {
        extensions: ExtensionIds::ours([ExtensionId::UtHolepunch]),
        listen_port: Some(7_000),
        client: Some("they".into()),
        your_ip: Some([192, 0, 2, 1].into()),
        ipv4: Some([192, 0, 2, 9].into()),
        ipv6: Some(six),
        request_queue: Some(5),
        metadata_size: Some(u32::MAX),
        upload_only: Some(false),
    };
    let mut pair = Pair::with(|config| config.addr = Some([192, 0, 2, 7].into()));
    pair.greet(&said);
    let heard = Hello {
        client: Some("they".into()),
        listen_port: Some(7_000),
        request_queue: Some(5),
        upload_only: Some(false),
        pex: false,
        holepunch: true,
        your_ip: Some([192, 0, 2, 1].into()),
        // The other family is news, this one is not.
        other_ip: Some(six.into()),
    };
    assert_eq!(pair.connection.take_facts(), [Fact::Hello(heard)]);
    // A second one adds to what it takes part in (BEP 10), and 0 takes away.
    let mut changes = ExtensionIds::NONE;
    changes.set(ExtensionId::UtPex, 3);
    changes.set(ExtensionId::UtHolepunch, 0);
    pair.greet(&ExtensionHandshake {
        extensions: changes,
        ..ExtensionHandshake::default()
    });
    let heard = Hello {
        pex: true,
        ..Hello::default()
    };
    assert_eq!(pair.connection.take_facts(), [Fact::Hello(heard)]);
}

#[test]
fn that_we_want_nothing_is_said_as_the_peer_understands_it() {
    // To one that knows the message, by it.
    let (mut pair, _) = Pair::extended(b"", false);
    pair.connection.handle_command(Command::UploadOnly(true));
    let payload = Bytes::copy_from_slice(&UploadOnly(true).encode());
    let id = ExtensionId::UploadOnly.as_u8();
    assert_eq!(pair.sent(), [Message::Extended { id, payload }]);
    // To others by a second handshake, which says all of the first again.
    for private in [false, true] {
        let mut pair = Pair::with(|config| config.private = private);
        pair.greet(&ExtensionHandshake::default());
        let first = pair.hellos().remove(0);
        for upload_only in [true, false] {
            let upload_only_now = Command::UploadOnly(upload_only);
            pair.connection.handle_command(upload_only_now);
            let expected = ExtensionHandshake {
                upload_only: Some(upload_only),
                ..first.clone()
            };
            assert_eq!(pair.hellos(), [expected]);
        }
    }
    // Not to one that speaks no extensions.
    let mut plain = Pair::new(true);
    plain.connection.handle_command(Command::UploadOnly(true));
    assert_eq!(plain.sent(), []);
}

#[test]
fn that_a_peer_wants_nothing_is_heard() {
    let (mut pair, _) = Pair::extended(b"", true);
    let _ = pair.connection.take_facts();
    for upload_only in [true, false] {
        let payload = UploadOnly(upload_only).encode();
        pair.tell(ExtensionId::UploadOnly, payload.to_vec());
        let heard = [Fact::UploadOnly(upload_only)];
        assert_eq!(pair.connection.take_facts(), heard);
    }
    pair.tell(ExtensionId::UploadOnly, vec![]);
    assert_eq!(pair.connection.take_facts(), []);
}
