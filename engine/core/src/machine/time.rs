//! Delays: from what the admin wrote to a due time. Pure: the zone's rules are data, the moment is a parameter.

use crate::{
    Timestamp,
    definition::{PhraseDay, UntilPhrase},
    expression::moment,
};
use jiff::{ToSpan, Zoned, civil::Weekday, tz::TimeZone};

/// The first moment that fits the phrase, as seen from `now`. `today` that is past gives that past moment: the delay then
/// goes on at once. A time that the clock skips (start of summer time) moves to the first moment after the gap; one that it
/// shows twice is the first of the two.
pub(super) fn phrase(phrase: &UntilPhrase, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let here = zoned(now, zone)?;
    let at = |days: i32| -> Result<Timestamp, String> {
        let date = here.date().checked_add(days.days()).map_err(|error| error.to_string())?;
        moment::at(date.to_datetime(phrase.time), zone)
    };
    match phrase.day {
        PhraseDay::Any => {
            let today = at(0)?;
            if today > now { Ok(today) } else { at(1) }
        }
        PhraseDay::Today => at(0),
        PhraseDay::Tomorrow => at(1),
        PhraseDay::NextWeekday => {
            let days = (1..=7).find(|days| !is_weekend(weekday_after(here.weekday(), *days))).unwrap_or(1);
            at(days)
        }
        PhraseDay::Next(day) => {
            let days = (1..=7).find(|days| weekday_after(here.weekday(), *days) == day).unwrap_or(7);
            at(days)
        }
    }
}

fn zoned(moment: Timestamp, zone: &TimeZone) -> Result<Zoned, String> {
    Ok(moment.to_jiff().ok_or("the time lies outside the years that can be told")?.to_zoned(zone.clone()))
}

fn weekday_after(day: Weekday, days: i32) -> Weekday {
    day.wrapping_add(i64::from(days))
}

fn is_weekend(day: Weekday) -> bool {
    matches!(day, Weekday::Saturday | Weekday::Sunday)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::moment::zone;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }
    fn next(day: PhraseDay, time: &str, now: &str, zone_name: &str) -> String {
        let phrase_of = UntilPhrase { day, time: time.parse().unwrap() };
        phrase(&phrase_of, at(now), &zone(zone_name).unwrap()).unwrap().to_string()
    }

    #[test]
    fn phrases_mean_the_next_such_moment_in_the_zone() {
        // 2026-11-20 is a Friday.
        assert_eq!(next(PhraseDay::NextWeekday, "09:30", "2026-11-20T10:00:00Z", "Asia/Kolkata"), "2026-11-23T04:00:00.000Z");
        assert_eq!(next(PhraseDay::Tomorrow, "09:30", "2026-11-20T10:00:00Z", "UTC"), "2026-11-21T09:30:00.000Z");
        assert_eq!(next(PhraseDay::Today, "09:30", "2026-11-20T10:00:00Z", "UTC"), "2026-11-20T09:30:00.000Z");
        assert_eq!(next(PhraseDay::Any, "09:30", "2026-11-20T09:30:00Z", "UTC"), "2026-11-21T09:30:00.000Z");
        assert_eq!(next(PhraseDay::Any, "09:30", "2026-11-20T09:29:59Z", "UTC"), "2026-11-20T09:30:00.000Z");
        assert_eq!(next(PhraseDay::Next(Weekday::Friday), "08:00", "2026-11-20T07:00:00Z", "UTC"), "2026-11-27T08:00:00.000Z");
    }

    #[test]
    fn a_time_in_the_gap_moves_behind_it_and_one_shown_twice_is_the_first() {
        assert_eq!(next(PhraseDay::Any, "02:30", "2026-03-28T22:00:00Z", "Europe/Amsterdam"), "2026-03-29T01:00:00.000Z");
        assert_eq!(next(PhraseDay::Any, "02:30", "2026-10-24T22:00:00Z", "Europe/Amsterdam"), "2026-10-25T00:30:00.000Z");
    }
}
