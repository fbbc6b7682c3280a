//! `Idempotency-Key` on POST (SEMANTICS.md 34): kept 24 h per organisation, caller and route with the request's hash and the
//! answer, written in the effect's transaction. The same key with another body is 422, one that is still running 409.

use crate::{Answer, App, Caller, Problem};
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use onward_core::{
    OrganisationId, Value, digest,
    ports::{self, BoxFuture, WriteError},
};
use onward_database::Tx;
use onward_runtime::{After, EngineError, Guard};
use onward_store::idempotency::{self as table, Claim, RequestKey};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// The header's name.
pub(crate) const HEADER: &str = "idempotency-key";
/// Characters of a key.
const LONGEST: usize = 255;

/// Keys whose requests are under way in this process.
pub(crate) type RunningKeys = Arc<Mutex<HashSet<Place>>>;

/// Where a key belongs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    organisation: OrganisationId,
    caller: String,
    route: String,
    key: String,
}

/// What the request says of repeating it.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    key: Option<String>,
    route: String,
}

impl FromRequestParts<App> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let route = format!("{} {}", parts.method, parts.uri.path());
        let Some(value) = parts.headers.get(HEADER) else { return Ok(Self { key: None, route }) };
        let key = value.to_str().ok().map(str::trim).filter(|key| (1..=LONGEST).contains(&key.len()));
        match key {
            Some(key) => Ok(Self { key: Some(key.to_owned()), route }),
            None => Err(Problem::bad_request("bad_header", format!("Idempotency-Key has 1 to {LONGEST} visible ASCII characters"))),
        }
    }
}

impl Once {
    /// The key for this caller and these bytes; marks it as running until it is dropped.
    pub(crate) fn bind(self, app: &App, caller: &Caller, bytes: &[u8]) -> Result<Option<BoundKey>, Problem> {
        let Some(key) = self.key else { return Ok(None) };
        let place = Place { organisation: caller.organisation, caller: caller.key_space(), route: self.route, key };
        let running = Arc::clone(&app.running_keys);
        if !running.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone()) {
            return Err(still_running());
        }
        Ok(Some(BoundKey { place, hash: digest::hash(&[bytes]), running }))
    }
}

/// A key that this request runs under.
#[derive(Debug)]
pub(crate) struct BoundKey {
    place: Place,
    hash: [u8; 32],
    running: RunningKeys,
}

impl Drop for BoundKey {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

impl BoundKey {
    /// The answer that an earlier request was given; `None`: this one is the first, and [`BoundKey::keep`] is to be called in
    /// the same transaction.
    pub(crate) async fn kept(&self, tx: &mut Tx) -> Result<Option<Answer>, Problem> {
        kept(table::find(tx, &self.request(), self.hash).await?)
    }
    /// Keeps the answer, in the transaction of the effect. An effect that refused keeps none: it may be tried again.
    pub(crate) async fn keep(&self, tx: &mut Tx, answer: &Answer) -> Result<(), Problem> {
        keep(tx, &self.request(), self.hash, answer).await
    }
    /// The same around an effect of the engine. `render` makes the answer of what the engine gives.
    pub(crate) fn guard(self, render: impl Fn(&Value) -> Answer + Send + Sync + 'static) -> (Guard<Tx>, Kept) {
        self.guard_noting(render, None)
    }
    /// As [`BoundKey::guard`]; the note is taken in the same transaction.
    pub(crate) fn guard_noting(self, render: impl Fn(&Value) -> Answer + Send + Sync + 'static, note: Option<Note>) -> (Guard<Tx>, Kept) {
        let slot: Slot = Arc::default();
        let (request, hash, filled) = (Arc::new(self.request()), self.hash, Arc::clone(&slot));
        let asked = Arc::clone(&request);
        let before: ports::Body<Tx> = Box::new(move |tx| {
            let (request, slot) = (Arc::clone(&asked), Arc::clone(&filled));
            Box::pin(async move {
                let found = kept(table::find(tx, &request, hash).await?).transpose();
                let is_first = found.is_none();
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = found;
                if is_first { Ok(()) } else { Err(WriteError::Refused) }
            })
        });
        let after: After<Tx> = Box::new(move |tx, given| {
            let (request, answer, note) = (Arc::clone(&request), render(given), note.clone());
            Box::pin(async move {
                if let Some(note) = note {
                    note(tx, given).await?;
                }
                keep(tx, &request, hash, &answer).await.map_err(|problem| WriteError::Database(problem.detail().to_owned()))
            })
        });
        (Guard { before, after }, Kept { slot, _running: self })
    }

    fn request(&self) -> RequestKey {
        let Place { organisation, caller, route, key } = self.place.clone();
        RequestKey { organisation, token: caller, route, key }
    }
}

/// What is noted of an effect of the engine, in its transaction: given what the engine gives.
pub(crate) type Note = Arc<dyn for<'t> Fn(&'t mut Tx, &'t Value) -> BoxFuture<'t, Result<(), WriteError>> + Send + Sync>;

/// Only the note, for a request without a key.
pub(crate) fn noting(note: Note) -> Guard<Tx> {
    let before: ports::Body<Tx> = Box::new(|_| Box::pin(async { Ok(()) }));
    let after: After<Tx> = Box::new(move |tx, given| note(tx, given));
    Guard { before, after }
}

/// The earlier answer, when there is one.
fn kept(known: Claim) -> Result<Option<Answer>, Problem> {
    match known {
        Claim::New => Ok(None),
        Claim::Done { response, .. } => {
            let answer: Answer = serde_json::from_value(response).map_err(Problem::internal)?;
            Ok(Some(answer.replayed()))
        }
        Claim::OtherRequest => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key came with another body before; use a new key for a new request",
        )),
        Claim::Running => Err(still_running()),
    }
}

async fn keep(tx: &mut Tx, request: &RequestKey, hash: [u8; 32], answer: &Answer) -> Result<(), Problem> {
    // Another node may have been faster: then its answer is the one, and this effect is undone.
    if table::claim(tx, request, hash).await? != Claim::New {
        return Err(still_running());
    }
    let response = serde_json::to_value(answer).map_err(Problem::internal)?;
    Ok(table::complete(tx, request, answer.status(), &response).await?)
}

fn still_running() -> Problem {
    Problem::conflict("still_running", "a request with this Idempotency-Key is still running; wait for its end").retry_after(1_000)
}

type Slot = Arc<Mutex<Option<Result<Answer, Problem>>>>;

/// What a guard found, once the engine has answered.
#[derive(Debug)]
pub(crate) struct Kept {
    slot: Slot,
    _running: BoundKey,
}

impl Kept {
    /// The earlier answer or refusal when there was one, else what the engine gave.
    pub(crate) fn answer(self, done: Result<Answer, EngineError>) -> Result<Answer, Problem> {
        match done {
            Ok(answer) => Ok(answer),
            Err(error) => self.slot.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| Err(error.into())),
        }
    }
}
