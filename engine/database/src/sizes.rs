//! How large each table is.

use crate::{Database, DatabaseError, Query as _, Row, args, database::Dialect};

/// A SQLite file up to this size is looked through when somebody asks how large its tables are: it is read as a whole. PostgreSQL knows.
const LOOKED_THROUGH_BYTES: u64 = 2 << 30;

/// How large a table is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TableSize {
    /// Its name.
    pub table: String,
    /// Rows; on PostgreSQL an estimate.
    pub rows: u64,
    /// Rows that were deleted or replaced and not yet cleared away; on SQLite there are none.
    pub dead_rows: u64,
    /// Bytes on the disk, with its indexes.
    pub bytes: u64,
}

impl Database {
    /// Every table, the largest first; on its own moment, beside the writer. `None`: the file is too large to be looked through.
    pub async fn table_sizes(&self) -> Result<Option<Vec<TableSize>>, DatabaseError> {
        let sql = match self.dialect() {
            // Without a row id a table is an index: its inner pages hold rows, too.
            Dialect::Sqlite(_) if self.report().await?.bytes > LOOKED_THROUGH_BYTES => return Ok(None),
            Dialect::Sqlite(_) => {
                "SELECT m.tbl_name AS name, coalesce(sum(CASE WHEN m.type = 'table' AND (s.pagetype = 'leaf' OR (t.wr AND s.pagetype = 'internal'))
                        THEN s.ncell ELSE 0 END), 0) AS live, 0 AS dead, sum(s.pgsize) AS bytes
                    FROM dbstat AS s JOIN sqlite_schema AS m ON m.name = s.name JOIN pragma_table_list AS t ON t.name = m.tbl_name AND t.schema = 'main'
                    GROUP BY m.tbl_name ORDER BY bytes DESC, name"
            }
            Dialect::Postgres(_) => {
                "SELECT relname::text AS name, n_live_tup AS live, n_dead_tup AS dead, pg_total_relation_size(relid) AS bytes
                    FROM pg_stat_user_tables WHERE schemaname = current_schema() ORDER BY bytes DESC, name"
            }
        };
        let read = |row: &Row| Ok(TableSize { table: row.get("name")?, rows: row.get("live")?, dead_rows: row.get("dead")?, bytes: row.get("bytes")? });
        let rows = self.reader().fetch_all(sql, args![]).await?;
        rows.iter().map(read).collect::<Result<Vec<_>, DatabaseError>>().map(Some)
    }
}
