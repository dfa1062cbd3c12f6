//! The JSON Schema (2020-12) of the configuration, for completion and checks in editors.

use std::sync::Arc;

use oktsec_model::category;
use serde_json::{Map, Value, json};

use crate::config::node::{Node, NodeKind, Source, SourceKind};
use crate::config::schema::{Availability, Key, Kind, ROOT, Text};
use crate::config::yaml;

/// Where editors find the published copy.
const ID: &str = "https://oktsec.dev/oktsec.schema.json";

/// The whole schema.
pub(crate) fn json_schema() -> Value {
    let mut schema = section(ROOT);
    if let Value::Object(members) = &mut schema {
        members.insert(
            "$schema".into(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        members.insert("$id".into(), ID.into());
        members.insert("title".into(), "oktsec configuration".into());
        let reference = json!({
            "type": "string",
            "pattern": "\\$\\{",
            "description": "Expanded when the file is read: ${VAR}, ${VAR:-default}, ${file:PATH}.",
        });
        members.insert("$defs".into(), json!({ "reference": reference }));
    }
    schema
}

fn section(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| (key.name.to_owned(), property(key)))
        .collect();
    json!({
        "type": ["object", "null"],
        "properties": properties,
        "patternProperties": {"^x-": {}},
        "additionalProperties": false,
    })
}

fn property(key: &Key) -> Value {
    let mut schema = kind(&key.kind);
    let Value::Object(members) = &mut schema else {
        return schema;
    };
    let note = match key.availability {
        Availability::Full => "",
        Availability::Only([]) => " Belongs to a later version.",
        Availability::Only(_) => " Other values belong to a later version.",
    };
    members.insert("description".into(), format!("{}{note}", key.doc).into());
    members.insert("default".into(), from_yaml(key.default));
    if !key.examples.is_empty() {
        members.insert(
            "examples".into(),
            key.examples.iter().map(|e| from_yaml(e)).collect(),
        );
    }
    schema
}

fn kind(of: &Kind) -> Value {
    let or_reference =
        |schema: Value| json!({"anyOf": [schema, {"type": "null"}, {"$ref": "#/$defs/reference"}]});
    match of {
        Kind::Agents(keys) => json!({
            "type": ["object", "null"],
            "patternProperties": {
                "^x-": {},
                "^(?!x-)[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$": section(keys),
            },
            "additionalProperties": false,
        }),
        Kind::Bool => or_reference(json!({"type": "boolean"})),
        Kind::Duration { .. } => or_reference(json!({
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": "^[0-9]+ *(ms|s|m|h|d)?$"},
            ]
        })),
        Kind::Integer { min, max, .. } => {
            or_reference(json!({"type": "integer", "minimum": min, "maximum": max}))
        }
        Kind::List(item) => json!({"type": "array", "items": kind(item)}),
        Kind::Many(item) => json!({"anyOf": [kind(item), {"type": "array", "items": kind(item)}]}),
        Kind::Map { values, .. } => {
            json!({"type": ["object", "null"], "additionalProperties": kind(values)})
        }
        Kind::Section(keys) => section(keys),
        Kind::Size { min, max } => or_reference(json!({
            "anyOf": [
                {"type": "integer", "minimum": min, "maximum": max},
                {"type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)?$"},
            ]
        })),
        Kind::Text(form) => text(*form),
        Kind::Word(words) => or_reference(json!({"enum": words})),
        Kind::WordOr(words, other) => json!({"anyOf": [{"enum": words}, kind(other)]}),
    }
}

fn text(form: Text) -> Value {
    match form {
        Text::Category => {
            let words: Vec<&str> = category::ALL
                .into_iter()
                .chain(["credential-leak"])
                .collect();
            // Rules of the operator's own bring categories along.
            let own = json!({"type": "string", "pattern": "^[a-z][a-z0-9-]*$"});
            json!({"anyOf": [{"enum": words}, own, {"$ref": "#/$defs/reference"}]})
        }
        Text::SecretPlace => json!({"type": "string", "pattern": "^(env|file|dotenv):."}),
        _ => json!({"type": ["string", "number", "boolean", "null"]}),
    }
}

/// A default or an example, which are YAML, as JSON.
fn from_yaml(text: &str) -> Value {
    let source = Source::inline(SourceKind::Default, "default", text);
    if text == "null" {
        Value::Null
    } else {
        parsed(&source)
    }
}

fn parsed(source: &Arc<Source>) -> Value {
    yaml::parse(source).map_or(Value::Null, |node| to_json(&node))
}

fn to_json(node: &Node) -> Value {
    match &node.kind {
        NodeKind::List(items) => items.iter().map(to_json).collect(),
        NodeKind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), to_json(&entry.value)))
            .collect::<Map<_, _>>()
            .into(),
        NodeKind::Scalar(scalar) if scalar.is_null() => Value::Null,
        NodeKind::Scalar(scalar) if scalar.plain => match scalar.text.as_str() {
            "true" => true.into(),
            "false" => false.into(),
            text => text
                .parse::<u64>()
                .map_or_else(|_| text.into(), Value::from),
        },
        NodeKind::Scalar(scalar) => scalar.text.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_describes_every_setting() {
        let schema = json_schema();
        assert_eq!(schema["$id"], ID);
        let egress = &schema["properties"]["agents"]["patternProperties"]["^(?!x-)[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$"]
            ["properties"]["egress"]["properties"];
        let window = &egress["rate_window"];
        assert_eq!(window["default"], 60);
        assert_eq!(window["anyOf"][0]["maximum"], 86_400);
        assert_eq!(
            egress["methods"]["examples"][0]["api.github.com"][1],
            "HEAD"
        );
        assert_eq!(schema["additionalProperties"], false);
        let port = &schema["properties"]["forward_proxy"]["properties"]["allowed_ports"];
        assert_eq!(port["default"], json!([80, 443]));
    }
}
