//! What a request asks for. A value of the wrong type counts as missing, as in Transmission.

use serde_json::{Map, Value};

/// The parameters of a request, by their names in JSON-RPC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Params<'a>(pub(super) &'a Map<String, Value>);

impl<'a> Params<'a> {
    pub(super) fn value(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.value(name)?.as_str()
    }

    pub(super) fn int(self, name: &str) -> Option<i64> {
        self.value(name)?.as_i64()
    }

    pub(super) fn float(self, name: &str) -> Option<f64> {
        self.value(name)?.as_f64()
    }

    /// A truth; older clients write 0 and 1.
    pub(super) fn flag(self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => match number.as_i64()? {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn list(self, name: &str) -> Option<&'a [Value]> {
        self.value(name)?.as_array().map(Vec::as_slice)
    }

    /// The texts of a list.
    pub(super) fn texts(self, name: &str) -> Option<impl Iterator<Item = &'a str>> {
        Some(self.list(name)?.iter().filter_map(Value::as_str))
    }

    /// The numbers of a list.
    pub(super) fn ints(self, name: &str) -> Option<impl Iterator<Item = i64>> {
        Some(self.list(name)?.iter().filter_map(Value::as_i64))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_the_wrong_type_is_missing() {
        let json = json!({"a": "x", "b": 5, "c": 1.5, "d": 1, "e": [1, "y", null], "f": 2});
        let params = Params(json.as_object().unwrap());
        assert_eq!((params.text("a"), params.text("b")), (Some("x"), None));
        assert_eq!((params.int("b"), params.int("c")), (Some(5), None));
        assert_eq!((params.float("c"), params.float("a")), (Some(1.5), None));
        assert_eq!((params.flag("d"), params.flag("f")), (Some(true), None));
        assert_eq!(params.texts("e").unwrap().collect::<Vec<_>>(), ["y"]);
        assert_eq!(params.ints("e").unwrap().collect::<Vec<_>>(), [1]);
        assert!(params.list("a").is_none() && params.value("z").is_none());
    }
}
