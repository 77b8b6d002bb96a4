//! The body of the fuzz target.

use serde_json::{Map, Value};

use super::dialects::{Requests, read};
use super::failure::Failure;

/// The body of a request: whatever it is, each request in it gets one answer, or none if it is a notification; an answer
/// is JSON and names the request that it answers.
pub fn body(data: &[u8]) {
    let requests = match read(data) {
        Requests::One(call) => vec![call],
        Requests::Batch(calls) => calls,
    };
    for call in requests {
        let Ok(call) = call else { continue };
        assert!(
            call.method
                .as_ref()
                .is_none_or(|it| it.len() <= 2 * data.len())
        );
        let (id, is_notification) = (call.id.clone(), call.is_notification());
        let is_legacy = call.dialect == super::dialects::Dialect::Legacy;
        let outcomes = [
            Ok(call.params.clone()),
            Err(Failure::params("x").with(Map::new())),
        ];
        for outcome in outcomes {
            let answer = call.clone().answer(outcome);
            assert_eq!(answer.is_none(), is_notification);
            let Some(answer) = answer else { continue };
            let name = if is_legacy { "tag" } else { "id" };
            assert_eq!(answer.get(name), id.as_ref());
            let text = answer.to_string();
            let again: Result<Value, _> = serde_json::from_str(&text);
            assert!(again.is_ok(), "{text}");
        }
    }
}
