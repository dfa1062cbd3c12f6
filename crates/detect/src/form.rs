//! `application/x-www-form-urlencoded`: in bodies and in queries.

use std::ops::Range;
use std::sync::Arc;

use http::{HeaderMap, header};
use oktsec_model::safe_name;

use crate::bytes::{hex_pair, slice};
use crate::decode::Child;
use crate::json;
use crate::view::Map;

/// A field of a form: where its name and its value are.
struct Field {
    name: Range<usize>,
    value: Range<usize>,
}

/// Whether a body is a form, by its type or, where none is given, by its look.
pub(crate) fn is_form(headers: &HeaderMap, body: &[u8]) -> bool {
    match headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    {
        Some(kind) => kind
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded"),
        None => {
            let name = body
                .iter()
                .take(64)
                .position(|&byte| byte == b'=')
                .unwrap_or(0);
            name > 0
                && slice(body, 0..name)
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || *b == b'_')
                && !body
                    .iter()
                    .take(1024)
                    .any(|&byte| matches!(byte, b' ' | b'\n'))
        }
    }
}

/// The fields whose values, or names, need decoding, decoded.
pub(crate) fn fields(form: &[u8], from: usize) -> impl Iterator<Item = Child> + '_ {
    split(form, from).flat_map(move |field| {
        let label = label_of(form, &field);
        let value = decoded(form, field.value.clone(), label.clone());
        let name = decoded(form, field.name, label);
        [name, value].into_iter().flatten()
    })
}

/// The name of the view for the field at a position.
pub(crate) fn name_at(form: &[u8], position: usize) -> Option<Arc<str>> {
    field_name(form, position).map(|name| Arc::from(format!("form {name}")))
}

/// The name of the field at a position, made safe to show.
pub(crate) fn field_name(form: &[u8], position: usize) -> Option<Arc<str>> {
    let start = memchr::memrchr(b'&', slice(form, 0..position)).map_or(0, |at| at + 1);
    let name = slice(form, start..form.len())
        .split(|&b| matches!(b, b'=' | b'&'))
        .next()?;
    Some(safe_name(std::str::from_utf8(name).unwrap_or_default()).into())
}

fn split(form: &[u8], from: usize) -> impl Iterator<Item = Field> + '_ {
    let mut position = from;
    std::iter::from_fn(move || {
        if position >= form.len() {
            return None;
        }
        let rest = slice(form, position..form.len());
        let length = memchr::memchr(b'&', rest).unwrap_or(rest.len());
        let field = slice(form, position..position + length);
        let equals = memchr::memchr(b'=', field).unwrap_or(field.len());
        let start = position;
        position += length + 1;
        Some(Field {
            name: start..start + equals,
            value: (start + equals + 1).min(start + length)..start + length,
        })
    })
}

fn label_of(form: &[u8], field: &Field) -> Arc<str> {
    let name = std::str::from_utf8(slice(form, field.name.clone())).unwrap_or_default();
    format!("form {}", safe_name(name)).into()
}

/// A name or value with `+` and percent-escapes undone, where there are any.
fn decoded(form: &[u8], range: Range<usize>, label: Arc<str>) -> Option<Child> {
    let encoded = slice(form, range.clone());
    memchr::memchr2(b'+', b'%', encoded)?;
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut marks = vec![(0, range.start)];
    let mut position = 0;
    while let Some(&byte) = encoded.get(position) {
        match hex_pair(encoded, position + 1) {
            Some(value) if byte == b'%' => {
                bytes.push(value);
                position += 3;
                marks.push((bytes.len(), range.start + position));
            }
            _ => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                position += 1;
            }
        }
    }
    let shape = json::shape_of(&bytes);
    Some(Child {
        bytes,
        map: Map::Marks(marks),
        label: Some(label),
        shape,
        is_cut: false,
        is_open: false,
        seams: None,
    })
}
