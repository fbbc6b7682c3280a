//! Delays: from what the admin wrote to a due time. Pure: the zone's rules are data, the moment is a parameter.

use crate::{
    Timestamp, Value,
    definition::{OpenHours, PhraseDay, UntilPhrase},
    expression::moment,
};
use jiff::{
    ToSpan, Zoned,
    civil::{Time, Weekday},
    tz::TimeZone,
};

/// How far ahead an open moment is looked for: a year and a bit, so that hours that never open end in an error.
const OPEN_HOURS_DAYS: i32 = 400;

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

/// The first open moment at or after `from`.
pub(super) fn open_moment(hours: &OpenHours, organisation_hours: &Value, from: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let start = zoned(from, zone)?;
    for day in 0..OPEN_HOURS_DAYS {
        let date = start.date().checked_add(day.days()).map_err(|error| error.to_string())?;
        for (opens, closes) in open_spans(hours, organisation_hours, date)? {
            if from < moment::at(date.to_datetime(closes), zone)? {
                return Ok(moment::at(date.to_datetime(opens), zone)?.max(from));
            }
        }
    }
    Err("these hours never open within a year; check `within` or the organisation's business hours".into())
}

/// The spans of a day, in order. The organisation's hours are
/// `{ "days": { "mon": [{ "from": "09:00", "to": "18:00" }], … }, "holidays": ["2026-12-25"] }`.
fn open_spans(hours: &OpenHours, organisation_hours: &Value, date: jiff::civil::Date) -> Result<Vec<(Time, Time)>, String> {
    match hours {
        OpenHours::Days { days, from, to } => {
            let open = days.get(usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())).copied().unwrap_or(false);
            Ok(if open { vec![(*from, *to)] } else { Vec::new() })
        }
        OpenHours::Organisation => {
            let days = organisation_hours.get("days").ok_or("the organisation has no business hours; set them in its settings")?;
            let closed = organisation_hours["holidays"].as_array().is_some_and(|list| list.iter().any(|day| day.as_str() == Some(&date.to_string())));
            if closed {
                return Ok(Vec::new());
            }
            let spans = days[short_name(date.weekday())].as_array().map(Vec::as_slice).unwrap_or_default();
            let mut found = spans
                .iter()
                .map(|span| {
                    let time = |name: &str| {
                        span[name]
                            .as_str()
                            .and_then(|text| text.parse::<Time>().ok())
                            .ok_or_else(|| format!("business hours: {name} of {span} is no time of day"))
                    };
                    Ok((time("from")?, time("to")?))
                })
                .collect::<Result<Vec<_>, String>>()?;
            found.sort_unstable();
            Ok(found)
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

fn short_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "mon",
        Weekday::Tuesday => "tue",
        Weekday::Wednesday => "wed",
        Weekday::Thursday => "thu",
        Weekday::Friday => "fri",
        Weekday::Saturday => "sat",
        Weekday::Sunday => "sun",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::moment::zone;
    use serde_json::json;

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

    #[test]
    fn open_hours_wait_for_the_door() {
        let hours = OpenHours::Days { days: [true, true, true, true, true, false, false], from: "09:00".parse().unwrap(), to: "18:00".parse().unwrap() };
        let utc = zone("UTC").unwrap();
        let open = |from: &str| open_moment(&hours, &Value::Null, at(from), &utc).unwrap().to_string();
        assert_eq!(open("2026-11-20T12:00:00Z"), "2026-11-20T12:00:00.000Z");
        assert_eq!(open("2026-11-20T07:00:00Z"), "2026-11-20T09:00:00.000Z");
        assert_eq!(open("2026-11-20T18:00:00Z"), "2026-11-23T09:00:00.000Z");
        let never = OpenHours::Days { days: [false; 7], from: "09:00".parse().unwrap(), to: "18:00".parse().unwrap() };
        assert!(open_moment(&never, &Value::Null, at("2026-11-20T12:00:00Z"), &utc).is_err());
    }

    #[test]
    fn the_organisations_hours_know_holidays() {
        let hours = json!({ "days": { "thu": [{ "from": "09:00", "to": "12:00" }, { "from": "13:00", "to": "17:00" }] }, "holidays": ["2026-12-24"] });
        let utc = zone("UTC").unwrap();
        let open = |from: &str| open_moment(&OpenHours::Organisation, &hours, at(from), &utc).unwrap().to_string();
        assert_eq!(open("2026-12-17T12:30:00Z"), "2026-12-17T13:00:00.000Z");
        assert_eq!(open("2026-12-18T12:30:00Z"), "2026-12-31T09:00:00.000Z");
        assert!(open_moment(&OpenHours::Organisation, &Value::Null, at("2026-12-18T12:30:00Z"), &utc).is_err());
    }
}
