//! What one node tells another, as it arrives when it arrives badly.

use super::FaultyStore;
use onward_core::ports::{BoxFuture, Clock as _, Notice, Notices, Store};

/// Notices that are lost, late, doubled, or out of order.
pub(super) struct FaultyNotices<S> {
    pub(super) inner: Box<dyn Notices>,
    pub(super) store: FaultyStore<S>,
    /// To be given before the next one.
    pub(super) kept: Vec<Notice>,
}

impl<S: Store + Clone> Notices for FaultyNotices<S> {
    fn next(&mut self) -> BoxFuture<'_, Notice> {
        Box::pin(async {
            loop {
                if let Some(notice) = self.kept.pop() {
                    return notice;
                }
                let notice = self.inner.next().await;
                let (thousandths, lost) = self.store.plan(|plan| (plan.faults.notices, plan.loses_notices));
                if lost || self.store.happens(thousandths) {
                    continue;
                }
                if self.store.happens(thousandths) {
                    self.kept.push(notice);
                }
                if self.store.happens(thousandths) {
                    let late = self.store.executor.random_below(5_000) as i64;
                    self.store.clock.sleep_until(self.store.clock.now().plus_millis(late)).await;
                }
                if self.store.happens(thousandths) {
                    // The next one overtakes it.
                    let next = self.inner.next().await;
                    self.kept.push(notice);
                    return next;
                }
                return notice;
            }
        })
    }
}
