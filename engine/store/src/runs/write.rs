//! Writing transitions: one array statement a table, whatever the size of the batch.

use crate::{payloads, to_json};
use onward_core::{
    OrganisationId, RunId, Timestamp, async_trait,
    cause::Cause,
    ports::{OpenWait, RunRow, RunStatus, RunWrite, StoreError, Transaction as _},
};
use onward_database::{DatabaseError, Query, Reader, Refusal, Rows, Tx, args};
use std::collections::{BTreeMap, BTreeSet};

/// Writes them all.
///
/// `committed` is asked which transition collided where the collision has ended the transaction.
pub(crate) async fn write_all(tx: &mut Tx, committed: Reader, writes: &[RunWrite]) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    for write in writes {
        batch.add(write)?;
    }
    batch.history(tx, committed, writes).await?;
    batch.payloads(tx)?;
    batch.rows(tx)?;
    batch.timers(tx)?;
    batch.waits(tx)?;
    crate::inbox::remove(tx, &batch.inbox_applied)
}

/// What a batch comes to. Several writes of one run fold into their last word; the history keeps every one.
#[derive(Default)]
struct Batch<'w> {
    history: Rows,
    payloads: BTreeMap<(RunId, [u8; 32]), (OrganisationId, bool, String)>,
    rows: BTreeMap<RunId, (&'w RunRow, String, Option<String>)>,
    timers: BTreeMap<(RunId, &'w str), Option<(&'w RunWrite, Timestamp)>>,
    waits_closed: BTreeSet<(RunId, &'w str)>,
    waits_opened: BTreeMap<(RunId, &'w str, &'w str), &'w OpenWait>,
    inbox_applied: Vec<i64>,
}

impl<'w> Batch<'w> {
    fn add(&mut self, write: &'w RunWrite) -> Result<(), StoreError> {
        let run = write.run_id;
        if let Some(first) = write.entries.first() {
            let (text, payloads) = payloads::encode(&write.entries, write.personal)?;
            self.history.push(args![run, first.seq as i64, write.organisation, first.at, text]);
            for payload in payloads {
                self.add_payload(write, payload);
            }
        }
        if let Some(row) = &write.row {
            let (input, apart) = payloads::encode_value(&row.input, write.personal);
            if let Some(payload) = apart {
                self.add_payload(write, payload);
            }
            let (output, apart) = payloads::encode_value(&row.output, write.personal);
            if let Some(payload) = apart {
                self.add_payload(write, payload);
            }
            let output = (!row.output.is_null()).then_some(output);
            self.rows.insert(run, (row, input, output));
        }
        for key in &write.timers_cleared {
            self.timers.insert((run, key), None);
        }
        for (key, due) in &write.timers_set {
            self.timers.insert((run, key), Some((write, *due)));
        }
        for target in &write.waits_closed {
            self.waits_closed.insert((run, target));
            self.waits_opened.retain(|(of, opened, _), _| !(*of == run && opened == target));
        }
        for wait in &write.waits_opened {
            self.waits_opened.insert((run, &wait.target, &wait.which), wait);
        }
        self.inbox_applied.extend(&write.inbox_applied);
        Ok(())
    }

    fn add_payload(&mut self, write: &RunWrite, payload: payloads::Payload) {
        let place = self.payloads.entry((write.run_id, payload.digest)).or_insert((write.organisation, false, payload.text));
        place.1 |= write.personal;
    }

    async fn history(&mut self, tx: &mut Tx, committed: Reader, writes: &[RunWrite]) -> Result<(), StoreError> {
        if self.history.is_empty() {
            return Ok(());
        }
        tx.on_refusal(Box::new(Appended { firsts: firsts(writes), committed: committed.clone() }));
        let inserted = tx.leave(
            "INSERT INTO history (run, seq, organisation, at, entries) SELECT r.run, r.seq, r.organisation, r.at, r.entries
                    FROM {$1: run uuid, seq bigint, organisation uuid, at bigint, entries text} AS r",
            args![std::mem::take(&mut self.history)],
        );
        match inserted {
            Err(error) if error.is_unique_violation_of("history") => Err(conflict(tx, &firsts(writes)).await?),
            other => Ok(other?),
        }
    }

    fn payloads(&mut self, tx: &mut Tx) -> Result<(), StoreError> {
        if self.payloads.is_empty() {
            return Ok(());
        }
        let rows: Rows = std::mem::take(&mut self.payloads)
            .into_iter()
            .map(|((run, digest), (organisation, personal, value))| args![run, digest, organisation, personal, value])
            .collect();
        tx.leave(
            "INSERT INTO payloads (run, digest, organisation, personal, value) SELECT r.run, r.digest, r.organisation, r.personal, r.value
                FROM {$1: run uuid, digest bytes, organisation uuid, personal boolean, value text} AS r WHERE true
                ON CONFLICT (run, digest) DO UPDATE SET personal = payloads.personal OR excluded.personal",
            args![rows],
        )?;
        Ok(())
    }

    fn rows(&self, tx: &mut Tx) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (mut rows, mut ended) = (Rows::new(), BTreeMap::new());
        for (row, input, output) in self.rows.values() {
            let mut cells = args![row.id, row.organisation, row.shard, &*row.workflow, row.version, &*row.key, row.status.as_str(), row.contact.as_deref()];
            cells.push(row.event_id);
            cells.push(row.started_at);
            cells.push(row.ended_at);
            cells.push(row.last_seq as i64);
            cells.push(row.depth);
            cells.push(row.exit.as_deref());
            cells.push((!row.waiting_on.is_null()).then(|| row.waiting_on.to_string()));
            cells.push((!row.questions.is_null()).then(|| row.questions.to_string()));
            cells.push(row.error.as_ref().map(to_json).transpose()?);
            cells.push(&**input);
            cells.push(output.as_deref());
            let failed = row.error.as_ref().filter(|_| row.status == RunStatus::Failed);
            cells.push(failed.map(|error| Cause::of(error).id(&row.workflow)));
            rows.push(cells);
            // A key that is the run's own id never comes again.
            if let (true, Some(at)) = (row.status.is_final(), row.ended_at)
                && row.key != row.id.to_string()
            {
                let last = ended.entry((row.organisation, &*row.workflow, &*row.key)).or_insert(at);
                *last = at.max(*last);
            }
        }
        tx.leave(
            "INSERT INTO runs (id, organisation, shard, workflow, version, key, status, contact, event, started_at, ended_at, last_seq, depth, exit,
                    waiting_on, questions, error, input, output, cause)
                SELECT r.id, r.organisation, r.shard, r.workflow, r.version, r.key, r.status, r.contact, r.event, r.started_at, r.ended_at, r.last_seq,
                    r.depth, r.exit, r.waiting_on, r.questions, r.error, r.input, r.output, r.cause
                FROM {$1: id uuid, organisation uuid, shard bigint, workflow text, version bigint, key text, status text, contact text, event uuid,
                    started_at bigint, ended_at bigint, last_seq bigint, depth bigint, exit text, waiting_on json, questions json, error json, input json, output json, cause text} AS r
                WHERE true ON CONFLICT (id) DO UPDATE SET version = excluded.version, key = excluded.key, status = excluded.status,
                    contact = excluded.contact, started_at = excluded.started_at, ended_at = excluded.ended_at, last_seq = excluded.last_seq,
                    event = CASE WHEN runs.status = 'held' THEN excluded.event ELSE runs.event END,
                    input = CASE WHEN runs.status = 'held' THEN excluded.input ELSE runs.input END, depth = excluded.depth,
                    exit = excluded.exit, waiting_on = excluded.waiting_on, questions = excluded.questions, error = excluded.error, output = excluded.output,
                    cause = excluded.cause
                WHERE runs.organisation = excluded.organisation",
            args![rows],
        )?;
        if !ended.is_empty() {
            let rows: Rows = ended.into_iter().map(|((organisation, workflow, key), at)| args![organisation, workflow, key, at]).collect();
            tx.leave(
                "INSERT INTO run_keys (organisation, workflow, key, last_ended_at) SELECT r.organisation, r.workflow, r.key, r.at
                    FROM {$1: organisation uuid, workflow text, key text, at bigint} AS r WHERE true
                    ON CONFLICT (organisation, workflow, key) DO UPDATE SET last_ended_at = excluded.last_ended_at
                    WHERE run_keys.last_ended_at < excluded.last_ended_at",
                args![rows],
            )?;
        }
        Ok(())
    }

    fn timers(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let (mut set, mut cleared) = (Rows::new(), Rows::new());
        for ((run, key), timer) in &self.timers {
            match timer {
                Some((write, due)) => set.push(args![run, *key, write.organisation, write.shard, due]),
                None => cleared.push(args![run, *key]),
            }
        }
        let cleared_any = !cleared.is_empty();
        if cleared_any {
            tx.leave("DELETE FROM timers WHERE (run, key) IN (SELECT run, key FROM {$1: run uuid, key text} AS r)", args![cleared])?;
        }
        if !set.is_empty() {
            let sql = "INSERT INTO timers (run, key, organisation, shard, due) SELECT r.run, r.key, r.organisation, r.shard, r.due
                FROM {$1: run uuid, key text, organisation uuid, shard bigint, due bigint} AS r WHERE true
                ON CONFLICT (run, key) DO UPDATE SET due = excluded.due";
            if cleared_any {
                // One is set or cleared, not both.
                tx.leave_apart(sql, args![set])?;
            } else {
                tx.leave(sql, args![set])?;
            }
        }
        Ok(())
    }

    fn waits(&self, tx: &mut Tx) -> Result<(), StoreError> {
        let now = tx.now();
        if !self.waits_closed.is_empty() {
            let closed: Rows = self.waits_closed.iter().map(|(run, target)| args![run, *target]).collect();
            tx.leave("DELETE FROM waits WHERE (run, target) IN (SELECT run, target FROM {$1: run uuid, target text} AS r)", args![closed])?;
        }
        if !self.waits_opened.is_empty() {
            let mut opened = Rows::new();
            for wait in self.waits_opened.values() {
                let correlation = &wait.correlation;
                let mut cells = args![wait.run_id, &*wait.target, &*wait.which, wait.organisation, correlation.hash, wait.shard, now, &*correlation.event];
                cells.push(to_json(&correlation.paths)?);
                opened.push(cells);
            }
            let sql = "INSERT INTO waits (run, target, which, organisation, hash, shard, opened_at, type, paths)
                    SELECT r.run, r.target, r.which, r.organisation, r.hash, r.shard, r.opened_at, r.type, r.paths
                    FROM {$1: run uuid, target text, which text, organisation uuid, hash bytes, shard bigint, opened_at bigint, type text, paths json} AS r
                    WHERE true ON CONFLICT (run, target, which) DO UPDATE SET hash = excluded.hash, opened_at = excluded.opened_at, type = excluded.type,
                        paths = excluded.paths";
            let opened_again = self.waits_opened.keys().any(|(run, target, _)| self.waits_closed.contains(&(*run, *target)));
            if opened_again || self.waits_closed.is_empty() {
                tx.leave(sql, args![opened])?;
            } else {
                tx.leave_apart(sql, args![opened])?;
            }
        }
        Ok(())
    }
}

/// Where each transition begins.
fn firsts(writes: &[RunWrite]) -> Vec<(RunId, u64)> {
    writes.iter().filter_map(|write| write.entries.first().map(|first| (write.run_id, first.seq))).collect()
}

/// Finds out which transition it was that a commit was refused for.
struct Appended {
    firsts: Vec<(RunId, u64)>,
    committed: Reader,
}

#[async_trait]
impl Refusal for Appended {
    async fn explain(&mut self, error: &DatabaseError) -> Option<StoreError> {
        if !error.is_unique_violation_of("history") {
            return None;
        }
        Some(conflict(&mut self.committed, &self.firsts).await.unwrap_or_else(StoreError::from))
    }
}

/// Which transition collided: with a stored one, or else with another of its own batch.
async fn conflict<Q: Query>(db: &mut Q, firsts: &[(RunId, u64)]) -> Result<StoreError, DatabaseError> {
    let rows: Rows = firsts.iter().map(|(run, seq)| args![*run, *seq as i64]).collect();
    let stored = db
        .fetch_optional(
            "SELECT h.run, h.seq FROM {$1: run uuid, seq bigint} AS r JOIN history h ON h.run = r.run AND h.seq = r.seq ORDER BY h.run, h.seq LIMIT 1",
            args![rows],
        )
        .await?;
    if let Some(row) = stored {
        return Ok(StoreError::HistoryConflict { run_id: row.get("run")?, seq: row.get("seq")? });
    }
    let mut seen = BTreeSet::new();
    let twice = firsts.iter().find(|first| !seen.insert(**first));
    Ok(twice.map_or_else(
        || StoreError::Failed("history was refused as a repetition, and none is found".into()),
        |(run_id, seq)| StoreError::HistoryConflict { run_id: *run_id, seq: *seq },
    ))
}
