//! Questions to contacts on a real database: the engine is told here as it would tell.

use super::*;
use crate::{
    messages::{Message, MessageStatus},
    tests::{DAY, START, World, message, text},
    workflow,
};
use onward_connectors::{
    channel::{Button, Content, SendOutcome},
    incoming::{DeliveryError, DeliveryStatus, IncomingItem, IncomingMessage, IncomingStatus},
};
use onward_core::{
    ErrorCode, StepError,
    ports::{Asking, ContactQuestion, ContactQuestions as _, GivenAnswer, Outcome, StepContext},
};
use onward_database::DatabaseError;
use serde_json::json;

const ASKER: RunId = RunId(uuid::Uuid::from_u128(77));

fn tapped(id: &str, reply_id: &str) -> IncomingItem {
    IncomingItem::Message(IncomingMessage { kind: "interactive".into(), reply_id: Some(reply_id.into()), ..message(id, "a title") })
}

/// A run that asks, and its contact, who has just written.
struct Asked {
    world: World,
    contact: ContactId,
    open: Vec<ContactQuestion>,
    paused: bool,
    sends: u32,
}

impl Asked {
    async fn new() -> Self {
        let mut world = World::new().await;
        world.receive([text("wamid.in", "Hi")]).await;
        world.events();
        let contact = world.contacts().await[0].id;
        Self { world, contact, open: Vec::new(), paused: false, sends: 0 }
    }
    async fn at(self, millis: i64) -> Self {
        Self { world: self.world.at(millis).await, ..self }
    }
    async fn tell(&mut self) {
        let asking = Asking {
            organisation: self.world.organisation,
            run_id: ASKER,
            workflow: "booking".into(),
            conversation: None,
            paused: self.paused,
            open: self.open.clone(),
        };
        ContactDesk.changed(&mut self.world.tx, &asking).await.unwrap();
    }
    async fn ask(&mut self, step: &str, form: Value) {
        let question = json!({ "title": format!("{step}?"), "form": form, "values": null });
        self.open.push(ContactQuestion { step: step.into(), contact: self.contact.to_string(), question, until: None });
        self.tell().await;
    }
    async fn close(&mut self, step: &str) {
        self.open.retain(|open| &*open.step != step);
        self.tell().await;
    }
    /// What the built-in workflow is told to bring: step and reason.
    fn errands(&mut self) -> Vec<(String, String)> {
        let events = self.world.events();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        events.iter().filter(|event| event.kind == BRING).map(|event| (word(&event.data["step"]), word(&event.data["reason"]))).collect()
    }
    fn context(&self, key: &str) -> StepContext {
        StepContext { workflow: workflow::ASK_CONTACT.into(), step: "send".into(), ..self.world.context(None, key) }
    }
    async fn prepare(&mut self, step: &str, reason: &str, key: &str) -> Outcome {
        let (context, since) = (self.context(key), self.world.tx.now());
        let input = json!({ "question": { "run_id": ASKER, "step": step, "reason": reason, "since": since } });
        self.world.node("message.send").prepare(&mut self.world.tx, &context, &input).await
    }
    async fn finish(&mut self, key: &str, prepared: &Value) -> Outcome {
        let context = self.context(key);
        let node = self.world.node("message.send");
        let reply = node.call(&context, prepared).await;
        node.finish(&mut self.world.tx, &context, prepared, reply).await
    }
    /// Does what the built-in workflow does with every errand.
    async fn bring(&mut self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for (step, reason) in self.errands() {
            self.sends += 1;
            let key = format!("k{}", self.sends);
            let outcome = match self.prepare(&step, &reason, &key).await {
                Outcome::Done { output } => self.finish(&key, &output).await,
                other => other,
            };
            outcomes.push(outcome);
        }
        outcomes
    }
    fn sent(&self) -> Vec<Content> {
        self.world.line.sent.lock().unwrap().iter().map(|message| message.content.clone()).collect()
    }
    fn last_buttons(&self) -> Vec<Button> {
        match self.sent().pop() {
            Some(Content::Buttons { buttons, .. } | Content::List { rows: buttons, .. }) => buttons,
            other => panic!("{other:?}"),
        }
    }
    fn answers(&mut self) -> Vec<(String, Value)> {
        let given: Vec<GivenAnswer> = std::mem::take(&mut self.world.tx.outbox().answers);
        given.into_iter().map(|given| (given.step.to_string(), given.answer)).collect()
    }
    async fn delivery(&mut self, step: &str) -> Value {
        let all: Result<_, DatabaseError> = deliveries(&mut self.world.tx, self.world.organisation, &[ASKER]).await;
        all.unwrap().remove(&(ASKER, step.to_owned())).unwrap_or_default()
    }
    async fn outbound(&mut self) -> Vec<Message> {
        self.world.messages().await.into_iter().filter(|row| row.direction == "outbound").collect()
    }
}

fn slots(count: usize) -> Value {
    let titles: Vec<String> = (1..=count).map(|number| format!("slot {number}")).collect();
    json!({ "type": "object", "properties": { "slot": { "enum": titles } }, "required": ["slot"] })
}

#[tokio::test]
async fn a_question_is_asked_with_buttons_and_a_tap_answers_it() {
    let mut asked = Asked::new().await;
    asked.ask("release", Value::Null).await;
    assert_eq!(asked.delivery("release").await["status"], "waiting");
    assert!(matches!(asked.bring().await[..], [Outcome::Done { .. }]));
    assert!(
        matches!(&asked.sent()[..], [Content::Buttons { text, buttons }] if text == "release?" && buttons[0].title == "Approve" && buttons[1].title == "Reject")
    );
    let row = asked.outbound().await.remove(0);
    assert_eq!((row.status, row.author.clone(), row.text.as_str()), (MessageStatus::Sent, json!({ "kind": "automation", "id": "booking" }), "release?"));
    let delivery = asked.delivery("release").await;
    assert_eq!((&delivery["status"], &delivery["message_id"], &delivery["problem"]), (&json!("sent"), &json!(row.id), &Value::Null));
    // Told the same again, nothing is asked twice.
    asked.tell().await;
    assert_eq!(asked.errands(), []);

    let reject = asked.last_buttons()[1].id.clone();
    let received = asked.world.receive([tapped("wamid.a", &reject)]).await;
    assert_eq!((received.messages, asked.world.kinds()), (1, vec!["message.received".to_owned()]), "an answer is a message like any other");
    assert_eq!(asked.answers(), [("release".to_owned(), json!("reject"))]);
    assert_eq!(asked.delivery("release").await["status"], "answered");
    asked.world.receive([tapped("wamid.a", &reject), tapped("wamid.b", &reject)]).await;
    assert_eq!(asked.answers(), [], "neither a repeated delivery nor a second tap answers again");
    asked.close("release").await;
    assert_eq!(asked.delivery("release").await, Value::Null);
    asked.world.receive([tapped("wamid.c", &reject), text("wamid.d", "approve")]).await;
    assert_eq!((asked.answers(), asked.errands()), (vec![], vec![]), "what comes late is an ordinary message");
}

#[tokio::test]
async fn many_choices_are_a_list_or_numbers() {
    let mut asked = Asked::new().await;
    asked.ask("few", slots(3)).await;
    asked.ask("some", slots(10)).await;
    asked.ask("many", slots(11)).await;
    asked.bring().await;
    let sent = asked.sent();
    assert!(matches!(&sent[0], Content::Buttons { buttons, .. } if buttons.len() == 3), "{sent:?}");
    assert!(matches!(&sent[1], Content::List { rows, button, .. } if rows.len() == 10 && button == "Choose"), "{sent:?}");
    assert!(matches!(&sent[2], Content::Text { text } if text.starts_with("many?\n\n1. slot 1\n") && text.ends_with("\n11. slot 11")), "{sent:?}");
    asked.world.receive([text("wamid.a", "11")]).await;
    assert_eq!(asked.answers(), [("many".to_owned(), json!({ "slot": "slot 11" }))]);
}

#[tokio::test]
async fn what_does_not_fit_is_asked_again_and_then_left_to_people() {
    let mut asked = Asked::new().await;
    asked.ask("rating", json!({ "properties": { "stars": { "type": "integer", "minimum": 1, "maximum": 5 } } })).await;
    asked.bring().await;
    let image = IncomingMessage { kind: "image".into(), text: None, ..message("wamid.2", "") };
    let reaction = IncomingMessage { kind: "reaction".into(), ..message("wamid.3", "👍") };
    for (later, item, reason) in [
        (1, text("wamid.1", "very good"), Some("misfit")),
        (2, IncomingItem::Message(reaction), None),
        (3, IncomingItem::Message(image), Some("misfit")),
        (4, tapped("wamid.4", "prices"), None),
        (5, text("wamid.5", "9"), Some("given_up")),
        (6, text("wamid.6", "5"), None),
    ] {
        asked = asked.at(later).await;
        asked.world.receive([item]).await;
        assert_eq!(asked.answers(), []);
        let expected: Vec<(String, String)> = reason.iter().map(|reason| ("rating".to_owned(), (*reason).to_owned())).collect();
        let errands = asked.errands();
        assert_eq!(errands, expected, "{later}");
        for (step, reason) in errands {
            let key = format!("later{later}");
            let Outcome::Done { output } = asked.prepare(&step, &reason, &key).await else { panic!("{later}") };
            asked.finish(&key, &output).await;
        }
    }
    let texts: Vec<String> = asked.sent().into_iter().map(|content| if let Content::Text { text } = content { text } else { panic!() }).collect();
    assert_eq!(texts[1..3], ["Please answer with a whole number from 1 to 5.\n\nrating?", "Please answer with a whole number from 1 to 5.\n\nrating?"]);
    assert!(texts[3].contains("One of us") && texts.len() == 4, "{texts:?}");
    let delivery = asked.delivery("rating").await;
    assert_eq!((&delivery["status"], &delivery["misfits"]), (&json!("for_person"), &json!(3)));
    assert!(delivery["problem"].as_str().unwrap().contains("did not fit"), "{delivery}");
    // Nobody is reminded of what a person has taken over.
    assert!(matches!(asked.prepare("rating", "reminded", "r").await, Outcome::Done { output } if output["do"] == "nothing"));
    asked.close("rating").await;
}

#[tokio::test]
async fn of_two_questions_the_newest_is_answered_and_a_tap_answers_its_own() {
    let mut asked = Asked::new().await;
    asked.ask("first", slots(2)).await;
    asked.bring().await;
    let first = asked.last_buttons();
    asked = asked.at(1_000).await;
    asked.ask("second", slots(2)).await;
    asked.bring().await;
    asked.world.receive([text("wamid.a", "slot 2"), text("wamid.b", "slot 1")]).await;
    let (two, one) = (json!({ "slot": "slot 2" }), json!({ "slot": "slot 1" }));
    assert_eq!(asked.answers(), [("second".to_owned(), two.clone()), ("first".to_owned(), one)]);
    for step in ["first", "second"] {
        asked.close(step).await;
        asked.ask(step, slots(2)).await;
        asked.bring().await;
        asked = asked.at(if step == "first" { 2_000 } else { 3_000 }).await;
    }
    asked.world.receive([tapped("wamid.c", &first[1].id)]).await;
    assert_eq!(asked.answers(), [], "a button of a question that was asked anew answers nothing");
    let rows: Vec<Button> =
        asked.sent().into_iter().rev().nth(1).map(|content| if let Content::Buttons { buttons, .. } = content { buttons } else { panic!() }).unwrap();
    asked.world.receive([tapped("wamid.d", &rows[1].id)]).await;
    assert_eq!(asked.answers(), [("first".to_owned(), two)], "a tap answers the question that it belongs to");
}

#[tokio::test]
async fn outside_the_window_it_is_held_and_the_message_that_opens_it_is_no_answer() {
    let mut asked = Asked::new().await.at(2 * DAY).await;
    asked.ask("release", Value::Null).await;
    let held = asked.bring().await;
    assert!(matches!(&held[..], [Outcome::Hold { reason, .. }] if reason.contains("24 hours")), "{held:?}");
    let delivery = asked.delivery("release").await;
    assert_eq!(delivery["status"], "held");
    assert!(delivery["problem"].as_str().unwrap().contains("24 hours"), "{delivery}");
    let late = IncomingMessage { at: Some(START.plus_millis(2 * DAY)), ..message("wamid.2", "approve") };
    asked.world.receive([IncomingItem::Message(late)]).await;
    assert_eq!((asked.answers(), asked.errands()), (vec![], vec![]), "nobody answers what they have not seen");
    assert_eq!(asked.world.tx.outbox().wakes.len(), 1);
    let Outcome::Done { output } = asked.prepare("release", "opened", "k1").await else { panic!() };
    asked.finish("k1", &output).await;
    assert_eq!((asked.outbound().await.len(), asked.delivery("release").await["problem"].clone()), (1, Value::Null));
    let after = IncomingMessage { at: Some(START.plus_millis(2 * DAY)), ..message("wamid.3", "Approve!") };
    asked.world.receive([IncomingItem::Message(after)]).await;
    assert_eq!(asked.answers(), [("release".to_owned(), json!("approve"))]);
}

#[tokio::test]
async fn who_opted_out_is_not_asked_and_stop_is_no_answer() {
    let mut asked = Asked::new().await;
    asked.ask("name", json!({ "type": "string" })).await;
    asked.bring().await;
    asked.world.receive([text("wamid.stop", "STOP")]).await;
    assert_eq!(asked.answers(), []);
    assert_eq!(asked.world.contacts().await[0].opt_outs, ["whatsapp:all"]);
    asked.errands();
    asked.ask("more", json!({ "type": "string" })).await;
    let held = asked.bring().await;
    assert!(matches!(&held[..], [Outcome::Hold { reason, .. }] if reason.contains("refused")), "{held:?}");
    assert!(asked.delivery("more").await["problem"].as_str().unwrap().contains("refused"));
    assert_eq!(asked.sent().len(), 1);
}

#[tokio::test]
async fn a_contact_without_an_address_leaves_it_open_with_the_reason() {
    let mut asked = Asked::new().await;
    asked.contact = asked.world.contact(onward_records::ContactChange { name: Some("Asha".into()), ..Default::default() }).await;
    asked.ask("release", Value::Null).await;
    let held = asked.bring().await;
    assert!(matches!(&held[..], [Outcome::Hold { until: Some(_), reason }] if reason.contains("no address")), "{held:?}");
    let delivery = asked.delivery("release").await;
    assert!(delivery["status"] == "waiting" && delivery["problem"].as_str().unwrap().contains("no address"), "{delivery}");
    asked.close("release").await;
    assert_eq!(asked.world.tx.outbox().wakes.len(), 1, "the step that waits looks, and finds nothing to send");
    assert!(matches!(asked.prepare("release", "opened", "k1").await, Outcome::Done { output } if output["do"] == "nothing"));
}

#[tokio::test]
async fn what_closes_while_it_is_held_is_never_sent() {
    let mut asked = Asked::new().await.at(2 * DAY).await;
    asked.ask("release", Value::Null).await;
    asked.bring().await;
    asked.close("release").await;
    assert_eq!(asked.world.tx.outbox().wakes.len(), 1);
    let Outcome::Done { output } = asked.prepare("release", "opened", "k1").await else { panic!() };
    let outcome = asked.finish("k1", &output).await;
    assert_eq!(outcome, Outcome::done(json!({ "message_id": null, "verdict": "closed" })));
    let row = asked.outbound().await.remove(0);
    assert_eq!((row.status, row.error["code"].as_str()), (MessageStatus::Failed, Some("cancelled")));
    assert!(asked.sent().is_empty());
}

#[tokio::test]
async fn a_paused_run_gets_its_answer_when_it_goes_on() {
    let mut asked = Asked::new().await;
    asked.ask("release", Value::Null).await;
    asked.bring().await;
    asked.paused = true;
    asked.tell().await;
    asked.world.receive([text("wamid.a", "approve"), text("wamid.b", "reject")]).await;
    assert_eq!((asked.answers(), asked.delivery("release").await["status"].clone()), (vec![], json!("answered")));
    asked.paused = false;
    asked.tell().await;
    assert_eq!(asked.answers(), [("release".to_owned(), json!("approve"))]);
}

#[tokio::test]
async fn past_its_time_a_question_takes_no_answer() {
    let mut asked = Asked::new().await;
    asked.open.push(ContactQuestion {
        step: "release".into(),
        contact: asked.contact.to_string(),
        question: json!({ "title": "Release?", "form": null }),
        until: Some(START.plus_millis(10)),
    });
    asked.tell().await;
    asked.bring().await;
    let mut asked = asked.at(11).await;
    asked.world.receive([text("wamid.a", "approve"), text("wamid.b", "what?")]).await;
    assert_eq!((asked.answers(), asked.errands()), (vec![], vec![]));
}

#[tokio::test]
async fn what_was_not_sent_is_not_answered() {
    let mut asked = Asked::new().await;
    asked.world.line.answers.lock().unwrap().push_back(SendOutcome::Refused { error: StepError::new(ErrorCode::Declined, "undeliverable") });
    asked.ask("release", Value::Null).await;
    assert!(matches!(asked.bring().await[..], [Outcome::Failed { .. }]));
    asked.world.receive([text("wamid.a", "approve")]).await;
    assert_eq!(asked.answers(), []);
    let delivery = asked.delivery("release").await;
    assert_eq!((&delivery["status"], &delivery["problem"], &delivery["sent_at"]), (&json!("failed"), &json!("undeliverable"), &Value::Null));
    asked.errands();

    // A later message that fails takes nothing from what they saw before, nor does one that the provider gives up.
    asked = asked.at(1).await;
    asked.ask("again", Value::Null).await;
    asked.bring().await;
    asked = asked.at(2).await;
    asked.world.receive([text("wamid.b", "hm")]).await;
    let error = StepError::new(ErrorCode::RateLimited, "slower");
    asked.world.line.answers.lock().unwrap().push_back(SendOutcome::TryLater { after_ms: None, error });
    let Outcome::Done { output } = asked.prepare("again", "misfit", "slow").await else { panic!() };
    assert!(matches!(asked.finish("slow", &output).await, Outcome::Retry { .. }));
    assert_eq!(asked.delivery("again").await["status"], "queued");
    asked.world.receive([text("wamid.c", "approve")]).await;
    assert_eq!(asked.answers(), [("again".to_owned(), json!("approve"))]);

    asked.close("again").await;
    asked.ask("more", Value::Null).await;
    asked.errands();
    let Outcome::Done { output } = asked.prepare("more", "opened", "more").await else { panic!() };
    asked.finish("more", &output).await;
    let row = asked.outbound().await.pop().unwrap();
    let failed = IncomingStatus {
        external_id: row.external_id.unwrap(),
        message_id: None,
        status: DeliveryStatus::Failed,
        error: Some(DeliveryError { code: ErrorCode::Declined, provider_code: "131026".into(), message: "not on WhatsApp".into() }),
        recipient: None,
        at: None,
    };
    asked.world.receive([IncomingItem::Status(failed)]).await;
    asked.world.receive([text("wamid.e", "approve")]).await;
    assert_eq!((asked.answers(), asked.delivery("more").await["problem"].clone()), (vec![], json!("not on WhatsApp")));
}

#[tokio::test]
async fn a_form_of_several_things_is_shown_and_left_to_people() {
    let mut asked = Asked::new().await;
    asked.ask("both", json!({ "type": "object", "properties": { "a": {}, "b": {} }, "required": ["a", "b"] })).await;
    asked.bring().await;
    assert!(matches!(&asked.sent()[..], [Content::Text { text }] if text == "both?"));
    asked.world.receive([text("wamid.a", "one and two")]).await;
    assert_eq!((asked.answers(), asked.errands()), (vec![], vec![]));
    let delivery = asked.delivery("both").await;
    assert!(delivery["status"] == "for_person" && delivery["problem"].as_str().unwrap().contains("more than one thing"), "{delivery}");
}

#[tokio::test]
async fn the_question_belongs_to_whom_the_contact_became() {
    let mut asked = Asked::new().await;
    asked.ask("release", Value::Null).await;
    asked.bring().await;
    let survivor = asked.world.contact(onward_records::ContactChange { name: Some("Asha".into()), ..Default::default() }).await;
    let organisation = asked.world.organisation;
    crate::merge::contacts(&mut asked.world.tx, organisation, &onward_accounts::Actor::System, survivor, asked.contact).await.unwrap();
    asked.world.receive([text("wamid.a", "approve")]).await;
    assert_eq!(asked.answers(), [("release".to_owned(), json!("approve"))]);
    crate::erase::erase_contact(&mut asked.world.tx, organisation, survivor).await.unwrap();
    assert_eq!(asked.delivery("release").await, Value::Null);
}

#[tokio::test]
async fn nobody_else_brings_questions() {
    let mut asked = Asked::new().await;
    asked.ask("release", Value::Null).await;
    let input = json!({ "question": { "run_id": ASKER, "step": "release", "reason": "opened", "since": START } });
    for (workflow, input, word) in [
        ("welcome", &input, "only the built-in workflow"),
        (workflow::ASK_CONTACT, &json!({ "question": { "run_id": "x" } }), "{ run_id, step, reason, since }"),
    ] {
        let context = StepContext { workflow: workflow.into(), ..asked.world.context(Some(asked.contact), "k") };
        let outcome = asked.world.node("message.send").prepare(&mut asked.world.tx, &context, input).await;
        assert!(matches!(&outcome, Outcome::Failed { error } if error.code == ErrorCode::InvalidInput && error.message.contains(word)), "{outcome:?}");
    }
}
