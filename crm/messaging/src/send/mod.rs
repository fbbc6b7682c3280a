//! The one door out: node `message.send`. Verdict and message row in `prepare`, the channel's call in `call`, the provider's
//! id in `finish`. At most once: the provider is never called twice for one row, whatever crashes.
//!
//! ```text
//!              prepare                        call                 finish
//! no row ──► allow: row `sending` ──► Accepted ───────────► `sent` (or further, when a status was faster)
//!            not now, hold: `held`, again later  TryLater ──► `queued`, again later
//!            denied, skip: no row, done          Refused ───► `failed`
//!            denied, fail: policy_denied         Unknown ───► a status came: done; else `unknown`
//! ```

mod address;
mod descriptor;
mod input;
mod rows;
mod template;
#[cfg(test)]
mod tests;

use crate::{
    MessageId, consent,
    events::{self, Facts},
    messages::{Message, MessageStatus, by_send_key},
    policy::{self, AccountFacts, ContactFacts, MessageFacts, Verdict},
    questions::{self, Errand, Sender},
    workflow,
};
use address::Address;
pub(crate) use address::{Wanted, choose};
use input::{IfDenied, SendInput};
use onward_accounts::{Actor, Author, AuthorKind, CrmError, nodes::input::Input};
use onward_connectors::channel::{Channel, OutgoingMessage, SendOutcome};
use onward_core::{
    ConnectionId, ErrorCode, NewEvent, OrganisationId, StepError, Timestamp, Value,
    ports::{Node, NodeDescriptor, Outcome, StepContext, Transaction},
};
use onward_database::Tx;
use onward_records::{
    Contact, contacts,
    nodes::contact_of,
    timeline::{self, ItemKind},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// The channels that can send, by connector id.
#[derive(Clone, Default)]
pub struct Channels(BTreeMap<&'static str, Arc<dyn Channel>>);

impl Channels {
    /// These channels.
    pub fn new(channels: impl IntoIterator<Item = Arc<dyn Channel>>) -> Self {
        Self(channels.into_iter().map(|channel| (channel.connector(), channel)).collect())
    }
    /// The channel of a connector.
    pub fn get(&self, connector: &str) -> Option<&Arc<dyn Channel>> {
        self.0.get(connector)
    }
    /// The connectors that can send.
    pub fn names(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What `prepare` hands to `call` and `finish`; lies in the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Prepared {
    /// Call the provider.
    Send { connector: String, connection_id: ConnectionId, message: Box<OutgoingMessage>, verdict: String },
    /// Nothing is left to do: skipped, or an earlier attempt did it.
    Nothing { output: Value },
}

/// The node.
pub struct SendNode {
    descriptor: NodeDescriptor,
    channels: Channels,
}

impl SendNode {
    /// The node over these channels.
    pub fn new(channels: Channels) -> Self {
        Self { descriptor: descriptor::descriptor(), channels }
    }
}

#[onward_core::async_trait]
impl Node<Tx> for SendNode {
    fn descriptor(&self) -> &NodeDescriptor {
        &self.descriptor
    }

    fn prepares(&self) -> bool {
        true
    }

    async fn prepare(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Outcome {
        match self.prepare_message(tx, ctx, input).await {
            Ok(outcome) => outcome,
            Err(error) => error.into(),
        }
    }

    async fn call(&self, ctx: &StepContext, prepared: &Value) -> Outcome {
        let (connector, connection_id, message, verdict) = match read(prepared) {
            Ok(Prepared::Nothing { output }) => return Outcome::done(output),
            Ok(Prepared::Send { connector, connection_id, message, verdict }) => (connector, connection_id, message, verdict),
            Err(error) => return error.into(),
        };
        let Some(channel) = self.channels.get(&connector) else { return cannot_send(&connector).into() };
        let name = connection_id.to_string();
        // Nothing has left yet: whatever goes wrong here is surely not sent.
        let connection = match ctx.credentials.connection(ctx.organisation, Some(&connector), Some(&name)).await {
            Ok(connection) => connection,
            Err(error) => return not_sent(error),
        };
        match channel.send(&connection, &message).await {
            SendOutcome::Accepted { external_id } => Outcome::done(output(Some(&message.message_id), &verdict, Some(external_id))),
            SendOutcome::TryLater { after_ms, error } => Outcome::Retry { after_ms, error },
            SendOutcome::Refused { error } => Outcome::Failed { error },
            SendOutcome::Unknown { error } => Outcome::Unknown { error },
        }
    }

    async fn finish(&self, tx: &mut Tx, ctx: &StepContext, prepared: &Value, reply: Outcome) -> Outcome {
        match read(prepared) {
            Ok(Prepared::Nothing { output }) => Outcome::done(output),
            Ok(Prepared::Send { connector, connection_id, message, verdict }) => {
                let sending =
                    Sending { organisation: ctx.organisation, connector: &connector, connection: connection_id, message: &message, verdict: &verdict };
                match sending.settle(tx, ctx, &reply).await {
                    Ok(outcome) => outcome,
                    // The row can be put right by the next status; the provider's answer must not be lost for it.
                    Err(error) => match reply {
                        Outcome::Done { .. } => Outcome::done(output(Some(&message.message_id), &verdict, None)),
                        Outcome::Unknown { .. } => reply,
                        _ => StepError::from(error).into(),
                    },
                }
            }
            Err(error) => match reply {
                Outcome::Unknown { .. } => reply,
                _ => error.into(),
            },
        }
    }
}

impl SendNode {
    async fn prepare_message(&self, tx: &mut Tx, ctx: &StepContext, input: &Value) -> Result<Outcome, StepError> {
        let existing = by_send_key(tx, ctx.organisation, &ctx.idempotency_key).await?;
        if let Some(outcome) = existing.as_ref().and_then(already) {
            return Ok(outcome);
        }
        let given = Input::new(input)?;
        match Sender::read(tx, ctx, &given).await? {
            Sender::None => self.prepare_given(tx, ctx, &given, existing).await,
            Sender::Brings(errand) => self.prepare_question(tx, ctx, &errand, existing).await,
            Sender::Idle => {
                if let Some(row) = existing {
                    rows::rest(tx, ctx.organisation, row.id, MessageStatus::Failed, Some(&questions::close_unsent())).await?;
                }
                nothing("closed")
            }
        }
    }

    async fn prepare_given(&self, tx: &mut Tx, ctx: &StepContext, given: &Input<'_>, existing: Option<Message>) -> Result<Outcome, StepError> {
        let input = SendInput::read(given)?;
        let actor = Actor::of_step(ctx);
        let author = author(ctx, &input, &actor)?;
        let contact_id = contact_of(given, ctx)?;
        let contact = contacts::get(tx, ctx.organisation, contact_id).await?.ok_or_else(|| CrmError::not_found("contact", contact_id))?;
        let wanted = Wanted { channel: input.channel.as_deref(), connection: input.connection.as_deref() };
        let address = choose(tx, ctx, &self.channels, &contact, wanted).await?;
        let letter = Letter { actor: &actor, author: &author, contact: &contact, address: &address, existing: existing.as_ref() };
        Ok(self.prepare_letter(tx, ctx, letter, &[input]).await?.0)
    }

    /// A question that cannot leave, whatever the reason, is held: it stays open and says why, and is tried again.
    async fn prepare_question(&self, tx: &mut Tx, ctx: &StepContext, errand: &Errand, existing: Option<Message>) -> Result<Outcome, StepError> {
        let question = &errand.question;
        let Some(contact) = contacts::get(tx, ctx.organisation, question.contact_id).await? else { return nothing("closed") };
        let ctx = &StepContext { conversation: question.conversation_id.map(|id| id.to_string()), ..ctx.clone() };
        let actor = Actor::of_step(ctx);
        let author = Author { kind: AuthorKind::Automation, id: Some(question.workflow.clone()) };
        let wordings: Vec<SendInput> = errand.wordings().iter().flat_map(SendInput::of_question).collect();
        let prepared = match choose(tx, ctx, &self.channels, &contact, Wanted::default()).await {
            Ok(address) => {
                let letter = Letter { actor: &actor, author: &author, contact: &contact, address: &address, existing: existing.as_ref() };
                self.prepare_letter(tx, ctx, letter, &wordings).await.map(|(outcome, message)| (outcome, message, address.connection_id))
            }
            Err(error) => Err(error),
        };
        match prepared {
            Ok((outcome @ Outcome::Done { .. }, message, connection)) => {
                questions::sent(tx, ctx.organisation, errand, questions::Sent { message, connection }).await?;
                Ok(outcome)
            }
            Ok((outcome, message, _)) => {
                let why = if let Outcome::Hold { reason, .. } = &outcome { reason.as_str() } else { "it cannot be sent" };
                questions::held(tx, ctx, errand, Some(message), why).await?;
                Ok(outcome)
            }
            Err(error) if error.code == ErrorCode::Internal => Err(error),
            Err(error) => {
                questions::held(tx, ctx, errand, existing.map(|row| row.id), &error.message).await?;
                let now = tx.now();
                Ok(Outcome::Hold { until: Some(ask_again_at(question.opened_at, now)), reason: error.message })
            }
        }
    }

    /// Writes to this address in the first of these ways that the channel can carry; the message's id, and what came of it.
    async fn prepare_letter(&self, tx: &mut Tx, ctx: &StepContext, letter: Letter<'_>, ways: &[SendInput]) -> Result<(Outcome, MessageId), StepError> {
        let Letter { actor, author, contact, address, existing } = letter;
        let channel = self.channels.get(&address.channel).ok_or_else(|| cannot_send(&address.channel))?;
        // A row that was made before keeps its id: it is the one that travels with the call. A draft's is its own.
        let id = match (existing, ways.iter().find_map(|input| input.draft)) {
            (Some(row), _) => row.id,
            (None, Some(draft)) => draft,
            (None, None) => MessageId(tx.fresh_id()),
        };
        let message_of = |input: &SendInput| OutgoingMessage {
            message_id: id.to_string(),
            to: address.external_id.clone(),
            content: input.content(contact.language.as_deref()),
            reply_to: input.reply_to.clone(),
        };
        let mut refusal = None;
        let fitting = ways.iter().find_map(|input| {
            let message = message_of(input);
            match channel.check(&message) {
                Ok(()) => Some((input, message)),
                Err(error) => {
                    refusal = Some(error);
                    None
                }
            }
        });
        let Some((input, message)) = fitting else {
            return Err(refusal.unwrap_or_else(|| StepError::new(ErrorCode::Internal, "there is nothing to write")));
        };
        let verdict = policy::decide(
            &address.channel,
            AccountFacts { last_inbound_at: address.last_inbound_at },
            ContactFacts { opt_outs: &contact.opt_outs },
            MessageFacts { form: input.form(), category: input.category },
            author.kind,
            tx.now(),
        );
        count(&address.channel, verdict.word());
        let draft = Draft { ctx, actor, author, contact, address, input, id, existing, verdict: &verdict };
        match &verdict {
            Verdict::Allow => {
                draft.store(tx, MessageStatus::Sending).await?;
                let prepared = Prepared::Send {
                    connector: address.channel.clone(),
                    connection_id: address.connection_id,
                    message: Box::new(message),
                    verdict: verdict.word().to_owned(),
                };
                Ok((Outcome::done(serde_json::to_value(prepared).map_err(unreadable)?), id))
            }
            refused => Ok((draft.refused(tx, refused).await?, id)),
        }
    }
}

/// Every word of a verdict.
const VERDICTS: [&str; 5] = ["allow", "hold", "need_template", "need_human", "deny"];

/// Counts a verdict. A try counts, too, whose transaction is not committed.
fn count(channel: &str, verdict: &'static str) {
    metrics::counter!("onward_sends_total", "channel" => channel.to_owned(), "verdict" => verdict).increment(1);
}

/// Lets the count of every verdict on a channel begin at nothing, so that the first shows as a rise.
pub fn count_from_nothing(channel: &str) {
    for verdict in VERDICTS {
        metrics::counter!("onward_sends_total", "channel" => channel.to_owned(), "verdict" => verdict).increment(0);
    }
}

/// Who writes to whom, and where.
#[derive(Clone, Copy)]
struct Letter<'a> {
    actor: &'a Actor,
    author: &'a Author,
    contact: &'a Contact,
    address: &'a Address,
    existing: Option<&'a Message>,
}

/// Nothing is sent, for this reason.
fn nothing(verdict: &str) -> Result<Outcome, StepError> {
    Ok(Outcome::done(serde_json::to_value(Prepared::Nothing { output: output(None, verdict, None) }).map_err(unreadable)?))
}

/// What an earlier attempt of this very step left, when that ends it.
fn already(row: &Message) -> Option<Outcome> {
    let id = row.id.to_string();
    match row.status {
        // A status came meanwhile: it has left.
        MessageStatus::Sent | MessageStatus::Delivered | MessageStatus::Read => {
            let word = row.verdict["verdict"].as_str().unwrap_or("allow");
            let prepared = Prepared::Nothing { output: output(Some(&id), word, None) };
            Some(serde_json::to_value(prepared).map_or_else(|error| unreadable(error).into(), Outcome::done))
        }
        // Prepared, and nobody told us how the call ended: it is not for us to call again.
        MessageStatus::Sending => Some(Outcome::Unknown {
            error: StepError::new(ErrorCode::OutcomeUnknown, "the message was being sent when this step was interrupted; it may have left")
                .with_details(serde_json::json!({ "message_id": id })),
        }),
        // `unknown` comes here only when a person decided to try again.
        MessageStatus::Received | MessageStatus::Queued | MessageStatus::Held | MessageStatus::Failed | MessageStatus::Unknown => None,
    }
}

/// Who writes: the automation; for the built-in workflow whoever started it.
fn author(ctx: &StepContext, input: &SendInput, actor: &Actor) -> Result<Author, CrmError> {
    if input.draft.is_some() && *ctx.workflow != *workflow::NAME {
        return Err(CrmError::invalid("draft", format!("only the built-in workflow `{}` sends drafts", workflow::NAME)));
    }
    match &input.author {
        None => Ok(actor.author()),
        Some(author) if *ctx.workflow == *workflow::NAME => Ok(author.clone()),
        Some(_) => Err(CrmError::invalid("author", format!("only the built-in workflow `{}` may say who writes", workflow::NAME))),
    }
}

/// A message about to be stored.
struct Draft<'a> {
    ctx: &'a StepContext,
    actor: &'a Actor,
    author: &'a Author,
    contact: &'a Contact,
    address: &'a Address,
    input: &'a SendInput,
    id: MessageId,
    existing: Option<&'a Message>,
    verdict: &'a Verdict,
}

impl Draft<'_> {
    async fn refused(&self, tx: &mut Tx, verdict: &Verdict) -> Result<Outcome, StepError> {
        let text = verdict.rule().map_or("the messaging policy forbids it", |rule| rule.text);
        match self.input.if_denied() {
            IfDenied::Fail => {
                let error = StepError::new(ErrorCode::PolicyDenied, text).with_details(verdict.to_value());
                Ok(error.into())
            }
            IfDenied::Skip => {
                let line = format!("Message not sent: {text}");
                timeline::add(tx, self.ctx.organisation, self.contact.id, self.actor, ItemKind::Message, &line, None)?;
                nothing(verdict.word())
            }
            IfDenied::Hold => {
                self.store(tx, MessageStatus::Held).await?;
                let now = tx.now();
                let since = self.existing.map_or(now, |row| row.at);
                let until = match verdict {
                    Verdict::Hold { until, .. } => *until,
                    _ => ask_again_at(since, now),
                };
                Ok(Outcome::Hold { until: Some(until), reason: text.to_owned() })
            }
        }
    }
}

/// When a held message is looked at again by itself: soon at first, at least every quarter of an hour, since consent may be
/// given in many ways. That the contact writes wakes it at once.
fn ask_again_at(since: Timestamp, now: Timestamp) -> Timestamp {
    const SOONEST_MS: i64 = 10_000;
    const LATEST_MS: i64 = 15 * 60 * 1000;
    now.plus_millis((now.millis_since(since) / 4).clamp(SOONEST_MS, LATEST_MS))
}

/// The end of a call.
struct Sending<'a> {
    organisation: OrganisationId,
    connector: &'a str,
    connection: ConnectionId,
    message: &'a OutgoingMessage,
    verdict: &'a str,
}

impl Sending<'_> {
    /// Where a question did not leave with it, that is noted.
    async fn settle(&self, tx: &mut Tx, ctx: &StepContext, reply: &Outcome) -> Result<Outcome, CrmError> {
        let outcome = self.finish(tx, ctx, reply).await?;
        if *ctx.workflow == *workflow::ASK_CONTACT
            && let Outcome::Retry { error, .. } | Outcome::Failed { error } = &outcome
            && let Some(id) = onward_core::ids::parse(&self.message.message_id)
        {
            questions::not_sent(tx, self.organisation, id, &error.message).await?;
        }
        Ok(outcome)
    }

    async fn finish(&self, tx: &mut Tx, ctx: &StepContext, reply: &Outcome) -> Result<Outcome, CrmError> {
        let Some(id) = onward_core::ids::parse::<MessageId>(&self.message.message_id) else {
            return Ok(reply.clone());
        };
        let done = || Outcome::done(output(Some(&self.message.message_id), self.verdict, None));
        match reply {
            Outcome::Done { output } => {
                rows::accepted(tx, self.organisation, self.connection, id, output["external_id"].as_str()).await?;
                Ok(done())
            }
            Outcome::Retry { .. } | Outcome::Hold { .. } => match rows::rest(tx, self.organisation, id, MessageStatus::Queued, None).await? {
                Some(status) if has_left(status) => Ok(done()),
                _ => Ok(reply.clone()),
            },
            Outcome::Unknown { error } => match rows::rest(tx, self.organisation, id, MessageStatus::Unknown, Some(error)).await? {
                Some(status) if has_left(status) => Ok(done()),
                Some(MessageStatus::Failed) => Ok(Outcome::Failed { error: rows::failure(tx, self.organisation, id).await? }),
                _ => Ok(reply.clone()),
            },
            Outcome::Failed { error } => match rows::rest(tx, self.organisation, id, MessageStatus::Failed, Some(error)).await? {
                Some(status) if has_left(status) => Ok(done()),
                _ => {
                    self.tell_failed(tx, ctx, id, error).await?;
                    Ok(reply.clone())
                }
            },
        }
    }

    async fn tell_failed(&self, tx: &mut Tx, ctx: &StepContext, id: MessageId, error: &StepError) -> Result<(), CrmError> {
        let Some(row) = crate::messages::get(tx, self.organisation, id).await? else { return Ok(()) };
        let actor = Actor::of_step(ctx);
        let now = tx.now();
        let facts = Facts {
            contact: Some(row.contact_id),
            conversation: Some(row.conversation_id),
            message: Some(id),
            channel: self.connector,
            connection: self.connection,
            author: actor.author(),
            at: now,
        };
        let mut data = facts.to_object();
        data.insert("external_id".into(), Value::Null);
        data.insert("status".into(), "failed".into());
        data.insert("error".into(), error.to_value());
        data.insert("text".into(), row.text.clone().into());
        data.insert("kind".into(), row.kind.clone().into());
        let mut event = NewEvent::new(self.organisation, "message.failed", events::SOURCE, Value::Object(data));
        event.subject = Some(row.contact_id.to_string());
        tx.emit(actor.stamp(event));
        if let ErrorCode::Provider(code) = &error.code
            && let Some((connector, code)) = code.split_once(':')
            && let Some(category) = consent::refused_by_error(connector, code)
        {
            let said = consent::Statement { channel: self.connector, category, granted: false, at: now, source: "provider", text: &error.message };
            consent::record(tx, self.organisation, &Actor::Contact { id: row.contact_id.0 }, row.contact_id, &said).await?;
        }
        Ok(())
    }
}

fn has_left(status: MessageStatus) -> bool {
    matches!(status, MessageStatus::Sent | MessageStatus::Delivered | MessageStatus::Read)
}

/// `{ message_id, verdict }`; the provider's id travels only from `call` to `finish`.
fn output(message_id: Option<&str>, verdict: &str, external_id: Option<String>) -> Value {
    let mut output = serde_json::json!({ "message_id": message_id, "verdict": verdict });
    if let Some(external_id) = external_id {
        output["external_id"] = external_id.into();
    }
    output
}

fn read(prepared: &Value) -> Result<Prepared, StepError> {
    Prepared::deserialize(prepared).map_err(unreadable)
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn unreadable(error: serde_json::Error) -> StepError {
    StepError::new(ErrorCode::Internal, format!("what was prepared for the message cannot be read: {error}"))
}

fn cannot_send(connector: &str) -> StepError {
    StepError::new(ErrorCode::InvalidInput, format!("the channel `{connector}` cannot send messages"))
}

/// What can pass by itself is tried again, since nothing has left.
fn not_sent(error: StepError) -> Outcome {
    match error.code {
        ErrorCode::Unavailable | ErrorCode::RateLimited | ErrorCode::Timeout => Outcome::Retry { after_ms: None, error },
        _ => Outcome::Failed { error },
    }
}
