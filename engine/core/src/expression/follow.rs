//! Literal paths (`event.data.source`), followed through the scope without minijinja: the common case, and the fast one.

use super::{
    RecordReads, Scope,
    lookup::{note_field, unknown_record},
};
use crate::Value as Json;
use std::borrow::Cow;

/// What a literal path leads to.
pub(super) enum Found<'a> {
    /// Something.
    Value(Cow<'a, Json>),
    /// Nothing, and it is the path's first `usize` names that lead there.
    Missing(usize),
}

/// Follows a literal path through the scope by the rules of expressions.
pub(super) fn follow<'a>(scope: &'a Scope, path: &[String]) -> Result<Found<'a>, String> {
    let Some((root, rest)) = path.split_first() else { return Ok(Found::Missing(0)) };
    let local = scope.locals.iter().rfind(|(name, _)| **name == **root);
    let (mut value, rest, mut depth): (&Json, &[String], usize) = match (local, root.as_str()) {
        (Some((_, value)), _) => (value, rest, 1),
        (None, "event") => (&scope.event, rest, 1),
        (None, "input") => (&scope.input, rest, 1),
        (None, "run") => (&scope.run, rest, 1),
        (None, "now") => {
            return Ok(if rest.is_empty() { Found::Value(Cow::Owned(Json::String(scope.now.to_string()))) } else { Found::Missing(2) });
        }
        (None, "incoming") => match scope.incoming.as_deref() {
            Some(value) => (value, rest, 1),
            None => return Ok(Found::Missing(1)),
        },
        (None, "error") => match scope.error.as_deref() {
            Some(value) => (value, rest, 1),
            None => return Ok(Found::Missing(1)),
        },
        (None, "vars") => match rest.split_first() {
            None => return Ok(Found::Value(Cow::Owned(Json::Object((*scope.vars).clone())))),
            Some((name, rest)) => match scope.vars.get(name) {
                Some(value) => (value, rest, 2),
                None => return Ok(Found::Missing(2)),
            },
        },
        (None, "steps") => return Ok(follow_step(scope, rest)),
        (None, name) => match super::RECORD_NAMES.iter().find(|record| **record == name) {
            Some(record) => return follow_record(&scope.records, record, rest),
            None => return Ok(Found::Missing(1)),
        },
    };
    for name in rest {
        depth += 1;
        match step_into(value, name) {
            Some(next) => value = next,
            None => return Ok(Found::Missing(depth)),
        }
    }
    Ok(Found::Value(Cow::Borrowed(value)))
}

fn step_into<'a>(value: &'a Json, name: &str) -> Option<&'a Json> {
    match value {
        Json::Object(map) => map.get(name),
        Json::Array(list) => list.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

fn follow_step<'a>(scope: &'a Scope, path: &[String]) -> Found<'a> {
    let Some((step, rest)) = path.split_first() else {
        return Found::Value(Cow::Owned(Json::Object(scope.steps.iter().map(|(key, value)| (key.to_string(), (**value).clone())).collect())));
    };
    let Some(mut value) = scope.steps.get(step.as_str()).map(|value| &**value) else { return Found::Value(Cow::Owned(Json::Null)) };
    for (index, name) in rest.iter().enumerate() {
        if value.is_null() {
            break;
        }
        match step_into(value, name) {
            Some(next) => value = next,
            None => return Found::Missing(index + 3),
        }
    }
    Found::Value(Cow::Borrowed(value))
}

fn follow_record<'a>(reads: &'a RecordReads, name: &str, path: &[String]) -> Result<Found<'a>, String> {
    let Some(mut value) = reads.known.get(name) else {
        unknown_record(reads, name)?;
        return Ok(Found::Missing(1));
    };
    let mut noted = name.to_owned();
    if value.is_null() {
        reads.note_used(noted, Json::Null);
        return Ok(if path.is_empty() { Found::Value(Cow::Borrowed(value)) } else { Found::Missing(2) });
    }
    // Lists, and fields whose names hold a point, are recorded whole.
    let mut whole = None;
    for (index, field) in path.iter().enumerate() {
        if whole.is_none() && (value.is_array() || field.contains('.')) {
            whole = Some(value);
        }
        if whole.is_none() {
            noted.push('.');
            noted.push_str(field);
            match note_field(reads, noted.clone(), step_into(value, field)) {
                Some(next) => value = next,
                None => return Ok(Found::Missing(index + 2)),
            }
        } else if let Some(next) = step_into(value, field) {
            value = next;
        } else {
            reads.note_used(noted, whole.unwrap_or(value).clone());
            return Ok(Found::Missing(index + 2));
        }
    }
    reads.note_used(noted, whole.unwrap_or(value).clone());
    Ok(Found::Value(Cow::Borrowed(value)))
}
