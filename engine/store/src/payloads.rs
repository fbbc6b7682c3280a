//! Values that lie apart from their history entry: what is larger than 4 KiB, and what is personal (SEMANTICS.md 17).
//!
//! An entry's field is replaced by `{ "$payload": DIGEST }` and comes back on reading. A value that is itself of that form
//! lies apart too, whatever its size, so that what a user wrote is never taken for a reference. An erased value comes back
//! as `{ "$erased": DIGEST }`.

use crate::corrupt;
use onward_core::{
    Object, OrganisationId, RunId, Timestamp, Value, digest,
    history::{self, Entry},
    limits::INLINE_PAYLOAD_BYTES,
    ports::StoreError,
};
use onward_database::{DatabaseError, Query, Rows, Tx, args};
use std::collections::HashMap;

const REFERENCE: &str = "$payload";
const ERASED: &str = "$erased";

/// The fields of entries that hold what came from outside. The others are structure, and stay.
const FIELDS: [&str; 11] = ["input", "output", "prepared", "event", "values", "data", "state", "items", "undo", "question", "answer"];

/// A value that lies apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Payload {
    pub(crate) digest: [u8; 32],
    pub(crate) text: String,
}

/// The stored form of one transition, and what lies apart from it.
pub(crate) fn encode(entries: &[Entry], personal: bool) -> Result<(String, Vec<Payload>), StoreError> {
    let failed = |error: serde_json::Error| StoreError::Failed(format!("history cannot be written as JSON: {error}"));
    let text = history::encode_chunk(entries).map_err(failed)?;
    if !personal && text.len() <= INLINE_PAYLOAD_BYTES && !may_refer(&text) {
        return Ok((text, Vec::new()));
    }
    let mut stored: Vec<Object> = serde_json::from_str(&text).map_err(failed)?;
    let mut payloads = Vec::new();
    for entry in &mut stored {
        for field in FIELDS {
            if let Some(value) = entry.get_mut(field)
                // `event_emitted` has its event's type there.
                && !(field == "event" && value.is_string())
            {
                payloads.extend(take_apart(value, personal));
            }
        }
    }
    Ok((serde_json::to_string(&stored).map_err(failed)?, payloads))
}

/// A single value as it is stored in a row.
pub(crate) fn encode_value(value: &Value, personal: bool) -> (String, Option<Payload>) {
    let text = value.to_string();
    match apart(value, text, personal) {
        Ok(payload) => (refer_to(&payload).to_string(), Some(payload)),
        Err(text) => (text, None),
    }
}

fn take_apart(value: &mut Value, personal: bool) -> Option<Payload> {
    let payload = apart(value, value.to_string(), personal).ok()?;
    *value = refer_to(&payload);
    Some(payload)
}

/// What stands in the place of a value that lies apart.
fn refer_to(payload: &Payload) -> Value {
    serde_json::json!({ REFERENCE: hex::encode(payload.digest) })
}

/// The value, by its text, if it is to lie apart; else the text again.
fn apart(value: &Value, text: String, personal: bool) -> Result<Payload, String> {
    let empty = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    };
    if empty || (!personal && text.len() <= INLINE_PAYLOAD_BYTES && reference(value).is_none()) {
        return Err(text);
    }
    Ok(Payload { digest: digest::hash(&[text.as_bytes()]), text })
}

/// Whether a stored text may hold a reference: cheap, and never wrongly false.
pub(crate) fn may_refer(text: &str) -> bool {
    text.contains(REFERENCE)
}

/// The digests that a stored text may refer to: now and then one too many, never one too few.
pub(crate) fn named(text: &str) -> impl Iterator<Item = [u8; 32]> {
    const BEFORE: &str = "{\"$payload\":\"";
    text.match_indices(BEFORE).filter_map(|(at, _)| {
        let mut digest = [0; 32];
        hex::decode_to_slice(text.get(at + BEFORE.len()..)?.get(..64)?, &mut digest).ok()?;
        Some(digest)
    })
}

/// The digest that a value of the reference form names.
fn reference(value: &Value) -> Option<&str> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get(REFERENCE)?.as_str()
}

/// Payloads of runs: what a reference stands for; `None` when it was erased.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<(RunId, [u8; 32]), Option<String>>);

impl Known {
    /// Loads every payload of these runs.
    pub(crate) async fn load<Q: Query>(db: &mut Q, runs: impl IntoIterator<Item = RunId>) -> Result<Self, StoreError> {
        let runs = Rows::of(runs);
        if runs.is_empty() {
            return Ok(Self::default());
        }
        let rows = db.fetch_all("SELECT p.run, p.digest, p.value FROM {$1: run uuid} AS r JOIN payloads p ON p.run = r.run", args![runs]).await?;
        let mut known = HashMap::with_capacity(rows.len());
        for row in &rows {
            known.insert((row.get("run")?, row.get("digest")?), row.get("value")?);
        }
        Ok(Self(known))
    }

    /// Loads these payloads besides: run and digest.
    pub(crate) async fn and_named<Q: Query>(mut self, db: &mut Q, named: Rows) -> Result<Self, StoreError> {
        if named.is_empty() {
            return Ok(self);
        }
        let sql = "SELECT p.run, p.digest, p.value FROM {$1: run uuid, digest bytes} AS r JOIN payloads p ON p.run = r.run AND p.digest = r.digest";
        for row in &db.fetch_all(sql, args![named]).await? {
            self.0.insert((row.get("run")?, row.get("digest")?), row.get("value")?);
        }
        Ok(self)
    }

    /// Puts back what a value refers to.
    pub(crate) fn restore(&self, run: RunId, value: &mut Value) -> Result<(), StoreError> {
        let Some(text) = reference(value) else { return Ok(()) };
        let missing = || corrupt(format!("run {run}"), format!("the payload {text} is missing"));
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| missing())?;
        *value = match self.0.get(&(run, digest)).ok_or_else(missing)? {
            Some(stored) => serde_json::from_str(stored).map_err(|error| corrupt(format!("payload {text} of run {run}"), error))?,
            None => serde_json::json!({ ERASED: text }),
        };
        Ok(())
    }

    /// Reads a transition that [`encode`] wrote.
    pub(crate) fn decode(&self, run: RunId, first_seq: u64, at: Timestamp, text: &str) -> Result<Vec<Entry>, StoreError> {
        let unreadable = |error: serde_json::Error| corrupt(format!("history of run {run} from entry {first_seq}"), error);
        if !may_refer(text) {
            return history::decode_chunk(first_seq, at, text).map_err(unreadable);
        }
        let mut stored: Vec<Object> = serde_json::from_str(text).map_err(unreadable)?;
        for entry in &mut stored {
            for field in FIELDS {
                if let Some(value) = entry.get_mut(field) {
                    self.restore(run, value)?;
                }
            }
        }
        let whole = serde_json::to_string(&stored).map_err(unreadable)?;
        history::decode_chunk(first_seq, at, &whole).map_err(unreadable)
    }
}

/// Erases the personal payloads of these runs, and the checkpoints that were made of them; how many payloads there were. Sequence,
/// kinds and decisions stay.
pub async fn erase(tx: &mut Tx, organisation: OrganisationId, runs: &[RunId]) -> Result<u64, DatabaseError> {
    crate::checkpoints::remove(tx, organisation, runs)?;
    tx.execute(
        "UPDATE payloads SET value = NULL WHERE organisation = $1 AND personal AND value IS NOT NULL AND run IN (SELECT run FROM {$2: run uuid} AS r)",
        args![organisation, Rows::of(runs)],
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use onward_core::history::Fact;
    use serde_json::json;

    fn completed(output: Value) -> Vec<Entry> {
        vec![Entry {
            seq: 7,
            at: Timestamp::from_millis(5),
            step: Some("a".into()),
            fact: Fact::StepCompleted { output: output.into(), truncated: false, undo: None },
        }]
    }

    fn read_back(text: &str, payloads: Vec<Payload>) -> Result<Vec<Entry>, StoreError> {
        let run = RunId(uuid::Uuid::nil());
        let known = Known(payloads.into_iter().map(|payload| ((run, payload.digest), Some(payload.text))).collect());
        known.decode(run, 7, Timestamp::from_millis(5), text)
    }

    #[test]
    fn small_values_stay_in_their_entry() {
        let entries = completed(json!({ "a": 1 }));
        let (text, payloads) = encode(&entries, false).unwrap();
        assert!(payloads.is_empty() && text.contains("\"a\":1"), "{text}");
        assert_eq!(read_back(&text, payloads).unwrap(), entries);
    }

    #[test]
    fn large_and_personal_values_lie_apart() {
        for (entries, personal) in [(completed(json!({ "a": "x".repeat(5_000) })), false), (completed(json!("secret")), true)] {
            let (text, payloads) = encode(&entries, personal).unwrap();
            assert!(!text.contains("xxx") && !text.contains("secret"), "{text}");
            assert_eq!(payloads.len(), 1);
            assert_eq!(named(&text).collect::<Vec<_>>(), [payloads[0].digest]);
            assert_eq!(read_back(&text, payloads).unwrap(), entries);
        }
    }

    #[test]
    fn what_looks_like_a_reference_is_not_taken_for_one() {
        for forged in [json!({ "$payload": "00" }), json!({ "$payload": hex::encode([0; 32]) }), json!({ "x": { "$payload": "1" } })] {
            let entries = completed(forged);
            let (text, payloads) = encode(&entries, false).unwrap();
            assert_eq!(read_back(&text, payloads).unwrap(), entries);
        }
    }

    #[test]
    fn the_type_of_an_emitted_event_is_structure() {
        let emitted = Fact::EventEmitted { event: "lead.won".into(), id: "1".into(), data: json!({ "name": "Asha" }) };
        let entries = vec![Entry { seq: 7, at: Timestamp::from_millis(5), step: None, fact: emitted }];
        let (text, payloads) = encode(&entries, true).unwrap();
        assert!(text.contains("lead.won") && !text.contains("Asha"), "{text}");
        assert_eq!(read_back(&text, payloads).unwrap(), entries);
    }

    #[test]
    fn what_is_no_digest_is_no_reference() {
        for text in ["", "{\"$payload\":\"", "{\"$payload\":\"00", "{\"$payload\":1}", &format!("{{\"$payload\":\"{}é", "0".repeat(63))] {
            assert_eq!(named(text).count(), 0, "{text}");
        }
    }

    #[test]
    fn a_missing_payload_is_named() {
        let (text, _) = encode(&completed(json!("x".repeat(5_000))), false).unwrap();
        assert!(matches!(read_back(&text, Vec::new()), Err(StoreError::Corrupt { .. })));
    }
}
