//! YAML as a tree that knows where everything stands. Hostile text is refused before it costs much.

use super::problems::{Place, Problems};
use crate::{Object, Value, limits};
use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Tag};
use std::collections::HashMap;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) node: Node,
    pub(super) place: Place,
}

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    /// A text; a `block` (`|`, `>`) has lines of its own, the first at its place.
    Text {
        text: String,
        block: bool,
    },
    List(Vec<Tree>),
    Map(Vec<(Key, Tree)>),
}

/// A key of a map and where it stands; its pointer is its value's.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) place: Place,
}

impl Tree {
    /// What kind of value it is, in words.
    pub(super) fn kind(&self) -> &'static str {
        match self.node {
            Node::Null => "nothing",
            Node::Bool(_) => "true or false",
            Node::Number(_) => "a number",
            Node::Text { .. } => "a text",
            Node::List(_) => "a list",
            Node::Map(_) => "a map",
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.node {
            Node::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Tree]> {
        match &self.node {
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn map(&self) -> Option<&[(Key, Tree)]> {
        match &self.node {
            Node::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key, when this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Tree> {
        self.map()?.iter().find(|(name, _)| name.text == key).map(|(_, value)| value)
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.node, Node::Null)
    }

    /// Without places.
    pub(super) fn to_value(&self) -> Value {
        match &self.node {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Number(number) => Value::Number(number.clone()),
            Node::Text { text, .. } => Value::String(text.clone()),
            Node::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Node::Map(entries) => Value::Object(entries.iter().map(|(key, value)| (key.text.clone(), value.to_value())).collect::<Object>()),
        }
    }

    /// The value at a JSON Pointer below this one, or the nearest one above it that there is.
    pub(super) fn at(&self, pointer: &str) -> &Tree {
        let mut here = self;
        for part in pointer.split('/').skip(1) {
            let name = part.replace("~1", "/").replace("~0", "~");
            let next = match &here.node {
                Node::Map(_) => here.get(&name),
                Node::List(items) => name.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            let Some(next) = next else { break };
            here = next;
        }
        here
    }
}

/// A list or map that is not closed yet.
enum Open {
    List(Vec<Tree>),
    Map { entries: Vec<(Key, Tree)>, key: Option<Key>, names: HashMap<String, u32> },
}

struct Frame {
    open: Open,
    place: Place,
    anchor: usize,
    /// Values in it, itself included.
    size: usize,
}

/// Reads one YAML document. `None` when a problem keeps it from being a tree; it is then among the problems.
pub(super) fn parse(source: &str, problems: &mut Problems) -> Option<Tree> {
    if source.len() > limits::DEFINITION_BYTES {
        problems.error(&Place::start(), "too_large", format!("the file has {} KiB; {} are the most", source.len() >> 10, limits::DEFINITION_BYTES >> 10));
        return None;
    }
    Reader { stack: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None, problems }.read(source)
}

struct Reader<'p> {
    stack: Vec<Frame>,
    /// Finished values that have an anchor, and how many nodes each has.
    anchors: HashMap<usize, (Tree, usize)>,
    nodes: usize,
    root: Option<Tree>,
    problems: &'p mut Problems,
}

impl Reader<'_> {
    fn read(mut self, source: &str) -> Option<Tree> {
        let mut documents = 0;
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        for event in Parser::new_from_str(source) {
            let (event, span) = match event {
                Ok(pair) => pair,
                Err(error) => {
                    let marker = error.marker();
                    let mut place = self.here();
                    place.line = marker.line().max(1) as u32;
                    place.column = marker.col() as u32 + 1;
                    self.bad_yaml(place, &error.info(), source);
                    return None;
                }
            };
            let mut place = self.here();
            let start = span.tag_start().unwrap_or(span.start);
            place.line = start.line().max(1) as u32;
            place.column = start.col() as u32 + 1;
            let good = match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    documents == 1
                        || self.refuse(&place, "several_documents", "the file holds several documents (`---`); put each workflow into a file of its own")
                }
                Event::Alias(id) => self.alias(id, place),
                Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor, tag.as_deref(), place),
                Event::SequenceStart(_, anchor, tag) => self.open(Open::List(Vec::new()), anchor, tag.as_deref(), place),
                Event::MappingStart(_, anchor, tag) => {
                    self.open(Open::Map { entries: Vec::new(), key: None, names: HashMap::new() }, anchor, tag.as_deref(), place)
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(),
                _ => true,
            };
            if !good {
                return None;
            }
        }
        if self.root.is_none() {
            self.problems.error(&Place::start(), "empty", "the file is empty; a workflow has at least name and steps".to_owned());
        }
        self.root
    }

    fn bad_yaml(&mut self, mut place: Place, reason: &str, source: &str) {
        let line = source.lines().nth(place.line.saturating_sub(1) as usize).unwrap_or_default();
        let indent = line.len() - line.trim_start().len();
        let (code, message) = if let Some(tab) = line[..indent].find('\t') {
            place.column = tab as u32 + 1;
            ("bad_yaml", "a tab stands in the indentation; YAML is indented with spaces".to_owned())
        } else if reason.contains("nesting") || reason.contains("recursion") {
            ("too_deep", format!("the file is nested more than {} deep", limits::DEFINITION_DEPTH))
        } else {
            ("bad_yaml", format!("the text cannot be read as YAML: {reason}"))
        };
        self.problems.error(&place, code, message);
    }

    fn refuse(&mut self, place: &Place, code: &str, message: impl Into<String>) -> bool {
        self.problems.error(place, code, message.into());
        false
    }

    /// The pointer of the value that comes next.
    fn here(&self) -> Place {
        let mut place = Place::start();
        if let Some(frame) = self.stack.last() {
            place.pointer.clone_from(&frame.place.pointer);
            match &frame.open {
                Open::List(items) => place.push(&items.len().to_string()),
                Open::Map { key: Some(key), .. } => place.push(&key.text),
                Open::Map { key: None, .. } => {}
            }
        }
        place
    }

    fn count(&mut self, more: usize, place: &Place) -> bool {
        self.nodes += more;
        self.nodes <= limits::DEFINITION_NODES
            || self.refuse(place, "too_large", format!("the file has more than {} values (aliases count in full)", limits::DEFINITION_NODES))
    }

    fn open(&mut self, open: Open, anchor: usize, tag: Option<&Tag>, place: Place) -> bool {
        if let Some(Frame { open: Open::Map { key: None, .. }, .. }) = self.stack.last() {
            return self.refuse(&place, "bad_key", "a key must be a plain text; quote an expression in braces: \"{{ … }}\"");
        }
        if let Some(tag) = tag.filter(|tag| tag.core_suffix().is_none()) {
            let shown = tag.original();
            return self.refuse(&place, "bad_tag", format!("the tag `{shown}` has no meaning here; quote a text that begins with `!`"));
        }
        if self.stack.len() >= limits::DEFINITION_DEPTH {
            return self.refuse(&place, "too_deep", format!("the file is nested more than {} deep", limits::DEFINITION_DEPTH));
        }
        if !self.count(1, &place) {
            return false;
        }
        self.stack.push(Frame { open, place, anchor, size: 1 });
        true
    }

    fn close(&mut self) -> bool {
        let Some(frame) = self.stack.pop() else { return true };
        let node = match frame.open {
            Open::List(items) => Node::List(items),
            Open::Map { entries, .. } => Node::Map(entries),
        };
        let tree = Tree { node, place: frame.place };
        if frame.anchor != 0 {
            // The copy kept for aliases costs as much as the value itself.
            if !self.count(frame.size, &tree.place) {
                return false;
            }
            self.anchors.insert(frame.anchor, (tree.clone(), frame.size));
        }
        self.add(tree, frame.size)
    }

    fn alias(&mut self, id: usize, place: Place) -> bool {
        let Some((anchored, size)) = self.anchors.get(&id) else {
            return self.refuse(&place, "bad_alias", "an alias must not stand inside the value that it repeats");
        };
        let size = *size;
        if self.nodes + size > limits::DEFINITION_NODES {
            return self.count(size, &place);
        }
        let tree = Tree { node: anchored.node.clone(), place };
        self.nodes += size;
        if depth(&tree) + self.stack.len() > limits::DEFINITION_DEPTH {
            return self.refuse(&tree.place, "too_deep", format!("the file is nested more than {} deep", limits::DEFINITION_DEPTH));
        }
        self.add(tree, size)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, place: Place) -> bool {
        if !self.count(1, &place) {
            return false;
        }
        let is_key = matches!(self.stack.last(), Some(Frame { open: Open::Map { key: None, .. }, .. }));
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let as_text = || Node::Text { text: text.to_owned(), block };
        let node = match tag.map(|tag| (tag.core_suffix(), tag)) {
            _ if is_key => as_text(),
            Some((Some("str"), _)) => as_text(),
            None | Some((Some("int" | "float" | "bool" | "null"), _)) => {
                if style == ScalarStyle::Plain {
                    match plain(text) {
                        Some(node) => node,
                        None => return self.refuse(&place, "bad_value", format!("`{text}` is no number that can be kept; quote it to make it a text")),
                    }
                } else {
                    as_text()
                }
            }
            Some((_, tag)) => {
                let shown = tag.original();
                return self.refuse(&place, "bad_tag", format!("the tag `{shown}` has no meaning here; quote a text that begins with `!`"));
            }
        };
        let tree = Tree { node, place };
        if anchor != 0 {
            self.anchors.insert(anchor, (tree.clone(), 1));
        }
        self.add(tree, 1)
    }

    fn add(&mut self, tree: Tree, size: usize) -> bool {
        if let Some(frame) = self.stack.last_mut() {
            frame.size += size;
        }
        match self.stack.last_mut().map(|frame| (&mut frame.open, &frame.place)) {
            None => {
                self.root = Some(tree);
                true
            }
            Some((Open::List(items), _)) => {
                items.push(tree);
                true
            }
            Some((Open::Map { entries, key, names }, map_place)) => {
                if let Some(key) = key.take() {
                    entries.push((key, tree));
                    return true;
                }
                let Node::Text { text, .. } = tree.node else {
                    return self.refuse(&tree.place, "bad_key", "a key must be a plain text");
                };
                let mut place = tree.place;
                place.pointer.clone_from(&map_place.pointer);
                place.push(&text);
                if let Some(line) = names.insert(text.clone(), place.line) {
                    return self.refuse(&place, "duplicate_key", format!("the key \"{text}\" stands twice; it is already on line {line}"));
                }
                *key = Some(Key { text, place });
                true
            }
        }
    }
}

fn depth(tree: &Tree) -> usize {
    match &tree.node {
        Node::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Node::Map(entries) => 1 + entries.iter().map(|(_, value)| depth(value)).max().unwrap_or(0),
        _ => 0,
    }
}

/// A plain scalar by YAML 1.2's core schema; `None` for numbers that JSON cannot hold.
fn plain(text: &str) -> Option<Node> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Node::Null),
        "true" | "True" | "TRUE" => return Some(Node::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Node::Bool(false)),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | ".nan" | ".NaN" | ".NAN" => return None,
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return whole_number(text.strip_prefix('+').unwrap_or(text));
    }
    if let Some(digits) = text.strip_prefix("0o").filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte))) {
        return u64::from_str_radix(digits, 8).ok().map(|number| Node::Number(number.into()));
    }
    if let Some(digits) = text.strip_prefix("0x").filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return u64::from_str_radix(digits, 16).ok().map(|number| Node::Number(number.into()));
    }
    if is_float(unsigned) {
        return text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Node::Number);
    }
    Some(Node::Text { text: text.to_owned(), block: false })
}

fn whole_number(text: &str) -> Option<Node> {
    let number = text.parse::<i64>().map(serde_json::Number::from).or_else(|_| text.parse::<u64>().map(serde_json::Number::from));
    number.ok().map(Node::Number)
}

/// `[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?` or `\.[0-9]+…`.
fn is_float(text: &str) -> bool {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (before, after) = number.split_once('.').unwrap_or((number, ""));
    digits(before) && digits(after) && !(before.is_empty() && after.is_empty()) && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}
