//! Events and the catalogue.

use super::shapes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

shapes! {
    /// What a `do` step can run.
    Node {
        /// `crm.contact.upsert` …
        id: String,
        /// For people.
        title: String,
        /// For people.
        description: String,
        /// The palette's group.
        category: String,
        /// `pure`, `transactional`, `external` or `at_most_once`.
        effect: String,
        /// JSON Schema of the input.
        #[schema(value_type = Object)]
        input: Value,
        /// JSON Schema of the output.
        output: Value,
        /// An input that works.
        example: Value,
        /// An output as it may look.
        example_output: Value,
        /// Hints for the form.
        ui: Value,
        /// The connector it belongs to.
        connector: Option<String>,
        /// Input and output hold personal data.
        personal: bool,
        /// The record that its output becomes.
        binds: Option<String>,
    }

    /// A type of event that somebody declares.
    EventType {
        /// `message.received` …
        r#type: String,
    }

    /// What became of an event that was handed in.
    Ingested {
        /// Our id of the event; of the first one when it is a duplicate.
        event_id: Uuid,
        /// It was known already: nothing happened.
        duplicate: bool,
        /// The runs that it started, known by now.
        run_ids: Vec<Uuid>,
    }

    /// Due times of a schedule: what would fire, or what became of each.
    Backfilled {
        /// Oldest first: `{ due }`, and once fired `event_id`, `duplicate` and `run_ids`.
        #[schema(value_type = Vec<Object>)]
        items: Value,
    }

    /// What became of the events that were handed in.
    IngestedList {
        /// In the order of the events.
        items: Vec<Ingested>,
    }

    /// An event with what routing noted on it.
    Event {
        /// Always `1.0`.
        specversion: String,
        /// The sender's id, else ours.
        id: String,
        /// Who says so.
        source: String,
        /// What kind.
        r#type: String,
        /// What it is about.
        subject: Option<String>,
        /// When it happened.
        #[schema(format = DateTime)]
        time: String,
        /// The facts.
        data: Value,
        /// Our id for it.
        event_id: Uuid,
        /// When it was taken in.
        #[schema(format = DateTime)]
        taken_in_at: String,
        /// What it started, reached, and what was refused.
        #[schema(value_type = Vec<Object>)]
        routing: Value,
    }
}
