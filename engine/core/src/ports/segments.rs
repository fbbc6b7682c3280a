//! Segments, as the engine asks for them: `schedule … each` starts a run for every contact in one.

use super::Transaction;
use crate::{OrganisationId, StepError};

/// A contact in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentMember {
    /// The contact's id, as events and bindings carry it.
    pub contact: String,
    /// The contact's time zone (IANA name); `None`: the organisation's counts.
    pub timezone: Option<String>,
}

/// Who is in a segment, page by page, so that a segment of any size is walked in pieces.
#[crate::async_trait]
pub trait Segments<T: Transaction>: Send + Sync + 'static {
    /// The members whose ids come after `after`, in order of their ids, at most `limit`; an empty page ends the walk. Who
    /// enters during a walk may or may not be seen by it; who stays is seen exactly once.
    ///
    /// # Errors
    /// `not_found` when the organisation has no segment of this name or id.
    async fn members(
        &self,
        tx: &mut T,
        organisation: OrganisationId,
        segment: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SegmentMember>, StepError>;
}
