//! Reading the keys of a map, each by its type.

use super::{
    Span, SpanTemplate,
    problems::{Place, Problems},
    tree::{Key, Node, Tree},
};

/// Refuses every key that is not known; `what` is what they would belong to.
pub(super) fn refuse_unknown(problems: &mut Problems, entries: &[(Key, Tree)], known: &[&str], what: &str) {
    for (key, _) in entries {
        if known.contains(&key.text.as_str()) {
            continue;
        }
        problems.wrong_name(&key.place, "unknown_field", &format!("{what} has no key \"{}\"", key.text), &key.text, known.iter().copied());
    }
}

pub(super) fn not_available(problems: &mut Problems, place: &Place, name: &str) {
    problems.error(place, "not_available", format!("`{name}` is part of the language, but this version does not have it yet"));
}

pub(super) fn wrong_type(problems: &mut Problems, tree: &Tree, name: &str, expected: &str) {
    problems.error(&tree.place, "wrong_type", format!("`{name}` must be {expected}, not {}", tree.kind()));
}

/// A map's entries.
pub(super) fn map<'t>(problems: &mut Problems, tree: &'t Tree, name: &str) -> Option<&'t [(Key, Tree)]> {
    let entries = tree.map();
    if entries.is_none() {
        wrong_type(problems, tree, name, "a map (key: value)");
    }
    entries
}

/// A list's items.
pub(super) fn list<'t>(problems: &mut Problems, tree: &'t Tree, name: &str) -> Option<&'t [Tree]> {
    let items = tree.list();
    if items.is_none() {
        wrong_type(problems, tree, name, "a list (each item begins with `- `)");
    }
    items
}

/// A text that is not empty.
pub(super) fn text<'t>(problems: &mut Problems, tree: &'t Tree, name: &str) -> Option<&'t str> {
    match tree.text() {
        Some(text) if text.trim().is_empty() => {
            problems.error(&tree.place, "bad_value", format!("`{name}` must not be empty"));
            None
        }
        Some(text) => Some(text),
        None => {
            wrong_type(problems, tree, name, "a text");
            None
        }
    }
}

/// `true` or `false`.
pub(super) fn boolean(problems: &mut Problems, tree: &Tree, name: &str) -> Option<bool> {
    if let Node::Bool(value) = tree.node {
        return Some(value);
    }
    wrong_type(problems, tree, name, "true or false");
    None
}

/// A number within bounds.
pub(super) fn number(problems: &mut Problems, tree: &Tree, name: &str, least: f64, most: f64) -> Option<f64> {
    let Node::Number(number) = &tree.node else {
        wrong_type(problems, tree, name, "a number");
        return None;
    };
    let number = number.as_f64().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        problems.error(&tree.place, "bad_value", format!("`{name}` must lie between {least} and {most}"));
    }
    number
}

/// One of several words.
pub(super) fn word<'w>(problems: &mut Problems, tree: &Tree, name: &str, words: &[&'w str]) -> Option<&'w str> {
    let text = text(problems, tree, name)?;
    let found = words.iter().find(|word| **word == text).copied();
    if found.is_none() {
        problems.wrong_name(&tree.place, "bad_value", &format!("`{name}` cannot be \"{text}\""), text, words.iter().copied());
    }
    found
}

/// A length of time that is known now.
pub(super) fn span(problems: &mut Problems, tree: &Tree, name: &str) -> Option<Span> {
    let text = duration_text(problems, tree, name)?;
    if text.contains("{{") {
        problems.error(&tree.place, "bad_duration", format!("`{name}` must be a length of time such as 24h; an expression cannot stand here"));
        return None;
    }
    checked(problems, &tree.place, Span::parse(text))
}

/// A length of time that may be negative.
pub(super) fn offset(problems: &mut Problems, tree: &Tree, name: &str) -> Option<Span> {
    let text = duration_text(problems, tree, name)?;
    checked(problems, &tree.place, Span::parse_offset(text))
}

/// A length of time that may have to be rendered; templates are compiled by `compile`.
pub(super) fn span_template(
    problems: &mut Problems,
    tree: &Tree,
    name: &str,
    compile: impl FnOnce(&mut Problems, &Tree) -> Option<crate::expression::Template>,
) -> Option<SpanTemplate> {
    let text = duration_text(problems, tree, name)?;
    if text.contains("{{") || text.contains("{%") {
        return compile(problems, tree).map(SpanTemplate::Rendered);
    }
    checked(problems, &tree.place, Span::parse(text)).map(SpanTemplate::Fixed)
}

fn duration_text<'t>(problems: &mut Problems, tree: &'t Tree, name: &str) -> Option<&'t str> {
    if let Node::Number(number) = &tree.node {
        problems.error(&tree.place, "bad_duration", format!("`{name}` needs a unit: write {number}s, {number}m, {number}h or {number}d"));
        return None;
    }
    text(problems, tree, name)
}

fn checked(problems: &mut Problems, place: &Place, span: Result<Span, String>) -> Option<Span> {
    span.map_err(|message| problems.error(place, "bad_duration", message)).ok()
}
