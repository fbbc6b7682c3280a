//! The scope as a script sees it: of each name only the paths that the script uses are converted, so that a field of a large
//! scope costs what the field costs.

use crate::convert::to_dynamic;
use onward_core::{
    Object, Value,
    expression::{RECORD_NAMES, Scope},
    ports::ScriptReference,
};
use rhai::{Dynamic, Map};
use std::collections::BTreeMap;

/// The parts of a value that a script uses.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// All of it.
    whole: bool,
    parts: BTreeMap<String, Wanted>,
}

impl Wanted {
    /// What the references want, name by name of the scope.
    pub(crate) fn of(references: &[ScriptReference]) -> BTreeMap<String, Self> {
        let mut root = Self::default();
        for reference in references {
            let mut here = &mut root;
            for name in &reference.path {
                here = here.parts.entry(name.clone()).or_default();
            }
            here.whole = true;
        }
        root.parts
    }

    /// The wanted parts of a value.
    pub(crate) fn convert(&self, value: &Value) -> Result<Dynamic, String> {
        match value {
            Value::Object(fields) if !self.whole => self.convert_fields(|name| fields.get(name)),
            other => to_dynamic(other),
        }
    }

    /// The wanted fields of a map.
    pub(crate) fn convert_map(&self, fields: &Object) -> Result<Dynamic, String> {
        if self.whole { to_dynamic(&Value::Object(fields.clone())) } else { self.convert_fields(|name| fields.get(name)) }
    }

    /// The wanted fields of something that has fields. One that is missing stays missing, which is `()` in scripts.
    fn convert_fields<'v>(&self, field: impl Fn(&str) -> Option<&'v Value>) -> Result<Dynamic, String> {
        let mut map = Map::new();
        for (name, part) in &self.parts {
            if let Some(value) = field(name) {
                map.insert(name.as_str().into(), part.convert(value)?);
            }
        }
        Ok(Dynamic::from_map(map))
    }

    /// What a step that did not run left behind: null, and so is each of its fields.
    fn nothing(&self) -> Dynamic {
        if self.whole || self.parts.is_empty() {
            return Dynamic::UNIT;
        }
        Dynamic::from_map(self.parts.iter().map(|(name, part)| (name.as_str().into(), part.nothing())).collect())
    }
}

/// The value of a name of the scope, as far as it is wanted. The error names what cannot be had.
pub(crate) fn value_of(scope: &Scope, name: &str, wanted: &Wanted) -> Result<Dynamic, String> {
    let told = |result: Result<Dynamic, String>| result.map_err(|why| format!("`{name}` cannot be handed to the script: {why}"));
    if let Some((_, local)) = scope.locals.iter().rev().find(|(local, _)| &**local == name) {
        return told(wanted.convert(local));
    }
    if RECORD_NAMES.contains(&name) {
        return told(record(scope, &mut vec![name], wanted).map(|value| value.unwrap_or(Dynamic::UNIT)));
    }
    let optional = |value: &Option<std::sync::Arc<Value>>| value.as_deref().map_or(Ok(Dynamic::UNIT), |value| wanted.convert(value));
    told(match name {
        "event" => wanted.convert(&scope.event),
        "input" => wanted.convert(&scope.input),
        "run" => wanted.convert(&scope.run),
        "now" => Ok(scope.now.to_string().into()),
        "incoming" => optional(&scope.incoming),
        "error" => optional(&scope.error),
        "vars" => wanted.convert_map(&scope.vars),
        "steps" => steps(scope, wanted),
        _ => Err("there is no such name".to_owned()),
    })
}

fn steps(scope: &Scope, wanted: &Wanted) -> Result<Dynamic, String> {
    let mut map = Map::new();
    if wanted.whole {
        for (step, output) in &*scope.steps {
            map.insert((&**step).into(), to_dynamic(output)?);
        }
        return Ok(Dynamic::from_map(map));
    }
    for (step, part) in &wanted.parts {
        let output = scope.steps.get(step.as_str()).filter(|output| !output.is_null());
        let value = output.map_or_else(|| Ok(part.nothing()), |output| part.convert(output))?;
        map.insert(step.as_str().into(), value);
    }
    Ok(Dynamic::from_map(map))
}

/// The wanted parts of a live record; what is read of it is noted.
fn record<'w>(scope: &Scope, path: &mut Vec<&'w str>, wanted: &'w Wanted) -> Result<Option<Dynamic>, String> {
    let mut here = scope.records.known.get(path.first().copied().unwrap_or_default());
    for name in path.iter().skip(1) {
        here = here.and_then(|value| value.get(*name));
    }
    if wanted.whole || !here.is_some_and(Value::is_object) {
        return scope.records.take(path)?.map(|value| to_dynamic(&value)).transpose();
    }
    let mut map = Map::new();
    for (name, part) in &wanted.parts {
        path.push(name);
        let value = record(scope, path, part)?;
        path.pop();
        if let Some(value) = value {
            map.insert(name.as_str().into(), value);
        }
    }
    Ok(Some(Dynamic::from_map(map)))
}
