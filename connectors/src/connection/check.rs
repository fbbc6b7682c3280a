//! Checks what was handed in against the connector's manifest: every mistake at once, each with the nearest right name.

use super::error::Problem;
use crate::manifest::{Field, FieldKind, Manifest};
use onward_core::{Object, Value};
use url::Url;

/// Characters of a name.
const NAME_LENGTH: usize = 100;
/// Characters of one value: tokens and keys are far shorter.
const VALUE_LENGTH: usize = 16_384;

/// Whether a text can name a connection: `[a-z0-9-]+`.
pub fn is_name(text: &str) -> bool {
    (1..=NAME_LENGTH).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

pub(super) fn name(text: &str, problems: &mut Vec<Problem>) {
    if !is_name(text) {
        problems.push(Problem {
            pointer: "/name".into(),
            detail: format!("\"{text}\" is no name: use lower-case letters, digits and hyphens, at most {NAME_LENGTH}"),
        });
    }
}

/// The nearest right name, when one is near.
pub(super) fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, name)| *distance <= 1 + name.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

pub(super) fn did_you_mean<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> String {
    nearest(given, names).map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default()
}

/// The config with its values in their stored form.
pub(super) fn config(manifest: &Manifest, given: &Object, problems: &mut Vec<Problem>) -> Object {
    let fields = manifest.config_fields();
    let checked = fields_of("/config", manifest, &fields, given, problems);
    for field in fields.iter().filter(|field| field.required && !checked.contains_key(field.name) && given.get(field.name).is_none_or(Value::is_null)) {
        problems.push(Problem { pointer: format!("/config/{}", field.name), detail: format!("is missing: {}", field.description) });
    }
    checked
}

/// The secrets to set (`Some`) and to remove (`None`).
pub(super) fn secrets(manifest: &Manifest, given: &Object, problems: &mut Vec<Problem>) -> Vec<(String, Option<String>)> {
    let removed = given.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| (name.clone(), None));
    let removed: Vec<_> = removed.filter(|(name, _)| manifest.secrets.iter().any(|field| field.name == name)).collect();
    let set = fields_of("/secrets", manifest, &manifest.secrets, given, problems);
    set.into_iter().filter_map(|(name, value)| value.as_str().map(|text| (name, Some(text.to_owned())))).chain(removed).collect()
}

fn fields_of(place: &str, manifest: &Manifest, fields: &[Field], given: &Object, problems: &mut Vec<Problem>) -> Object {
    let mut checked = Object::new();
    for (name, value) in given {
        let pointer = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
        let Some(field) = fields.iter().find(|field| field.name == name) else {
            let kind = place.trim_start_matches('/');
            let elsewhere = if kind == "config" && manifest.secrets.iter().any(|field| field.name == name) {
                "; it is one of the secrets".to_owned()
            } else if kind == "secrets" && manifest.config_fields().iter().any(|field| field.name == name) {
                "; it belongs to config".to_owned()
            } else {
                did_you_mean(name, fields.iter().map(|field| field.name))
            };
            problems.push(Problem { pointer, detail: format!("{} has no {kind} \"{name}\"{elsewhere}", manifest.id) });
            continue;
        };
        match value_of(field.kind, value) {
            Ok(Some(value)) => {
                checked.insert(name.clone(), value);
            }
            Ok(None) => {}
            Err(detail) => problems.push(Problem { pointer, detail }),
        }
    }
    checked
}

/// The stored form of a value; `None` for null. Messages never repeat the value: it may be a secret in the wrong place.
fn value_of(kind: FieldKind, value: &Value) -> Result<Option<Value>, String> {
    if value.is_null() {
        return Ok(None);
    }
    let text = || match value {
        Value::String(text) => {
            let text = text.trim();
            if text.is_empty() {
                Err("must not be empty".to_owned())
            } else if text.len() > VALUE_LENGTH {
                Err(format!("is longer than {VALUE_LENGTH} characters"))
            } else if text.contains(char::is_control) {
                Err("holds a control character or a line break".to_owned())
            } else {
                Ok(text.to_owned())
            }
        }
        Value::Number(number) => Ok(number.to_string()),
        _ => Err("must be text".to_owned()),
    };
    match kind {
        FieldKind::Text => text().map(|text| Some(text.into())),
        FieldKind::Url => {
            let text = text()?;
            match Url::parse(&text) {
                Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Some(text.into())),
                _ => Err("must be a whole http or https address".into()),
            }
        }
        FieldKind::Choice(names) => {
            let text = text()?;
            if names.contains(&text.as_str()) {
                Ok(Some(text.into()))
            } else {
                Err(format!("must be one of {}{}", names.join(", "), did_you_mean(&text, names.iter().copied())))
            }
        }
        FieldKind::TextMap => match value {
            Value::Object(map) if map.values().all(Value::is_string) => Ok(Some(value.clone())),
            _ => Err("must be a mapping of texts".into()),
        },
    }
}
