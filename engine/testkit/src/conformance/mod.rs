//! The conformance suite: what a store is. One public function a behaviour, grouped by theme; each wants a fresh store.
//!
//! ```
//! use onward_testkit::{MemoryStore, Simulation, conformance};
//! let world = Simulation::new(1);
//! world.executor.block_on(conformance::run_all(async || MemoryStore::new(world.ids.clone())));
//! ```

pub mod checkpoints;
pub mod definitions;
pub mod events;
mod fixture;
pub mod held_starts;
pub mod inbox;
pub mod isolation;
pub mod leases;
pub mod migration;
pub mod nodes;
pub mod pauses;
pub mod rollouts;
pub mod runs;
pub mod schedules;
pub mod timers;
pub mod transactions;
pub mod waits;

use onward_core::ports::Store;

macro_rules! behaviours {
    ($($theme:ident { $($name:ident),+ $(,)? })+) => {
        /// Every behaviour's name, as `theme::name`.
        pub const BEHAVIOURS: &[&str] = &[$($(concat!(stringify!($theme), "::", stringify!($name)),)+)+];

        /// Runs one behaviour by its name; `false` when there is none of that name.
        pub async fn run_one<S: Store>(name: &str, store: &S) -> bool {
            match name {
                $($(concat!(stringify!($theme), "::", stringify!($name)) => $theme::$name(store).await,)+)+
                _ => return false,
            }
            true
        }
    };
}

behaviours! {
    transactions {
        nothing_is_seen_before_the_commit,
        a_dropped_transaction_leaves_nothing,
        rollback_leaves_nothing,
        savepoints_nest,
        savepoints_restore_the_outbox,
        time_stands_within_a_transaction,
        writers_take_turns,
        one_behind_another_waits_for_it,
        one_behind_another_that_does_nothing_is_nothing,
    }
    leases {
        a_node_takes_free_shards,
        a_living_lease_is_not_taken,
        an_expired_lease_changes_hands_with_a_higher_epoch,
        a_lease_left_behind_is_taken_on_demand,
        a_lost_lease_is_refused,
        a_lease_may_be_named_twice,
        a_beat_prolongs_a_lease,
        shards_of_a_node_that_left_are_free,
        shards_of_a_process_that_ended_are_free,
        shards_are_shared,
        only_living_nodes_that_take_shards_have_a_share,
    }
    nodes {
        the_generation_rises_with_its_commit,
        replies_are_kept,
    }
    definitions {
        versions_count_from_one,
        the_same_text_makes_no_version,
        an_older_version_can_be_current_again,
        without_a_current_version_nothing_is_listed,
        an_unknown_version_is_refused,
        a_paused_workflow_stays_so_through_its_versions,
    }
    events {
        an_event_comes_back_whole,
        a_repeated_event_is_a_duplicate,
        a_repetition_within_a_batch_is_a_duplicate,
        an_event_without_id_is_never_a_duplicate,
        the_same_id_of_another_source_is_another_event,
        an_identity_is_forgotten_after_ninety_days,
        a_rolled_back_event_is_unknown,
        events_come_in_the_order_asked_for,
        a_large_event_comes_back_whole,
        notes_name_the_runs_of_an_event,
        early_events_are_found_oldest_first,
    }
    waits {
        a_wait_is_found_by_its_correlation,
        a_closed_target_is_found_no_more,
        a_wait_opened_again_listens_to_the_new_value,
        shapes_are_remembered_once,
    }
    runs {
        the_shards_of_runs_are_told,
        a_run_comes_back_whole,
        runs_come_in_the_order_asked_for,
        an_entry_is_written_once,
        a_conflict_within_a_batch_is_found,
        several_transitions_of_one_run_fold,
        personal_and_large_payloads_come_back,
        what_looks_like_a_payload_reference_comes_back,
        running_runs_are_listed_by_shard,
        a_quarantined_run_is_paused,
        a_key_knows_its_runs,
        the_last_end_of_a_key_is_kept,
        a_held_run_becomes_what_starts,
        a_variant_is_assigned_once,
        a_large_batch_is_written_whole,
    }
    checkpoints {
        a_run_is_taken_up_from_its_checkpoint,
        what_lies_apart_comes_back_behind_a_checkpoint,
        a_checkpoint_that_is_ahead_of_the_history_shows,
        a_checkpoint_goes_with_its_transaction,
        checkpoints_stay_in_their_organisation,
        a_checkpoint_is_dropped,
    }
    timers {
        timers_are_due_in_order,
        a_timer_moves_and_goes,
    }
    schedules {
        schedules_are_replaced_as_a_whole,
        one_schedule_moves_on_alone,
        schedules_are_read_by_shard,
        schedules_stay_in_their_organisation,
    }
    inbox {
        a_cause_reaches_a_target_once,
        rows_are_gone_once_applied,
        an_inbox_that_was_expected_empty_refuses,
        a_number_is_never_given_twice,
    }
    held_starts {
        held_starts_leave_in_order,
        urgent_starts_leave_a_limit_first,
        a_held_start_moves_and_keeps_its_number,
        queues_come_in_pages,
        bursts_end_in_order,
        a_key_knows_its_held_starts,
        permits_are_counted_and_given_back,
        a_rate_remembers_its_starts,
    }
    rollouts {
        rollouts_come_change_and_go,
    }
    pauses {
        pauses_come_and_go,
        paused_runs_come_in_pages,
    }
    migration {
        runs_at_rest_are_found_by_their_version,
    }
    isolation {
        events_stay_in_their_organisation,
        definitions_stay_in_their_organisation,
        waits_and_keys_stay_in_their_organisation,
        held_starts_stay_in_their_organisation,
        rows_of_another_organisation_are_not_changed,
    }
}

/// Runs every behaviour, each on a store of its own.
pub async fn run_all<S: Store>(make_store: impl AsyncFn() -> S) {
    for name in BEHAVIOURS {
        let store = make_store().await;
        assert!(run_one(name, &store).await, "{name} is listed and not there");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FaultyStore, MemoryStore, Simulation};

    #[test]
    fn the_memory_store_conforms() {
        let world = Simulation::new(1);
        world.executor.block_on(run_all(async || MemoryStore::new(world.ids.clone())));
    }

    #[test]
    fn a_faulty_store_without_faults_conforms() {
        let world = Simulation::new(1);
        let make = async || FaultyStore::new(MemoryStore::new(world.ids.clone()), world.clock.clone(), world.executor.clone());
        world.executor.block_on(run_all(make));
    }
}
