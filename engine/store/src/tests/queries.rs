use super::{ORG, OTHER, at, commit, row, run_id, store, write};
use crate::{
    drafts,
    queries::{self, Backlog, EventFilter, RunFilter, StepStats},
};
use onward_core::{
    NewEvent, NodeId, RunId, Shard,
    history::Fact,
    machine::LimitKey,
    ports::{HeldQueue, HeldStart, Inserted, RoutingNote, RunRow, RunStatus, Store as _},
};
use onward_testkit::HistoryBuilder;
use serde_json::json;

#[tokio::test]
async fn runs_are_listed_newest_first_by_every_filter() {
    let (store, mut reader) = store().await;
    let of = |number, workflow: &str, status, key: &str, contact: Option<&str>| RunRow {
        workflow: workflow.into(),
        key: key.into(),
        contact: contact.map(Into::into),
        ..row(number, status)
    };
    let rows = [
        of(1, "a", RunStatus::Failed, "k", None),
        of(2, "b", RunStatus::Running, "k", Some("c")),
        of(3, "a", RunStatus::Failed, "j", Some("c")),
        of(4, "a", RunStatus::Completed, "k", Some("d")),
        of(5, "b", RunStatus::Failed, "j", None),
        RunRow { organisation: OTHER, ..of(6, "a", RunStatus::Failed, "k", Some("c")) },
    ];
    let writes: Vec<_> = rows.iter().map(|row| write(row, Vec::new())).collect();
    commit(&store, async |tx| store.write_runs(tx, &writes).await.unwrap()).await;
    let list = async |filter: RunFilter, limit, before: Option<u128>| {
        let runs = queries::list_runs(&mut reader.clone(), ORG, &filter, limit, before.map(run_id)).await.unwrap();
        runs.into_iter().map(|run| run.id).collect::<Vec<RunId>>()
    };
    let ids = |numbers: &[u128]| numbers.iter().copied().map(run_id).collect::<Vec<_>>();
    let some = |text: &str| Some(text.to_owned());
    let all = RunFilter::default;
    assert_eq!(list(all(), 99, None).await, ids(&[5, 4, 3, 2, 1]));
    assert_eq!(list(all(), 2, Some(4)).await, ids(&[3, 2]));
    assert_eq!(list(RunFilter { workflow: some("a"), ..all() }, 99, None).await, ids(&[4, 3, 1]));
    assert_eq!(list(RunFilter { key: some("k"), ..all() }, 99, None).await, ids(&[4, 2, 1]));
    assert_eq!(list(RunFilter { contact: some("c"), ..all() }, 99, None).await, ids(&[3, 2]));
    assert_eq!(list(RunFilter { status: Some(RunStatus::Failed), ..all() }, 99, Some(5)).await, ids(&[3, 1]));
    assert_eq!(list(RunFilter { status: Some(RunStatus::Running), ..all() }, 99, None).await, ids(&[2]));
    let narrow = RunFilter { workflow: some("a"), status: Some(RunStatus::Failed), key: some("j"), contact: some("c") };
    assert_eq!(list(narrow, 99, None).await, ids(&[3]));
    assert_eq!(queries::run(&mut reader, ORG, run_id(3)).await.unwrap(), Some(rows[2].clone()));
    assert_eq!(queries::run(&mut reader, ORG, run_id(6)).await.unwrap(), None);
    assert!(queries::stored_run(&mut reader, ORG, run_id(6)).await.unwrap().is_none());
    assert_eq!(
        queries::status_counts(&mut reader, ORG, "a", 99).await.unwrap().into_iter().collect::<Vec<_>>(),
        [(RunStatus::Completed, 1), (RunStatus::Failed, 2)]
    );
    assert_eq!(queries::status_counts(&mut reader, ORG, "b", 99).await.unwrap()[&RunStatus::Running], 1);
    assert_eq!(queries::status_counts(&mut reader, ORG, "a", 1).await.unwrap().into_iter().collect::<Vec<_>>(), [(RunStatus::Completed, 1)], "the newest");
}

#[tokio::test]
async fn history_comes_in_pages_whatever_the_rows() {
    let (store, reader) = store().await;
    let run = row(1, RunStatus::Running);
    let mut history = HistoryBuilder::started("welcome", json!({}));
    for step in 0..10 {
        history = history.step(&format!("s{step}"), "debug.echo", json!(step), json!("x".repeat(if step == 4 { 9_000 } else { 1 })));
    }
    let entries = history.build();
    // Rows of 1, 4, 4 … entries.
    let chunks = std::iter::once(&entries[..1]).chain(entries[1..].chunks(4));
    let writes: Vec<_> = chunks.map(|chunk| write(&run, chunk.to_vec())).collect();
    commit(&store, async |tx| store.write_runs(tx, &writes).await.unwrap()).await;
    for limit in [1, 3, 4, 50] {
        let mut read = Vec::new();
        loop {
            let after = read.last().map_or(0, |entry: &onward_core::history::Entry| entry.seq);
            let page = queries::history_page(&mut reader.clone(), ORG, run.id, after, limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, entries, "limit {limit}");
    }
    assert_eq!(queries::history_page(&mut reader.clone(), OTHER, run.id, 0, 9).await.unwrap(), []);
    assert_eq!(queries::history_page(&mut reader.clone(), ORG, run.id, u64::MAX, 9).await.unwrap(), []);
}

#[tokio::test]
async fn events_are_listed_with_what_became_of_them() {
    let (store, reader) = store().await;
    let event = |kind: &str, source: &str| (NewEvent::new(ORG, kind, source, json!({ "n": 1 })), Vec::new());
    let mut theirs = event("a", "s");
    theirs.0.organisation = OTHER;
    let batch = vec![event("a", "s"), event("b", "s"), event("a", "t"), theirs];
    let inserted = commit(&store, async |tx| store.insert_events(tx, batch).await.unwrap()).await;
    let ids: Vec<_> = inserted.iter().map(|inserted| if let Inserted::Stored(event) = inserted { event.event_id } else { unreachable!() }).collect();
    let note = RoutingNote::Started { run_id: run_id(1), workflow: "w".into() };
    let error = RoutingNote::TriggerError { workflow: "v".into(), trigger: 0, message: "no key".into() };
    commit(&store, async |tx| store.note_routing(tx, &[(ORG, ids[0], note.clone()), (ORG, ids[0], error.clone())]).await.unwrap()).await;
    let list = async |kind: Option<&str>, source: Option<&str>, limit, before| {
        let filter = EventFilter { kind: kind.map(Into::into), source: source.map(Into::into) };
        let events = queries::list_events(&mut reader.clone(), ORG, &filter, limit, before).await.unwrap();
        events.into_iter().map(|noted| noted.event.event_id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, 99, None).await, [ids[2], ids[1], ids[0]]);
    assert_eq!(list(Some("a"), None, 99, None).await, [ids[2], ids[0]]);
    assert_eq!(list(Some("a"), Some("t"), 99, None).await, [ids[2]]);
    assert_eq!(list(None, Some("s"), 1, Some(ids[2])).await, [ids[1]]);
    let noted = queries::event(&mut reader.clone(), ORG, ids[0]).await.unwrap().unwrap();
    assert_eq!(noted.notes, [note, error]);
    assert_eq!(noted.event.body.data, json!({ "n": 1 }));
    assert!(queries::event(&mut reader.clone(), ORG, ids[3]).await.unwrap().is_none());
}

#[tokio::test]
async fn workflows_show_versions_drafts_and_runs() {
    let (store, mut reader) = store().await;
    commit(&store, async |tx| {
        store.publish(tx, ORG, "welcome", "one", "1", 1).await.unwrap();
        store.publish(tx, ORG, "welcome", "two", "2", 1).await.unwrap();
        store.publish(tx, OTHER, "theirs", "one", "1", 1).await.unwrap();
        drafts::put(tx, ORG, "fresh", "draft", Some("asha")).await.unwrap();
        drafts::put(tx, ORG, "fresh", "draft 2", None).await.unwrap();
        let runs = [write(&row(1, RunStatus::Waiting), Vec::new()), write(&row(2, RunStatus::Completed), Vec::new())];
        store.write_runs(tx, &runs).await.unwrap();
    })
    .await;
    let list = queries::list_workflows(&mut reader, ORG, 99, None).await.unwrap();
    let short: Vec<_> = list.iter().map(|w| (&*w.name, w.current_version, w.published_at, w.draft_updated_at, w.live_runs)).collect();
    assert_eq!(short, [("fresh", None, None, Some(at(0)), 0), ("welcome", Some(2), Some(at(0)), None, 1)]);
    assert_eq!(queries::list_workflows(&mut reader, ORG, 1, Some("fresh")).await.unwrap(), list[1..]);
    assert_eq!(queries::workflow(&mut reader, ORG, "welcome").await.unwrap().as_ref(), list.get(1));
    assert_eq!(queries::workflow(&mut reader, ORG, "theirs").await.unwrap(), None);
    let versions = queries::list_versions(&mut reader, ORG, "welcome", 99, None).await.unwrap();
    assert_eq!(versions.iter().map(|version| (version.version, version.current)).collect::<Vec<_>>(), [(2, true), (1, false)]);
    assert_eq!(queries::list_versions(&mut reader, ORG, "welcome", 99, Some(2)).await.unwrap(), versions[1..]);
    assert_eq!(queries::latest_version(&mut reader, ORG, "welcome").await.unwrap().as_ref(), versions.first());
    let draft = drafts::get(&mut reader, ORG, "fresh").await.unwrap().unwrap();
    assert_eq!((&*draft.source, draft.updated_by), ("draft 2", None));
    commit(&store, async |tx| {
        assert!(drafts::delete(tx, ORG, "fresh").await.unwrap());
        assert!(!drafts::delete(tx, ORG, "welcome").await.unwrap());
        assert!(!drafts::delete(tx, OTHER, "fresh").await.unwrap());
    })
    .await;
    assert_eq!(queries::list_workflows(&mut reader, ORG, 99, None).await.unwrap(), list[1..]);
}

#[tokio::test]
async fn steps_are_counted_over_the_newest_runs() {
    let (store, mut reader) = store().await;
    let done =
        HistoryBuilder::started("welcome", json!({})).step("a", "n", json!({}), json!({})).step("loop#1", "n", json!({}), json!({})).completed(json!(null));
    let waiting = HistoryBuilder::started("welcome", json!({})).step("a", "n", json!({}), json!({})).scheduled("loop#2", "n", json!({}));
    let error = onward_core::StepError::new(onward_core::ErrorCode::Timeout, "late");
    let failed = HistoryBuilder::started("welcome", json!({}))
        .scheduled("a", "n", json!({}))
        .fact(Some("a"), Fact::StepFailed { error: error.clone(), continued: false })
        .fact(None, Fact::RunFailed { error });
    let writes: Vec<_> = (1..).zip([done, waiting, failed]).map(|(number, history)| write(&row(number, RunStatus::Running), history.build())).collect();
    commit(&store, async |tx| store.write_runs(tx, &writes).await.unwrap()).await;
    let stats = queries::step_stats(&mut reader, ORG, "welcome", 99).await.unwrap();
    assert_eq!(stats["a"], StepStats { entered: 3, waiting: 0, left: 2, failed: 1 });
    assert_eq!(stats["loop"], StepStats { entered: 2, waiting: 1, left: 1, failed: 0 });
    assert_eq!(queries::step_stats(&mut reader, ORG, "welcome", 1).await.unwrap()["a"], StepStats { entered: 1, waiting: 0, left: 0, failed: 1 });
    assert!(queries::step_stats(&mut reader, OTHER, "welcome", 99).await.unwrap().is_empty());
}

#[tokio::test]
async fn failures_are_counted_by_step_since_a_moment_and_no_further_than_asked() {
    let (store, mut reader) = store().await;
    let failed = |number, step: &str, ended: i64| {
        let error = onward_core::StepError { step: Some(step.into()), ..onward_core::StepError::new(onward_core::ErrorCode::Timeout, "late") };
        RunRow { error: Some(error), ended_at: Some(at(ended)), ..row(number, RunStatus::Failed) }
    };
    let rows = [
        failed(1, "a", 5),
        failed(2, "a", 20),
        failed(3, "loop#2", 30),
        failed(4, "loop#7", 40),
        RunRow { workflow: "other".into(), ..failed(5, "a", 50) },
        RunRow { organisation: OTHER, ..failed(6, "a", 50) },
        RunRow { ended_at: Some(at(50)), ..row(7, RunStatus::Completed) },
    ];
    let writes: Vec<_> = rows.iter().map(|row| write(row, Vec::new())).collect();
    commit(&store, async |tx| store.write_runs(tx, &writes).await.unwrap()).await;
    let counted = async |since, most| {
        let counts = queries::failed_since(&mut reader.clone(), ORG, "welcome", at(since), most).await.unwrap();
        counts.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(counted(0, 99).await, [("a".into(), 2), ("loop".into(), 2)]);
    assert_eq!(counted(6, 99).await, [("a".into(), 1), ("loop".into(), 2)]);
    assert_eq!(counted(0, 1).await, [("loop".into(), 1)], "the latest");
    assert_eq!(queries::failed_since(&mut reader, ORG, "nothing", at(0), 99).await.unwrap().len(), 0);
}

#[tokio::test]
async fn runs_that_wait_for_long_are_counted_where_they_stand() {
    let (store, mut reader) = store().await;
    let waits = |number, step: &str| RunRow { waiting_on: json!({ "kind": "event", "step": step }), ..row(number, RunStatus::Waiting) };
    let both = RunRow { waiting_on: json!({ "kind": "event", "step": "a", "also": [{ "kind": "timer", "step": "pause#1" }] }), ..row(2, RunStatus::Waiting) };
    let rows = [waits(1, "a"), both, row(3, RunStatus::Completed), row(4, RunStatus::Running), waits(5, "a"), RunRow { organisation: OTHER, ..waits(6, "a") }];
    let writes: Vec<_> = rows.iter().map(|row| write(row, Vec::new())).collect();
    commit(&store, async |tx| store.write_runs(tx, &writes).await.unwrap()).await;
    let counted = async |newest, most| {
        let counts = queries::waiting_longer(&mut reader.clone(), ORG, "welcome", newest, most).await.unwrap();
        counts.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(counted(1, 99).await, [("a".into(), 2), ("pause".into(), 1)], "the newest is counted elsewhere");
    assert_eq!(counted(1, 1).await.len(), 1);
    assert_eq!(counted(99, 99).await, []);
    assert_eq!(queries::waiting_longer(&mut reader, OTHER, "welcome", 1, 99).await.unwrap().len(), 0);
}

#[tokio::test]
async fn choices_of_variants_are_found_with_who_was_given_them() {
    let (store, mut reader) = store().await;
    let chosen = |step: &str, variant: &str| {
        let given = |variant: &str| Fact::VariantChosen { variant: variant.into(), by: "k".into(), sticky: false };
        HistoryBuilder::started("welcome", json!({ "say": "variant_chosen" })).fact(Some(step), given(variant)).fact(Some("test#2"), given("late"))
    };
    let about = |number, status, contact: &str| RunRow { contact: Some(contact.into()), ..row(number, status) };
    let writes = [
        write(&about(1, RunStatus::Completed, "c1"), chosen("test", "short").build()),
        write(&about(2, RunStatus::Failed, "c2"), chosen("test#1", "long").build()),
        write(&about(3, RunStatus::Running, "c3"), HistoryBuilder::started("welcome", json!({})).build()),
        write(&RunRow { organisation: OTHER, ..about(4, RunStatus::Completed, "c4") }, chosen("test", "short").build()),
    ];
    commit(&store, async |tx| store.write_runs(tx, &writes).await.unwrap()).await;
    let found = queries::choices(&mut reader, ORG, "welcome", 99).await.unwrap();
    let short: Vec<_> = found.iter().map(|choice| (&*choice.step, &*choice.variant, choice.contact.as_deref(), choice.status)).collect();
    assert_eq!(short, [("test", "short", Some("c1"), RunStatus::Completed), ("test", "long", Some("c2"), RunStatus::Failed)], "in a loop the first");
    assert_eq!(queries::choices(&mut reader, ORG, "welcome", 2).await.unwrap(), found[1..], "of the newest runs");
}

#[tokio::test]
async fn events_of_a_type_come_in_pages_since_a_moment() {
    let (store, mut reader) = store().await;
    let event = |kind: &str, number: i64| (NewEvent::new(ORG, kind, "s", json!({ "n": number })), Vec::new());
    let batch = vec![event("a", 1), event("b", 2), event("a", 3), event("a", 4)];
    commit(&store, async |tx| store.insert_events(tx, batch).await.unwrap()).await;
    let first = queries::events_of_type(&mut reader, ORG, "a", at(0), 2, None).await.unwrap();
    assert_eq!(first.iter().map(|event| &event.body.data["n"]).collect::<Vec<_>>(), [4, 3]);
    let rest = queries::events_of_type(&mut reader, ORG, "a", at(0), 2, first.last()).await.unwrap();
    assert_eq!(rest.iter().map(|event| &event.body.data["n"]).collect::<Vec<_>>(), [1]);
    assert!(queries::events_of_type(&mut reader, OTHER, "a", at(0), 2, None).await.unwrap().is_empty());
    // An id begins with the moment it was made at.
    assert!(queries::events_of_type(&mut reader, ORG, "a", at(10_000_000_000_000), 2, None).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_is_ahead_who_has_it_and_how_much_waits() {
    let (store, mut reader) = store().await;
    let limit = LimitKey { name: "workflow:welcome".into(), key: "one".into() };
    let queue = HeldQueue::concurrency(&limit);
    let held = |number: u128, organisation, priority| HeldStart {
        id: 0,
        organisation,
        workflow: "welcome".into(),
        key: "k".into(),
        trigger: None,
        event_id: None,
        input: json!({}),
        run_id: run_id(number),
        queue: queue.clone(),
        reason: "limits.concurrency".into(),
        not_before: None,
        priority,
        depth: 0,
        held_at: at(0),
        parent: None,
    };
    let mut writes = vec![write(&row(1, RunStatus::Running), Vec::new()), write(&row(2, RunStatus::Paused), Vec::new())];
    writes[0].timers_set = vec![("a".into(), at(5)), ("b".into(), at(50))];
    let node = NodeId(run_id(99).0);
    let leases = store
        .beat(&onward_core::ports::Beat {
            node,
            role: onward_core::ports::NodeRole::All,
            about: "",
            processes: &onward_core::ports::UnknownProcesses,
            now: at(0),
            ttl_ms: 60_000,
            give: &[],
            take: onward_core::ports::Take::Everything,
        })
        .await
        .unwrap()
        .leases;
    assert_eq!(leases.len(), usize::from(Shard::COUNT));
    commit(&store, async |tx| {
        store.write_runs(tx, &writes).await.unwrap();
        assert!(store.take_permit(tx, ORG, &limit, Shard(0), run_id(1), 1).await.unwrap());
        for start in [held(3, ORG, 5), held(4, ORG, 5), held(5, ORG, 1), held(6, OTHER, 1)] {
            store.hold_start(tx, &start).await.unwrap();
        }
    })
    .await;
    let ids = |numbers: &[u128]| numbers.iter().copied().map(run_id).collect::<Vec<_>>();
    let start = queries::held_start(&mut reader, ORG, run_id(4)).await.unwrap().unwrap();
    assert_eq!(queries::ahead_of(&mut reader, &start, 5).await.unwrap(), (2, ids(&[5, 3])), "the more urgent first, no stranger among them");
    assert_eq!(queries::ahead_of(&mut reader, &start, 1).await.unwrap(), (2, ids(&[5])));
    assert_eq!(queries::held_start(&mut reader, ORG, run_id(6)).await.unwrap(), None);
    assert_eq!(queries::holders(&mut reader, ORG, &queue, 5).await.unwrap(), ids(&[1]));
    let key = HeldQueue::Key { workflow: "welcome".into(), key: "k".into() };
    assert_eq!(queries::holders(&mut reader, ORG, &key, 5).await.unwrap(), ids(&[1, 2]));
    assert_eq!(queries::holders(&mut reader, OTHER, &key, 5).await.unwrap(), ids(&[]));
    assert_eq!(queries::owner(&mut reader, Shard(7)).await.unwrap().0, Some(node));
    let backlog = queries::backlog(&mut reader, at(10), 100).await.unwrap();
    assert_eq!(backlog, Backlog { running: 1, paused: 1, inbox: 0, held_starts: 4, timers_overdue: 1 });
    assert_eq!(queries::backlog(&mut reader, at(10), 3).await.unwrap().held_starts, 3, "not counted further");
}
