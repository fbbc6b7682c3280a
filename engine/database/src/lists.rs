//! Lists as one argument: the array statements of the common dialect.
//!
//! A statement names the list's columns and their types in a marker, which stands for a table:
//!
//! ```text
//! INSERT INTO timers (run, key, due) SELECT r.run, r.key, r.due FROM {$1: run uuid, key text, due bigint} AS r WHERE true ON CONFLICT …
//! SELECT w.* FROM {$2: hash bytes} AS wanted JOIN waits w ON w.organisation = $1 AND w.hash = wanted.hash
//! ```
//!
//! Types: `uuid, bigint, double, text, bytes, boolean, json`. The argument is a [`Rows`] whose cells come in the marker's
//! order. On SQLite the readers' lists travel as one JSON text and the marker becomes a `json_each`; the writer's stay where they are,
//! and each cell is asked for by its place (those of a single row are bound one by one). On PostgreSQL a list travels as an array for
//! each column, and the marker becomes an `unnest`; where no list has more than two rows, cell by cell. So a statement's text is the same
//! whatever the length of its lists, but for the shortest, and is prepared once. `WHERE true` before `ON CONFLICT` keeps SQLite's grammar from
//! reading `ON` as a join. The order of a list is not the order of the result.
//!
//! Two more markers lock the rows that were read until the transaction ends: `{for share of TABLE}` so that nobody changes them, and
//! `{for update of TABLE}` so that nobody else reads them this way either: for whoever writes what follows from what it read. On SQLite,
//! where one transaction writes at a time, they are nothing. A row that was changed while somebody waited for it is read again, but of a
//! joined table only what was joined before: lock what stands alone (PostgreSQL 15, 13.2.1).

use crate::{Arg, Args, DatabaseError, IntoArg, Kind};
use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, OnceLock, RwLock},
};

/// A list of rows as one argument. A clone is the same list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows(Arc<Vec<Args>>);

impl Rows {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Rows of one cell each: a list of ids, say.
    pub fn of<T: IntoArg>(values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().map(|value| Args(vec![value.into_arg()])).collect()
    }
    /// Adds a row: `rows.push(args![run, key, due])`.
    pub fn push(&mut self, row: Args) {
        Arc::make_mut(&mut self.0).push(row);
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are none; a statement over an empty list need not be sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// A cell by its place.
    pub(crate) fn cell(&self, row: usize, column: usize) -> Option<&Arg> {
        self.0.get(row)?.0.get(column)
    }
    /// Column by column.
    pub(crate) fn into_columns(self) -> Vec<Vec<Arg>> {
        let width = self.0.first().map_or(0, Args::len);
        let mut columns: Vec<Vec<Arg>> = (0..width).map(|_| Vec::with_capacity(self.0.len())).collect();
        for row in Arc::unwrap_or_clone(self.0) {
            for (column, cell) in columns.iter_mut().zip(row.0) {
                column.push(cell);
            }
        }
        columns
    }
    /// As one JSON text: an array of arrays, bytes in hex.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::with_capacity(self.0.len() * 64 + 2);
        json.push('[');
        for (at, row) in self.0.iter().enumerate() {
            json.push_str(if at == 0 { "[" } else { ",[" });
            for (at, cell) in row.0.iter().enumerate() {
                if at > 0 {
                    json.push(',');
                }
                push_cell(&mut json, cell);
            }
            json.push(']');
        }
        json.push(']');
        json
    }
}

impl FromIterator<Args> for Rows {
    fn from_iter<I: IntoIterator<Item = Args>>(rows: I) -> Self {
        Self(Arc::new(rows.into_iter().collect()))
    }
}

fn push_cell(json: &mut String, cell: &Arg) {
    match cell {
        Arg::Null(_) => json.push_str("null"),
        Arg::Boolean(value) => json.push(if *value { '1' } else { '0' }),
        // Writing to a String cannot fail.
        Arg::Integer(value) => {
            let _ = write!(json, "{value}");
        }
        Arg::Float(value) => {
            let _ = write!(json, "{}", serde_json::Value::from(*value));
        }
        Arg::Text(value) | Arg::Json(value) => push_text(json, value),
        Arg::Bytes(value) => push_hex(json, value),
        Arg::Uuid(value) => push_hex(json, value.as_bytes()),
        Arg::Rows(rows) => push_text(json, &rows.to_json()),
    }
}

fn push_text(json: &mut String, text: &str) {
    json.push('"');
    let mut plain_from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            0..0x20 => "",
            _ => continue,
        };
        json.push_str(&text[plain_from..at]);
        if escape.is_empty() {
            let _ = write!(json, "\\u{byte:04x}");
        } else {
            json.push_str(escape);
        }
        plain_from = at + 1;
    }
    json.push_str(&text[plain_from..]);
    json.push('"');
}

fn push_hex(json: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    json.push('"');
    for byte in bytes {
        json.push(char::from(DIGITS[usize::from(byte >> 4)]));
        json.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    json.push('"');
}

/// How a marker that locks begins, and what it is on PostgreSQL.
const LOCKS: [(&str, &str); 2] = [("{for share of ", "FOR SHARE OF"), ("{for update of ", "FOR NO KEY UPDATE OF")];

/// A statement as one dialect wants it.
#[derive(Clone)]
pub(crate) enum Text {
    /// As it was written.
    Static(&'static str),
    /// With its markers expanded.
    Expanded(Arc<str>),
}

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Expanded(text) => text,
        }
    }
}

/// How a statement's lists travel to SQLite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lists {
    /// Whatever their lengths, each as one JSON text.
    Json,
    /// Whatever their lengths; the statement asks for each cell with the function `cell`: nothing is written as text for SQLite to
    /// read. Only its `json_each` over as many zeros stays, since the planner knows what to think of that.
    Cells,
    /// Each has one row, whose cells are bound one by one.
    OneRow,
}

impl Lists {
    /// The quickest way for these arguments on a connection that knows `cell`.
    pub(crate) fn of(args: &Args) -> Self {
        let one = |arg: &Arg| !matches!(arg, Arg::Rows(rows) if rows.len() != 1);
        if args.0.iter().all(one) { Self::OneRow } else { Self::Cells }
    }
}

/// What statements became.
type Expanded = HashMap<(&'static str, Lists), Arc<str>>;

/// The statement for SQLite; markers are expanded once.
pub(crate) fn for_sqlite(sql: &'static str, lists: Lists) -> Result<Text, DatabaseError> {
    static EXPANDED: OnceLock<RwLock<Expanded>> = OnceLock::new();
    if !sql.contains("{$") && !locks(sql) {
        return Ok(Text::Static(sql));
    }
    let known = EXPANDED.get_or_init(RwLock::default);
    // A poisoned lock still holds whole texts: they are inserted in one step.
    if let Some(text) = known.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(&(sql, lists)) {
        return Ok(Text::Expanded(Arc::clone(text)));
    }
    let text: Arc<str> = expand_sqlite(sql, lists)?.into();
    known.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert((sql, lists), Arc::clone(&text));
    Ok(Text::Expanded(text))
}

fn expand_sqlite(sql: &str, lists: Lists) -> Result<String, DatabaseError> {
    let mut out = String::with_capacity(sql.len() + 128);
    for part in parts(sql)? {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Marker(Marker::Lock { .. }) => {}
            Part::Marker(Marker::List { argument, columns }) => {
                out.push_str("(SELECT ");
                for (at, (name, kind)) in columns.iter().enumerate() {
                    let separator = if at > 0 { ", " } else { "" };
                    let _ = match (lists, kind) {
                        (Lists::OneRow, _) => write!(out, "{separator}${}_{at} AS {name}", argument + 1),
                        (Lists::Cells, _) => write!(out, "{separator}cell({argument}, key, {at}) AS {name}"),
                        (Lists::Json, Kind::Uuid | Kind::Bytes) => write!(out, "{separator}unhex(value ->> {at}) AS {name}"),
                        (Lists::Json, _) => write!(out, "{separator}value ->> {at} AS {name}"),
                    };
                }
                let _ = match lists {
                    Lists::OneRow => write!(out, ")"),
                    Lists::Cells => write!(out, " FROM json_each(${}_rows))", argument + 1),
                    Lists::Json => write!(out, " FROM json_each(${}))", argument + 1),
                };
            }
        }
    }
    Ok(out)
}

/// A piece of a statement.
pub(crate) enum Part<'s> {
    Text(&'s str),
    Marker(Marker<'s>),
}

/// What stands for something that the dialects write differently.
pub(crate) enum Marker<'s> {
    /// A list as a table: the place of its argument, counted from 0, and its columns.
    List { argument: usize, columns: Vec<(&'s str, Kind)> },
    /// Locks the rows that were read of this table, with these words.
    Lock { words: &'static str, table: &'s str },
}

/// Whether a statement locks what it reads.
pub(crate) fn locks(sql: &str) -> bool {
    LOCKS.iter().any(|(begins, _)| sql.contains(begins))
}

/// The statement cut at its markers.
pub(crate) fn parts(sql: &str) -> Result<Vec<Part<'_>>, DatabaseError> {
    let bad = |reason: String| DatabaseError::Statement { sql: sql.to_owned(), reason };
    let mut parts = Vec::new();
    let mut rest = sql;
    while let Some(start) = rest.find("{$").into_iter().chain(LOCKS.iter().filter_map(|(begins, _)| rest.find(begins))).min() {
        let end = rest[start..].find('}').ok_or_else(|| bad("a marker has no `}`".into()))? + start;
        parts.push(Part::Text(&rest[..start]));
        let lock = LOCKS.iter().find_map(|(begins, words)| Some((*words, rest[start..end].strip_prefix(begins)?)));
        parts.push(Part::Marker(match lock {
            Some((words, table)) => Marker::Lock { words, table: table.trim() },
            None => list(&rest[start + 1..end]).map_err(bad)?,
        }));
        rest = &rest[end + 1..];
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

/// Reads `$1: run uuid, due bigint`.
fn list(marker: &str) -> Result<Marker<'_>, String> {
    let read = marker.split_once(':').and_then(|(placeholder, columns)| {
        let number = placeholder.trim().strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)?;
        Some((number, columns))
    });
    let (argument, columns) = read.ok_or_else(|| format!("`{{{marker}}}` is not `{{$N: column type, …}}`"))?;
    let columns = columns.split(',').map(|column| {
        let (name, kind) = column.trim().split_once(' ').ok_or_else(|| format!("column `{}` has no type", column.trim()))?;
        let kind = match kind.trim() {
            "uuid" => Kind::Uuid,
            "bytes" => Kind::Bytes,
            "bigint" => Kind::Integer,
            "double" => Kind::Float,
            "text" => Kind::Text,
            "boolean" => Kind::Boolean,
            "json" => Kind::Json,
            other => return Err(format!("column `{name}` has the unknown type `{other}`")),
        };
        Ok((name, kind))
    });
    Ok(Marker::List { argument, columns: columns.collect::<Result<_, _>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[test]
    fn a_list_becomes_one_json_text() {
        let rows: Rows = [args![1_i64, "a\"b\\c\n\u{1}é", Option::<i64>::None], args![[255_u8; 16], true, 1.5_f64]].into_iter().collect();
        let json = rows.to_json();
        let read: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read, serde_json::json!([[1, "a\"b\\c\n\u{1}é", null], ["ff".repeat(16), 1, 1.5]]));
    }

    #[test]
    fn markers_become_json_each_or_cells_or_those_of_one_row() {
        let sql = "SELECT r.id FROM {$2: id uuid, n bigint} AS r WHERE r.n = $1";
        assert_eq!(
            expand_sqlite(sql, Lists::Json).unwrap(),
            "SELECT r.id FROM (SELECT unhex(value ->> 0) AS id, value ->> 1 AS n FROM json_each($2)) AS r WHERE r.n = $1"
        );
        assert_eq!(
            expand_sqlite(sql, Lists::Cells).unwrap(),
            "SELECT r.id FROM (SELECT cell(1, key, 0) AS id, cell(1, key, 1) AS n FROM json_each($2_rows)) AS r WHERE r.n = $1"
        );
        assert_eq!(expand_sqlite(sql, Lists::OneRow).unwrap(), "SELECT r.id FROM (SELECT $2_0 AS id, $2_1 AS n) AS r WHERE r.n = $1");
    }

    #[test]
    fn locks_are_nothing_where_one_writes() {
        for lock in ["{for share of l}", "{for update of l}"] {
            let sql = format!("SELECT l.a FROM {{$1: a text}} AS r JOIN l ON l.a = r.a {lock}");
            let expanded = expand_sqlite(&sql, Lists::Json).unwrap();
            assert_eq!(expanded, "SELECT l.a FROM (SELECT value ->> 0 AS a FROM json_each($1)) AS r JOIN l ON l.a = r.a ");
        }
    }

    #[test]
    fn a_wrong_marker_is_named() {
        for sql in ["SELECT 1 FROM {$1: id uuid", "SELECT 1 FROM {$1 id uuid}", "SELECT 1 FROM {$1: id}", "SELECT 1 FROM {$1: id uid}"] {
            assert!(matches!(expand_sqlite(sql, Lists::Json), Err(DatabaseError::Statement { .. })), "{sql}");
        }
    }
}
