//! What the passes of a loop over a long list gave: what `results_ref` in the loop's output points to.
//!
//! They are read from the run's history, all at once; whoever wants one page wants the next ones, too, so that a list stays at hand
//! for a while. What stands in a history does not change, but for what is erased: a list that was read before that is read again.

use super::runs::{ENTRIES, stored};
use crate::{
    Answer, App, Caller, Problem,
    request::{Cursor, Id, Params, page},
    shapes,
};
use axum::extract::State;
use onward_accounts::Action;
use onward_core::{OrganisationId, RunId, Value, machine};
use onward_store::queries;
use serde::Deserialize;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_results))
}

/// Lists at hand at once: those that a few people page through.
const LISTS: usize = 8;
/// Bytes of all lists at hand, as JSON: a list of 100,000 results of the usual size is some ten megabytes.
const BYTES: usize = 64 << 20;

/// Which list: whose, of which run and step, and how much of the run had been erased when it was read.
type Key = (OrganisationId, RunId, String, u64);

struct List {
    key: Key,
    items: Arc<Vec<Value>>,
    bytes: usize,
}

/// The lists at hand, those that were wanted last at the end.
#[derive(Default)]
pub(crate) struct Lists(Mutex<VecDeque<List>>);

impl Lists {
    fn get(&self, key: &Key) -> Option<Arc<Vec<Value>>> {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = lists.iter().position(|list| list.key == *key)?;
        let list = lists.remove(place)?;
        let items = Arc::clone(&list.items);
        lists.push_back(list);
        Some(items)
    }

    /// Keeps a list; those that were wanted longest ago, and those of the same run that say what has been erased since, go.
    fn put(&self, key: Key, items: &Arc<Vec<Value>>, bytes: usize) {
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.retain(|list| (list.key.0, list.key.1) != (key.0, key.1) || (list.key.3 == key.3 && list.key.2 != key.2));
        if bytes > BYTES {
            return;
        }
        lists.push_back(List { key, items: Arc::clone(items), bytes });
        while lists.len() > LISTS || lists.iter().map(|list| list.bytes).sum::<usize>() > BYTES {
            lists.pop_front();
        }
    }
}

/// Which results.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Results {
    /// The `for_each` step: its path, as in the history.
    step: String,
    /// Items of a page, 1 to 100; without it up to 1,000.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Gives what each pass of a `for_each` over a long list gave, in the order of the list: what `results_ref` in its output points to.
#[utoipa::path(get, path = "/runs/{id}/results", tag = "Runs", params(("id" = String, Path, format = "uuid"), Results), responses((status = 200, body = shapes::Page<Value>)))]
async fn get_results(State(app): State<App>, caller: Caller, Id(id): Id<RunId>, Params(wanted): Params<Results>) -> Result<Answer, Problem> {
    caller.may(Action::ReadEngine)?;
    let limit = match wanted.limit {
        None => ENTRIES,
        given => page::bounded(given)?,
    } as usize;
    let broken = || Problem::bad_request("bad_cursor", "this cursor is broken; take `next_cursor` of the page before");
    let after: usize = match &wanted.cursor {
        None => 0,
        Some(text) => Cursor::read("results", text)?.parse().map_err(|_| broken())?,
    };
    let erased = queries::erased_payloads(&mut app.reader(), caller.organisation, id).await?;
    let key = (caller.organisation, id, wanted.step, erased);
    let results = match app.loop_results.get(&key) {
        Some(results) => results,
        None => read(&app, key).await?,
    };
    let end = after.saturating_add(limit).min(results.len());
    let next = (end < results.len()).then(|| Cursor::after("results", end.to_string()));
    Ok(Answer::ok(page::envelope(results.get(after..end).unwrap_or_default().to_vec(), next)))
}

/// Reads a list from its run's history.
async fn read(app: &App, key: Key) -> Result<Arc<Vec<Value>>, Problem> {
    let (organisation, id, step, erased) = &key;
    let (id, wanted) = (*id, step.clone());
    let run = stored(app, *organisation, id).await?;
    let workflow = app.engine().definition(*organisation, &run.row.workflow, run.row.version).await?;
    // A long history takes a while; requests are not to wait for it.
    let folded = tokio::task::spawn_blocking(move || {
        let results = machine::loop_results(&workflow, id, &run.entries, &wanted)?;
        Ok::<_, machine::FoldError>(results.map(|results| (results.iter().map(|result| result.to_string().len()).sum(), results)))
    });
    let folded = match folded.await.map_err(Problem::internal)? {
        Ok(folded) => folded,
        // The list itself was erased, and nobody knows any more how long it was.
        Err(_) if *erased > 0 => return Err(Problem::not_found("results", format!("of step {step}: what they were made of has been erased"))),
        Err(error) => return Err(Problem::internal(error)),
    };
    let (bytes, results) = folded.ok_or_else(|| Problem::not_found("results", format!("of step {step}: no loop over a list has ended there")))?;
    let results = Arc::new(results);
    app.loop_results.put(key, &results, bytes);
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn key(organisation: u128, run: u128, step: &str, erased: u64) -> Key {
        (OrganisationId(Uuid::from_u128(organisation)), RunId(Uuid::from_u128(run)), step.to_owned(), erased)
    }

    #[test]
    fn lists_are_few_and_small() {
        let lists = Lists::default();
        let items = Arc::new(vec![Value::from(1)]);
        for run in 0..=LISTS as u128 {
            lists.put(key(1, run, "each", 0), &items, 1);
            assert!(lists.get(&key(1, 0, "each", 0)).is_some(), "who asks keeps it");
        }
        assert!(lists.get(&key(1, 1, "each", 0)).is_none(), "the one that nobody asked for is gone");
        lists.put(key(1, 99, "each", 0), &items, BYTES - 2);
        assert!(lists.get(&key(1, 99, "each", 0)).is_some() && lists.0.lock().unwrap().len() <= 3);
        lists.put(key(1, 100, "each", 0), &items, BYTES + 1);
        assert!(lists.get(&key(1, 100, "each", 0)).is_none());
    }

    #[test]
    fn what_was_erased_is_read_anew_and_nobody_gets_anothers() {
        let lists = Lists::default();
        let items = Arc::new(vec![Value::from(1)]);
        lists.put(key(1, 1, "a", 0), &items, 1);
        lists.put(key(1, 1, "b", 0), &items, 1);
        assert!(lists.get(&key(1, 1, "a", 0)).is_some());
        for other in [key(2, 1, "a", 0), key(1, 2, "a", 0), key(1, 1, "c", 0), key(1, 1, "a", 1)] {
            assert!(lists.get(&other).is_none(), "{other:?}");
        }
        lists.put(key(1, 1, "a", 1), &items, 1);
        assert_eq!(lists.0.lock().unwrap().len(), 1, "nothing is kept of what it was before");
    }
}
