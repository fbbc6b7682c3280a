//! The language as JSON Schema 2020-12, for editors: what this version accepts.

use super::{steps, workflow};
use crate::{ErrorCode, Object, Value, limits};
use serde_json::json;

/// The JSON Schema of a workflow file. It knows shapes; names, references, nodes' inputs and expressions are checked by
/// [`super::compile`].
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Onward workflow",
        "description": "One automation: what starts it, and its steps.",
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "steps"],
        "properties": top(),
        "$defs": definitions(),
    })
}

fn described(description: &str, mut schema: Value) -> Value {
    if let Value::Object(object) = &mut schema {
        object.insert("description".to_owned(), description.into());
    }
    schema
}

fn refer(name: &str, description: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}"), "description": description })
}

fn top() -> Value {
    let binding = |name: &str| described(&format!("The run's {name}: an expression that gives its id."), json!({ "type": "string", "minLength": 1 }));
    let all = json!({
        "name": { "type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 100, "description": "Unique in its organisation; kebab-case." },
        "description": { "type": "string", "minLength": 1, "description": "For people." },
        "on": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/trigger" }, "description": "Any of these starts a run." },
        "key": { "type": ["string", "number", "boolean"], "description": "What a run is about; with `mode`, how runs of one key meet. Default: the run's id." },
        "mode": {
            "enum": ["parallel", "single", "queued", "restart"], "default": "parallel",
            "description": "How runs of one key meet. single: a start while one lives is refused; queued: in order; restart: the old one is cancelled first."
        },
        "reentry": {
            "type": "string", "pattern": "^(always|never|after .+)$", "default": "always",
            "description": "Whether a key may come again: always, never, or after DURATION, counted from the last run's end."
        },
        "limits": {
            "type": "object", "additionalProperties": false, "minProperties": 1,
            "description": "Limits of the workflow's starts; what they hold is kept and starts later.",
            "properties": {
                "concurrency": { "$ref": "#/$defs/concurrency" }, "rate": { "$ref": "#/$defs/rate" }, "debounce": { "$ref": "#/$defs/debounce" }
            }
        },
        "priority": {
            "type": ["integer", "string"], "minimum": 1, "maximum": 10, "minLength": 1, "default": 5,
            "description": "Which of the held starts goes first: 1 (first) to 10 (last), or an expression that gives one."
        },
        "rollout": {
            "type": "object", "additionalProperties": false, "required": ["share"],
            "description": "A new version takes a share of the keys first; the version before it takes the rest.",
            "properties": {
                "share": { "$ref": "#/$defs/percentage", "description": "The part of the keys whose starts the new version takes." },
                "hold_if": {
                    "type": "object", "additionalProperties": false, "required": ["failed", "of"],
                    "description": "Takes its starts back and pauses its runs when too many of them fail.",
                    "properties": {
                        "failed": { "$ref": "#/$defs/percentage", "description": "A larger part than this ..." },
                        "of": { "type": "integer", "minimum": 1, "maximum": 1_000_000, "description": "... of so many runs, the first that end." }
                    }
                }
            }
        },
        "exit_on": { "type": "array", "items": { "$ref": "#/$defs/exit" }, "description": "Events that end the run early, wherever it stands." },
        "vars": refer("variables", "Initial variables, vars.NAME."),
        "timeout": refer("fixed_duration", "Time-out of the whole run."),
        "retry": refer("retry", "Default for the steps."),
        "contact": binding("contact"),
        "company": binding("company"),
        "deal": binding("deal"),
        "conversation": binding("conversation"),
        "steps": refer("steps", "The steps, one after the other."),
    });
    debug_assert!(workflow::TOP_KEYS.iter().all(|key| all.get(*key).is_some()), "a key of the compiler is missing in the schema");
    all
}

fn definitions() -> Value {
    let event = json!({ "type": "string", "pattern": "^[a-z0-9_.-]+$", "maxLength": 200, "description": "An event type, such as message.received." });
    let wait = json!({ "event": event, "match": { "$ref": "#/$defs/match" }, "if": { "$ref": "#/$defs/condition" } });
    let with = |more: Value| {
        let mut all = wait.clone();
        if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
            all.extend(more);
        }
        all
    };
    let wait_map = |properties: Value| json!({ "type": "object", "additionalProperties": false, "required": ["event", "match"], "properties": properties });
    let count = json!({ "type": "integer", "minimum": 1, "maximum": 1_000_000 });
    let limit_key = json!({ "type": ["string", "number", "boolean"], "minLength": 1, "description": "Counted apart for each value. Default: the workflow's key; for a shared limit, all together." });
    let shared = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]+$", "maxLength": 100, "description": "One limit for all workflows that name it so." });
    let since = json!({ "type": "string", "description": "How far back events count: `run`, or a step's id. Default: since the step before." });
    json!({
        "condition": {
            "description": "A bare Jinja expression (no braces), or a JSONLogic rule.",
            "type": ["string", "object", "boolean"], "minLength": 1
        },
        "template": { "description": "Any value; text may hold {{ expressions }}." },
        "input": { "description": "A map; values may hold {{ expressions }}. Or one expression that gives a map.", "type": ["object", "string", "null"] },
        "variables": {
            "type": "object", "propertyNames": { "pattern": "^(?!__)[A-Za-z_][A-Za-z0-9_]*$" }, "additionalProperties": { "$ref": "#/$defs/template" }
        },
        "fixed_duration": {
            "description": "ms s m h d w (`2h 30m`; d is 24 h), or ISO 8601 (`P1M` counts by the calendar).",
            "type": "string", "pattern": DURATION
        },
        "duration": {
            "description": "ms s m h d w (`2h 30m`; d is 24 h), ISO 8601, or an expression that gives one.",
            "type": "string", "anyOf": [{ "pattern": DURATION }, { "pattern": "\\{[{%]" }]
        },
        "percentage": { "type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?%$", "description": "Such as 10%." },
        "match": {
            "description": "Which events count: contact (the event's contact is the run's), equality on paths of the event's data, or any.",
            "anyOf": [
                { "enum": ["contact", "any"] },
                {
                    "type": "object", "minProperties": 1, "maxProperties": limits::MATCH_PATHS,
                    "additionalProperties": { "type": ["string", "number", "boolean"], "minLength": 1 }
                }
            ]
        },
        "wait": wait_map(wait.clone()),
        "exit": wait_map(with(json!({ "compensate": { "type": "boolean", "description": "Compensations run, too." } }))),
        "goal": wait_map(with(json!({ "within": { "$ref": "#/$defs/fixed_duration" } }))),
        "wait_for": {
            "anyOf": [
                wait_map(with(json!({ "since": since }))),
                {
                    "type": "object", "additionalProperties": false, "required": ["any"],
                    "properties": {
                        "any": {
                            "type": "object", "minProperties": 1, "propertyNames": { "pattern": "^(?!__)[A-Za-z_][A-Za-z0-9_]*$" },
                            "additionalProperties": { "$ref": "#/$defs/wait" }
                        },
                        "since": since
                    }
                }
            ]
        },
        "retry": {
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_attempts": { "type": "integer", "minimum": 1, "maximum": 100, "description": "Attempts in all." },
                "initial": refer("fixed_duration", "Before the second attempt."),
                "factor": { "type": "number", "minimum": 1, "maximum": 100, "description": "Each further pause is this many times longer." },
                "max": refer("fixed_duration", "The longest pause."),
                "jitter": { "type": "number", "minimum": 0, "maximum": 1, "description": "Share of the pause that is left to chance." },
                "within": refer("fixed_duration", "No attempt starts later than this after the first."),
                "on": {
                    "type": "array", "description": "Retried besides timeout, rate_limited and unavailable.",
                    "items": { "anyOf": [{ "enum": ErrorCode::KNOWN }, { "type": "string", "pattern": ":" }] }
                }
            }
        },
        "concurrency": {
            "type": "object", "additionalProperties": false, "required": ["max"], "description": "Runs at a time.",
            "properties": { "max": count.clone(), "key": limit_key.clone(), "shared": shared.clone() }
        },
        "rate": {
            "type": "object", "additionalProperties": false, "required": ["max", "per"], "description": "Starts in a while: spread, none is dropped.",
            "properties": { "max": count, "per": refer("fixed_duration", "The while."), "key": limit_key, "shared": shared }
        },
        "debounce": {
            "type": "object", "additionalProperties": false, "required": ["wait"], "description": "The last event of a burst starts the run.",
            "properties": {
                "wait": refer("fixed_duration", "A burst is over when nothing came for this long."),
                "max_wait": refer("fixed_duration", "Or when it has lasted this long.")
            }
        },
        "trigger": trigger(&event),
        "delay": delay(),
        "split": split(),
        "steps": { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/step" } },
        "step": { "oneOf": steps::VERBS.iter().map(|(verb, own)| step(verb, own)).collect::<Vec<_>>() },
    })
}

/// Of durations, ISO 8601 as well as `2h 30m`.
const DURATION: &str = r"^\s*([Pp].+|\+?\s*([0-9.]+\s*(ms|s|m|h|d|w)\s*)+)$";

fn trigger(event: &Value) -> Value {
    let own = |key: &str, schema: Value| {
        json!({
            "type": "object", "additionalProperties": false, "required": [key],
            "properties": {
                key: schema,
                "if": refer("condition", "Only if this holds."),
                "with": { "type": ["object", "string"], "description": "Becomes `input`." }
            }
        })
    };
    let manual = json!({
        "type": ["object", "null"], "additionalProperties": false, "description": "By hand; the app makes a form of the schema.",
        "properties": { "input": { "type": "object", "description": "JSON Schema of the input." } }
    });
    json!({ "oneOf": [own("event", event.clone()), own("schedule", schedule()), own("webhook", webhook()), own("manual", manual)] })
}

fn schedule() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["cron"], "description": "At times.",
        "properties": {
            "cron": {
                "type": "string", "minLength": 1, "maxLength": 256,
                "description": "Minute, hour, day, month, day of the week (0 9 * * mon-fri); with six fields the first is the second."
            },
            "timezone": {
                "type": "string", "minLength": 1,
                "description": "A zone such as Asia/Kolkata; contact, with `each`: where each contact lives. Default: the organisation's."
            },
            "missed": {
                "enum": ["run_once", "skip", "run_all"], "default": "run_once",
                "description": "Of times at which no server was there, or the workflow was paused: the latest fires once, none, or all."
            },
            "jitter": refer("fixed_duration", "Each fires up to this much later, spread by chance; 24h at the most."),
            "each": {
                "type": "object", "additionalProperties": false, "required": ["segment"],
                "description": "One run for each contact that is then in the segment.",
                "properties": { "segment": { "type": "string", "minLength": 1, "description": "The segment's name." } }
            }
        }
    })
}

fn webhook() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["path", "verify"], "description": "A request to /hooks/in/PATH.",
        "properties": {
            "path": { "type": "string", "pattern": "^[a-z0-9_.-]+$", "maxLength": 100, "description": "The last part of the address; unique in its organisation." },
            "verify": {
                "description": "Who may deliver: whoever signs as this connection says, or everybody (none).",
                "oneOf": [
                    { "const": "none" },
                    {
                        "type": "object", "additionalProperties": false, "required": ["connection"],
                        "properties": { "connection": { "type": "string", "minLength": 1, "description": "A connection of the connector http." } }
                    }
                ]
            },
            "respond": {
                "enum": ["accepted", "finished"], "default": "accepted",
                "description": "accepted: answered as soon as it is stored; finished: with the run's output, when it ends soon."
            }
        }
    })
}

fn delay() -> Value {
    let hours = json!({
        "description": "After the wait, on to the next open moment.",
        "anyOf": [
            { "const": "business_hours" },
            {
                "type": "object", "additionalProperties": false, "required": ["days", "from", "to"],
                "properties": {
                    "days": { "type": ["string", "array"], "description": "mon-fri, or a list of days." },
                    "from": { "type": "string", "pattern": "^[0-9]{1,2}:[0-9]{1,2}" },
                    "to": { "type": "string", "pattern": "^[0-9]{1,2}:[0-9]{1,2}" }
                }
            }
        ]
    });
    let zone = json!({ "type": "string", "description": "A zone such as Asia/Kolkata, or contact. Default: the organisation's." });
    json!({
        "anyOf": [
            { "$ref": "#/$defs/duration" },
            {
                "type": "object", "additionalProperties": false, "required": ["for"],
                "properties": { "for": { "$ref": "#/$defs/duration" }, "counting": counting(), "timezone": zone, "within": hours }
            },
            {
                "type": "object", "additionalProperties": false, "required": ["until"],
                "properties": {
                    "until": {
                        "type": "string", "minLength": 1,
                        "description": "RFC 3339, an expression that gives a time, or [today|tomorrow|next day|next weekday|next mon…] HH:MM."
                    },
                    "offset": { "type": "string", "description": "Moves `until`; may be negative: -24h." },
                    "timezone": zone,
                    "within": hours
                }
            }
        ]
    })
}

fn counting() -> Value {
    json!({ "const": "business_hours", "description": "Only the organisation's open hours count." })
}

fn split() -> Value {
    let weight = json!({ "type": "number", "minimum": 0, "maximum": 1_000_000, "description": "Share, relative to the others." });
    json!({
        "type": "object", "additionalProperties": false, "required": ["variants"],
        "properties": {
            "variants": {
                "type": "object", "minProperties": 2,
                "additionalProperties": {
                    "anyOf": [
                        weight,
                        {
                            "type": "object", "additionalProperties": false, "required": ["weight"],
                            "properties": { "weight": weight, "steps": { "$ref": "#/$defs/steps" } }
                        }
                    ]
                }
            },
            "by": refer("template", "What the assignment is sticky for. Default: the contact, else the key."),
            "goal": refer("goal", "What counts as success; it is watched outside the run.")
        }
    })
}

/// A step with this verb.
fn step(verb: &str, own: &[&str]) -> Value {
    let mut properties = Object::new();
    for key in own.iter().chain(&steps::COMMON) {
        properties.insert((*key).to_owned(), key_of_step(verb, key));
    }
    let required: Vec<&str> = match verb {
        "if" => vec!["if", "then"],
        "for_each" => vec!["for_each", "steps"],
        other => vec![other],
    };
    json!({ "type": "object", "title": verb, "additionalProperties": false, "required": required, "properties": properties })
}

fn key_of_step(verb: &str, key: &str) -> Value {
    match key {
        "id" => {
            json!({ "type": "string", "pattern": "^(?!__)[a-z_][a-z0-9_]*$", "maxLength": 100, "description": "snake_case, unique in the file; its output is steps.ID." })
        }
        "name" => json!({ "type": "string", "minLength": 1, "description": "Shown to people." }),
        "if" if verb == "if" => refer("condition", "Decides between then and else."),
        "if" => refer("condition", "The step is skipped when this is false."),
        "retry" => refer("retry", "How often and how far apart it is tried."),
        "timeout" => json!({
            "description": "Bounds one attempt of a `do`, or a whole `wait_for` or `ask`.",
            "anyOf": [
                { "$ref": "#/$defs/duration" },
                {
                    "type": "object", "additionalProperties": false, "required": ["for"],
                    "properties": { "for": { "$ref": "#/$defs/duration" }, "counting": counting() }
                }
            ]
        }),
        "on_error" => json!({ "enum": ["fail", "continue"], "default": "fail", "description": "continue: the run goes on and steps.ID.error tells why." }),
        "do" => json!({ "type": "string", "minLength": 1, "description": "The node to run." }),
        "with" if verb == "emit" => refer("input", "The event's data."),
        "with" if matches!(verb, "call" | "start") => refer("input", "The other workflow's input."),
        "compensate" => json!({
            "type": "object", "additionalProperties": false, "required": ["do"],
            "description": "Undoes the step when the run later fails or is cancelled, last completed first.",
            "properties": {
                "do": { "type": "string", "minLength": 1, "description": "The node that undoes it." },
                "with": refer("input", "Its input; sees the output of the step."),
                "retry": { "$ref": "#/$defs/retry" }
            }
        }),
        "parallel" => json!({
            "description": "Branches side by side, by name.",
            "type": "object", "minProperties": 1, "maxProperties": limits::PARALLEL_BRANCHES,
            "propertyNames": { "pattern": "^(?!__)[A-Za-z_][A-Za-z0-9_]*$" },
            "additionalProperties": { "$ref": "#/$defs/steps" }
        }),
        "join" => json!({
            "description": "How many branches must end well; those not needed are cancelled.", "default": "all",
            "anyOf": [{ "enum": ["all", "any"] }, { "type": "integer", "minimum": 1 }]
        }),
        "for_each" => json!({
            "description": "A list, or an expression that gives one.",
            "anyOf": [{ "type": "array" }, { "type": "string", "pattern": "\\{\\{" }]
        }),
        "as" => json!({ "type": "string", "pattern": "^(?!__)[A-Za-z_][A-Za-z0-9_]*$", "default": "item", "description": "The name of the current item." }),
        "max_parallel" => json!({ "type": "integer", "minimum": 1, "maximum": limits::PARALLEL_ITEMS, "default": 1, "description": "Items at a time." }),
        "on_item_error" => json!({
            "enum": ["fail", "continue"], "default": "fail",
            "description": "continue: an item that fails leaves its error as its output, and the loop goes on."
        }),
        "steps" => refer("steps", "The steps for every item."),
        "repeat" => json!({
            "description": "The steps again and again.",
            "type": "object", "additionalProperties": false, "required": ["steps"],
            "anyOf": [{ "required": ["while"] }, { "required": ["until"] }, { "required": ["times"] }],
            "properties": {
                "while": refer("condition", "Tested before each pass."),
                "until": refer("condition", "Tested after each pass."),
                "times": {
                    "description": "How many passes.",
                    "anyOf": [{ "type": "integer", "minimum": 0, "maximum": limits::LOOP_PASSES }, { "type": "string", "pattern": "\\{\\{" }]
                },
                "max": {
                    "type": "integer", "minimum": 1, "maximum": limits::LOOP_PASSES, "default": limits::LOOP_PASSES_DEFAULT,
                    "description": "Passing this many passes fails the step."
                },
                "steps": refer("steps", "One pass.")
            }
        }),
        "call" => json!({ "type": "string", "minLength": 1, "description": "Another workflow: runs it and waits for its output." }),
        "start" => json!({ "type": "string", "minLength": 1, "description": "Another workflow: starts it and goes on." }),
        "script" => json!({ "type": "string", "minLength": 1, "description": "rhai; its last expression is the output." }),
        "try" => refer("steps", "What may fail."),
        "catch" => json!({
            "description": "The first clause that takes the error's code.",
            "type": "array", "minItems": 1,
            "items": {
                "type": "object", "additionalProperties": false, "required": ["steps"],
                "properties": {
                    "on": { "type": "array", "items": { "anyOf": [{ "enum": ErrorCode::KNOWN }, { "type": "string", "pattern": ":" }] } },
                    "steps": refer("steps", "What is done then; `error` is in scope.")
                }
            }
        }),
        "finally" => refer("steps", "Runs whatever happens."),
        "ask" => json!({
            "description": "A person decides.",
            "type": "object", "additionalProperties": false, "required": ["who", "title"],
            "properties": {
                "who": {
                    "description": "Who may answer.",
                    "anyOf": [
                        { "const": "contact" },
                        { "type": "object", "additionalProperties": false, "required": ["role"], "properties": { "role": { "type": "string", "minLength": 1 } } },
                        { "type": "object", "additionalProperties": false, "required": ["user"], "properties": { "user": { "type": "string", "minLength": 1 } } }
                    ]
                },
                "title": { "type": "string", "minLength": 1, "description": "The question." },
                "form": { "type": "object", "description": "JSON Schema of the answer; without it: approve or reject." },
                "values": refer("template", "Prefills the form."),
                "remind_every": refer("fixed_duration", "Asks again after this long, and again.")
            }
        }),
        "with" => refer("input", "The node's input."),
        "then" => refer("steps", "When the condition holds."),
        "else" => refer("steps", "When it does not."),
        "choose" => json!({
            "description": "The first branch whose condition holds.",
            "type": "array", "minItems": 1, "contains": { "required": ["if"] },
            "items": {
                "oneOf": [
                    {
                        "type": "object", "additionalProperties": false, "required": ["if", "steps"],
                        "properties": { "if": { "$ref": "#/$defs/condition" }, "steps": { "$ref": "#/$defs/steps" } }
                    },
                    { "type": "object", "additionalProperties": false, "required": ["else"], "properties": { "else": { "$ref": "#/$defs/steps" } } }
                ]
            }
        }),
        "split" => refer("split", "An A/B/n test: the assignment is stored when first made."),
        "delay" => refer("delay", "A durable sleep: survives restarts, never early."),
        "wait_for" => refer("wait_for", "A durable wait for a matching event."),
        "set" => json!({ "$ref": "#/$defs/variables", "minProperties": 1, "description": "Gives variables values, vars.NAME." }),
        "emit" => {
            json!({ "type": "string", "anyOf": [{ "pattern": "^[a-z0-9_.-]+$" }, { "pattern": "\\{\\{" }], "description": "The type of the event that goes on the bus." })
        }
        _ => json!({
            "description": "Ends the run.",
            "type": ["object", "null"], "additionalProperties": false,
            "properties": {
                "status": { "enum": ["completed", "failed"], "default": "completed" },
                "reason": { "type": "string", "minLength": 1, "description": "Why." },
                "output": { "$ref": "#/$defs/template", "description": "The run's output." }
            }
        }),
    }
}
