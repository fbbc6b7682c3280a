//! How much users have to do, for `crm.user.pick`.

use onward_accounts::{UserId, nodes::Workload};
use onward_core::OrganisationId;
use onward_database::{DatabaseError, Query as _, Rows, Tx, args};
use onward_records::tasks;
use std::collections::BTreeMap;

/// Counts open conversations and tasks that are assigned to users.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenWork;

#[onward_core::async_trait]
impl Workload for OpenWork {
    async fn of(&self, tx: &mut Tx, organisation: OrganisationId, users: &[UserId]) -> Result<BTreeMap<UserId, u64>, DatabaseError> {
        let rows = tx
            .fetch_all(
                "SELECT u.id, count(*) AS n FROM {$2: id uuid} AS u CROSS JOIN conversations AS v
                 WHERE v.organisation = $1 AND v.assigned_user = u.id AND v.status = 'open' GROUP BY u.id",
                args![organisation, Rows::of(users)],
            )
            .await?;
        let mut open = tasks::open_by_user(tx, organisation, users).await?;
        for row in &rows {
            *open.entry(row.get("id")?).or_default() += row.get::<u64>("n")?;
        }
        Ok(open)
    }
}
