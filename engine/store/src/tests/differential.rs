//! The same seeded operations on the store in memory and on this one: every answer must be the same.

use super::{ORG, OTHER, at, run_id};
use crate::SqlStore;
use onward_core::{
    EventId, NewEvent, NodeId, OrganisationId, Shard,
    history::{Entry, Fact},
    machine::LimitKey,
    ports::{
        Beat, Correlation, HeldQueue, HeldStart, InboxMessage, InboxRow, Lease, NodeRole, OpenWait, RoutingNote, RunRow, RunStatus, RunWrite, Store, Take,
        Transaction as _, UnknownProcesses,
    },
};
use onward_testkit::{MemoryStore, SeededIds, Simulation};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use uuid::Uuid;

/// An operation, with all that it needs.
#[derive(Clone, Debug)]
enum Operation {
    Events(Vec<(NewEvent, Vec<Correlation>)>),
    Runs(Vec<RunWrite>),
    Note(OrganisationId, usize, RoutingNote),
    Hold(Box<HeldStart>),
    Unhold(OrganisationId, i64),
    Move(OrganisationId, i64, HeldQueue),
    Permit(OrganisationId, LimitKey, u128),
    Permits(Vec<u128>),
    Rate(OrganisationId, LimitKey, i64),
    Inbox(OrganisationId, u16, u128, String, InboxMessage),
    Applied(Vec<i64>),
    Variant(OrganisationId, String, String),
    Publish(OrganisationId, String, String),
    Current(OrganisationId, String, Option<u32>),
    Quarantine(OrganisationId, u128),
    Savepoint,
    Release,
    Rollback,
    Look,
}

/// Makes operations from a seed.
struct Maker {
    world: Simulation,
    seqs: BTreeMap<u128, u64>,
    savepoints: usize,
    held: u128,
}

impl Maker {
    fn below(&self, end: u64) -> u64 {
        self.world.executor.random_below(end)
    }
    fn chance(&self) -> bool {
        self.below(3) == 0
    }
    fn organisation(&self) -> OrganisationId {
        if self.below(4) == 0 { OTHER } else { ORG }
    }
    fn name(&self, letters: u64) -> String {
        char::from(b'a' + self.below(letters) as u8).to_string()
    }
    fn correlation(&self) -> Correlation {
        Correlation { event: "e".into(), paths: vec!["p".into()], hash: [self.below(4) as u8; 16] }
    }

    fn write(&mut self) -> RunWrite {
        let number = u128::from(self.below(8));
        // A run keeps its organisation and shard, as real ones do.
        let (organisation, shard) = (if number == 0 { OTHER } else { ORG }, Shard(number as u16 % 3));
        let mut entries = Vec::new();
        if self.below(4) > 0 {
            let last = self.seqs.entry(number).or_default();
            let size = [1, 20, 6_000][self.world.executor.random_below(3) as usize];
            entries.push(Entry {
                seq: *last + 1,
                at: at(*last as i64),
                step: Some("s".into()),
                fact: Fact::StepCompleted { output: json!("x".repeat(size)).into(), truncated: false, undo: None },
            });
            // Now and then the same place again: a conflict, which both must refuse.
            if self.world.executor.random_below(12) > 0 {
                *last += 1;
            }
        }
        let status =
            [RunStatus::Held, RunStatus::Running, RunStatus::Waiting, RunStatus::Paused, RunStatus::Completed, RunStatus::Failed][self.below(6) as usize];
        let row = self.chance().then(|| RunRow {
            organisation,
            shard,
            key: if number % 2 == 0 { run_id(number).to_string() } else { format!("k{}", number % 3) },
            ended_at: status.is_final().then(|| at(self.below(100) as i64)),
            ..super::row(number, status)
        });
        let wait = |target| OpenWait { organisation, run_id: run_id(number), shard, target, which: self.name(2), correlation: self.correlation() };
        RunWrite {
            organisation,
            run_id: run_id(number),
            shard,
            personal: self.chance(),
            entries,
            row,
            timers_set: (0..self.below(3)).map(|_| (self.name(3), at(self.below(50) as i64))).collect::<BTreeMap<_, _>>().into_iter().collect(),
            timers_cleared: (0..self.below(2)).map(|_| self.name(3)).collect(),
            waits_opened: (0..self.below(3)).map(|_| wait(self.name(3))).collect(),
            waits_closed: (0..self.below(2)).map(|_| self.name(3)).collect(),
            inbox_applied: (0..self.below(2)).map(|_| self.below(6) as i64).collect(),
        }
    }

    fn event(&self) -> (NewEvent, Vec<Correlation>) {
        let mut event = NewEvent::new(self.organisation(), self.name(2), self.name(2), json!({ "n": self.below(5) }));
        event.id = (self.below(5) > 0).then(|| self.name(9));
        (event, (0..self.below(3)).map(|_| self.correlation()).collect())
    }

    fn queue(&self) -> HeldQueue {
        let (name, key) = (self.name(2), self.name(2));
        match self.below(6) {
            0 => HeldQueue::Key { workflow: name, key },
            1 => HeldQueue::Concurrency { name, key },
            2 => HeldQueue::Rate { name, key },
            3 => HeldQueue::Debounce { workflow: name, key },
            4 => HeldQueue::Paused { workflow: name },
            _ => HeldQueue::Person { workflow: name },
        }
    }

    fn held_start(&mut self) -> HeldStart {
        self.held += 1;
        HeldStart {
            id: 0,
            organisation: self.organisation(),
            workflow: "welcome".into(),
            key: format!("k{}", self.below(3)),
            trigger: None,
            event_id: None,
            input: json!(self.below(9)),
            run_id: run_id(100 + self.held),
            queue: self.queue(),
            reason: "queued".into(),
            not_before: self.chance().then(|| at(self.below(9) as i64)),
            priority: 1 + self.below(10) as u8,
            depth: self.below(3) as u16,
            held_at: at(self.below(9) as i64),
            parent: None,
        }
    }

    fn limit(&self) -> LimitKey {
        LimitKey { name: self.name(2), key: self.name(2) }
    }

    fn operation(&mut self) -> Operation {
        match self.below(22) {
            0..=2 => Operation::Events((0..=self.below(5)).map(|_| self.event()).collect()),
            3..=6 => Operation::Runs((0..=self.below(4)).map(|_| self.write()).collect()),
            7 => Operation::Note(self.organisation(), self.below(20) as usize, RoutingNote::Started { run_id: run_id(1), workflow: self.name(3) }),
            8 => Operation::Hold(Box::new(self.held_start())),
            9 => Operation::Unhold(self.organisation(), self.below(9) as i64),
            10 => {
                let message = InboxMessage::Event { target: self.name(2), which: "event".into(), event_id: EventId(Uuid::nil()) };
                Operation::Inbox(self.organisation(), self.below(3) as u16, u128::from(self.below(4)), self.name(4), message)
            }
            11 => Operation::Applied((0..self.below(3)).map(|_| self.below(6) as i64).collect()),
            12 => Operation::Variant(self.organisation(), self.name(4), self.name(9)),
            13 => Operation::Publish(self.organisation(), self.name(2), self.name(3)),
            14 => Operation::Current(self.organisation(), self.name(2), self.chance().then(|| self.below(4) as u32)),
            15 => Operation::Quarantine(self.organisation(), u128::from(self.below(8))),
            17 => Operation::Move(self.organisation(), self.below(9) as i64, self.queue()),
            18 => Operation::Permit(self.organisation(), self.limit(), u128::from(self.below(8))),
            19 => Operation::Permits((0..self.below(3)).map(|_| u128::from(self.below(8))).collect()),
            20 => Operation::Rate(self.organisation(), self.limit(), self.below(1 << 50) as i64),
            16 if self.savepoints > 0 => {
                self.savepoints -= 1;
                if self.chance() { Operation::Release } else { Operation::Rollback }
            }
            16 => {
                self.savepoints += 1;
                Operation::Savepoint
            }
            _ => Operation::Look,
        }
    }
}

/// The number of the held start of a run, where there is one: numbers are each store's own.
async fn held<S: Store>(store: &S, tx: &mut S::Tx, organisation: OrganisationId, place: i64) -> Result<i64, String> {
    let start = store.held_start(tx, organisation, run_id(100 + place as u128)).await.map_err(|error| error.to_string())?;
    Ok(start.map_or(i64::MAX, |start| start.id))
}

fn unnumbered(start: HeldStart) -> HeldStart {
    HeldStart { id: 0, ..start }
}

/// Does it, and says everything about the outcome. After an error the caller rolls back, as the port asks.
async fn run<S: Store>(store: &S, tx: &mut S::Tx, known: &mut Vec<EventId>, operation: Operation) -> Result<String, String> {
    let text = |error: onward_core::ports::StoreError| error.to_string();
    Ok(match operation {
        Operation::Events(events) => {
            let inserted = store.insert_events(tx, events).await.map_err(text)?;
            known.extend(
                inserted.iter().filter_map(|inserted| if let onward_core::ports::Inserted::Stored(event) = inserted { Some(event.event_id) } else { None }),
            );
            format!("{inserted:?}")
        }
        Operation::Runs(mut writes) => {
            let inbox = numbered(store, tx).await.map_err(text)?;
            for write in &mut writes {
                write.inbox_applied = write.inbox_applied.iter().filter_map(|place| Some(inbox.get(*place as usize)?.id)).collect();
            }
            // PostgreSQL can say no more which entry collided when the other one is of the same transaction, and says that it did once it
            // is asked for something else.
            let refused = |error: onward_core::ports::StoreError| format!("refused: {}", error.to_string().contains("history"));
            store.write_runs(tx, &writes).await.map_err(refused)?;
            store.savepoint(tx).await.map_err(refused)?;
            format!("{:?}", store.release_savepoint(tx).await.map_err(refused)?)
        }
        Operation::Note(organisation, event, note) => match known.get(event) {
            Some(event) => {
                store.note_routing(tx, &[(organisation, *event, note)]).await.map_err(text)?;
                format!("{:?}", store.runs_of_event(tx, organisation, *event).await.map_err(text)?)
            }
            None => String::new(),
        },
        Operation::Hold(start) => {
            store.hold_start(tx, &start).await.map_err(text)?;
            String::new()
        }
        Operation::Unhold(organisation, place) => {
            let id = held(store, tx, organisation, place).await?;
            format!("{:?}", store.remove_held(tx, organisation, id).await.map_err(text)?)
        }
        Operation::Move(organisation, place, queue) => {
            let id = held(store, tx, organisation, place).await?;
            format!("{:?}", store.move_held(tx, organisation, id, &queue, "moved", Some(at(3))).await.map_err(text)?)
        }
        Operation::Permit(organisation, limit, run) => {
            format!("{:?}", store.take_permit(tx, organisation, &limit, Shard(1), run_id(run), 2).await.map_err(text)?)
        }
        Operation::Permits(runs) => {
            let runs: Vec<_> = runs.into_iter().map(run_id).collect();
            format!("{:?}", store.release_permits(tx, &runs).await.map_err(text)?)
        }
        Operation::Rate(organisation, limit, until) => {
            let before = store.rate_used_until(tx, organisation, &limit).await.map_err(text)?;
            format!("{before:?} {:?}", store.use_rate(tx, organisation, &limit, Shard(1), until).await.map_err(text)?)
        }
        Operation::Inbox(organisation, shard, run, cause, message) => {
            format!("{:?}", store.add_inbox(tx, organisation, Shard(shard), Some(run_id(run)), &cause, &message).await.map_err(text)?)
        }
        Operation::Applied(places) => {
            let inbox = numbered(store, tx).await.map_err(text)?;
            let ids: Vec<_> = places.iter().filter_map(|place| Some(inbox.get(*place as usize)?.id)).collect();
            format!("{:?}", store.remove_inbox(tx, &ids).await.map_err(text)?)
        }
        Operation::Variant(organisation, by, proposal) => {
            format!("{:?}", store.assign_variant(tx, organisation, "w", &"s".into(), &by, &proposal).await.map_err(text)?)
        }
        Operation::Publish(organisation, workflow, source) => {
            format!("{:?}", store.publish(tx, organisation, &workflow, &source, &source, 1).await.map_err(text)?)
        }
        // Whether it is refused must be the same; the words are each store's own.
        Operation::Current(organisation, workflow, version) => format!("{}", store.set_current(tx, organisation, &workflow, version).await.is_ok()),
        Operation::Quarantine(organisation, run) => format!("{:?}", store.quarantine_run(tx, organisation, run_id(run), "why").await.map_err(text)?),
        Operation::Savepoint => format!("{:?}", store.savepoint(tx).await.map_err(text)?),
        Operation::Release => format!("{:?}", store.release_savepoint(tx).await.map_err(text)?),
        Operation::Rollback => format!("{:?}", store.rollback_to_savepoint(tx).await.map_err(text)?),
        Operation::Look => look(store, tx, known).await?,
    })
}

/// Inbox rows in order of their numbers. The numbers themselves may differ: each store skips some in its own way.
async fn numbered<S: Store>(store: &S, tx: &mut S::Tx) -> Result<Vec<InboxRow>, onward_core::ports::StoreError> {
    let leases: Vec<_> = (0..3).map(|shard| Lease { shard: Shard(shard), epoch: 1 }).collect();
    let mut inbox = store.inbox(tx, &leases, 99).await?;
    inbox.sort_by_key(|row| row.id);
    Ok(inbox)
}

/// Everything that can be read within a transaction.
async fn look<S: Store>(store: &S, tx: &mut S::Tx, known: &[EventId]) -> Result<String, String> {
    let text = |error: onward_core::ports::StoreError| error.to_string();
    let mut seen = Vec::new();
    let ids: Vec<_> = (0..9).map(run_id).collect();
    seen.push(format!("{:#?}", store.load_runs(tx, &ids).await.map_err(text)?));
    let inbox = numbered(store, tx).await.map_err(text)?;
    seen.push(format!("{:#?}", inbox.iter().map(|row| InboxRow { id: 0, ..row.clone() }).collect::<Vec<_>>()));
    for organisation in [ORG, OTHER] {
        seen.push(format!("{:#?}", store.events(tx, organisation, known).await.map_err(text)?));
        for hash in 0..4 {
            let correlation = Correlation { event: "e".into(), paths: vec!["p".into()], hash: [hash; 16] };
            seen.push(format!("{:#?}", store.early_events(tx, organisation, &correlation, at(0), 99).await.map_err(text)?));
            seen.push(format!("{:#?}", store.find_waits(tx, organisation, &[correlation], 99).await.map_err(text)?));
        }
        for key in ["k0", "k1", "k2"] {
            let state = store.key_state(tx, organisation, "welcome", key).await.map_err(text)?;
            seen.push(format!("{:#?} {:?} {}", state.live, state.last_ended_at, state.oldest_held.is_some()));
            seen.push(format!("one is held: {}", state.oldest_held == state.newest_held));
            seen.push(format!("{:#?}", store.count_held(tx, organisation, Some(("welcome", key)), 3).await.map_err(text)?));
        }
        seen.push(format!("{:#?}", store.count_held(tx, organisation, None, 99).await.map_err(text)?));
    }
    // Their order is each store's own.
    let mut queues = store.held_queues(tx, None, 99).await.map_err(text)?;
    queues.sort();
    for (organisation, queue) in queues {
        seen.push(format!("{:#?}", store.next_held(tx, organisation, &queue).await.map_err(text)?.map(unnumbered)));
    }
    for number in 100..140 {
        seen.push(format!("{:#?}", store.held_start(tx, ORG, run_id(number)).await.map_err(text)?.map(unnumbered)));
    }
    seen.push(format!("{:#?}", store.bursts(tx, 99).await.map_err(text)?.into_iter().map(|(_, _, end)| end).collect::<Vec<_>>()));
    Ok(seen.join("\n"))
}

/// Everything that can be read of what is committed.
async fn committed<S: Store>(store: &S) -> String {
    let leases: Vec<_> = (0..3).map(|shard| Lease { shard: Shard(shard), epoch: 1 }).collect();
    format!(
        "{:#?}{:#?}{:#?}{:#?}",
        store.timers_due(&leases, at(99), 999).await,
        store.running_runs(&leases, None, 99).await,
        store.current_versions().await,
        store
            .beat(&Beat {
                node: NodeId(Uuid::nil()),
                role: NodeRole::All,
                about: "",
                processes: &UnknownProcesses,
                now: at(0),
                ttl_ms: 1,
                give: &[Shard(1)],
                take: Take::Share
            })
            .await,
    )
}

/// Names the first lines that differ: the whole is too long to be read.
fn same(ours: &str, theirs: &str, told: &str) {
    if ours != theirs {
        let ours: Vec<_> = ours.replace("\\n", "\n").lines().map(str::to_owned).collect();
        let theirs: Vec<_> = theirs.replace("\\n", "\n").lines().map(str::to_owned).collect();
        let place = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
        let part = |lines: &[String]| lines.iter().skip(place.saturating_sub(12)).take(24).cloned().collect::<Vec<_>>().join("\n");
        panic!("{told}\n--- this store\n{}\n--- in memory\n{}", part(&ours), part(&theirs));
    }
}

#[tokio::test]
async fn both_stores_give_the_same_answers() {
    for seed in 0..12 {
        let mut maker = Maker { world: Simulation::new(seed), seqs: BTreeMap::new(), savepoints: 0, held: 0 };
        let memory = MemoryStore::new(Arc::new(SeededIds::new(seed)));
        let sql = SqlStore::by_the_askers_clock(onward_database::testing::database_with(Arc::new(SeededIds::new(seed))).await);
        let (mut memory_events, mut sql_events) = (Vec::new(), Vec::new());
        for transaction in 0..10 {
            let now = at(transaction);
            let (mut memory_tx, mut sql_tx) = (memory.begin(now).await.unwrap(), sql.begin(now).await.unwrap());
            assert_eq!(memory_tx.now(), sql_tx.now());
            maker.savepoints = 0;
            let mut good = true;
            for step in 0..12 {
                let operation = if step == 11 { Operation::Look } else { maker.operation() };
                let told = format!("seed {seed}, transaction {transaction}, step {step}: {operation:?}");
                let ours = run(&sql, &mut sql_tx, &mut sql_events, operation.clone()).await;
                let theirs = run(&memory, &mut memory_tx, &mut memory_events, operation).await;
                same(&format!("{ours:#?}"), &format!("{theirs:#?}"), &told);
                if ours.is_err() {
                    good = false;
                    break;
                }
            }
            if good && maker.below(4) > 0 {
                sql.commit(sql_tx).await.unwrap();
                memory.commit(memory_tx).await.unwrap();
            } else {
                sql.rollback(sql_tx).await;
                memory.rollback(memory_tx).await;
            }
            same(&committed(&sql).await, &committed(&memory).await, &format!("seed {seed}, after transaction {transaction}"));
        }
    }
}
