//! The JSON of a request. Keys count without regard to capitals: clients rely on it (`Hash`, `Link`). A value of another type
//! than TorrServer's is refused, as there; a key that is not known is passed over.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refused::Refused;

/// The object of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Body(BTreeMap<String, Value>);

impl Body {
    /// Reads the bytes of a body.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        let value = serde_json::from_slice(bytes);
        let value: Value = value.map_err(|error| Refused::bad(format!("the body: {error}")))?;
        Self::of(value).ok_or_else(|| Refused::bad("the body is not a JSON object"))
    }

    fn of(value: Value) -> Option<Self> {
        let Value::Object(object) = value else {
            return None;
        };
        let lower = |(key, value): (String, Value)| (key.to_ascii_lowercase(), value);
        Some(Self(object.into_iter().map(lower).collect()))
    }

    /// A value that is there, by its name in lower case; null counts as missing.
    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A text; empty if it is missing.
    pub(super) fn text(&self, name: &str) -> Result<&str, Refused> {
        match self.value(name) {
            None => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(wrong(name, "a text")),
        }
    }

    /// A switch, if it is there.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refused> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(wrong(name, "true or false")),
        }
    }

    /// A whole number, if it is there.
    pub(super) fn int(&self, name: &str) -> Result<Option<i64>, Refused> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(int) => Ok(Some(int)),
                None => Err(wrong(name, "a whole number")),
            },
        }
    }

    /// A number, if it is there.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, Refused> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(wrong(name, "a number")),
            },
        }
    }

    /// An object, if it is there.
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>, Refused> {
        match self.value(name) {
            None => Ok(None),
            Some(value) => match Self::of(value.clone()) {
                Some(object) => Ok(Some(object)),
                None => Err(wrong(name, "an object")),
            },
        }
    }
}

fn wrong(name: &str, kind: &str) -> Refused {
    Refused::bad(format!("{name} has to be {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_do_not_count_and_types_do() {
        let body = Body::read(br#"{"Action":"add","LINK":"x","save_to_db":true,"n":5,"no":null}"#);
        let body = body.unwrap();
        assert_eq!(body.text("action"), Ok("add"));
        assert_eq!(body.text("link"), Ok("x"));
        assert_eq!(body.text("no"), Ok(""));
        assert_eq!(body.text("missing"), Ok(""));
        assert_eq!(body.flag("save_to_db"), Ok(Some(true)));
        assert_eq!(
            (body.int("n"), body.number("n")),
            (Ok(Some(5)), Ok(Some(5.0)))
        );
        assert!(body.text("save_to_db").is_err());
        assert!(body.flag("action").is_err());
        assert!(body.int("action").is_err());
        assert!(body.object("n").is_err());
        for wrong in [&b""[..], b"[]", b"5", b"{", b"\xff", b"{\"a\":1}x"] {
            assert!(Body::read(wrong).is_err(), "{wrong:?}");
        }
        let deep = "{\"a\":".repeat(100_000);
        assert!(Body::read(deep.as_bytes()).is_err());
    }
}
