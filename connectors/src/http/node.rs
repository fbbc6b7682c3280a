//! The node `http.request`.

use super::{client::HttpClient, reply, request};
use onward_core::{
    StepError, Value,
    ports::{Connection, Effect, Node, NodeDescriptor, Outcome, StepContext, Transaction},
    trace::{self, SpanId, TraceId},
};
use serde_json::json;

/// `http.request`: one call to another server. External: it may be repeated, always with the same `Idempotency-Key`.
pub struct HttpRequestNode {
    client: HttpClient,
    descriptor: NodeDescriptor,
}

impl HttpRequestNode {
    /// The node over this client.
    pub fn new(client: HttpClient) -> Self {
        Self { client, descriptor: descriptor() }
    }

    async fn connection(ctx: &StepContext, input: &Value) -> Result<Option<Connection>, StepError> {
        match &input["connection"] {
            Value::Null => Ok(None),
            Value::String(name) => ctx.credentials.connection(ctx.organisation, Some("http"), Some(name)).await.map(Some),
            other => Err(StepError::new(onward_core::ErrorCode::InvalidInput, format!("connection: must be a name, not {other}"))),
        }
    }
}

#[onward_core::async_trait]
impl<T: Transaction> Node<T> for HttpRequestNode {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.descriptor
    }

    async fn call(&self, ctx: &StepContext, prepared: &Value) -> Outcome {
        let connection = match Self::connection(ctx, prepared).await {
            Ok(connection) => connection,
            Err(error) => return error.into(),
        };
        let mut call = match request::prepare(prepared, connection.as_ref(), &ctx.idempotency_key) {
            Ok(call) => call,
            Err(error) => return error.into(),
        };
        if tracing::enabled!(target: trace::TARGET, tracing::Level::INFO) {
            let own = trace::traceparent(TraceId::of_run(ctx.run_id, ctx.event_id), SpanId::of_attempt(&ctx.idempotency_key, ctx.attempt));
            // One that the workflow gives itself goes before ours.
            if let Ok(own) = own.parse() {
                call.request.headers.entry("traceparent").or_insert(own);
            }
        }
        match self.client.call(call.request).await {
            Ok(answer) => reply::outcome(&answer, &call.expect, ctx.now, connection.as_ref()),
            Err(error) => reply::failure(&error),
        }
    }
}

fn descriptor() -> NodeDescriptor {
    NodeDescriptor {
        id: "http.request".into(),
        title: "HTTP request".into(),
        description:
            "Calls another server and gives its answer. Sends the same Idempotency-Key with every attempt, so that the other side can recognise a repetition."
                .into(),
        category: "Integrations".into(),
        effect: Effect::External,
        input: json!({
            "type": "object",
            "properties": {
                "method": { "type": "string", "enum": ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"], "default": "GET", "title": "Method" },
                "url": { "type": "string", "minLength": 1, "title": "Address", "description": "The whole address, or a path when the connection has a base address." },
                "query": { "type": "object", "title": "Query", "description": "Added to the address; a list repeats the name, null leaves it out." },
                "headers": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean", "null"] }, "title": "Headers" },
                "body": { "title": "Body", "description": "A mapping or list is sent as JSON, text as it is; a mapping as a form when the header Content-Type says so." },
                "connection": { "type": "string", "x-names": "connection", "title": "Connection", "description": "An http connection: its token is sent as a bearer token, its headers are added." },
                "timeout": { "type": ["string", "number"], "default": "30s", "title": "Time-out", "description": "Of the call: 500ms, 30s, 2m, or a number of seconds; at most 10m." },
                "expect": { "type": ["array", "integer"], "items": { "type": "integer", "minimum": 100, "maximum": 599 }, "title": "Good statuses", "description": "Which statuses are good; any 2xx when left out." }
            },
            "required": ["url"],
            "additionalProperties": false
        }),
        output: json!({
            "type": "object",
            "properties": {
                "status": { "type": "integer" },
                "headers": { "type": "object", "additionalProperties": { "type": "string" }, "description": "Names in lower case; cookies are left out." },
                "body": { "description": "The value when the answer is JSON, else its text, else null." },
                "body_base64": { "type": "string", "description": "The bytes of an answer that is no text." },
                "truncated": { "type": "boolean", "description": "The answer was longer than 1 MiB and is cut." }
            },
            "required": ["status", "headers", "body"]
        }),
        example: json!({ "method": "POST", "url": "https://example.com/orders", "body": { "sku": "A-1" } }),
        example_output: json!({ "status": 200, "headers": { "content-type": "application/json" }, "body": { "ok": true } }),
        ui: json!({ "order": ["method", "url", "query", "headers", "body", "connection", "timeout", "expect"], "widgets": { "body": "code" } }),
        connector: Some("http".into()),
        personal: false,
        binds: None,
    }
}
