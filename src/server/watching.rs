//! What a server watches: tasks that fall due.

use onward_accounts::organisations;
use onward_api::App;
use onward_core::{
    OrganisationId, Timestamp,
    ports::{self, Change, Clock as _, Lane, WriteError},
};
use onward_database::{DatabaseError, SystemClock, Tx};
use onward_records::tasks;
use std::collections::BTreeMap;
use tokio::sync::broadcast::error::RecvError;

/// Milliseconds after which all is read anew.
const ANEW_MS: i64 = 600_000;

/// Overdue tasks in one write: each is an event that is routed in it.
const OVERDUE_PIECE: u32 = 50;

/// Why it could not be told; it is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum DueError {
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

/// Milliseconds before what falls due is looked for again when that failed.
const DUE_AGAIN_MS: i64 = 5_000;

/// Waits for ever for what falls due: for the next due time of every organisation, and for changes of tasks, which may bring a
/// sooner one.
pub(super) async fn watch_due(app: App) {
    let clock = SystemClock::new();
    loop {
        match until_changes_are_missed(&app, &clock).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "overdue tasks were not told of; it is tried again soon");
                clock.sleep_until(clock.now().plus_millis(DUE_AGAIN_MS)).await;
            }
        }
    }
}

/// Watches until everything must be read anew; `false`: the engine has ended. All is read anew now and then, too: whatever a
/// clock that was set or another process did is found then.
async fn until_changes_are_missed(app: &App, clock: &SystemClock) -> Result<bool, DueError> {
    let mut changes = app.engine().subscribe();
    let mut due = BTreeMap::new();
    for organisation in organisations::list(&mut app.reader()).await? {
        look_ahead(app, organisation.id, &mut due).await?;
    }
    let anew = clock.now().plus_millis(ANEW_MS);
    loop {
        let next = due.values().min().copied().map_or(anew, |next| anew.min(next));
        tokio::select! {
            change = changes.recv() => match change {
                Ok(change) if change.topic == "task" => look_ahead(app, change.organisation, &mut due).await?,
                Ok(change) if change.topic == Change::RESYNC => return Ok(true),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Ok(true),
                Err(RecvError::Closed) => return Ok(false),
            },
            () = clock.sleep_until(next) => {
                if clock.now() >= anew {
                    return Ok(true);
                }
                let now = app.now();
                let fallen: Vec<OrganisationId> = due.iter().filter(|(_, at)| **at <= now).map(|(organisation, _)| *organisation).collect();
                for organisation in fallen {
                    tell_due(app, organisation).await?;
                    look_ahead(app, organisation, &mut due).await?;
                }
            }
        }
    }
}

/// Asks when the next task of an organisation falls due.
async fn look_ahead(app: &App, organisation: OrganisationId, due: &mut BTreeMap<OrganisationId, Timestamp>) -> Result<(), DueError> {
    match tasks::next_due(&mut app.reader(), organisation).await? {
        Some(at) => due.insert(organisation, at),
        None => due.remove(&organisation),
    };
    Ok(())
}

/// Tells of every task of an organisation that is overdue by now and was not told of; how many.
async fn tell_due(app: &App, organisation: OrganisationId) -> Result<usize, DueError> {
    let mut told = 0;
    loop {
        let piece =
            ports::write(app.engine(), Lane::Low, move |tx: &mut Tx| Box::pin(async move { tasks::note_overdue(tx, organisation, OVERDUE_PIECE).await }))
                .await??;
        told += piece;
        if piece < OVERDUE_PIECE as usize {
            return Ok(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wiring::{self, LeapingClock, Settings};
    use onward_accounts::Actor;
    use onward_records::tasks::NewTask;
    use std::sync::Arc;

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
        assert_eq!(tell_due(rooms.app(), organisation).await.unwrap(), 0);
        clock.leap_to(clock.now().plus_millis(3_600_000));
        let mut changes = rooms.app().engine().subscribe();
        assert_eq!(tell_due(rooms.app(), organisation).await.unwrap(), 1);
        assert_eq!(tell_due(rooms.app(), organisation).await.unwrap(), 0);
        while changes.recv().await.unwrap().data["event"] != "task.completed" {}
        assert!(tasks::get(&mut rooms.app().reader(), organisation, id).await.unwrap().unwrap().done);
        rooms.close().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_is_told_of_when_it_falls_due_whenever_it_was_made() {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", folder.path().join("onward.db").display());
        let rooms = wiring::open(&Settings::for_commands(&database)).await.unwrap();
        let app = rooms.app().clone();
        let organisation = organisations::list(&mut app.reader()).await.unwrap()[0].id;
        let mut changes = app.engine().subscribe();
        let create = async |after_ms: i64| {
            let due_at = Some(app.now().plus_millis(after_ms));
            let made = ports::write(app.engine(), Lane::Normal, move |tx: &mut Tx| {
                Box::pin(async move { tasks::create(tx, organisation, &Actor::System, NewTask { title: "Call".into(), due_at, ..NewTask::default() }).await })
            });
            made.await.unwrap().unwrap().id.to_string()
        };
        let (before, later) = (create(10).await, create(86_400_000).await);
        let watching = tokio::spawn(watch_due(app.clone()));
        let mut told = async || loop {
            let change = changes.recv().await.unwrap();
            if change.data["event"] == "task.overdue" {
                return change.id;
            }
        };
        assert_eq!(told().await, before, "one that was there");
        let sooner = create(20).await;
        assert_eq!(told().await, sooner, "one that comes while a later one is waited for");
        assert!(tasks::get(&mut app.reader(), organisation, later.parse().unwrap()).await.unwrap().unwrap().overdue_at.is_none());
        rooms.close().await;
        watching.abort();
    }
}
