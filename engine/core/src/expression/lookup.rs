//! The scope as minijinja sees it: names and fields are looked up where they lie, nothing is converted before it is used.

use super::{RecordReads, Scope, convert};
use crate::{Object as Map, Value as Json, limits};
use minijinja::{
    Error, ErrorKind, Value,
    value::{Enumerator, Object, ObjectRepr},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// The name under which filters find the session.
pub(super) const SESSION: &str = "__session";

/// In a recorded read: the record had no such field.
const MISSING: &str = "$missing";

/// One evaluation: its scope and the bytes that it has moved.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) scope: Scope,
    moved: AtomicUsize,
}

impl Session {
    pub(super) fn new(scope: &Scope) -> Arc<Self> {
        Arc::new(Self { scope: scope.clone(), moved: AtomicUsize::new(0) })
    }

    /// Counts bytes against [`limits::EXPRESSION_MOVED_BYTES`].
    pub(super) fn charge(&self, bytes: usize) -> Result<(), Error> {
        let before = self.moved.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > limits::EXPRESSION_MOVED_BYTES {
            return Err(Error::new(
                ErrorKind::InvalidOperation,
                format!("the expression moves more than {} MiB of data", limits::EXPRESSION_MOVED_BYTES >> 20),
            ));
        }
        Ok(())
    }

    fn place(self: &Arc<Self>, root: Root) -> Option<Value> {
        let node = Node { session: self.clone(), root, path: Vec::new(), chain: false };
        Some(match node.resolve()? {
            View::Map(_) => Value::from_object(node),
            View::Value(value) => node.leaf(value).unwrap_or_else(|| Value::from_object(node)),
        })
    }

    /// `name` of the scope, when it is one that only some places have or that `as` gave.
    fn local(&self, name: &str) -> Option<usize> {
        self.scope.locals.iter().rposition(|(local, _)| &**local == name)
    }
}

impl Object for Session {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if let Some(index) = self.local(name) {
            return self.place(Root::Local(index));
        }
        match name {
            "event" => self.place(Root::Event),
            "input" => self.place(Root::Input),
            "vars" => self.place(Root::Vars),
            "run" => self.place(Root::Run),
            "incoming" => self.place(Root::Incoming),
            "error" => self.place(Root::Error),
            "now" => Some(Value::from(self.scope.now.to_string())),
            "steps" => Some(Value::from_object(Steps { session: self.clone(), chain: true })),
            SESSION => Some(Value::from_dyn_object(self.clone())),
            _ => {
                let name = super::RECORD_NAMES.into_iter().find(|record| *record == name)?;
                let reads = &self.scope.records;
                match reads.known.get(name) {
                    Some(Json::Null) => {
                        reads.note_used(name.to_owned(), Json::Null);
                        Some(Value::from(()))
                    }
                    Some(_) => self.place(Root::Record(name)),
                    None => match unknown_record(reads, name) {
                        Ok(()) => Some(Value::from(())),
                        Err(message) => Some(Value::from(Error::new(ErrorKind::InvalidOperation, message))),
                    },
                }
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scope")
    }
}

/// A record that was not read: in a replay it is noted, live it is a mistake of the caller.
pub(super) fn unknown_record(reads: &RecordReads, name: &str) -> Result<(), String> {
    if reads.recorded_only {
        reads.note_missed(name.to_owned());
        return Ok(());
    }
    Err(format!("`{name}` is not available here"))
}

impl RecordReads {
    /// What a record has at these names, and notes that it was used: how code that is no expression reads a record. `None`
    /// where there is nothing; the error says that the record was not read at all.
    pub fn take(&self, names: &[&str]) -> Result<Option<Json>, String> {
        let Some((record, fields)) = names.split_first() else { return Ok(None) };
        let Some(mut value) = self.known.get(*record) else {
            unknown_record(self, record)?;
            return Ok(None);
        };
        let mut path = (*record).to_owned();
        for name in fields {
            path.push('.');
            path.push_str(name);
            match note_field(self, path.clone(), value.get(*name)) {
                Some(field) => value = field,
                None => return Ok(None),
            }
        }
        self.note_used(path, value.clone());
        Ok(Some(value.clone()))
    }
}

/// Where a node hangs.
#[derive(Clone, Debug)]
enum Root {
    Event,
    Input,
    Vars,
    Run,
    Incoming,
    Error,
    Step(Arc<str>),
    Local(usize),
    Record(&'static str),
}

#[derive(Clone, Debug)]
enum Part {
    Key(Arc<str>),
    Index(usize),
}

enum View<'a> {
    Value(&'a Json),
    Map(&'a Map),
}

/// A list or map of the scope.
pub(super) struct Node {
    session: Arc<Session>,
    root: Root,
    path: Vec<Part>,
    /// It is part of a `steps.ID…` chain whose end is not reached: null gives [`Nothing`], whose fields are null too.
    chain: bool,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("root", &self.root).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Node {
    fn resolve(&self) -> Option<View<'_>> {
        let scope = &self.session.scope;
        let mut value: &Json = match &self.root {
            Root::Event => &scope.event,
            Root::Input => &scope.input,
            Root::Run => &scope.run,
            Root::Incoming => scope.incoming.as_deref()?,
            Root::Error => scope.error.as_deref()?,
            Root::Step(step) => scope.steps.get(step)?,
            Root::Local(index) => &scope.locals.get(*index)?.1,
            Root::Record(name) => scope.records.known.get(*name)?,
            Root::Vars => match self.path.first() {
                None => return Some(View::Map(&scope.vars)),
                Some(Part::Key(key)) => scope.vars.get(&**key)?,
                Some(Part::Index(_)) => return None,
            },
        };
        for part in self.path.iter().skip(usize::from(matches!(self.root, Root::Vars))) {
            value = match part {
                Part::Key(key) => value.get(&**key)?,
                Part::Index(index) => value.get(*index)?,
            };
        }
        Some(View::Value(value))
    }

    fn child(&self, part: Part) -> Self {
        let mut path = Vec::with_capacity(self.path.len() + 1);
        path.extend(self.path.iter().cloned());
        path.push(part);
        Self { session: self.session.clone(), root: self.root.clone(), path, chain: self.chain }
    }

    /// The scalar as a minijinja value; `None` for lists and maps.
    fn leaf(&self, value: &Json) -> Option<Value> {
        if let Json::String(text) = value
            && let Err(error) = self.session.charge(text.len())
        {
            return Some(Value::from(error));
        }
        convert::scalar(value)
    }

    /// The recorded name of this place, when it lies in a record and can be told apart by its path.
    fn record_path(&self) -> Option<String> {
        let Root::Record(name) = self.root else { return None };
        let mut out = name.to_owned();
        for part in &self.path {
            let Part::Key(key) = part else { break };
            out.push('.');
            out.push_str(key);
        }
        Some(out)
    }

    /// Notes that this whole place was used.
    fn note_whole(&self) {
        if let Some(path) = self.record_path() {
            let used = match self.list_above() {
                Some(list) => list,
                None => self.json().unwrap_or(Json::Null),
            };
            self.session.scope.records.note_used(path, used);
        }
    }

    /// The outermost list that this place lies in: lists are recorded whole.
    fn list_above(&self) -> Option<Json> {
        let index = self.path.iter().position(|part| matches!(part, Part::Index(_)))?;
        let list = Self { session: self.session.clone(), root: self.root.clone(), path: self.path[..index].to_vec(), chain: false };
        list.json()
    }

    /// What lies here.
    fn json(&self) -> Option<Json> {
        Some(match self.resolve()? {
            View::Value(value) => value.clone(),
            View::Map(map) => Json::Object(map.clone()),
        })
    }

    /// What lies here, as the result of an expression.
    pub(super) fn take(&self) -> Json {
        self.note_whole();
        self.json().unwrap_or(Json::Null)
    }

    fn get(&self, part: Part) -> Option<Value> {
        let here = self.resolve()?;
        let found = match (&here, &part) {
            (View::Map(map), Part::Key(key)) => map.get(&**key),
            (View::Value(Json::Object(map)), Part::Key(key)) => map.get(&**key),
            (View::Value(Json::Array(list)), Part::Index(index)) => list.get(*index),
            _ => return None,
        };
        if let Root::Record(_) = self.root {
            return self.get_of_record(part.clone(), found);
        }
        match found? {
            Json::Null if self.chain => Some(Value::from_object(Nothing)),
            value => Some(self.leaf(value).unwrap_or_else(|| Value::from_object(self.child(part)))),
        }
    }

    fn get_of_record(&self, part: Part, found: Option<&Json>) -> Option<Value> {
        let reads = &self.session.scope.records;
        let in_list = matches!(part, Part::Index(_)) || self.path.iter().any(|part| matches!(part, Part::Index(_)));
        let plain_key = !matches!(&part, Part::Key(key) if key.contains('.'));
        if in_list || !plain_key {
            self.note_whole();
            let child = self.child(part);
            return Some(self.leaf(found?).unwrap_or_else(|| Value::from_object(child)));
        }
        let child = self.child(part);
        let path = child.record_path().unwrap_or_default();
        let value = note_field(reads, path, found)?;
        Some(child.leaf(value).unwrap_or_else(|| Value::from_object(child)))
    }
}

/// Notes the use of a record's field, scalars only: of lists and maps what is used of them is noted later.
pub(super) fn note_field<'a>(reads: &RecordReads, path: String, found: Option<&'a Json>) -> Option<&'a Json> {
    match found {
        Some(Json::Object(mark)) if mark.len() == 1 && mark.contains_key(MISSING) => {
            reads.note_used(path, Json::Object(mark.clone()));
            None
        }
        Some(value) => {
            if !value.is_object() && !value.is_array() {
                reads.note_used(path, value.clone());
            }
            Some(value)
        }
        None if reads.recorded_only => {
            reads.note_missed(path);
            None
        }
        None => {
            let mut mark = Map::new();
            mark.insert(MISSING.to_owned(), Json::Bool(true));
            reads.note_used(path, Json::Object(mark));
            None
        }
    }
}

impl Object for Node {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.resolve() {
            Some(View::Value(Json::Array(_))) => ObjectRepr::Seq,
            _ => ObjectRepr::Map,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str() {
            Some(name) => self.get(Part::Key(name.into())),
            None => self.get(Part::Index(key.as_usize()?)),
        }
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        // `list.0` as well as `list[0]`.
        match self.resolve() {
            Some(View::Value(Json::Array(_))) => self.get(Part::Index(key.parse().ok()?)),
            _ => self.get(Part::Key(key.into())),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.note_whole();
        match self.resolve() {
            Some(View::Value(Json::Array(list))) => Enumerator::Seq(list.len()),
            Some(View::Value(Json::Object(map)) | View::Map(map)) => {
                let keys: Vec<Value> = map.keys().map(|key| Value::from(key.as_str())).collect();
                Enumerator::Iter(Box::new(keys.into_iter()))
            }
            _ => Enumerator::Empty,
        }
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        self.note_whole();
        match self.resolve() {
            Some(View::Value(Json::Array(list))) => Some(list.len()),
            Some(View::Value(Json::Object(map)) | View::Map(map)) => Some(map.len()),
            _ => Some(0),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.take()).unwrap_or_default())
    }
}

/// `steps`.
#[derive(Debug)]
pub(super) struct Steps {
    session: Arc<Session>,
    chain: bool,
}

impl Steps {
    pub(super) fn take(&self) -> Json {
        Json::Object(self.session.scope.steps.iter().map(|(key, value)| (key.to_string(), (**value).clone())).collect())
    }
}

impl Object for Steps {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, step: &str) -> Option<Value> {
        let nothing = || Some(if self.chain { Value::from_object(Nothing) } else { Value::from(()) });
        let Some((key, value)) = self.session.scope.steps.get_key_value(step) else { return nothing() };
        if value.is_null() {
            return nothing();
        }
        let node = Node { session: self.session.clone(), root: Root::Step(key.clone()), path: Vec::new(), chain: self.chain };
        Some(node.leaf(value).unwrap_or_else(|| Value::from_object(node)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let keys: Vec<Value> = self.session.scope.steps.keys().map(|key| Value::from(&**key)).collect();
        Enumerator::Iter(Box::new(keys.into_iter()))
    }
}

/// What a step that did not run left behind: null, and so is each of its fields.
#[derive(Debug)]
struct Nothing;

impl Object for Nothing {
    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::from_dyn_object(self.clone()))
    }
    fn render(self: &Arc<Self>, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// The end of a `steps.ID…` chain.
pub(super) fn settle(value: &Value) -> Value {
    if value.downcast_object_ref::<Nothing>().is_some() {
        return Value::from(());
    }
    if let Some(node) = value.downcast_object_ref::<Node>() {
        return Value::from_object(Node { session: node.session.clone(), root: node.root.clone(), path: node.path.clone(), chain: false });
    }
    if let Some(steps) = value.downcast_object_ref::<Steps>() {
        return Value::from_object(Steps { session: steps.session.clone(), chain: false });
    }
    value.clone()
}
