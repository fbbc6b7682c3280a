//! Who listens for what in the pretended world, and what came before: found by the same hashes as in the engine, so that a
//! crowd that is played together finds its waits among a hundred thousand.

use super::Stage;
use onward_core::{Event, Timestamp, machine::correlations_of_event, ports::Correlation};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

type Hash = [u8; 16];

/// A wait that is open.
#[derive(Clone, Debug)]
pub(super) struct Listening {
    pub(super) run: usize,
    pub(super) target: String,
    pub(super) which: String,
    pub(super) correlation: Correlation,
}

/// Events of one type, and the waits for them.
#[derive(Debug, Default)]
struct Kind {
    events: Vec<Arc<Event>>,
    shapes: Vec<Shape>,
}

/// What is matched on the same paths.
#[derive(Debug)]
struct Shape {
    paths: Vec<String>,
    events: HashMap<Hash, Vec<Arc<Event>>>,
    /// By hash, in the order in which they opened.
    waits: HashMap<Hash, BTreeMap<u64, Listening>>,
}

/// Events and the waits that they find.
#[derive(Debug, Default)]
pub(super) struct Correlated {
    kinds: HashMap<String, Kind>,
    /// The waits of each run: their numbers.
    of_runs: HashMap<usize, Vec<(u64, Correlation)>>,
    opened: u64,
    taken_in: usize,
}

impl Correlated {
    /// How many events there were.
    pub(super) fn events(&self) -> usize {
        self.taken_in
    }

    /// Keeps an event, for waits that look back.
    pub(super) fn take_in(&mut self, event: &Arc<Event>) {
        self.taken_in += 1;
        let kind = self.kinds.entry(event.body.kind.clone()).or_default();
        kind.events.push(Arc::clone(event));
        for shape in &mut kind.shapes {
            shape.add(event);
        }
    }

    /// The open waits that an event finds, in the order in which they opened.
    pub(super) fn found(&self, event: &Event) -> Vec<Listening> {
        let Some(kind) = self.kinds.get(&event.body.kind) else { return Vec::new() };
        let mut found: Vec<(u64, &Listening)> = kind
            .shapes
            .iter()
            .filter_map(|shape| shape.waits.get(&hash_of(event, &shape.paths)?))
            .flat_map(|waits| waits.iter().map(|(number, wait)| (*number, wait)))
            .collect();
        found.sort_by_key(|(number, _)| *number);
        found.into_iter().map(|(_, wait)| wait.clone()).collect()
    }

    /// The events from a moment on that a wait would have found.
    pub(super) fn since(&mut self, since: Timestamp, correlation: &Correlation) -> Vec<Arc<Event>> {
        let shape = self.shape(correlation);
        let Some(events) = shape.events.get(&correlation.hash) else { return Vec::new() };
        let from = events.partition_point(|event| event.taken_in_at < since);
        events.iter().skip(from).map(Arc::clone).collect()
    }

    /// Opens a wait.
    pub(super) fn open(&mut self, wait: Listening) {
        self.opened += 1;
        let number = self.opened;
        self.of_runs.entry(wait.run).or_default().push((number, wait.correlation.clone()));
        let shape = self.shape(&wait.correlation);
        shape.waits.entry(wait.correlation.hash).or_default().insert(number, wait);
    }

    /// Closes a run's waits: those of a target, or all of them.
    pub(super) fn close(&mut self, run: usize, target: Option<&str>) {
        let Some(mut waits) = self.of_runs.remove(&run) else { return };
        waits.retain(|(number, correlation)| {
            let Some(kind) = self.kinds.get_mut(&correlation.event) else { return false };
            let Some(shape) = kind.shapes.iter_mut().find(|shape| shape.paths == correlation.paths) else { return false };
            let Some(same) = shape.waits.get_mut(&correlation.hash) else { return false };
            if same.get(number).is_some_and(|wait| target.is_some_and(|target| wait.target != target)) {
                return true;
            }
            same.remove(number);
            if same.is_empty() {
                shape.waits.remove(&correlation.hash);
            }
            false
        });
        if !waits.is_empty() {
            self.of_runs.insert(run, waits);
        }
    }

    /// The waits and events of a correlation's type and paths.
    fn shape(&mut self, correlation: &Correlation) -> &mut Shape {
        let kind = self.kinds.entry(correlation.event.clone()).or_default();
        let place = kind.shapes.iter().position(|shape| shape.paths == correlation.paths).unwrap_or_else(|| {
            let mut shape = Shape { paths: correlation.paths.clone(), events: HashMap::new(), waits: HashMap::new() };
            for event in &kind.events {
                shape.add(event);
            }
            kind.shapes.push(shape);
            kind.shapes.len() - 1
        });
        &mut kind.shapes[place]
    }
}

impl Shape {
    fn add(&mut self, event: &Arc<Event>) {
        if let Some(hash) = hash_of(event, &self.paths) {
            self.events.entry(hash).or_default().push(Arc::clone(event));
        }
    }
}

/// What the index has of an event for a wait on these paths.
fn hash_of(event: &Event, paths: &[String]) -> Option<Hash> {
    let shapes = [paths.to_vec()];
    correlations_of_event(Stage::organisation(), &event.body.kind, &event.body.data, &shapes).first().map(|found| found.hash)
}
