//! A statement of the common dialect as PostgreSQL takes it: each column of a list travels as an array, and where no list has more than a
//! few rows, each cell as it is.
//!
//! Of an array PostgreSQL thinks anew at each call how many it holds, and so makes a new plan, which takes several times as long as looking
//! up a row; for single values it keeps its plan from the sixth call on (PostgreSQL 15, `PREPARE`). So a statement with lists is prepared
//! once for many rows and once for each number of few.

use super::{Row, errors::translate};
use crate::{
    Arg, Args, DatabaseError, Kind,
    lists::{Marker, Part, locks, parts},
};
use sqlx::{
    Arguments as _, AssertSqlSafe, Encode, PgConnection, Postgres, SqlSafeStr as _, SqlStr, Type,
    postgres::{PgArguments, PgHasArrayType},
};
use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};
use uuid::Uuid;

/// A statement with its markers expanded, and what each of its parameters is.
#[derive(Debug, PartialEq)]
struct Expanded {
    text: Arc<str>,
    /// In the order of the parameters.
    parameters: Vec<Parameter>,
}

/// Where a parameter comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameter {
    /// The argument at this place.
    Scalar(usize),
    /// A column of the list at this place.
    Column { argument: usize, column: usize, kind: Kind },
    /// A cell of the list at this place.
    Cell { argument: usize, row: usize, column: usize, kind: Kind },
}

/// Lists of up to as many rows travel cell by cell: a person has one address, or two.
const FEW: usize = 2;

/// How a statement's lists travel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Lists {
    /// An array for each column.
    Arrays,
    /// Cell by cell: the number of rows of each argument.
    Cells(Vec<usize>),
}

impl Lists {
    fn of(args: &Args) -> Self {
        let rows: Vec<usize> = args.0.iter().map(|arg| if let Arg::Rows(rows) = arg { rows.len() } else { 0 }).collect();
        if rows.iter().all(|rows| *rows <= FEW) { Self::Cells(rows) } else { Self::Arrays }
    }
}

pub(super) async fn fetch_all(connection: &mut PgConnection, sql: &'static str, args: Args) -> Result<Vec<crate::Row>, DatabaseError> {
    let (text, bound) = prepare(sql, args)?;
    let rows = sqlx::query_with(text, bound).fetch_all(connection).await.map_err(|error| translate(&error))?;
    Ok(rows.into_iter().map(|row| crate::Row(crate::row::Inner::Postgres(Row(row)))).collect())
}

pub(super) async fn execute(connection: &mut PgConnection, sql: &'static str, args: Args) -> Result<u64, DatabaseError> {
    let (text, bound) = prepare(sql, args)?;
    let done = sqlx::query_with(text, bound).execute(connection).await.map_err(|error| translate(&error))?;
    Ok(done.rows_affected())
}

/// Whether a statement neither writes nor locks. What it calls may: [`crate::Tx`] itself calls such functions, and names them here.
pub(super) fn only_reads(sql: &str) -> bool {
    sql.trim_start().starts_with("SELECT") && !locks(sql) && !["pg_advisory", "pg_notify"].iter().any(|does| sql.contains(does))
}

/// Several statements as one, which either does them all or nothing; run outside a transaction it is one of its own, in one round trip.
/// No two of them may touch the same row, and none sees what another does (PostgreSQL 15, 7.8.4).
pub(super) async fn execute_together(connection: &mut PgConnection, parts: Vec<Left>) -> Result<(), sqlx::Error> {
    let (text, bound) = together(parts).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query_with(text, bound).execute(connection).await.map(drop)
}

/// A statement that is left to the commit.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) sql: &'static str,
    pub(super) args: Args,
    /// It does nothing: its one row says in `holds` whether everything else may be done.
    pub(super) is_condition: bool,
}

impl Left {
    /// The rows that it is about, as far as its lists say.
    pub(super) fn rows(&self) -> u64 {
        self.args.rows().max(1)
    }
    /// The table that it writes to: it begins with `INSERT INTO`, `UPDATE` or `DELETE FROM`.
    pub(super) fn table(&self) -> Option<&'static str> {
        self.sql.split_whitespace().find(|word| !["INSERT", "INTO", "UPDATE", "DELETE", "FROM"].contains(word))
    }
}

fn together(parts: Vec<Left>) -> Result<(SqlStr, PgArguments), DatabaseError> {
    static KNOWN: OnceLock<RwLock<HashMap<Vec<&'static str>, Arc<str>>>> = OnceLock::new();
    let known = KNOWN.get_or_init(RwLock::default);
    let texts: Vec<&'static str> = parts.iter().map(|part| part.sql).collect();
    let found = known.read().unwrap_or_else(PoisonError::into_inner).get(&texts).cloned();
    let text = if let Some(found) = found {
        found
    } else {
        let made = join(&parts)?;
        known.write().unwrap_or_else(PoisonError::into_inner).insert(texts, Arc::clone(&made));
        made
    };
    let mut bound = PgArguments::default();
    for part in parts {
        bind_all(&mut bound, &*expanded(part.sql, &Lists::Arrays)?, part.sql, part.args)?;
    }
    Ok((AssertSqlSafe(text).into_sql_str(), bound))
}

/// Each part becomes a `WITH` query. A condition that does not hold divides by nothing, which undoes the whole.
fn join(parts: &[Left]) -> Result<Arc<str>, DatabaseError> {
    let (mut text, mut conditions, mut parameters) = (String::from("WITH "), String::new(), 0);
    for (at, part) in parts.iter().enumerate() {
        let expanded = expanded(part.sql, &Lists::Arrays)?;
        let _ = write!(text, "{}part_{at} AS (", if at > 0 { ", " } else { "" });
        shift(&expanded.text, parameters, &mut text);
        text.push(')');
        parameters += expanded.parameters.len();
        if part.is_condition {
            let _ = write!(conditions, "{}1 / coalesce((SELECT holds::int FROM part_{at}), 0)", if conditions.is_empty() { "" } else { ", " });
        }
    }
    let _ = write!(text, " SELECT {}", if conditions.is_empty() { "1" } else { &conditions });
    Ok(text.into())
}

/// Copies text in which each `$n` becomes `$(n + by)`.
fn shift(plain: &str, by: usize, text: &mut String) {
    renumber(plain, text, |number, text| {
        let _ = write!(text, "${}", number + by);
    });
}

fn prepare(sql: &'static str, args: Args) -> Result<(SqlStr, PgArguments), DatabaseError> {
    let mut bound = PgArguments::default();
    if !sql.contains('{') {
        for arg in args.0 {
            bind(&mut bound, arg).map_err(|reason| DatabaseError::Statement { sql: sql.to_owned(), reason })?;
        }
        return Ok((sql.into_sql_str(), bound));
    }
    let expanded = expanded(sql, &Lists::of(&args))?;
    bind_all(&mut bound, &expanded, sql, args)?;
    Ok((AssertSqlSafe(Arc::clone(&expanded.text)).into_sql_str(), bound))
}

fn bind_all(bound: &mut PgArguments, expanded: &Expanded, sql: &'static str, args: Args) -> Result<(), DatabaseError> {
    let wrong = |reason: String| DatabaseError::Statement { sql: sql.to_owned(), reason };
    let mut scalars: Vec<Option<Arg>> = Vec::with_capacity(args.len());
    let mut lists: HashMap<usize, Vec<Vec<Arg>>> = HashMap::new();
    for (place, arg) in args.0.into_iter().enumerate() {
        match arg {
            Arg::Rows(rows) => {
                lists.insert(place, rows.into_columns());
                scalars.push(None);
            }
            other => scalars.push(Some(other)),
        }
    }
    for parameter in &expanded.parameters {
        match *parameter {
            Parameter::Scalar(place) => {
                let arg = scalars.get_mut(place).and_then(Option::take);
                bind(bound, arg.ok_or_else(|| wrong(format!("${} has no argument, or is a list outside its marker", place + 1)))?).map_err(wrong)?;
            }
            Parameter::Column { argument, column, kind } => {
                let columns = lists.get_mut(&argument).ok_or_else(|| wrong(format!("${} is no list", argument + 1)))?;
                // A list without rows has no columns either.
                let cells = columns.get_mut(column).map(std::mem::take).unwrap_or_default();
                bind_column(bound, kind, cells).map_err(wrong)?;
            }
            Parameter::Cell { argument, row, column, kind } => {
                let cell = lists.get_mut(&argument).and_then(|columns| columns.get_mut(column)?.get_mut(row));
                let cell = cell.ok_or_else(|| wrong(format!("the list ${} has no column {}", argument + 1, column + 1)))?;
                bind(bound, fitting(kind, std::mem::replace(cell, Arg::Null(kind))).map_err(wrong)?).map_err(wrong)?;
            }
        }
    }
    Ok(())
}

/// A statement for each way in which its lists travel.
type Ways = HashMap<Lists, Arc<Expanded>>;

/// Markers are expanded once for each statement and way.
fn expanded(sql: &'static str, lists: &Lists) -> Result<Arc<Expanded>, DatabaseError> {
    static KNOWN: OnceLock<RwLock<HashMap<&'static str, Ways>>> = OnceLock::new();
    let known = KNOWN.get_or_init(RwLock::default);
    // A poisoned lock still holds whole statements: they are inserted in one step.
    if let Some(found) = known.read().unwrap_or_else(PoisonError::into_inner).get(sql).and_then(|ways| ways.get(lists)) {
        return Ok(Arc::clone(found));
    }
    let made = Arc::new(expand(sql, lists)?);
    known.write().unwrap_or_else(PoisonError::into_inner).entry(sql).or_default().insert(lists.clone(), Arc::clone(&made));
    Ok(made)
}

fn expand(sql: &str, lists: &Lists) -> Result<Expanded, DatabaseError> {
    let mut text = String::with_capacity(sql.len() + 128);
    let mut parameters: Vec<Parameter> = Vec::new();
    for part in parts(sql)? {
        match part {
            Part::Text(plain) => number_anew(plain, &mut text, &mut parameters),
            Part::Marker(Marker::Lock { words, table }) => {
                let _ = write!(text, "{words} {table}");
            }
            Part::Marker(Marker::List { argument, columns }) => match lists {
                Lists::Arrays => arrays(argument, &columns, &mut text, &mut parameters),
                Lists::Cells(rows) => {
                    let rows = rows.get(argument).copied().unwrap_or_default();
                    cells(argument, rows, &columns, &mut text, &mut parameters);
                }
            },
        }
    }
    Ok(Expanded { text: text.into(), parameters })
}

/// A list as a table of arrays.
fn arrays(argument: usize, columns: &[(&str, Kind)], text: &mut String, parameters: &mut Vec<Parameter>) {
    text.push_str("(SELECT * FROM unnest(");
    for (column, (_, kind)) in columns.iter().enumerate() {
        let place = place(parameters, Parameter::Column { argument, column, kind: *kind });
        let _ = write!(text, "{}${place}::{}[]", if column > 0 { ", " } else { "" }, type_name(*kind));
    }
    let _ = write!(text, ") AS listed ({}))", names(columns));
}

/// A list of few rows as a table of single values.
fn cells(argument: usize, rows: usize, columns: &[(&str, Kind)], text: &mut String, parameters: &mut Vec<Parameter>) {
    let mut row_of = |row: usize, text: &mut String| {
        for (column, (name, kind)) in columns.iter().enumerate() {
            text.push_str(if column > 0 { ", " } else { "" });
            let _ = match rows {
                0 => write!(text, "NULL::{} AS {name}", type_name(*kind)),
                1 => write!(text, "${}::{} AS {name}", place(parameters, Parameter::Cell { argument, row, column, kind: *kind }), type_name(*kind)),
                _ => write!(text, "${}::{}", place(parameters, Parameter::Cell { argument, row, column, kind: *kind }), type_name(*kind)),
            };
        }
    };
    if rows < 2 {
        text.push_str("(SELECT ");
        row_of(0, text);
        text.push_str(if rows == 0 { " WHERE false)" } else { ")" });
        return;
    }
    text.push_str("(SELECT * FROM (VALUES ");
    for row in 0..rows {
        text.push_str(if row > 0 { ", (" } else { "(" });
        row_of(row, text);
        text.push(')');
    }
    let _ = write!(text, ") AS listed ({}))", names(columns));
}

fn names(columns: &[(&str, Kind)]) -> String {
    columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// Copies text in which each `$n` gets its new number.
fn number_anew(plain: &str, text: &mut String, parameters: &mut Vec<Parameter>) {
    renumber(plain, text, |number, text| {
        let place = place(parameters, Parameter::Scalar(number - 1));
        let _ = write!(text, "${place}");
    });
}

/// Copies text in which `write` writes each `$n`, which count from 1.
fn renumber(plain: &str, text: &mut String, mut write: impl FnMut(usize, &mut String)) {
    let mut rest = plain;
    while let Some(at) = rest.find('$') {
        let digits = rest[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let end = at + 1 + digits;
        match rest[at + 1..end].parse::<usize>().ok().filter(|number| *number > 0) {
            Some(number) => {
                text.push_str(&rest[..at]);
                write(number, text);
            }
            None => text.push_str(&rest[..end]),
        }
        rest = &rest[end..];
    }
    text.push_str(rest);
}

/// The number of a parameter, counted from 1.
fn place(parameters: &mut Vec<Parameter>, wanted: Parameter) -> usize {
    if let Some(at) = parameters.iter().position(|known| *known == wanted) {
        return at + 1;
    }
    parameters.push(wanted);
    parameters.len()
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::Integer => "bigint",
        Kind::Float => "double precision",
        Kind::Bytes => "bytea",
        Kind::Uuid => "uuid",
        Kind::Text | Kind::Json | Kind::Rows => "text",
    }
}

fn bind(bound: &mut PgArguments, arg: Arg) -> Result<(), String> {
    match arg {
        Arg::Null(Kind::Boolean) => add(bound, None::<bool>),
        Arg::Null(Kind::Integer) => add(bound, None::<i64>),
        Arg::Null(Kind::Float) => add(bound, None::<f64>),
        Arg::Null(Kind::Text | Kind::Json | Kind::Rows) => add(bound, None::<String>),
        Arg::Null(Kind::Bytes) => add(bound, None::<Vec<u8>>),
        Arg::Null(Kind::Uuid) => add(bound, None::<Uuid>),
        Arg::Boolean(value) => add(bound, value),
        Arg::Integer(value) => add(bound, value),
        Arg::Float(value) => add(bound, value),
        Arg::Text(value) | Arg::Json(value) => add(bound, value),
        Arg::Bytes(value) => add(bound, value),
        Arg::Uuid(value) => add(bound, value),
        Arg::Rows(_) => Err("a list stands only in a marker".to_owned()),
    }
}

/// A cell as its marker wants it; nulls have the marker's kind.
fn fitting(kind: Kind, cell: Arg) -> Result<Arg, String> {
    match (kind, cell) {
        (_, Arg::Null(_)) => Ok(Arg::Null(kind)),
        (Kind::Float, Arg::Integer(value)) => Ok(Arg::Float(value as f64)),
        (Kind::Text | Kind::Json, cell @ (Arg::Text(_) | Arg::Json(_))) => Ok(cell),
        (_, cell) if cell.kind() == kind => Ok(cell),
        (_, other) => Err(format!("a list's cell is {:?}, its marker says {kind:?}", other.kind())),
    }
}

fn add<'q, T: Encode<'q, Postgres> + Type<Postgres>>(bound: &mut PgArguments, value: T) -> Result<(), String> {
    bound.add(value).map_err(|error| error.to_string())
}

fn bind_column(bound: &mut PgArguments, kind: Kind, cells: Vec<Arg>) -> Result<(), String> {
    match kind {
        Kind::Boolean => array(bound, kind, cells, |arg| match arg {
            Arg::Boolean(value) => Some(value),
            _ => None,
        }),
        Kind::Integer => array(bound, kind, cells, |arg| match arg {
            Arg::Integer(value) => Some(value),
            _ => None,
        }),
        Kind::Float => array(bound, kind, cells, |arg| match arg {
            Arg::Float(value) => Some(value),
            _ => None,
        }),
        Kind::Bytes => array(bound, kind, cells, |arg| match arg {
            Arg::Bytes(value) => Some(value),
            _ => None,
        }),
        Kind::Uuid => array(bound, kind, cells, |arg| match arg {
            Arg::Uuid(value) => Some(value),
            _ => None,
        }),
        Kind::Text | Kind::Json | Kind::Rows => array(bound, kind, cells, |arg| match arg {
            Arg::Text(value) | Arg::Json(value) => Some(value),
            _ => None,
        }),
    }
}

/// `read` takes what is not null of an argument of this kind.
fn array<T>(bound: &mut PgArguments, kind: Kind, cells: Vec<Arg>, read: impl Fn(Arg) -> Option<T>) -> Result<(), String>
where
    T: for<'q> Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
{
    let values: Vec<Option<T>> = cells.into_iter().map(|cell| Ok(read(fitting(kind, cell)?))).collect::<Result<_, String>>()?;
    add(bound, values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rows;

    #[test]
    fn a_list_is_an_array_for_each_column() {
        let sql = "SELECT r.id FROM {$2: id uuid, n bigint} AS r WHERE r.n = $1 AND r.id <> $3 AND $1 > 0";
        let expanded = expand(sql, &Lists::Arrays).unwrap();
        assert_eq!(
            &*expanded.text,
            "SELECT r.id FROM (SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS listed (id, n)) AS r WHERE r.n = $3 AND r.id <> $4 AND $3 > 0"
        );
        let column = |column, kind| Parameter::Column { argument: 1, column, kind };
        assert_eq!(expanded.parameters, [column(0, Kind::Uuid), column(1, Kind::Integer), Parameter::Scalar(0), Parameter::Scalar(2)]);
    }

    #[test]
    fn few_rows_are_single_values() {
        let list = |rows: usize| {
            let rows: Rows = (0..rows).map(|n| crate::args![Uuid::nil(), n as i64]).collect();
            let args = crate::args![1_i64, rows];
            expand("SELECT r.id FROM {$2: id uuid, n bigint} AS r WHERE r.n = $1", &Lists::of(&args)).unwrap().text
        };
        assert_eq!(&*list(0), "SELECT r.id FROM (SELECT NULL::uuid AS id, NULL::bigint AS n WHERE false) AS r WHERE r.n = $1");
        assert_eq!(&*list(1), "SELECT r.id FROM (SELECT $1::uuid AS id, $2::bigint AS n) AS r WHERE r.n = $3");
        assert_eq!(&*list(2), "SELECT r.id FROM (SELECT * FROM (VALUES ($1::uuid, $2::bigint), ($3::uuid, $4::bigint)) AS listed (id, n)) AS r WHERE r.n = $5");
        assert!(list(3).contains("unnest"));
    }

    #[test]
    fn rows_are_locked_where_many_write() {
        for (lock, words) in [("{for share of l}", "FOR SHARE OF l"), ("{for update of l}", "FOR NO KEY UPDATE OF l")] {
            let expanded = expand(&format!("SELECT l.a FROM {{$1: a text}} AS r JOIN l ON l.a = r.a {lock}"), &Lists::Arrays).unwrap();
            assert!(expanded.text.ends_with(&format!("JOIN l ON l.a = r.a {words}")), "{}", expanded.text);
        }
    }

    #[test]
    fn a_cell_of_another_kind_is_refused() {
        for rows in [1, FEW, FEW + 1] {
            let refused = |list: Rows| prepare("SELECT r.n FROM {$1: n bigint} AS r", crate::args![list]).map(drop);
            assert!(matches!(refused(Rows::of(vec!["text"; rows])), Err(DatabaseError::Statement { .. })));
            assert!(refused(Rows::of(vec![Option::<i64>::None; rows])).is_ok());
        }
    }
    #[test]
    fn what_locks_or_writes_is_known() {
        assert!(only_reads("SELECT a FROM t") && only_reads("\n  SELECT 1"));
        for other in [
            "SELECT a FROM t {for share of t}",
            "SELECT a FROM t {for update of t}",
            "SELECT pg_notify($1, $2)",
            "SELECT count(pg_advisory_xact_lock(n))",
            "INSERT INTO t VALUES (1)",
            "DELETE FROM t RETURNING a",
        ] {
            assert!(!only_reads(other), "{other}");
        }
    }

    #[test]
    fn several_statements_become_one() {
        let part = |sql, is_condition| Left { sql, args: Args::new(), is_condition };
        let joined = join(&[part("INSERT INTO t (a) SELECT r.a FROM {$1: a bigint} AS r", false), part("SELECT count(*) = $1 AS holds FROM t", true)]).unwrap();
        assert_eq!(
            &*joined,
            "WITH part_0 AS (INSERT INTO t (a) SELECT r.a FROM (SELECT * FROM unnest($1::bigint[]) AS listed (a)) AS r), \
             part_1 AS (SELECT count(*) = $2 AS holds FROM t) SELECT 1 / coalesce((SELECT holds::int FROM part_1), 0)"
        );
        assert_eq!(part("DELETE FROM timers WHERE true", false).table(), Some("timers"));
    }
}
