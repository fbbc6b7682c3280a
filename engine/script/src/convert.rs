//! JSON and rhai's values. Numbers, texts and nesting come over exactly or not at all.

use onward_core::{Object, Value, limits};
use rhai::{Dynamic, INT, Map};

/// A JSON value as rhai sees it. The error names what cannot be taken over, by its path below the value.
pub(crate) fn to_dynamic(value: &Value) -> Result<Dynamic, String> {
    let mut elements = 0;
    convert(value, &mut elements)
}

fn convert(value: &Value, elements: &mut usize) -> Result<Dynamic, String> {
    *elements += 1;
    if *elements > limits::SCRIPT_ELEMENTS {
        return Err(format!("it has more than {} elements, the most that a script can take in one value", limits::SCRIPT_ELEMENTS));
    }
    Ok(match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Dynamic::from_int(whole),
            (None, Some(fraction)) if number.is_f64() => Dynamic::from_float(fraction),
            _ => return Err(format!("the number {number} is too large for a script; pass it as a text")),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => {
            let mut list = rhai::Array::with_capacity(items.len());
            for item in items {
                list.push(convert(item, elements)?);
            }
            Dynamic::from_array(list)
        }
        Value::Object(fields) => {
            let mut map = Map::new();
            for (name, field) in fields {
                map.insert(name.as_str().into(), convert(field, elements)?);
            }
            Dynamic::from_map(map)
        }
    })
}

/// A rhai value as JSON. The error says what no JSON can hold.
pub(crate) fn to_json(value: &Dynamic) -> Result<Value, String> {
    to_json_at(value, 0)
}

fn to_json_at(value: &Dynamic, depth: usize) -> Result<Value, String> {
    if depth > limits::SCRIPT_VALUE_DEPTH {
        return Err(format!("it is nested more than {} deep", limits::SCRIPT_VALUE_DEPTH));
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(value) = value.as_bool() {
        return Ok(value.into());
    }
    if let Ok(value) = value.as_int() {
        return Ok(value.into());
    }
    if let Ok(value) = value.as_float() {
        return serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| format!("{value} is no number that JSON can hold"));
    }
    if let Ok(value) = value.as_char() {
        return Ok(value.to_string().into());
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.as_str().into());
    }
    if let Ok(list) = value.as_array_ref() {
        return list.iter().map(|item| to_json_at(item, depth + 1)).collect::<Result<Vec<_>, _>>().map(Value::Array);
    }
    if let Ok(map) = value.as_map_ref() {
        let fields = map.iter().map(|(name, field)| Ok((name.to_string(), to_json_at(field, depth + 1)?)));
        return fields.collect::<Result<Object, String>>().map(Value::Object);
    }
    if let Some(range) = value.read_lock::<std::ops::Range<INT>>() {
        return Err(format!("the range {}..{} is no JSON; collect it into a list", range.start, range.end));
    }
    let what = match value.type_name() {
        "Fn" => "a function",
        "blob" => "a blob of bytes",
        other => other,
    };
    Err(format!("{what} is no JSON"))
}

/// A copy that shares nothing with the original (SEMANTICS.md 31).
pub(crate) fn detached(value: Dynamic) -> Dynamic {
    let value = value.flatten();
    if value.is_array() {
        let list = value.into_array().unwrap_or_default();
        return Dynamic::from_array(list.into_iter().map(detached).collect());
    }
    if value.is_map() {
        let map = value.try_cast::<Map>().unwrap_or_default();
        return Dynamic::from_map(map.into_iter().map(|(name, field)| (name, detached(field))).collect());
    }
    if value.is_fnptr() {
        return value.try_cast::<rhai::FnPtr>().map_or(Dynamic::UNIT, |function| Dynamic::from(detached_function(function)));
    }
    value
}

/// A closure with copies of its own of what it caught.
pub(crate) fn detached_function(mut function: rhai::FnPtr) -> rhai::FnPtr {
    for caught in function.iter_curry_mut() {
        *caught = detached(caught.clone());
    }
    function
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_come_back_as_they_went_in() {
        for value in [
            json!(null),
            json!(true),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(1.0),
            json!(0.1),
            json!(-1.5e300),
            json!(""),
            json!("नमस्ते \u{0} 🙂"),
            json!([1, [2.5, []], {}]),
            json!({ "b": { "a": null }, "": [false] }),
        ] {
            let there = to_dynamic(&value).unwrap();
            let back = to_json(&there).unwrap();
            assert_eq!(back, value);
            assert_eq!(back.to_string(), sorted(&value).to_string(), "numbers keep their form");
        }
    }

    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let fields: std::collections::BTreeMap<_, _> = fields.iter().map(|(name, field)| (name.clone(), sorted(field))).collect();
                Value::Object(fields.into_iter().collect())
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }

    #[test]
    fn what_cannot_be_exact_is_refused() {
        assert!(to_dynamic(&json!(u64::MAX)).unwrap_err().contains("pass it as a text"));
        assert!(to_dynamic(&json!(vec![0; limits::SCRIPT_ELEMENTS])).unwrap_err().contains("elements"));
        assert!(to_json(&Dynamic::from_float(f64::NAN)).unwrap_err().contains("NaN"));
        assert!(to_json(&Dynamic::from(rhai::FnPtr::new("f").unwrap())).unwrap_err().contains("a function"));
        let mut deep = Dynamic::UNIT;
        for _ in 0..100 {
            deep = Dynamic::from_array(vec![deep]);
        }
        assert!(to_json(&deep).unwrap_err().contains("nested"));
    }
}
