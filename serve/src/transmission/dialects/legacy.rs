//! The legacy form: `method`, `arguments`, `tag`; `result` is `success` or an error in words.

use serde_json::{Map, Value};

use super::{Call, Dialect, names};
use crate::transmission::failure::Failure;

/// Parameters whose values are names of keys too.
const OF_NAMES: [&str; 2] = ["fields", "ids"];

/// Reads a request.
pub(super) fn call(mut request: Map<String, Value>) -> Call {
    let method = match request.remove("method") {
        Some(Value::String(method)) => Some(names::snake(&method)),
        _ => None,
    };
    let params = match request.remove("arguments") {
        Some(Value::Object(params)) => params,
        _ => Map::new(),
    };
    let params = params.into_iter().map(|(name, value)| {
        let name = names::snake(&name);
        let value = match OF_NAMES.contains(&name.as_str()) {
            true => snake(value),
            false => value,
        };
        (name, value)
    });
    let tag = request.remove("tag");
    Call {
        dialect: Dialect::Legacy,
        method,
        params: params.collect(),
        id: tag.filter(|tag| tag.is_number() || tag.is_string()),
    }
}

/// Translates the names that a list holds, or the one that stands alone. Info-hashes have no capitals or are none.
fn snake(value: Value) -> Value {
    let is_hash = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match value {
        Value::String(text) if !is_hash(&text) => names::snake(&text).into(),
        Value::Array(values) => values
            .into_iter()
            .map(|value| match value {
                Value::String(text) if !is_hash(&text) => names::snake(&text).into(),
                value => value,
            })
            .collect(),
        value => value,
    }
}

/// Writes an answer.
pub(super) fn answer(
    method: &str,
    tag: Option<Value>,
    outcome: Result<Map<String, Value>, Failure>,
) -> Value {
    let (result, words) = match outcome {
        Ok(result) => (result, "success".to_owned()),
        Err(failure) => {
            let words = failure.words().to_owned();
            (failure.result, words)
        }
    };
    let mut answer = Map::new();
    answer.insert("arguments".to_owned(), names::legacy(method, result.into()));
    answer.insert("result".to_owned(), words.into());
    if let Some(tag) = tag {
        answer.insert("tag".to_owned(), tag);
    }
    answer.into()
}
