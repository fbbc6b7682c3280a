//! What a server does in quiet moments: forgets what has had its time, and gives room back to the disk.

use onward_accounts::organisations;
use onward_api::App;
use onward_core::ports::{self, Clock as _, Lane, WriteError};
use onward_database::{Database, DatabaseError, SystemClock, Tx};
use onward_records::tasks;
use onward_store::{forget_events, forget_rates, idempotency};

/// Milliseconds between two rounds: what is forgotten is days old, so that minutes do not count.
const ROUND_MS: i64 = 600_000;
/// Rows of each kind in one write: the low lane takes pieces of a few milliseconds (SEMANTICS.md 7).
const PIECE: usize = 500;

/// Overdue tasks in one write: each is an event that is routed in it.
const OVERDUE_PIECE: u32 = 50;

/// Why a round ended early; the next one goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum RoundError {
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A record function failed.
    #[error(transparent)]
    Records(#[from] onward_records::CrmError),
}

/// Milliseconds between two looks at what has fallen due: an overdue task is told of within this time.
const DUE_ROUND_MS: i64 = 15_000;

/// Looks for ever at what has fallen due.
pub(super) async fn watch_due(app: App) {
    let clock = SystemClock::new();
    loop {
        clock.sleep_until(clock.now().plus_millis(DUE_ROUND_MS)).await;
        if let Err(error) = tell_due(&app).await {
            tracing::warn!(%error, "overdue tasks were not told of; it is tried again soon");
        }
    }
}

/// Tells of every task that is overdue by now and was not told of; how many. Writes nothing where none is.
pub(super) async fn tell_due(app: &App) -> Result<usize, RoundError> {
    let mut told = 0;
    for organisation in organisations::list(&mut app.reader()).await? {
        let id = organisation.id;
        while tasks::any_newly_overdue(&mut app.reader(), id, app.now()).await? {
            let piece =
                ports::write(app.engine(), Lane::Low, move |tx: &mut Tx| Box::pin(async move { tasks::note_overdue(tx, id, OVERDUE_PIECE).await })).await??;
            told += piece;
            if piece == 0 {
                break;
            }
        }
    }
    Ok(told)
}

/// Milliseconds before repairs of many runs are looked at again when that failed.
const REPAIR_AGAIN_MS: i64 = 5_000;

/// Carries out repairs of many runs for ever, each run when it has its turn. While none is under way it only waits to be told.
pub(super) async fn repair_runs(app: App) {
    let clock = SystemClock::new();
    loop {
        let next = onward_api::sweep::repair_due(&app).await.unwrap_or_else(|problem| {
            tracing::warn!(problem = problem.detail(), "repairs of many runs wait; they are tried again soon");
            Some(clock.now().plus_millis(REPAIR_AGAIN_MS))
        });
        let begun = onward_api::sweep::repair_begins(&app);
        match next {
            None => begun.await,
            Some(next) => {
                tokio::select! {
                    () = begun => {}
                    () = clock.sleep_until(next) => {}
                }
            }
        }
    }
}

/// Goes round for ever.
pub(super) async fn go_round(app: App, database: Database) {
    let clock = SystemClock::new();
    loop {
        clock.sleep_until(clock.now().plus_millis(ROUND_MS)).await;
        if let Err(error) = round(&app, &database).await {
            tracing::warn!(%error, "house-keeping ended early; it is tried again later");
        }
    }
}

/// One round; how many rows went.
pub(super) async fn round(app: &App, database: &Database) -> Result<u64, RoundError> {
    let mut gone = 0;
    for organisation in organisations::list(&mut app.reader()).await? {
        let id = organisation.id;
        loop {
            let piece = ports::write(app.engine(), Lane::Low, move |tx: &mut Tx| Box::pin(async move { forget_events(tx, id, PIECE).await })).await??;
            gone += piece;
            if piece == 0 {
                break;
            }
        }
        gone += ports::write(app.engine(), Lane::Low, move |tx: &mut Tx| Box::pin(async move { idempotency::forget(tx, id).await })).await??;
        gone += ports::write(app.engine(), Lane::Low, move |tx: &mut Tx| Box::pin(async move { forget_rates(tx, id, PIECE).await })).await??;
    }
    database.tidy().await?;
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::{self, LeapingClock, Settings};
    use onward_accounts::Actor;
    use onward_core::{NewEvent, Value, limits};
    use onward_records::tasks::NewTask;
    use std::sync::Arc;

    #[tokio::test(flavor = "multi_thread")]
    async fn identities_are_forgotten_after_their_time_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(LeapingClock::default());
        let database = format!("sqlite://{}", folder.path().join("onward.db").display());
        let rooms = wiring::open(&Settings { clock: Some(Arc::clone(&clock)), ..Settings::for_commands(&database) }).await.unwrap();
        let organisation = organisations::list(&mut rooms.app().reader()).await.unwrap()[0].id;
        let event = || NewEvent::new(organisation, "a.b", "test", Value::Null).with_id("1");
        assert!(!rooms.app().engine().ingest(vec![event()]).await.unwrap()[0].duplicate);
        assert_eq!(round(rooms.app(), rooms.database()).await.unwrap(), 0);
        assert!(rooms.app().engine().ingest(vec![event()]).await.unwrap()[0].duplicate);
        clock.leap_to(clock.now().plus_millis((limits::DEDUPE_DAYS + 1) * 86_400_000));
        assert!(round(rooms.app(), rooms.database()).await.unwrap() >= 1);
        assert!(!rooms.app().engine().ingest(vec![event()]).await.unwrap()[0].duplicate);
        rooms.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_overdue_task_starts_the_workflow_that_waits_for_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(LeapingClock::default());
        let database = format!("sqlite://{}", folder.path().join("onward.db").display());
        let rooms = wiring::open(&Settings { clock: Some(Arc::clone(&clock)), ..Settings::for_commands(&database) }).await.unwrap();
        let organisation = organisations::list(&mut rooms.app().reader()).await.unwrap()[0].id;
        let source = "name: chase\non:\n  - event: task.overdue\nkey: \"{{ event.data.task_id }}\"\nsteps:\n  - do: crm.task.complete\n    with: { task: \"{{ event.data.task_id }}\" }\n";
        rooms.app().engine().publish(organisation, Some("chase"), source).await.unwrap();
        let due_at = Some(clock.now().plus_millis(3_600_000));
        let made = ports::write(rooms.app().engine(), Lane::Normal, move |tx: &mut Tx| {
            Box::pin(async move { tasks::create(tx, organisation, &Actor::System, NewTask { title: "Call".into(), due_at, ..NewTask::default() }).await })
        });
        let id = made.await.unwrap().unwrap().id;
        assert_eq!(tell_due(rooms.app()).await.unwrap(), 0);
        clock.leap_to(clock.now().plus_millis(3_600_000));
        let mut changes = rooms.app().engine().subscribe();
        assert_eq!(tell_due(rooms.app()).await.unwrap(), 1);
        assert_eq!(tell_due(rooms.app()).await.unwrap(), 0);
        while changes.recv().await.unwrap().data["event"] != "task.completed" {}
        assert!(tasks::get(&mut rooms.app().reader(), organisation, id).await.unwrap().unwrap().done);
        rooms.close().await;
    }
}
