//! Lists of the writer's statements, read cell by cell where they lie: what a batch writes need not become JSON on its way to SQLite.

use super::writing::bound;
use crate::{Arg, Args, Rows};
use rusqlite::{
    Connection,
    functions::{Context, FunctionFlags},
    types::{ToSql, ToSqlOutput},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The lists among a statement's arguments, by their places.
type Lists = Vec<Option<Rows>>;

/// The lists of the statement that runs on a connection.
#[derive(Debug, Default)]
pub(super) struct Cells(Arc<Mutex<Lists>>);

impl Cells {
    /// Teaches a connection the function `cell(ARGUMENT, ROW, COLUMN)`, all counted from 0.
    pub(super) fn of(connection: &Connection) -> Result<Self, rusqlite::Error> {
        let cells = Self::default();
        let lists = Arc::clone(&cells.0);
        // Within one run of a statement the same place has the same value, and only our own statements may ask.
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
        connection.create_scalar_function("cell", 3, flags, move |context| Cell::read(&lists, context))?;
        Ok(cells)
    }

    /// Holds the lists of these arguments until what it gives is dropped.
    pub(super) fn hold(&self, args: &Args) -> Held<'_> {
        let list = |arg: &Arg| if let Arg::Rows(rows) = arg { Some(rows.clone()) } else { None };
        lock(&self.0).extend(args.0.iter().map(list));
        Held(self)
    }
}

/// For as long as a statement runs.
pub(super) struct Held<'c>(&'c Cells);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        lock(&self.0.0).clear();
    }
}

/// What `cell` is asked for.
struct Cell {
    list: Option<Rows>,
    row: usize,
    column: usize,
}

impl Cell {
    fn read(lists: &Mutex<Lists>, context: &Context<'_>) -> Result<Self, rusqlite::Error> {
        let place = |at| context.get::<u32>(at).map(|place| place as usize);
        let (argument, row, column) = (place(0)?, place(1)?, place(2)?);
        let list = lock(lists).get(argument).cloned().flatten();
        Ok(Self { list, row, column })
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        let missing = || rusqlite::Error::UserFunctionError(format!("there is no cell {} in row {} of a list", self.column, self.row).into());
        self.list.as_ref().and_then(|rows| rows.cell(self.row, self.column)).map(bound).ok_or_else(missing)
    }
}

fn lock(lists: &Mutex<Lists>) -> MutexGuard<'_, Lists> {
    lists.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `[0,0,0]`: a JSON array that is over as soon as the list is.
pub(super) fn zeros(rows: usize) -> String {
    let mut text = "[".to_owned() + &"0,".repeat(rows);
    if rows > 0 {
        text.pop();
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[test]
    fn a_cell_is_read_where_it_lies_and_only_while_the_statement_runs() {
        let connection = Connection::open_in_memory().unwrap();
        let cells = Cells::of(&connection).unwrap();
        let rows: Rows = [args![1_i64, "a\"\u{1}b"], args![Option::<i64>::None, 1.5_f64]].into_iter().collect();
        let read = || {
            connection
                .query_row("SELECT cell(1, 0, 0), cell(1, 0, 1), cell(1, 1, 0) IS NULL, cell(1, 1, 1)", [], |row| <(i64, String, bool, f64)>::try_from(row))
        };
        {
            let _readable = cells.hold(&args!["before", rows]);
            assert_eq!(read().unwrap(), (1, "a\"\u{1}b".to_owned(), true, 1.5));
            assert!(connection.query_row("SELECT cell(1, 2, 0)", [], |row| row.get::<_, i64>(0)).is_err(), "the third row of two");
            assert!(connection.query_row("SELECT cell(0, 0, 0)", [], |row| row.get::<_, i64>(0)).is_err(), "of what is no list");
        }
        assert!(read().is_err(), "the statement is over");
    }

    #[test]
    fn there_are_as_many_zeros_as_rows() {
        assert_eq!([0, 1, 3].map(zeros), ["[]", "[0]", "[0,0,0]"]);
    }
}
