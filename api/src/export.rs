//! A run as a file: `{ run, definition, history, digest }`, enough to replay it without a database. A changed file is refused.

use crate::Problem;
use onward_core::{
    Object, RunId, Value, digest,
    history::{Entry, Fact},
    ports::PublishedVersion,
};
use serde::Deserialize;

/// An export that is whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// The run.
    pub run_id: RunId,
    /// Its workflow's name.
    pub workflow: String,
    /// The version it ran on.
    pub version: u32,
    /// The version's file.
    pub source: String,
    /// The versions that it was on before, and their files.
    pub earlier: Vec<(u32, String)>,
    /// Every entry of its history.
    pub entries: Vec<Entry>,
}

/// Why an export is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Not an export at all.
    #[error("this is no exported run: {0}")]
    Shape(String),
    /// Its digest is not that of its contents.
    #[error("the export was changed: its digest is {stated}, that of its contents is {actual}; export the run again")]
    Digest {
        /// What it says.
        stated: String,
        /// What it is.
        actual: String,
    },
    /// The definition's digest is not that of its file.
    #[error("the definition in the export was changed; export the run again")]
    Definition,
    /// The history contradicts itself.
    #[error("the history contradicts itself at entry {seq}: {reason}")]
    History {
        /// Where.
        seq: u64,
        /// How.
        reason: String,
    },
}

#[derive(Deserialize)]
struct File {
    run: Run,
    definition: Definition,
    #[serde(default)]
    earlier: Vec<Definition>,
    history: Vec<Entry>,
    digest: String,
}
#[derive(Deserialize)]
struct Run {
    id: RunId,
    workflow: String,
    version: u32,
}
#[derive(Deserialize)]
struct Definition {
    workflow: String,
    version: u32,
    source: String,
    digest: String,
}

/// The export of a run. `run` is its JSON shape, `version` the one that it is on, `earlier` those that it was on before.
pub fn render(run: Value, version: &PublishedVersion, earlier: &[PublishedVersion], entries: &[Entry]) -> Result<Value, Problem> {
    let shape = |version: &PublishedVersion| {
        serde_json::json!({
            "workflow": version.workflow, "version": version.version, "source": version.source, "digest": version.digest,
            "language_revision": version.language_revision,
        })
    };
    let definition = shape(version);
    let earlier: Value = earlier.iter().map(shape).collect();
    let history = serde_json::to_value(entries).map_err(Problem::internal)?;
    let digest = digest_of(&run, &definition, &earlier, &history);
    let mut export = Object::new();
    for (name, part) in [("run", run), ("definition", definition), ("earlier", earlier), ("history", history), ("digest", digest.into())] {
        export.insert(name.to_owned(), part);
    }
    Ok(Value::Object(export))
}

/// Reads an export, and refuses one that was changed or contradicts itself.
pub fn read(export: &Value) -> Result<Exported, ExportError> {
    let File { run, definition, earlier, history: entries, digest: stated } =
        serde_json::from_value(export.clone()).map_err(|error| ExportError::Shape(error.to_string()))?;
    let actual = digest_of(&export["run"], &export["definition"], &export["earlier"], &export["history"]);
    if stated != actual {
        return Err(ExportError::Digest { stated, actual });
    }
    if [&definition].into_iter().chain(&earlier).any(|definition| definition.digest != digest::hex(definition.source.as_bytes())) {
        return Err(ExportError::Definition);
    }
    if let Some(other) = earlier.iter().find(|other| other.workflow != definition.workflow) {
        return Err(ExportError::Shape(format!("it holds a definition of {}, the run is of {}", other.workflow, definition.workflow)));
    }
    if (&run.workflow, run.version) != (&definition.workflow, definition.version) {
        return Err(ExportError::Shape(format!("the run is of version {} of {}, the definition is another", run.version, run.workflow)));
    }
    check_order(&entries)?;
    let earlier = earlier.into_iter().map(|definition| (definition.version, definition.source)).collect();
    Ok(Exported { run_id: run.id, workflow: run.workflow, version: run.version, source: definition.source, earlier, entries })
}

fn check_order(entries: &[Entry]) -> Result<(), ExportError> {
    if !matches!(entries.first().map(|first| &first.fact), Some(Fact::RunStarted { .. })) {
        return Err(ExportError::History { seq: 1, reason: "it does not begin with run_started".into() });
    }
    let mut before = None;
    for (entry, expected) in entries.iter().zip(1..) {
        if entry.seq != expected {
            return Err(ExportError::History { seq: expected, reason: format!("entry {} stands in its place", entry.seq) });
        }
        if before.is_some_and(|before| entry.at < before) {
            return Err(ExportError::History { seq: entry.seq, reason: "its time is before that of the entry before it".into() });
        }
        before = Some(entry.at);
    }
    Ok(())
}

/// SHA-256 over the canonical form of the parts, hex: spaces and the order of keys do not count. A run that was never moved has no
/// earlier definitions.
fn digest_of(run: &Value, definition: &Value, earlier: &Value, history: &Value) -> String {
    let mut text = String::new();
    let earlier = earlier.as_array().is_some_and(|earlier| !earlier.is_empty()).then_some(earlier);
    for part in [run, definition].into_iter().chain(earlier).chain([history]) {
        canonical(part, &mut text);
        text.push('\n');
    }
    digest::hex(text.as_bytes())
}

/// JSON without spaces, keys sorted.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(object) => {
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort();
            out.push('{');
            for (at, key) in keys.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(&object[key.as_str()], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_core::{OrganisationId, Timestamp};
    use serde_json::json;
    use uuid::Uuid;

    fn exported() -> Value {
        let source = "name: hello\n";
        let version = PublishedVersion {
            organisation: OrganisationId(Uuid::nil()),
            workflow: "hello".into(),
            version: 1,
            source: source.into(),
            digest: digest::hex(source.as_bytes()),
            language_revision: 1,
            published_at: Timestamp::from_millis(0),
            current: true,
            paused: false,
        };
        let entries: Vec<Entry> = serde_json::from_value(json!([
            { "seq": 1, "at": "2026-11-20T09:00:00.000Z", "kind": "run_started", "workflow": "hello", "version": 1, "revision": 1, "key": "k",
              "input": { "b": 1.5, "a": [1, null] }, "event": {}, "seed": 7, "timezone": "UTC" },
            { "seq": 2, "at": "2026-11-20T09:00:01.000Z", "kind": "run_completed", "output": null },
        ]))
        .unwrap();
        render(json!({ "id": Uuid::from_u128(5), "workflow": "hello", "version": 1 }), &version, &[], &entries).unwrap()
    }

    #[test]
    fn what_is_rendered_is_read() {
        let export = exported();
        let read_again: Value = serde_json::from_str(&serde_json::to_string_pretty(&export).unwrap()).unwrap();
        let read = read(&read_again).unwrap();
        assert_eq!((read.run_id, read.version, read.entries.len()), (RunId(Uuid::from_u128(5)), 1, 2));
    }

    #[test]
    fn any_change_is_refused() {
        let digest = |export: &Value| json!(digest_of(&export["run"], &export["definition"], &export["earlier"], &export["history"]));
        let mut export = exported();
        export["history"][0]["input"]["b"] = json!(2.5);
        assert!(matches!(read(&export), Err(ExportError::Digest { .. })));
        let mut export = exported();
        export["definition"]["source"] = json!("name: other\n");
        export["digest"] = digest(&export);
        assert_eq!(read(&export), Err(ExportError::Definition));
        let mut export = exported();
        export["history"][1]["seq"] = json!(3);
        export["digest"] = digest(&export);
        assert!(matches!(read(&export), Err(ExportError::History { seq: 2, .. })));
        let mut export = exported();
        export["history"][1]["at"] = json!("2026-11-20T08:00:00.000Z");
        export["digest"] = digest(&export);
        assert!(matches!(read(&export), Err(ExportError::History { seq: 2, .. })));
        let mut export = exported();
        export["run"]["version"] = json!(2);
        export["digest"] = digest(&export);
        assert!(matches!(read(&export), Err(ExportError::Shape(_))));
        assert!(matches!(read(&json!([])), Err(ExportError::Shape(_))));
    }

    #[test]
    fn the_order_of_keys_does_not_count() {
        let (mut one, mut other) = (String::new(), String::new());
        canonical(&json!({ "b": 1, "a": { "d": "x", "c": [true] } }), &mut one);
        canonical(&json!({ "a": { "c": [true], "d": "x" }, "b": 1 }), &mut other);
        assert_eq!(one, other);
        assert_eq!(one, r#"{"a":{"c":[true],"d":"x"},"b":1}"#);
    }
}
