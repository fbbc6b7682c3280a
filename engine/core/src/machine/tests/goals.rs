//! Goals of splits.

use crate::{
    Event, EventId, NewEvent, OrganisationId, Timestamp, Value,
    definition::{Goal, Verb, Workflow},
    machine::GoalEvents,
};
use serde_json::json;

fn with_goal(goal: &str) -> Workflow {
    let source = format!(
        "name: letters\non: [{{ event: lead.captured }}]\nsteps:\n  - id: test\n    split: {{ variants: {{ a: 1, b: 1 }}, goal: {goal} }}\n  - do: test.call\n"
    );
    super::workflow(&source)
}

fn goal(workflow: &Workflow) -> &Goal {
    let Some(Verb::Split { goal: Some(goal), .. }) = workflow.step("test").map(|step| &step.verb) else { panic!("a split with a goal") };
    goal
}

fn event(kind: &str, at: i64, data: Value) -> Event {
    let body = NewEvent::new(OrganisationId(uuid::Uuid::nil()), kind, "test", data);
    Event { event_id: EventId(uuid::Uuid::nil()), taken_in_at: Timestamp::from_millis(at), body }
}

#[test]
fn somebody_comes_to_a_goal_after_the_choice_and_within_its_time() {
    let workflow = with_goal("{ event: order.paid, match: contact, within: 10s, if: incoming.data.total > 5 }");
    let mut events = GoalEvents::of(goal(&workflow)).unwrap();
    for (kind, at, data) in [
        ("order.paid", 5_000, json!({ "contact_id": "asha", "total": 10 })),
        ("order.paid", 5_000, json!({ "contact_id": "ravi", "total": 1 })),
        ("order.paid", 5_000, json!({ "total": 10 })),
        ("order.lost", 5_000, json!({ "contact_id": "meera", "total": 10 })),
        ("order.paid", 5_000, json!({ "contact_id": "odd" })),
    ] {
        events.note(&event(kind, at, data));
    }
    let reached = |contact, chosen| events.reached(contact, Timestamp::from_millis(chosen), "UTC");
    assert!(reached(Some("asha"), 0));
    assert!(!reached(Some("asha"), 5_000), "what started the run, or came before, says nothing");
    assert!(!reached(Some("asha"), -6_000), "too late");
    for stranger in [Some("ravi"), Some("meera"), Some("odd"), Some(""), None] {
        assert!(!reached(stranger, 0), "{stranger:?}");
    }
}

#[test]
fn plain_values_and_any_event_are_anybodys_and_what_only_the_run_knows_is_not_told() {
    let workflow = with_goal("{ event: order.paid, match: { shop: north } }");
    let mut events = GoalEvents::of(goal(&workflow)).unwrap();
    events.note(&event("order.paid", 5, json!({ "shop": "south" })));
    assert!(!events.reached(None, Timestamp::from_millis(0), "UTC"));
    events.note(&event("order.paid", 5, json!({ "shop": "north" })));
    assert!(events.reached(None, Timestamp::from_millis(0), "UTC"));
    for unknown in ["{ event: order.paid, match: { shop: \"{{ input.shop }}\" } }", "{ event: order.paid, match: any, if: incoming.data.n == input.n }"] {
        assert!(GoalEvents::of(goal(&with_goal(unknown))).is_none(), "{unknown}");
    }
}
