//! Where the schedules of a workflow stand.

use crate::schedules as rows;
use onward_core::{
    OrganisationId,
    ports::{ScheduleRow, StoreError},
};
use onward_database::Query;

/// The schedules of a workflow, by their triggers' places.
pub async fn schedules<Q: Query>(db: &mut Q, organisation: OrganisationId, workflow: &str) -> Result<Vec<ScheduleRow>, StoreError> {
    rows::of(db, organisation, workflow).await
}
