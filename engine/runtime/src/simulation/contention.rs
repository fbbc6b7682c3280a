//! Scenarios of transactions that give way to another node, which holds what they want.

use super::scenarios::{calm, event, pass, runs};
use onward_core::ports::{Executor as _, RunStatus};
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};

const COUNTS: &str = "
name: counts
on: [{ event: go }]
steps:
  - { id: one, do: test.count, with: {} }
  - { id: other, do: test.count, with: {} }
";

const AT_ONE_TIME: usize = 3;

#[test]
fn what_gave_way_is_done_again_and_nobody_hears_of_it() {
    // Each of the steps is the one that meets it, and so is none.
    for well in 0..=2 * AT_ONE_TIME as u32 {
        let (world, handle) = calm(&[COUNTS]);
        world.store.contend_after(well);
        let told: Arc<Mutex<Vec<bool>>> = Arc::default();
        for n in 0..AT_ONE_TIME {
            let (told, sending, event) = (Arc::clone(&told), handle.clone(), event(&world, "go", &n.to_string(), json!({})));
            world.simulation.executor.spawn(Box::pin(async move {
                let taken_in = sending.ingest(vec![event]).await.is_ok();
                told.lock().unwrap_or_else(PoisonError::into_inner).push(taken_in);
            }));
        }
        pass(&world, 1_000);
        assert_eq!(*told.lock().unwrap_or_else(PoisonError::into_inner), [true; AT_ONE_TIME], "{well}");
        let stored = runs(&world, "counts");
        assert!(stored.len() == AT_ONE_TIME && stored.iter().all(|run| run.status == RunStatus::Completed), "{well}: {stored:#?}");
        let counted = world.store.inner().committed_events().iter().filter(|event| event.body.kind == "counted").count();
        assert_eq!(counted, 2 * AT_ONE_TIME, "{well}: each step took effect once");
    }
}
