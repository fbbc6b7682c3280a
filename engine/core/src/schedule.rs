//! What a schedule does at a moment. Pure: the clock, the zones and where it stood are parameters.
//!
//! A schedule stands at the due time that is next to be worked on. Due times are handled in order, each once; those that fell due
//! while no server was there are *missed*, and `missed` says what becomes of them.

use crate::{
    Timestamp,
    definition::{Cron, Missed, Schedule, Zone},
    expression::moment,
    limits,
};
use jiff::tz::TimeZone;

/// On whose clocks a schedule is due: those of one zone, or of every zone in which a contact may live.
#[derive(Clone, Debug)]
pub struct Calendar {
    cron: Cron,
    zones: Vec<(String, TimeZone)>,
    of_contacts: bool,
}

impl Calendar {
    /// The calendar of a schedule in an organisation of that zone (an IANA name; UTC when there is none such).
    pub fn of(schedule: &Schedule, organisation_zone: &str) -> Self {
        let named = |name: &str| match moment::zone(name) {
            Ok(zone) => (name.to_owned(), zone),
            Err(_) => ("UTC".to_owned(), TimeZone::UTC),
        };
        let of_contacts = schedule.timezone == Some(Zone::Contact);
        let zones = match &schedule.timezone {
            None => vec![named(organisation_zone)],
            Some(Zone::Named(name)) => vec![named(name)],
            Some(Zone::Contact) => jiff::tz::db().available().map(|name| named(name.as_str())).collect(),
        };
        Self { cron: schedule.cron.clone(), zones, of_contacts }
    }

    /// The first due time after a moment, in whichever zone.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        self.zones.iter().filter_map(|(_, zone)| self.cron.next_after(moment, zone)).min()
    }

    /// The last due time before a moment, in whichever zone.
    fn latest_before(&self, moment: Timestamp) -> Option<Timestamp> {
        self.zones.iter().filter_map(|(_, zone)| self.cron.latest_before(moment, zone)).max()
    }

    /// The earliest of the due times that are the last of their zone before a moment.
    fn earliest_latest_before(&self, moment: Timestamp) -> Option<Timestamp> {
        self.zones.iter().filter_map(|(_, zone)| self.cron.latest_before(moment, zone)).min()
    }

    /// Where it is due at this very moment; with `last_before`, only where it is not due again before that.
    fn due_in(&self, due: Timestamp, last_before: Option<Timestamp>) -> Vec<&str> {
        let is_due = |zone: &TimeZone| self.cron.next_after(due.plus_millis(-1), zone) == Some(due);
        let is_last = |zone: &TimeZone| last_before.is_none_or(|end| self.cron.next_after(due, zone).is_none_or(|next| next >= end));
        self.zones.iter().filter(|(_, zone)| is_due(zone) && is_last(zone)).map(|(name, _)| name.as_str()).collect()
    }

    /// A due time with the zones in which it is due now.
    fn firing(&self, due: Timestamp, last_before: Option<Timestamp>) -> Option<Firing> {
        if !self.of_contacts {
            return Some(Firing { due, zones: None });
        }
        let zones = self.due_in(due, last_before);
        (!zones.is_empty()).then(|| Firing { due, zones: Some(zones.into_iter().map(str::to_owned).collect()) })
    }

    /// Due times from `from` on and before `to`, oldest first, at most `most`.
    pub fn between(&self, from: Timestamp, to: Timestamp, most: usize) -> Vec<Timestamp> {
        let first = self.next_after(from.plus_millis(-1));
        std::iter::successors(first, |due| self.next_after(*due)).take_while(|due| *due < to).take(most).collect()
    }
}

/// A due time that fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// When it was due.
    pub due: Timestamp,
    /// For contacts of these zones alone (`timezone: contact`).
    pub zones: Option<Vec<String>>,
}

/// Where a schedule stands, and what time it is.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The due time that is next.
    pub next: Timestamp,
    /// Now.
    pub now: Timestamp,
    /// Since when somebody has been there to fire it.
    pub since: Timestamp,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What fires now, oldest first.
    pub fire: Vec<Firing>,
    /// The due time that is next after that; `None`: there is none any more. It may be past: then there is more to do.
    pub next: Option<Timestamp>,
    /// Due times before this one were missed and are not made up for: there were too many of them.
    pub cut_before: Option<Timestamp>,
}

/// Says what a schedule does now: at most `most` due times. `fires_at` says when a due time fires.
pub fn plan(schedule: &Schedule, calendar: &Calendar, standing: Standing, fires_at: &dyn Fn(Timestamp) -> Timestamp, most: usize) -> Plan {
    // A due time was missed when all of its jitter lies before this moment.
    let end_of_missed = standing.since.max(standing.now.plus_millis(-limits::SCHEDULE_LATE_MS)).plus_millis(-schedule.jitter_ms);
    let mut plan = Plan { next: Some(standing.next), ..Plan::default() };
    if standing.next < end_of_missed && fires_at(standing.next) <= standing.now {
        plan.skip_missed(schedule.missed, calendar, standing.next, end_of_missed);
    }
    let once = (schedule.missed == Missed::RunOnce).then_some(end_of_missed);
    for _ in 0..most {
        let Some(due) = plan.next.filter(|due| fires_at(*due) <= standing.now) else { break };
        plan.fire.extend(calendar.firing(due, once.filter(|end| due < *end)));
        plan.next = calendar.next_after(due);
    }
    plan
}

/// Goes on with a due time that is half served: all of its zones, then the next one.
pub fn resume(calendar: &Calendar, due: Timestamp) -> Plan {
    Plan { fire: calendar.firing(due, None).into_iter().collect(), next: calendar.next_after(due), cut_before: None }
}

/// A moment that a person wrote: RFC 3339, or a date with or without a time of day as clocks of the zone show it.
pub fn read_moment(text: &str, zone: &str) -> Result<Timestamp, String> {
    moment::read(&crate::Value::from(text), zone)
}

/// Whether clocks know a zone of that name.
pub fn is_zone(name: &str) -> bool {
    moment::zone(name).is_ok()
}

impl Plan {
    /// Goes on to the first of the missed due times that fires, if one does.
    fn skip_missed(&mut self, missed: Missed, calendar: &Calendar, next: Timestamp, end: Timestamp) {
        let from = match missed {
            Missed::Skip => calendar.next_after(end.plus_millis(-1)),
            Missed::RunOnce => calendar.earliest_latest_before(end),
            Missed::RunAll => {
                let latest = calendar.latest_before(end);
                let mut back = std::iter::successors(latest, |due| calendar.latest_before(*due).filter(|earlier| *earlier >= next));
                let oldest = back.nth(limits::SCHEDULE_CATCH_UP - 1);
                self.cut_before = oldest.filter(|oldest| *oldest > next);
                oldest
            }
        };
        self.next = match (missed, from) {
            (Missed::Skip, from) => from,
            (_, Some(from)) => Some(from.max(next)),
            (_, None) => Some(next),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }
    fn schedule(cron: &str, missed: Missed) -> Schedule {
        Schedule { cron: Cron::parse(cron).unwrap(), timezone: None, missed, jitter_ms: 0, each: None }
    }
    fn shown(plan: &Plan) -> (Vec<String>, Option<String>) {
        (plan.fire.iter().map(|firing| firing.due.to_string()).collect(), plan.next.map(|next| next.to_string()))
    }
    /// An hourly schedule that stands at ten o'clock, at this moment, with a server since then.
    fn hourly(missed: Missed, since: &str, now: &str) -> (Vec<String>, Option<String>) {
        let schedule = schedule("0 * * * *", missed);
        let standing = Standing { next: at("2026-11-20T10:00:00Z"), now: at(now), since: at(since) };
        shown(&plan(&schedule, &Calendar::of(&schedule, "UTC"), standing, &|due| due, 99))
    }

    #[test]
    fn nothing_is_early_and_what_is_due_fires_whatever_the_policy() {
        for missed in [Missed::RunOnce, Missed::Skip, Missed::RunAll] {
            let since = "2026-11-20T09:00:00Z";
            assert_eq!(hourly(missed, since, "2026-11-20T09:59:59.999Z"), (vec![], Some("2026-11-20T10:00:00.000Z".into())));
            for now in ["2026-11-20T10:00:00Z", "2026-11-20T10:01:00Z"] {
                assert_eq!(hourly(missed, since, now), (vec!["2026-11-20T10:00:00.000Z".into()], Some("2026-11-20T11:00:00.000Z".into())));
            }
        }
    }

    #[test]
    fn what_was_missed_follows_the_policy() {
        let (up, now) = ("2026-11-20T13:30:00Z", "2026-11-20T13:30:00Z");
        let next = Some("2026-11-20T14:00:00.000Z".to_owned());
        assert_eq!(hourly(Missed::Skip, up, now), (vec![], next.clone()));
        assert_eq!(hourly(Missed::RunOnce, up, now), (vec!["2026-11-20T13:00:00.000Z".into()], next.clone()));
        let all = ["10", "11", "12", "13"].map(|hour| format!("2026-11-20T{hour}:00:00.000Z"));
        assert_eq!(hourly(Missed::RunAll, up, now), (all.to_vec(), next));
    }

    #[test]
    fn a_clock_that_jumps_is_a_downtime() {
        let since = "2026-11-20T09:00:00Z";
        assert_eq!(hourly(Missed::Skip, since, "2026-11-23T13:30:00Z"), (vec![], Some("2026-11-23T14:00:00.000Z".into())));
        assert_eq!(hourly(Missed::RunOnce, since, "2026-11-23T13:30:00Z").0, ["2026-11-23T13:00:00.000Z"]);
        assert_eq!(hourly(Missed::RunOnce, since, "2026-11-20T08:00:00Z"), (vec![], Some("2026-11-20T10:00:00.000Z".into())), "backwards: nothing yet");
    }

    #[test]
    fn the_last_due_time_is_on_time_though_older_ones_were_missed() {
        let up = "2026-11-20T11:59:00Z";
        assert_eq!(hourly(Missed::Skip, up, "2026-11-20T12:00:00Z").0, ["2026-11-20T12:00:00.000Z"]);
        assert_eq!(hourly(Missed::RunOnce, up, "2026-11-20T12:00:00Z").0, ["2026-11-20T11:00:00.000Z", "2026-11-20T12:00:00.000Z"]);
    }

    #[test]
    fn a_page_ends_where_it_is_full_and_the_rest_follows() {
        let schedule = schedule("* * * * *", Missed::RunAll);
        let calendar = Calendar::of(&schedule, "UTC");
        let now = at("2026-11-20T12:00:00Z");
        let mut next = Some(at("2026-11-20T10:00:00Z"));
        let mut fired = Vec::new();
        while let Some(from) = next.filter(|next| *next <= now) {
            let plan = plan(&schedule, &calendar, Standing { next: from, now, since: now }, &|due| due, 50);
            assert!(plan.fire.len() <= 50 && plan.cut_before.is_none());
            fired.extend(plan.fire.into_iter().map(|firing| firing.due));
            next = plan.next;
        }
        assert_eq!(fired, calendar.between(at("2026-11-20T10:00:00Z"), now.plus_millis(1), 999));
        assert_eq!(fired.len(), 121);
    }

    #[test]
    fn too_many_missed_times_are_cut_and_said() {
        let schedule = schedule("* * * * * *", Missed::RunAll);
        let now = at("2026-11-27T10:00:00Z");
        let standing = Standing { next: at("2026-11-20T10:00:00Z"), now, since: now };
        let plan = plan(&schedule, &Calendar::of(&schedule, "UTC"), standing, &|due| due, 10);
        let oldest = now.plus_millis(-1_000 * limits::SCHEDULE_CATCH_UP as i64);
        assert_eq!((plan.fire[0].due, plan.cut_before), (oldest, Some(oldest)));
        assert_eq!(plan.next, Some(oldest.plus_millis(10_000)));
    }

    #[test]
    fn jitter_is_the_same_for_everybody_never_early_and_bounded() {
        let schedule = Schedule { jitter_ms: 600_000, ..schedule("0 9 * * *", Missed::RunOnce) };
        let calendar = Calendar::of(&schedule, "UTC");
        let mut later = std::collections::BTreeSet::new();
        for due in calendar.between(at("2026-01-01T00:00:00Z"), at("2026-03-01T00:00:00Z"), 99) {
            let fires = schedule.fires_at(&[b"a", b"b"], due);
            assert_eq!(fires, schedule.fires_at(&[b"a", b"b"], due));
            assert!((0..=600_000).contains(&fires.millis_since(due)));
            later.insert(fires.millis_since(due));
        }
        assert!(later.len() > 50, "they are spread: {later:?}");
        let due = at("2026-11-20T09:00:00Z");
        let fires = schedule.fires_at(&[b"a"], due);
        let at_moment =
            |now| plan(&schedule, &calendar, Standing { next: due, now, since: Timestamp::MIN }, &|due| schedule.fires_at(&[b"a"], due), 9).fire.len();
        assert_eq!((at_moment(fires.plus_millis(-1)), at_moment(fires)), (0, 1));
    }

    #[test]
    fn contacts_are_served_where_they_live() {
        let schedule = Schedule { timezone: Some(Zone::Contact), each: Some("all".into()), ..schedule("0 9 * * *", Missed::RunOnce) };
        let calendar = Calendar::of(&schedule, "Europe/Berlin");
        let in_kolkata = at("2026-11-20T03:30:00Z");
        assert_eq!(calendar.next_after(at("2026-11-20T03:20:00Z")), Some(in_kolkata));
        let standing = Standing { next: in_kolkata, now: in_kolkata, since: Timestamp::MIN };
        let first = plan(&schedule, &calendar, standing, &|due| due, 9);
        let zones = first.fire[0].zones.clone().unwrap();
        assert!(zones.contains(&"Asia/Kolkata".to_owned()) && !zones.contains(&"Europe/Berlin".to_owned()), "{zones:?}");
        // Two days away: every zone has its latest, once.
        let now = at("2026-11-22T12:07:00Z");
        let missed = plan(&schedule, &calendar, Standing { next: in_kolkata, now, since: now }, &|due| due, 999);
        let mut seen = std::collections::BTreeSet::new();
        for firing in &missed.fire {
            for zone in firing.zones.iter().flatten() {
                assert!(seen.insert(zone.clone()), "{zone} fires twice");
            }
        }
        assert!(seen.contains("Asia/Kolkata") && seen.contains("Pacific/Kiritimati") && seen.contains("America/New_York"));
    }
}
