//! The power goes: of what the server wrote into its files, the disk has what was synced, and of the rest whatever it likes.
//!
//! `tests/power/journal.c`, preloaded into the server, writes down each write, truncation, creation, removal and renaming in the
//! home, and each sync. From it the folder is rebuilt as it might be at some moment ([`Disk::at`]), and another server starts on it.
//! What is modelled, and what is not: docs/proof.md. `ONWARD_CUTS` says how many moments, `ONWARD_SEED` which.

use super::{
    harness::{Api, Home, Server, connect, sandbox, workspace},
    kill::{contacts, notes_stand_once, number, text},
};
use onward_sandbox::SandboxHandle;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

/// Transactional steps around a message that goes out at most once.
const ORDER: &str = "name: order
on:
  - event: load.order
steps:
  - id: begin
    do: crm.contact.note
    with: { text: \"begin {{ event.data.n }}\" }
  - delay: 30ms
  - id: tell
    do: message.send
    with: { text: \"order {{ event.data.n }}\" }
    on_error: continue
  - id: end
    do: crm.contact.note
    with: { text: \"end {{ event.data.n }}\" }
  - stop: { output: { n: \"{{ event.data.n }}\" } }
";
/// Enough that the log is brought into the database file several times.
const EVENTS: u64 = 240;
const SENDERS: u64 = 4;
/// What a disk writes whole.
const SECTOR: usize = 512;

/// One record of the journal.
struct Record {
    kind: u8,
    /// Where it begins in the journal.
    begins: u64,
    /// An offset, a length, or for a sync a place in the journal.
    number: u64,
    path: PathBuf,
    data: Vec<u8>,
}

fn records(journal: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    let mut place = 0;
    let bytes = |from: usize, to: usize| journal.get(from..to);
    while let Some(head) = bytes(place, place + 17) {
        let length = |from: usize| u32::from_ne_bytes(head[from..from + 4].try_into().unwrap()) as usize;
        let (path, data) = (place + 17, place + 17 + length(1));
        let end = data + length(5);
        let Some(text) = bytes(path, data).zip(bytes(data, end)) else { break };
        records.push(Record {
            kind: head[0],
            begins: place as u64,
            number: u64::from_ne_bytes(head[9..17].try_into().unwrap()),
            path: PathBuf::from(String::from_utf8(text.0.to_vec()).unwrap()),
            data: text.1.to_vec(),
        });
        place = end;
    }
    records
}

/// A file on the disk: what was synced, and what may or may not have got there.
#[derive(Default)]
struct OnDisk {
    synced: Vec<u8>,
    pending: Vec<(u64, Change)>,
}

#[derive(Clone)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    Truncate(usize),
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Truncate(length) => content.resize(*length, 0),
            Self::Write { at, data } => {
                content.resize(content.len().max(at + data.len()), 0);
                content[*at..at + data.len()].copy_from_slice(data);
            }
        }
    }

    /// Some of its sectors.
    fn torn(&self, chance: &mut StdRng) -> Vec<Self> {
        let Self::Write { at, data } = self else { return vec![self.clone()] };
        let mut kept = Vec::new();
        let mut from = 0;
        while from < data.len() {
            let to = ((at + from) / SECTOR * SECTOR + SECTOR - at).min(data.len());
            if chance.random_bool(0.5) {
                kept.push(Self::Write { at: at + from, data: data[from..to].to_vec() });
            }
            from = to;
        }
        kept
    }
}

enum Naming {
    Create(usize),
    Remove,
    Rename(PathBuf),
}

/// A disk that keeps what was synced.
#[derive(Default)]
struct Disk {
    files: Vec<OnDisk>,
    /// Names as the process sees them, and those that are synced.
    names: BTreeMap<PathBuf, usize>,
    synced_names: BTreeMap<PathBuf, usize>,
    namings: Vec<(u64, PathBuf, Naming)>,
}

impl Disk {
    /// The disk after the records up to this one.
    fn at(folder: &Path, records: &[Record]) -> Self {
        let mut disk = Self::default();
        for record in records {
            disk.play(folder, record);
        }
        disk
    }

    fn play(&mut self, folder: &Path, record: &Record) {
        let at = record.begins;
        match record.kind {
            b'c' => {
                self.files.push(OnDisk::default());
                let file = self.files.len() - 1;
                self.names.insert(record.path.clone(), file);
                self.namings.push((at, record.path.clone(), Naming::Create(file)));
            }
            b'r' => {
                self.names.remove(&record.path);
                self.namings.push((at, record.path.clone(), Naming::Remove));
            }
            b'm' => {
                let to = PathBuf::from(String::from_utf8(record.data.clone()).unwrap());
                if let Some(file) = self.names.remove(&record.path) {
                    self.names.insert(to.clone(), file);
                }
                self.namings.push((at, record.path.clone(), Naming::Rename(to)));
            }
            b's' if record.path == folder => {
                let (before, after) = std::mem::take(&mut self.namings).into_iter().partition(|(at, ..)| *at < record.number);
                self.namings = after;
                name_all(&mut self.synced_names, before);
            }
            b's' => {
                let Some(&file) = self.names.get(&record.path) else { return };
                // With the file its name is there, as on the common file systems.
                if let Some(place) = self.namings.iter().position(|(.., naming)| matches!(naming, Naming::Create(created) if *created == file)) {
                    let created = self.namings.remove(place);
                    name_all(&mut self.synced_names, vec![created]);
                }
                let file = &mut self.files[file];
                for (_, change) in file.pending.extract_if(.., |(at, _)| *at < record.number) {
                    change.apply(&mut file.synced);
                }
            }
            kind => {
                let Some(&file) = self.names.get(&record.path) else { return };
                let number = usize::try_from(record.number).unwrap();
                let change = if kind == b'w' { Change::Write { at: number, data: record.data.clone() } } else { Change::Truncate(number) };
                self.files[file].pending.push((at, change));
            }
        }
    }

    /// Writes what the disk has when the power is back.
    fn leave(mut self, folder: &Path, chance: &mut StdRng) {
        let kept = std::mem::take(&mut self.namings).into_iter().filter(|_| chance.random_bool(0.5)).collect();
        name_all(&mut self.synced_names, kept);
        for (name, file) in self.synced_names {
            let file = &self.files[file];
            let mut content = file.synced.clone();
            for (_, change) in &file.pending {
                match chance.random_range(0..3) {
                    0 => change.apply(&mut content),
                    1 => change.torn(chance).iter().for_each(|part| part.apply(&mut content)),
                    _ => {}
                }
            }
            std::fs::write(folder.join(name.file_name().unwrap()), content).unwrap();
        }
    }
}

fn name_all(names: &mut BTreeMap<PathBuf, usize>, namings: Vec<(u64, PathBuf, Naming)>) {
    for (_, path, naming) in namings {
        match naming {
            Naming::Create(file) => drop(names.insert(path, file)),
            Naming::Remove => drop(names.remove(&path)),
            Naming::Rename(to) => {
                if let Some(file) = names.remove(&path) {
                    names.insert(to, file);
                }
            }
        }
    }
}

/// The shim, built.
fn journalling(into: &Path) -> PathBuf {
    let library = into.join("journal.so");
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(workspace().join("tests/power/journal.c")).arg("-ldl").output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library
}

/// What was seen from outside, and how long the journal was by then.
#[derive(Default)]
struct Seen {
    /// Acknowledged events, with their runs.
    acknowledged: Vec<(u64, u64, String)>,
    /// Messages that were sent.
    sent: BTreeMap<String, u64>,
}

fn sends(sandbox: &SandboxHandle) -> BTreeMap<String, usize> {
    let mut sent = BTreeMap::new();
    for send in sandbox.sends() {
        *sent.entry(send.biz_opaque_callback_data.clone().unwrap_or_default()).or_default() += 1;
    }
    sent
}

async fn send_events(api: Api, sandbox: Arc<SandboxHandle>, contacts: Vec<String>, journal: PathBuf, sender: u64, seen: Arc<Mutex<Seen>>) {
    let length = || std::fs::metadata(&journal).unwrap().len();
    for n in (sender..EVENTS).step_by(SENDERS as usize) {
        let data = json!({ "n": n, "contact_id": contacts[n as usize % contacts.len()] });
        let event = json!({ "type": "load.order", "source": "load", "id": n.to_string(), "data": data });
        let answer = api.post("/api/v1/events", &event).await.expect(202);
        let mut seen = seen.lock().unwrap();
        seen.acknowledged.push((length(), n, text(&answer["items"][0]["run_ids"][0])));
        let sent = sends(&sandbox);
        let now = length();
        for id in sent.into_keys() {
            seen.sent.entry(id).or_insert(now);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_power_loss_everything_acknowledged_is_there_and_nothing_happens_twice() {
    let seed = number("ONWARD_SEED", 4_711);
    let mut chance = StdRng::seed_from_u64(seed);
    let beside = tempfile::tempdir().unwrap();
    let home = Home::fresh();
    let (library, journal) = (journalling(beside.path()), beside.path().join("journal"));
    let sandbox = Arc::new(sandbox(seed).await);
    let within = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("JOURNAL", journal.to_str().unwrap()),
        ("JOURNALED", home.folder().to_str().unwrap()),
        ("ONWARD_ALLOW_PRIVATE_URLS", "true"),
    ];
    let server = Server::start_within(&home, &within).await;
    let api = server.api(&home).await;
    connect(&server, &api, &sandbox).await;
    api.publish("order", ORDER).await;
    let people = contacts(&sandbox, &api).await;
    let from = std::fs::metadata(&journal).unwrap().len();

    let witnessed: Arc<Mutex<Seen>> = Arc::default();
    let sending = (0..SENDERS).map(|sender| send_events(api.clone(), Arc::clone(&sandbox), people.clone(), journal.clone(), sender, Arc::clone(&witnessed)));
    futures_util::future::join_all(sending).await;
    // In the middle of what follows.
    server.kill().await;
    let folder = home.folder().canonicalize().unwrap();
    let records = records(&std::fs::read(&journal).unwrap());
    let places: Vec<usize> = (0..records.len()).filter(|place| records[*place].begins >= from).collect();
    let of = |kind: u8, name: &str| places.iter().copied().filter(|place| records[*place].kind == kind && records[*place].path.ends_with(name)).collect();
    let (syncs, to_database, to_log): (Vec<usize>, Vec<usize>, Vec<usize>) = (of(b's', "onward.db-wal"), of(b'w', "onward.db"), of(b'w', "onward.db-wal"));
    let shape = format!("{} syncs of the log, {} writes to it and {} to the database file", syncs.len(), to_log.len(), to_database.len());
    assert!(syncs.len() > 10 && !to_log.is_empty() && !to_database.is_empty(), "{shape}");

    let mut witnessed = std::mem::take(&mut *witnessed.lock().unwrap());
    witnessed.acknowledged.sort();
    let cuts = number("ONWARD_CUTS", 6);
    for cut in 0..cuts {
        // When most lies unsynced, right before a sync is done; while the log is brought into the database file; at any moment.
        let among = [&syncs, &to_database, &places][cut as usize % 3];
        let place = among[chance.random_range(0..among.len())];
        let moment = records[place].begins;
        let after = tempfile::tempdir().unwrap();
        Disk::at(&folder, &records[..place]).leave(after.path(), &mut chance);
        let what = format!("seed {seed}, cut {cut} at record {place} of {}", records.len());
        is_sound(after.path(), &what);
        goes_on(after.path(), &what, &api, &sandbox, &people, &witnessed, moment).await;
    }
    println!("power loss: seed {seed}, {cuts} moments among {} records: {shape}", places.len());

    // The test of the test: a disk that says that it has synced and has not loses what was acknowledged.
    let lied: Vec<Record> = records.into_iter().filter(|record| record.begins < from || record.kind != b's').collect();
    let after = tempfile::tempdir().unwrap();
    Disk::at(&folder, &lied).leave(after.path(), &mut chance);
    assert!(runs_there(after.path()) < witnessed.acknowledged.len(), "nothing is lost, whatever is synced");
}

/// How many runs the database has, as far as it can be read.
fn runs_there(folder: &Path) -> usize {
    let connection = rusqlite::Connection::open(folder.join("onward.db")).unwrap();
    connection.query_row("SELECT count(*) FROM runs WHERE workflow = 'order'", [], |row| row.get::<_, u32>(0)).unwrap_or(0) as usize
}

/// SQLite itself finds nothing wrong, on a copy: a look at it may change it.
fn is_sound(folder: &Path, what: &str) {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let connection = rusqlite::Connection::open(copy.path().join("onward.db")).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok", "{what}");
    let broken: i64 = connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).unwrap();
    assert_eq!(broken, 0, "{what}");
}

/// Another server goes on from there: all that was acknowledged before ends, once.
async fn goes_on(folder: &Path, what: &str, token: &Api, sandbox: &SandboxHandle, people: &[String], seen: &Seen, moment: u64) {
    let before = sends(sandbox);
    let home = Home::at(folder);
    let server = Server::start_within(&home, &[("ONWARD_ALLOW_PRIVATE_URLS", "true")]).await;
    let api = Api::new(&server.url(), token.token());
    api.all_ended("order").await;
    let mut runs = BTreeMap::new();
    for run in api.all("/api/v1/runs?workflow=order").await {
        assert_eq!(run["status"], "completed", "{what}: {run:#}");
        let n = run["output"]["n"].as_u64().unwrap();
        assert_eq!(runs.insert(n, text(&run["id"])), None, "{what}: event {n} started two runs");
    }
    for (_, n, run) in seen.acknowledged.iter().take_while(|(at, ..)| *at <= moment) {
        assert_eq!(runs.get(n), Some(run), "{what}: event {n} was acknowledged");
    }
    notes_stand_once(&api, people, &runs).await;
    let known: BTreeSet<&String> = seen.sent.iter().filter(|(_, at)| **at <= moment).map(|(id, _)| id).collect();
    let after = sends(sandbox);
    for id in known {
        assert_eq!(before.get(id), after.get(id), "{what}: message {id} was sent again");
    }
    assert!(server.stop().await.success(), "{what}");
}
