//! Values between JSON and minijinja.

use super::lookup::{Node, Steps};
use crate::{Object, Value as Json, limits};
use minijinja::{Error, ErrorKind, Value, value::ValueKind};

/// A scalar; `None` for lists and maps.
pub(super) fn scalar(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(_) | Json::Object(_) => return None,
    })
}

/// The result of an expression as JSON.
pub(super) fn json(value: &Value) -> Result<Json, Error> {
    nested(value, 0)
}

fn nested(value: &Value, depth: usize) -> Result<Json, Error> {
    if depth > limits::JSON_DEPTH {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("the value is nested more than {} deep", limits::JSON_DEPTH)));
    }
    if let Some(node) = value.downcast_object_ref::<Node>() {
        return Ok(node.take());
    }
    if let Some(steps) = value.downcast_object_ref::<Steps>() {
        return Ok(steps.take());
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => number(value),
        ValueKind::String => Ok(Json::String(value.as_str().unwrap_or_default().to_owned())),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter()?.checked().map(|item| nested(&item?, depth + 1)).collect::<Result<Vec<_>, _>>().map(Json::Array)
        }
        ValueKind::Map => {
            let mut object = Object::new();
            for key in value.try_iter()?.checked() {
                let key = key?;
                let name = key.as_str().map_or_else(|| key.to_string(), str::to_owned);
                object.insert(name, nested(&value.get_item(&key)?, depth + 1)?);
            }
            Ok(Json::Object(object))
        }
        kind => Err(Error::new(ErrorKind::InvalidOperation, format!("a {kind} is no value that can be kept"))),
    }
}

fn number(value: &Value) -> Result<Json, Error> {
    if !value.is_integer() {
        let number = f64::try_from(value.clone())?;
        return serde_json::Number::from_f64(number)
            .map(Json::Number)
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "the result is not a finite number"));
    }
    if let Ok(number) = i64::try_from(value.clone()) {
        return Ok(number.into());
    }
    u64::try_from(value.clone())
        .map(Json::from)
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, format!("the number {value} is too large; keep it as text")))
}

/// As people read it in a text: nothing for null, JSON for lists and maps.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    Ok(match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        ValueKind::Undefined | ValueKind::None => String::new(),
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.to_owned(),
        ValueKind::Number => value.to_string(),
        _ => {
            let json = json(value)?;
            serde_json::to_string(&json).map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?
        }
    })
}
