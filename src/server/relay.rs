//! Whoever watches one server hears of what every server on the database changes: each tells the others what it committed, over the
//! database's own channel. Only watchers depend on it; what may have been missed, they look at again.

use crate::wiring::Rooms;
use onward_core::{
    OrganisationId, Value,
    ports::{Change, Clock as _, Ids as _},
};
use onward_database::{Database, SystemClock, SystemIds};
use onward_runtime::EngineHandle;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::broadcast::error::{RecvError, TryRecvError},
    task::JoinHandle,
};
use uuid::Uuid;

const CHANNEL: &str = "onward_changes";
/// Bytes of one message; PostgreSQL takes fewer than 8,000.
const MESSAGE_BYTES: usize = 7_900;
/// Changes that are told together.
const TOGETHER: usize = 1_000;
/// Milliseconds until a lost database is listened to again.
const RETRY_MS: i64 = 500;

/// Tells and hears until it is dropped.
pub(super) struct Relay([JoinHandle<()>; 2]);

impl Relay {
    /// `None` where no other server can be.
    pub(super) fn start(rooms: &Rooms) -> Option<Self> {
        if rooms.database().path().is_some() {
            return None;
        }
        let from = SystemIds::new().fresh(rooms.app().now());
        let (database, engine) = (rooms.database().clone(), rooms.app().engine().clone());
        let telling = tokio::spawn(tell(database.clone(), engine.clone(), from));
        Some(Self([telling, tokio::spawn(hear(database, engine, from))]))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// What one server tells the others at one time.
#[derive(Serialize, Deserialize)]
struct Message {
    from: Uuid,
    /// Some were not told: there were too many.
    #[serde(default)]
    missed: bool,
    changes: Vec<Told>,
}

#[derive(Serialize, Deserialize)]
struct Told {
    organisation: OrganisationId,
    topic: String,
    id: String,
    data: Value,
}

/// Messages that hold these changes, in their order, none longer than a message may be. Data that would not fit even alone is left out.
fn messages(from: Uuid, missed: bool, changes: Vec<Change>) -> Vec<String> {
    let empty = serde_json::to_string(&Message { from, missed, changes: Vec::new() }).unwrap_or_default();
    let (mut messages, mut bytes) = (Vec::new(), 0);
    let mut current: Vec<String> = Vec::new();
    let mut close = |current: &mut Vec<String>| {
        let text = empty.replacen("\"changes\":[]", &format!("\"changes\":[{}]", current.join(",")), 1);
        messages.push(text);
        current.clear();
    };
    for Change { organisation, topic, id, data } in changes {
        let mut told = Told { organisation, topic: topic.into_owned(), id, data };
        let text = |told: &Told| serde_json::to_string(told).unwrap_or_default();
        let mut line = text(&told);
        if empty.len() + line.len() > MESSAGE_BYTES {
            told.data = Value::Null;
            line = text(&told);
        }
        if !current.is_empty() && empty.len() + bytes + line.len() + 1 > MESSAGE_BYTES {
            close(&mut current);
            bytes = 0;
        }
        bytes += line.len() + 1;
        current.push(line);
    }
    if missed || !current.is_empty() {
        close(&mut current);
    }
    messages
}

async fn tell(database: Database, engine: EngineHandle<onward_store::SqlStore>, from: Uuid) {
    let mut changes = engine.subscribe_to_own();
    loop {
        let (mut together, mut missed) = (Vec::new(), false);
        match changes.recv().await {
            Ok(change) => together.push(change),
            Err(RecvError::Lagged(_)) => missed = true,
            Err(RecvError::Closed) => return,
        }
        while together.len() < TOGETHER {
            match changes.try_recv() {
                Ok(change) => together.push(change),
                Err(TryRecvError::Lagged(_)) => missed = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        for message in messages(from, missed, together) {
            if let Err(error) = database.tell(CHANNEL, &message).await {
                // Their connections to the database were cut as well as ours: they look at everything again by themselves.
                tracing::debug!(%error, "other servers cannot be told of changes");
            }
        }
    }
}

async fn hear(database: Database, engine: EngineHandle<onward_store::SqlStore>, own: Uuid) {
    let clock = SystemClock::new();
    loop {
        let error = match database.listen(CHANNEL).await {
            Ok(mut listener) => {
                engine.tell_watchers(Change::resync());
                loop {
                    match listener.next().await {
                        Ok(Some(text)) => heard(&engine, own, &text),
                        Ok(None) => engine.tell_watchers(Change::resync()),
                        Err(error) => break error,
                    }
                }
            }
            Err(error) => error,
        };
        tracing::debug!(%error, "other servers' changes cannot be heard; trying again");
        clock.sleep_until(clock.now().plus_millis(RETRY_MS)).await;
    }
}

fn heard(engine: &EngineHandle<onward_store::SqlStore>, own: Uuid, text: &str) {
    // A message of a newer version may hold what this one cannot read: then it is looked at again.
    let message = serde_json::from_str(text).unwrap_or(Message { from: Uuid::nil(), missed: true, changes: Vec::new() });
    if message.from == own {
        return;
    }
    for Told { organisation, topic, id, data } in message.changes {
        engine.tell_watchers(Change { organisation, topic: topic.into(), id, data });
    }
    if message.missed {
        engine.tell_watchers(Change::resync());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(id: usize, bytes: usize) -> Change {
        Change { organisation: OrganisationId(Uuid::from_u128(7)), topic: "run".into(), id: id.to_string(), data: json!({ "text": "é".repeat(bytes / 2) }) }
    }

    #[test]
    fn every_change_is_told_in_order_in_messages_that_fit() {
        let from = Uuid::from_u128(1);
        let changes: Vec<Change> = (0..200).map(|id| change(id, id * 41)).collect();
        let messages = messages(from, false, changes.clone());
        assert!(messages.len() < 130 && messages.iter().all(|message| message.len() <= MESSAGE_BYTES), "{}", messages.len());
        let told: Vec<Told> = messages.iter().flat_map(|text| serde_json::from_str::<Message>(text).unwrap().changes).collect();
        assert_eq!(told.len(), changes.len());
        for (told, change) in told.iter().zip(&changes) {
            assert_eq!((&told.id, told.organisation, &*told.topic), (&change.id, change.organisation, &*change.topic));
            assert!(told.data == change.data || (told.data.is_null() && change.data.to_string().len() > 7_000));
        }
    }

    #[test]
    fn that_some_were_missed_is_told_even_alone() {
        let messages = messages(Uuid::from_u128(1), true, Vec::new());
        let [message] = &messages[..] else { panic!("{messages:?}") };
        assert!(serde_json::from_str::<Message>(message).unwrap().missed);
    }
}
