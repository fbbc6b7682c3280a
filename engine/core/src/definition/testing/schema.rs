//! Test files as JSON Schema 2020-12, for editors.

use super::{expect, reader, test_file};
use crate::{ErrorCode, Value, expression::RECORD_NAMES};
use serde_json::json;

/// The JSON Schema of a test file. It knows shapes; names are checked by [`super::TestFile::check`].
pub fn schema() -> Value {
    let top = with_setting(json!({
        "workflow": { "type": "string", "minLength": 1, "description": "The file that is tested, relative to this one." },
        "workflows": { "type": "array", "items": { "type": "string", "minLength": 1 }, "description": "Other workflows beside it: called, or started by what it emits." },
        "cases": { "type": "array", "minItems": 1, "maxItems": crate::limits::TEST_CASES, "items": { "$ref": "#/$defs/case" } }
    }));
    debug_assert!(test_file::TOP_KEYS.iter().chain(&reader::SETTING_KEYS).all(|key| top.get(*key).is_some()), "a key is missing in the schema");
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Onward workflow test",
        "description": "Cases that `onward test` plays in virtual time, with nodes mocked.",
        "type": "object",
        "additionalProperties": false,
        "required": ["workflow", "cases"],
        "properties": top,
        "$defs": definitions(),
    })
}

fn with_setting(own: Value) -> Value {
    let mut all = json!({
        "now": { "type": "string", "format": "date-time", "description": "When it begins; a Monday at 09:00 UTC when left out." },
        "timezone": { "type": "string", "minLength": 1, "description": "The organisation's zone, such as Asia/Kolkata. Default: UTC." },
        "records": {
            "type": "object", "additionalProperties": false, "description": "Fields of live records.",
            "properties": RECORD_NAMES.iter().map(|name| ((*name).to_owned(), json!({ "type": ["object", "null"] }))).collect::<crate::Object>()
        },
        "connections": { "type": "array", "items": { "type": "string" }, "description": "The connections that there are; a call over another one fails. Default: any." },
        "segments": {
            "type": "object", "description": "Who is in which segment, for schedules with `each`.",
            "additionalProperties": { "type": "array", "items": { "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "object", "additionalProperties": false, "required": ["id"], "properties": { "id": { "type": "string" }, "timezone": { "type": "string", "minLength": 1 } } }
            ] } }
        },
        "mock": { "$ref": "#/$defs/mocks" },
        "variant": { "type": "object", "additionalProperties": { "type": "string", "minLength": 1 }, "description": "The variant that a split chooses, by step." }
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
        for (name, schema) in own {
            all.insert(name, schema);
        }
    }
    all
}

fn definitions() -> Value {
    let duration = json!({ "type": "string", "minLength": 1, "description": "ms s m h d w (`2h 30m`; d is 24 h), or ISO 8601." });
    let texts = json!({ "type": "array", "items": { "type": "string", "minLength": 1 } });
    let count = json!({ "type": "integer", "minimum": 0 });
    let times = json!({
        "description": "How often; at least once when left out.",
        "anyOf": [count, { "type": "object", "additionalProperties": false, "properties": { "min": count, "max": count } }]
    });
    let case = with_setting(json!({
        "name": { "type": "string", "minLength": 1, "description": "What the case shows." },
        "event": { "$ref": "#/$defs/event" },
        "input": { "description": "Starts the run by hand." },
        "schedule": {
            "type": "object", "additionalProperties": false, "description": "The clock goes on to the workflow's own times.",
            "properties": { "fires": { "type": "integer", "minimum": 1, "maximum": test_file::FIRES, "description": "How often they fire in all. Default: 1." } }
        },
        "webhook": { "$ref": "#/$defs/webhook" },
        "then": { "type": "array", "items": { "$ref": "#/$defs/later" }, "description": "What comes from outside, one after the other." },
        "for": duration,
        "expect": { "$ref": "#/$defs/expect" }
    }));
    debug_assert!(test_file::CASE_KEYS.iter().all(|key| case.get(*key).is_some()), "a key of a case is missing in the schema");
    json!({
        "duration": duration,
        "event": {
            "type": "object", "additionalProperties": false, "required": ["type"],
            "properties": {
                "type": { "type": "string", "pattern": "^[a-z0-9_.-]+$", "maxLength": 200 },
                "source": { "type": "string", "minLength": 1 }, "id": { "type": "string", "minLength": 1 }, "subject": { "type": "string", "minLength": 1 },
                "time": { "type": "string", "format": "date-time" },
                "data": { "type": "object" }
            }
        },
        "mocks": {
            "type": "object",
            "description": "What nodes give, by the node's id or the step's: an output, one of { output, error, retry_after, outcome: unknown, hold, one_of }, or a list for successive calls."
        },
        "case": {
            "type": "object", "additionalProperties": false, "required": ["name", "expect"],
            "oneOf": test_file::OPENINGS.iter().map(|key| json!({ "required": [key] })).collect::<Vec<_>>(),
            "properties": case
        },
        "webhook": {
            "type": "object", "additionalProperties": false, "description": "Somebody posts to a webhook of the workflow.",
            "properties": {
                "path": { "type": "string", "minLength": 1, "description": "Which one; the only one when left out." },
                "body": { "description": "What event.data holds." },
                "id": { "type": "string", "minLength": 1, "description": "The delivery's name; a second one of that name has no effect." }
            }
        },
        "later": later(),
        "expect": expected(&texts, &times),
    })
}

fn later() -> Value {
    let properties = json!({
        "after": { "$ref": "#/$defs/duration" },
        "event": { "$ref": "#/$defs/event" },
        "webhook": { "$ref": "#/$defs/webhook" },
        "answer": {
            "type": "object", "additionalProperties": false, "required": ["answer"],
            "properties": { "step": { "type": "string" }, "answer": {}, "by": { "type": "string" } }
        },
        "records": { "type": "object", "description": "Fields of live records change." },
        "cancel": { "description": "Someone cancels the run; a text is the reason." },
        "pause": { "description": "Someone pauses it." },
        "resume": { "description": "It goes on." }
    });
    debug_assert!(test_file::LATER_KINDS.iter().all(|key| properties.get(*key).is_some()), "a kind is missing in the schema");
    let one: Vec<Value> = test_file::LATER_KINDS.iter().map(|kind| json!({ "required": [kind] })).collect();
    json!({ "type": "object", "additionalProperties": false, "oneOf": one, "properties": properties })
}

fn expected(texts: &Value, times: &Value) -> Value {
    let error = json!({
        "anyOf": [
            { "enum": ErrorCode::KNOWN },
            { "type": "string", "pattern": ":" },
            {
                "type": ["object", "null"], "additionalProperties": false,
                "properties": { "code": { "type": "string" }, "message": { "type": "string" }, "step": { "type": "string" }, "details": {} }
            }
        ]
    });
    let call = json!({
        "anyOf": [
            { "type": "string", "minLength": 1 },
            {
                "type": "object", "additionalProperties": false, "anyOf": [{ "required": ["node"] }, { "required": ["step"] }],
                "properties": { "node": { "type": "string" }, "step": { "type": "string" }, "times": times, "with": { "description": "Fields of its input." } }
            }
        ]
    });
    let event = json!({
        "anyOf": [
            { "type": "string", "pattern": "^[a-z0-9_.-]+$" },
            {
                "type": "object", "additionalProperties": false, "required": ["event"],
                "properties": { "event": { "type": "string" }, "times": times, "with": { "description": "Fields of its data." } }
            }
        ]
    });
    let properties = json!({
        "run": { "type": "integer", "minimum": 1, "description": "Which run is meant, in order of start. Default: 1." },
        "runs": { "type": "integer", "minimum": 0, "description": "How many runs were started." },
        "held": { "type": "integer", "minimum": 0, "description": "How many starts are held." },
        "status": { "enum": expect::STATUSES },
        "output": { "description": "The run's output, whole." },
        "error": error,
        "exit": { "type": ["string", "null"], "description": "The event type that ended it early." },
        "waiting_on": { "description": "Fields of what it waits for." },
        "variables": { "type": "object", "description": "Its variables, those named." },
        "path": { "type": "array", "items": { "type": "string" }, "description": "The steps with an id that were taken, in order, all of them." },
        "steps": { "type": "array", "items": { "type": "string" }, "description": "Steps that were taken, in this order; others may lie between." },
        "no_steps": texts,
        "branches": { "type": "object", "additionalProperties": { "type": ["string", "integer"] }, "description": "Branches and variants by step." },
        "calls": { "type": "array", "items": call },
        "no_calls": { "anyOf": [{ "const": true }, texts], "description": "Nodes or steps that were not called; true: none at all." },
        "emitted": { "type": "array", "items": event },
        "no_events": texts,
        "took": {
            "type": "object", "additionalProperties": false, "minProperties": 1,
            "properties": { "under": { "$ref": "#/$defs/duration" }, "over": { "$ref": "#/$defs/duration" } }
        }
    });
    debug_assert!(expect::KEYS.iter().all(|key| properties.get(*key).is_some()), "a key of expect is missing in the schema");
    json!({ "type": "object", "additionalProperties": false, "minProperties": 1, "properties": properties })
}
