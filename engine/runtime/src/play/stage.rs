//! What every play of one simulation shares.

use onward_core::{OrganisationId, RunId, Timestamp, definition::Workflow, digest, limits};
use std::sync::Arc;
use uuid::Uuid;

/// Monday, 5 January 2026, 09:00 UTC: when a play begins unless it is told otherwise.
const USUAL_START: i64 = 1_767_603_600_000;

/// What every play of one simulation shares: cheap to hand to many.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The workflows that are there; the first one is what the play is about.
    pub workflows: Vec<Arc<Workflow>>,
    /// The organisation's zone, an IANA name.
    pub timezone: String,
    /// When it begins.
    pub starts_at: Timestamp,
    /// All chance comes from here.
    pub seed: u64,
    /// Turns of the machine before a play is given up.
    pub turns: u64,
    /// Whole histories are kept. Needed for timelines and hardening, and left out for crowds.
    pub keep_histories: bool,
}

impl Stage {
    /// A play of one workflow, with the others beside it.
    pub fn new(workflows: Vec<Arc<Workflow>>) -> Self {
        Self { workflows, timezone: "UTC".into(), starts_at: Timestamp::from_millis(USUAL_START), seed: 0, turns: limits::PLAY_TURNS, keep_histories: true }
    }

    /// The organisation of every play.
    pub(super) fn organisation() -> OrganisationId {
        OrganisationId(Uuid::nil())
    }

    /// The id of the run with this number: the same in every play, so that timelines can be compared.
    pub(super) fn run_id(&self, number: usize) -> RunId {
        RunId(self.id(0, number))
    }

    /// An id of a kind and number, made like every other: readable, and no two alike in one play.
    pub(super) fn id(&self, kind: u8, number: usize) -> Uuid {
        let moment = u128::from(self.starts_at.as_millis().unsigned_abs()) & 0xffff_ffff_ffff;
        let chance = u128::from(self.seed) & 0xff_ffff;
        // The layout of a version 7: 48 bits of time, version, variant.
        Uuid::from_u128((moment << 80) | (0x7 << 76) | (u128::from(kind) << 64) | (0b10 << 62) | (chance << 38) | (number as u128 & 0x3f_ffff_ffff))
    }

    /// 64 bits of chance for a purpose.
    pub(super) fn chance(&self, parts: &[&[u8]]) -> u64 {
        let mut all: Vec<&[u8]> = Vec::with_capacity(parts.len() + 1);
        let seed = self.seed.to_be_bytes();
        all.push(&seed);
        all.extend(parts);
        let hash = digest::short(&all);
        u64::from_be_bytes([hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]])
    }

    /// A number from 0 up to 1 for a purpose.
    pub(super) fn fraction(&self, parts: &[&[u8]]) -> f64 {
        (self.chance(parts) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
