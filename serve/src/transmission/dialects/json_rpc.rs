//! JSON-RPC 2.0.

use serde_json::{Map, Value};

use super::{Call, Dialect};
use crate::transmission::failure::{Failure, Kind};

const VERSION: &str = "2.0";

/// Reads a request.
pub(super) fn call(mut request: Map<String, Value>) -> Result<Call, Value> {
    let refused = |detail: &str| {
        let failure = Failure::new(Kind::Request, detail);
        Err(answer(Value::Null, Err(failure)))
    };
    if request.get("jsonrpc").and_then(Value::as_str) != Some(VERSION) {
        return refused("JSON-RPC version is not 2.0");
    }
    let id = request.remove("id");
    if matches!(
        id,
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_))
    ) {
        return refused("id type must be String, Number, or Null");
    }
    let method = match request.remove("method") {
        Some(Value::String(method)) => Some(method),
        _ => None,
    };
    let params = match request.remove("params") {
        Some(Value::Object(params)) => params,
        // By position they have no meaning here.
        _ => Map::new(),
    };
    Ok(Call {
        dialect: Dialect::JsonRpc,
        method,
        params,
        id,
    })
}

/// Writes an answer.
pub(super) fn answer(id: Value, outcome: Result<Map<String, Value>, Failure>) -> Value {
    let (name, value) = match outcome {
        Ok(result) => ("result", result),
        Err(failure) => ("error", error(failure)),
    };
    Value::Object(Map::from_iter([
        ("jsonrpc".to_owned(), VERSION.into()),
        (name.to_owned(), value.into()),
        ("id".to_owned(), id),
    ]))
}

fn error(failure: Failure) -> Map<String, Value> {
    let mut data = Map::new();
    if !failure.detail.is_empty() {
        data.insert("error_string".to_owned(), failure.detail.into());
    }
    if !failure.result.is_empty() {
        data.insert("result".to_owned(), failure.result.into());
    }
    let mut error = Map::from_iter([
        ("code".to_owned(), failure.kind.code().into()),
        ("message".to_owned(), failure.kind.message().into()),
    ]);
    if !data.is_empty() {
        error.insert("data".to_owned(), data.into());
    }
    error
}
