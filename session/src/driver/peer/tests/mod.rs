//! When a connection is read from, written to and closed.

mod back_pressure;

use super::*;
use crate::testing::epoch;

fn with_messages(bytes: usize) -> Io {
    let none = RateLimits::default();
    let mut io = Io::new(BytesMut::new(), &none, &none);
    io.outbox.push_messages(vec![0; bytes].into(), false);
    io
}

#[test]
fn a_peer_that_takes_no_answers_is_not_read_and_then_let_go() {
    let now = epoch();
    let later = Some(now + Duration::from_secs(1));
    let io = with_messages(MAX_UNREAD);
    assert_eq!(io.may_receive_at(now, None), Some(now));
    assert_eq!(io.may_receive_at(now, later), later, "its messages wait");
    let io = with_messages(MAX_UNREAD + 1);
    assert_eq!(io.may_receive_at(now, None), None);
    assert_eq!(io.may_receive_at(now, later), None);
    assert!(io.check_progress(now).is_ok());
    let end = with_messages(MAX_UNSENT + 1).check_progress(now);
    assert!(matches!(end, Err(End::TooFarBehind)));
}

#[test]
fn a_socket_that_takes_nothing_for_a_minute_ends() {
    let now = epoch();
    let mut io = with_messages(1);
    io.blocked_since = Some(now);
    let almost = now + Duration::from_secs(59);
    assert!(io.check_progress(almost).is_ok());
    let end = io.check_progress(now + Duration::from_secs(60));
    assert!(matches!(end, Err(End::Stalled(_))));
}
