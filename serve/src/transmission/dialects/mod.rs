//! The two dialects: the legacy form, of Transmission up to 4.0 and of most clients, and JSON-RPC 2.0. Everything else knows
//! the names of JSON-RPC alone.
//!
//! A request with `"jsonrpc": "2.0"`, and every request of a batch, is JSON-RPC.

mod json_rpc;
mod legacy;
mod names;

use serde_json::{Map, Value};

use super::failure::{Failure, Kind};

/// The most requests of a batch.
const MAX_BATCH: usize = 100;

/// In which form a request came, and is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Legacy,
    JsonRpc,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) dialect: Dialect,
    /// By its name in JSON-RPC; `None` where none is named.
    pub(super) method: Option<String>,
    pub(super) params: Map<String, Value>,
    /// What the caller knows the answer by: `id`, or `tag` in the legacy form.
    pub(super) id: Option<Value>,
}

/// What a body asks for. What cannot be read has its answer already.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Requests {
    One(Result<Call, Value>),
    Batch(Vec<Result<Call, Value>>),
}

/// Reads a body.
pub(super) fn read(bytes: &[u8]) -> Requests {
    let refused = |kind, detail: &str| {
        let failure = Failure::new(kind, detail);
        Requests::One(Err(json_rpc::answer(Value::Null, Err(failure))))
    };
    match serde_json::from_slice(bytes) {
        Err(_) => refused(Kind::Parse, ""),
        Ok(Value::Object(request)) if request.contains_key("jsonrpc") => {
            Requests::One(json_rpc::call(request))
        }
        Ok(Value::Object(request)) => Requests::One(Ok(legacy::call(request))),
        Ok(Value::Array(batch)) if batch.is_empty() => refused(Kind::Request, "the batch is empty"),
        Ok(Value::Array(batch)) if batch.len() > MAX_BATCH => {
            let detail = format!("a batch has at most {MAX_BATCH} requests");
            refused(Kind::Request, &detail)
        }
        Ok(Value::Array(batch)) => {
            let calls = batch.into_iter().map(|request| match request {
                Value::Object(request) => json_rpc::call(request),
                _ => Err(json_rpc::answer(
                    Value::Null,
                    Err(Failure::new(Kind::Request, "request must be an Object")),
                )),
            });
            Requests::Batch(calls.collect())
        }
        Ok(_) => refused(Kind::Request, "request must be an Array or Object"),
    }
}

impl Call {
    /// Whether its caller wants no answer.
    pub(super) const fn is_notification(&self) -> bool {
        matches!(self.dialect, Dialect::JsonRpc) && self.id.is_none()
    }

    /// Its answer; `None` for a notification.
    pub(super) fn answer(self, outcome: Result<Map<String, Value>, Failure>) -> Option<Value> {
        match self.dialect {
            Dialect::Legacy => {
                let method = self.method.as_deref().unwrap_or_default();
                Some(legacy::answer(method, self.id, outcome))
            }
            Dialect::JsonRpc => self.id.map(|id| json_rpc::answer(id, outcome)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(body: &str) -> Result<Call, Value> {
        match read(body.as_bytes()) {
            Requests::One(call) => call,
            Requests::Batch(calls) => panic!("{calls:?}"),
        }
    }

    #[test]
    fn a_request_is_the_same_in_both_dialects() {
        let legacy = r#"{"method":"torrent-get","arguments":{"fields":["hashString","file-count","fileCount"],"ids":"recently-active"},"tag":7}"#;
        let new = r#"{"jsonrpc":"2.0","method":"torrent_get","params":{"fields":["hash_string","file_count","file_count"],"ids":"recently_active"},"id":7}"#;
        let (legacy, new) = (one(legacy).unwrap(), one(new).unwrap());
        assert_eq!((&legacy.method, &legacy.params), (&new.method, &new.params));
        assert_eq!((&legacy.id, &new.id), (&Some(json!(7)), &Some(json!(7))));
        let result = || json!({"torrents": [{"hash_string": "x", "file_count": 1, "download_dir": "/d"}], "removed": []});
        let result = || Ok(result().as_object().unwrap().clone());
        assert_eq!(
            legacy.answer(result()).unwrap(),
            json!({"result": "success", "tag": 7,
                "arguments": {"torrents": [{"hashString": "x", "file-count": 1, "downloadDir": "/d"}], "removed": []}})
        );
        let answer = new.answer(result()).unwrap();
        assert_eq!(
            (&answer["jsonrpc"], &answer["id"]),
            (&json!("2.0"), &json!(7))
        );
        assert_eq!(answer["result"]["torrents"][0]["hash_string"], "x");
    }

    #[test]
    fn a_failure_has_words_in_one_and_a_code_in_the_other() {
        let failure = || Err(Failure::params("no fields specified"));
        let legacy = one(r#"{"method":"torrent-get"}"#).unwrap();
        assert_eq!(
            legacy.answer(failure()).unwrap(),
            json!({"result": "no fields specified", "arguments": {}})
        );
        let new = one(r#"{"jsonrpc":"2.0","method":"torrent_get","id":"a"}"#).unwrap();
        assert_eq!(
            new.answer(failure()).unwrap(),
            json!({"jsonrpc": "2.0", "id": "a",
                "error": {"code": -32602, "message": "Invalid params", "data": {"error_string": "no fields specified"}}})
        );
    }

    #[test]
    fn a_notification_has_no_answer_and_a_batch_is_json_rpc() {
        let note = one(r#"{"jsonrpc":"2.0","method":"session_get"}"#).unwrap();
        assert!(note.is_notification());
        assert_eq!(note.answer(Ok(Map::new())), None);
        let null = one(r#"{"jsonrpc":"2.0","method":"session_get","id":null}"#).unwrap();
        assert!(!null.is_notification());
        let batch = r#"[{"jsonrpc":"2.0","method":"session_get"},{"method":"session-get"},5]"#;
        let Requests::Batch(calls) = read(batch.as_bytes()) else {
            panic!();
        };
        assert!(calls[0].is_ok());
        for refused in &calls[1..] {
            assert_eq!(refused.as_ref().unwrap_err()["error"]["code"], -32_600);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_codes_of_json_rpc() {
        let deep = "[".repeat(100_000);
        let many = format!("[{}]", vec!["{}"; MAX_BATCH + 1].join(","));
        let cases = [
            ("", -32_700),
            ("{", -32_700),
            ("\u{0}", -32_700),
            (deep.as_str(), -32_700),
            ("[]", -32_600),
            ("5", -32_600),
            ("null", -32_600),
            (r#"{"jsonrpc":"1.0","method":"x"}"#, -32_600),
            (r#"{"jsonrpc":2,"method":"x"}"#, -32_600),
            (r#"{"jsonrpc":"2.0","method":"x","id":[]}"#, -32_600),
            (many.as_str(), -32_600),
        ];
        for (body, code) in cases {
            let refused = one(body).unwrap_err();
            assert_eq!(refused["error"]["code"], code, "{refused}");
            assert_eq!(refused["id"], Value::Null);
        }
    }
}
