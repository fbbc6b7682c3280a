//! `debug.*`: nodes for trying things and for measuring; they need nothing outside.

use onward_core::{
    ErrorCode, Object, StepError, Value, async_trait,
    ports::{Effect, Node, NodeDescriptor, Outcome, StepContext, Transaction},
};
use serde_json::json;
use std::sync::Arc;

/// All `debug.*` nodes.
pub fn debug_nodes<T: Transaction>() -> Vec<Arc<dyn Node<T>>> {
    vec![Arc::new(Echo(echo())), Arc::new(Log(log())), Arc::new(Fail(fail())), Arc::new(Flaky(flaky()))]
}

struct Descriptor {
    id: &'static str,
    title: &'static str,
    description: &'static str,
    effect: Effect,
    input: Value,
    output: Value,
    example: Value,
    example_output: Value,
}

fn describe(descriptor: Descriptor) -> NodeDescriptor {
    NodeDescriptor {
        id: descriptor.id.into(),
        title: descriptor.title.into(),
        description: descriptor.description.into(),
        category: "Engine".into(),
        effect: descriptor.effect,
        input: descriptor.input,
        output: descriptor.output,
        example: descriptor.example,
        example_output: descriptor.example_output,
        ui: Value::Null,
        connector: None,
        personal: false,
        binds: None,
    }
}

/// Returns its input.
struct Echo(NodeDescriptor);

fn echo() -> NodeDescriptor {
    describe(Descriptor {
        id: "debug.echo",
        title: "Echo",
        description: "Returns its input. An external step: its result is durable before the next step starts.",
        effect: Effect::External,
        input: json!({ "$schema": "https://json-schema.org/draft/2020-12/schema" }),
        output: json!({ "description": "The input as it was given." }),
        example: json!({ "greeting": "hello" }),
        example_output: json!({ "greeting": "hello" }),
    })
}

#[async_trait]
impl<T: Transaction> Node<T> for Echo {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.0
    }
    async fn call(&self, _ctx: &StepContext, prepared: &Value) -> Outcome {
        Outcome::done(prepared.clone())
    }
    fn preview(&self, input: &Value) -> Value {
        input.clone()
    }
}

/// Writes a line into the run's history.
struct Log(NodeDescriptor);

fn log() -> NodeDescriptor {
    describe(Descriptor {
        id: "debug.log",
        title: "Log",
        description: "Puts a message into the run's history, for people who look at it later.",
        effect: Effect::Pure,
        input: json!({
            "type": "object",
            "properties": { "message": { "type": "string", "description": "What to note." } },
            "required": ["message"],
            "additionalProperties": false
        }),
        output: json!({ "type": "object", "properties": { "message": { "type": "string" } } }),
        example: json!({ "message": "reached the second step" }),
        example_output: json!({ "message": "reached the second step" }),
    })
}

impl<T: Transaction> Node<T> for Log {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.0
    }
    fn eval(&self, input: &Value) -> Outcome {
        match input.get("message").and_then(Value::as_str) {
            Some(message) => Outcome::done(json!({ "message": message })),
            None => Outcome::failed(ErrorCode::InvalidInput, "debug.log needs `message`, a text"),
        }
    }
    fn preview(&self, input: &Value) -> Value {
        input.clone()
    }
}

/// Fails as it is told to.
struct Fail(NodeDescriptor);

fn fail() -> NodeDescriptor {
    describe(Descriptor {
        id: "debug.fail",
        title: "Fail",
        description: "Fails with the given code and message.",
        effect: Effect::Pure,
        input: json!({
            "type": "object",
            "properties": {
                "code": { "type": "string", "description": "An error code; `internal` when left out." },
                "message": { "type": "string", "description": "What the failure says." }
            },
            "additionalProperties": false
        }),
        output: json!({ "type": "null" }),
        example: json!({ "code": "not_found", "message": "nothing here" }),
        example_output: Value::Null,
    })
}

impl<T: Transaction> Node<T> for Fail {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.0
    }
    fn eval(&self, input: &Value) -> Outcome {
        let code = input.get("code").and_then(Value::as_str).map_or(ErrorCode::Internal, ErrorCode::parse);
        let message = input.get("message").and_then(Value::as_str).unwrap_or("debug.fail was asked to fail");
        Outcome::Failed { error: StepError::new(code, message) }
    }
}

/// Fails a number of times, then works.
struct Flaky(NodeDescriptor);

fn flaky() -> NodeDescriptor {
    describe(Descriptor {
        id: "debug.flaky",
        title: "Flaky",
        description: "Fails with `unavailable` for the first attempts, then works: for trying retries.",
        effect: Effect::External,
        input: json!({
            "type": "object",
            "properties": { "fail_times": { "type": "integer", "minimum": 0, "description": "How many attempts fail." } },
            "required": ["fail_times"],
            "additionalProperties": false
        }),
        output: json!({ "type": "object", "properties": { "attempts": { "type": "integer" } } }),
        example: json!({ "fail_times": 2 }),
        example_output: json!({ "attempts": 3 }),
    })
}

#[async_trait]
impl<T: Transaction> Node<T> for Flaky {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.0
    }
    async fn call(&self, ctx: &StepContext, prepared: &Value) -> Outcome {
        let Some(fail_times) = prepared.get("fail_times").and_then(Value::as_u64) else {
            return Outcome::failed(ErrorCode::InvalidInput, "debug.flaky needs `fail_times`, a whole number from 0");
        };
        if u64::from(ctx.attempt) <= fail_times {
            return Outcome::failed(ErrorCode::Unavailable, format!("attempt {} of {} that fail", ctx.attempt, fail_times));
        }
        let mut output = Object::new();
        output.insert("attempts".into(), ctx.attempt.into());
        Outcome::done(Value::Object(output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_testkit::MemoryTx;

    fn node(id: &str) -> Arc<dyn Node<MemoryTx>> {
        debug_nodes().into_iter().find(|node| node.descriptor().id == id).unwrap_or_else(|| panic!("{id} is there"))
    }

    #[test]
    fn examples_give_their_example_outputs() {
        for node in debug_nodes::<MemoryTx>() {
            let descriptor = node.descriptor();
            if descriptor.effect == Effect::Pure && descriptor.id != "debug.fail" {
                assert_eq!(node.eval(&descriptor.example), Outcome::done(descriptor.example_output.clone()), "{}", descriptor.id);
            }
        }
        assert_eq!(node("debug.echo").preview(&json!([1])), json!([1]));
    }

    #[test]
    fn fail_fails_as_it_is_told() {
        let failed = node("debug.fail").eval(&json!({ "code": "declined", "message": "no" }));
        assert_eq!(failed, Outcome::failed(ErrorCode::Declined, "no"));
        assert!(matches!(node("debug.fail").eval(&json!({})), Outcome::Failed { error } if error.code == ErrorCode::Internal));
        assert!(matches!(node("debug.log").eval(&json!({})), Outcome::Failed { error } if error.code == ErrorCode::InvalidInput));
    }

    #[test]
    fn two_nodes_of_one_id_are_refused() {
        let twice = debug_nodes::<MemoryTx>().into_iter().chain(debug_nodes());
        assert!(crate::Registry::new(twice, []).is_err());
    }
}
