//! The description of the API is tried: every operation that it has, with its example, and every answer compared with what it
//! says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::daemon::Daemon;
use crate::http::Answer;
use crate::support::{Place, noise};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
const JSON: &str = "application/json";

/// What an object of a schema has.
#[derive(Default)]
struct Fields {
    known: BTreeMap<String, Value>,
    required: BTreeSet<String>,
}

struct Description(Value);

impl Description {
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            Some(name) => self.0.pointer(name.strip_prefix('#').unwrap()).unwrap(),
            None => schema,
        }
    }

    fn fields(&self, schema: &Value, fields: &mut Fields) {
        let schema = self.resolve(schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.fields(part, fields);
        }
        let known = schema["properties"].as_object().into_iter().flatten();
        fields
            .known
            .extend(known.map(|(name, schema)| (name.clone(), schema.clone())));
        let required = schema["required"].as_array().into_iter().flatten();
        fields
            .required
            .extend(required.map(|name| name.as_str().unwrap().to_owned()));
    }

    /// A value is as its schema says, as far as names of fields go, and types.
    fn check(&self, value: &Value, schema: &Value, at: &str) {
        let schema = self.resolve(schema);
        let types: Vec<&str> = match &schema["type"] {
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            Value::String(one) => vec![one],
            _ => Vec::new(),
        };
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
        };
        let is_right = types.is_empty()
            || types.contains(&found)
            || (found == "integer" && types.contains(&"number"));
        assert!(is_right, "{at}: {found}, not {types:?}");
        for item in value.as_array().into_iter().flatten() {
            self.check(item, &schema["items"], at);
        }
        let mut fields = Fields::default();
        self.fields(schema, &mut fields);
        let Some(object) = value.as_object().filter(|_| !fields.known.is_empty()) else {
            return;
        };
        for name in &fields.required {
            assert!(object.contains_key(name), "{at}: {name} is missing");
        }
        for (name, value) in object {
            let known = fields.known.get(name);
            let known = known.unwrap_or_else(|| panic!("{at}: {name} is not described"));
            self.check(value, known, &format!("{at}.{name}"));
        }
    }
}

/// Sends an operation with its example.
fn send(daemon: &Daemon<'_>, method: &str, path: &str, operation: &Value) -> Answer {
    let content = &operation["requestBody"]["content"];
    let body = match content[JSON].as_object() {
        Some(json) => {
            let example = json.get("example");
            let example = example.unwrap_or_else(|| panic!("{method} {path} has no example"));
            example.to_string()
        }
        None => String::new(),
    };
    let kind = match body.is_empty() {
        true => String::new(),
        false => format!("Content-Type: {JSON}\r\n"),
    };
    daemon.send(&method.to_uppercase(), path, &kind, body.as_bytes())
}

#[test]
fn every_operation_works_as_it_is_described() {
    let place = Place::new();
    place.write("here/film.mp4", &noise(1, 50_000));
    place.write("data/film.mp4", &noise(1, 50_000));
    let torrent = place.create("here/film.mp4", &[]);
    let daemon = Daemon::start(&place, &[]);
    let id = daemon.add(&torrent, "labels=films");
    let path = format!("/api/v1/torrents/{id}");
    while daemon.get(&path)["state"] != "seeding" {}
    let description = Description(daemon.get("/api/v1/openapi.json"));
    let paths = description.0["paths"].as_object().unwrap();
    let mut tried = 0;
    // What is deleted, is deleted at last.
    for method in METHODS {
        for (template, operations) in paths {
            let Some(operation) = operations.get(method) else {
                continue;
            };
            // It has no end; other tests read it.
            if template == "/api/v1/events" {
                continue;
            }
            let path = template
                .replace("{id}", &id)
                .replace("{file}", "playlist.m3u")
                .replace("{name}", "phone");
            let answer = send(&daemon, method, &path, operation);
            answers_as(
                &description,
                operation,
                &answer,
                &format!("{method} {path}"),
            );
            tried += 1;
        }
    }
    let all = paths.values().filter_map(Value::as_object).map(Map::len);
    assert_eq!(tried + 1, all.sum::<usize>());
    daemon.stop();
}

fn answers_as(description: &Description, operation: &Value, answer: &Answer, at: &str) {
    let status = answer.status.to_string();
    let text = String::from_utf8_lossy(&answer.body);
    let said = operation["responses"].get(&status);
    let said = said.unwrap_or_else(|| panic!("{at}: {status} is not described: {text}"));
    // An example is not refused; but the token of one is wrong, and the move of one may still be under way.
    let is_fine = answer.status < 300 || matches!(answer.status, 401 | 409);
    assert!(is_fine, "{at}: {status} {text}");
    let content = said["content"].as_object();
    let Some((kind, content)) = content.and_then(|content| content.iter().next()) else {
        return;
    };
    let found = answer.header("content-type").unwrap_or_default();
    if kind.ends_with("json") {
        assert_eq!(found, kind, "{at}");
        description.check(&answer.json(), &content["schema"], at);
    }
}
