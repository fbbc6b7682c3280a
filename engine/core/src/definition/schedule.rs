//! `schedule` triggers: what they say, and the checks of it.

use super::{Cron, Mention, MentionKind, Zone, compiler::Compiler, fields, tree::Tree};
use crate::{Timestamp, digest, limits};

/// A `schedule` trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// When it is due.
    pub cron: Cron,
    /// On whose clocks; the organisation's when absent.
    pub timezone: Option<Zone>,
    /// What becomes of due times at which no server was there.
    pub missed: Missed,
    /// It fires up to this many milliseconds after it is due, spread by chance.
    pub jitter_ms: i64,
    /// One run for each contact of this segment.
    pub each: Option<String>,
}

/// What becomes of due times that were missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// The latest fires once, for all of them.
    #[default]
    RunOnce,
    /// None fires.
    Skip,
    /// All fire, oldest first.
    RunAll,
}

impl Missed {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunOnce => "run_once",
            Self::Skip => "skip",
            Self::RunAll => "run_all",
        }
    }
}

impl Schedule {
    /// What its due times follow from, as text: while it stays the same, a new version goes on where the old one stood.
    pub fn rhythm(&self) -> String {
        let zone = match &self.timezone {
            None => "organisation",
            Some(Zone::Contact) => "contact",
            Some(Zone::Named(name)) => name,
        };
        format!("{} @ {zone} + {} ms, each {}", self.cron.text(), self.jitter_ms, self.each.as_deref().unwrap_or("-"))
    }

    /// When it fires for a due time: chance is a hash of whose schedule it is and of the time, so every process agrees.
    #[must_use]
    pub fn fires_at(&self, identity: &[&[u8]], due: Timestamp) -> Timestamp {
        if self.jitter_ms == 0 {
            return due;
        }
        let millis = due.as_millis().to_be_bytes();
        let parts: Vec<&[u8]> = identity.iter().copied().chain([millis.as_slice(), b"jitter"]).collect();
        due.plus_millis((digest::fraction(&parts) * (self.jitter_ms as f64 + 1.0)) as i64)
    }
}

impl Compiler<'_> {
    pub(super) fn schedule(&mut self, tree: &Tree) -> Option<Schedule> {
        let entries = fields::map(&mut self.problems, tree, "schedule")?;
        fields::refuse_unknown(&mut self.problems, entries, &["cron", "timezone", "missed", "jitter", "each"], "a schedule");
        let cron = self.cron(tree);
        let each = tree.get("each").map(|tree| self.each(tree));
        let timezone = tree.get("timezone").map(|tree| self.zone(tree));
        if matches!(timezone, Some(Some(Zone::Contact))) && each.is_none() {
            let place = &tree.get("timezone").unwrap_or(tree).place;
            let message = "`timezone: contact` needs `each: { segment: NAME }`: without it there is no contact whose clocks could be meant";
            self.problems.error(place, "bad_zone", message.to_owned());
            return None;
        }
        let missed = match tree.get("missed") {
            None => Missed::default(),
            Some(tree) => match fields::word(&mut self.problems, tree, "missed", &["run_once", "skip", "run_all"])? {
                "skip" => Missed::Skip,
                "run_all" => Missed::RunAll,
                _ => Missed::RunOnce,
            },
        };
        let jitter_ms = match tree.get("jitter") {
            None => 0,
            Some(tree) => self.jitter(tree)?,
        };
        Some(Schedule { cron: cron?, timezone: flatten(timezone)?, missed, jitter_ms, each: flatten(each)? })
    }

    fn cron(&mut self, tree: &Tree) -> Option<Cron> {
        const REMEDY: &str = "write minute, hour, day, month and day of the week, such as \"0 9 * * mon-fri\"; with six fields the first is the second";
        let Some(tree) = tree.get("cron") else {
            self.problems.error(&tree.place, "missing_field", format!("a schedule needs `cron`: {REMEDY}"));
            return None;
        };
        let text = fields::text(&mut self.problems, tree, "cron")?;
        match Cron::parse(text) {
            Ok(cron) if cron.ever_occurs() => Some(cron),
            Ok(_) => {
                self.problems.error(&tree.place, "bad_cron", format!("\"{}\" never occurs: no year has such a day", shown(text)));
                None
            }
            Err(reason) => {
                self.problems.error(&tree.place, "bad_cron", format!("\"{}\" is no cron pattern: {reason}; {REMEDY}", shown(text)));
                None
            }
        }
    }

    fn each(&mut self, tree: &Tree) -> Option<String> {
        let entries = fields::map(&mut self.problems, tree, "each")?;
        fields::refuse_unknown(&mut self.problems, entries, &["segment"], "each");
        let Some(segment) = tree.get("segment") else {
            self.problems.error(&tree.place, "missing_field", "`each` needs `segment: NAME`, whose contacts are meant".into());
            return None;
        };
        let name = fields::text(&mut self.problems, segment, "segment")?.to_owned();
        self.validators.mentions.push(Mention { kind: MentionKind::Segment, name: name.clone(), position: segment.place.clone() });
        Some(name)
    }

    fn jitter(&mut self, tree: &Tree) -> Option<i64> {
        let span = fields::span(&mut self.problems, tree, "jitter")?;
        let millis = span.fixed_millis().filter(|millis| *millis <= limits::SCHEDULE_JITTER_MS);
        if millis.is_none() {
            self.problems.error(&tree.place, "bad_duration", "`jitter` must be exact, such as 30s or 2h, and a day long at the most".to_owned());
        }
        millis
    }
}

/// What was written must also be right.
#[expect(clippy::option_option, reason = "written, and right: two questions")]
fn flatten<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(None) => None,
        Some(value) => Some(value),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}
