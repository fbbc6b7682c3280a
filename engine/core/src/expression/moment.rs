//! Times in expressions: reading, shifting and writing them. They are RFC 3339 text in UTC with milliseconds, so that
//! comparing the texts compares the times.

use crate::{Timestamp, Value};
use jiff::{
    civil,
    fmt::strtime,
    tz::{AmbiguousOffset, TimeZone},
};

/// Seconds above which a number must be meant as milliseconds (the year 5138).
const SECONDS_MOST: i64 = 100_000_000_000;

/// The zone of that IANA name.
pub(crate) fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("there is no time zone \"{name}\"; write a name such as Asia/Kolkata"))
}

/// Reads a time: RFC 3339, a date with or without a time of day (in the zone), or seconds or milliseconds since 1970.
pub(crate) fn read(value: &Value, zone_name: &str) -> Result<Timestamp, String> {
    match value {
        Value::Number(number) => {
            let seconds = number.as_i64().ok_or_else(|| format!("{number} is no time"))?;
            Ok(Timestamp::from_millis(if seconds.abs() > SECONDS_MOST { seconds } else { seconds.saturating_mul(1000) }))
        }
        Value::String(text) => {
            let text = text.trim();
            if let Ok(moment) = text.parse::<Timestamp>() {
                return Ok(moment);
            }
            let civil: civil::DateTime = text.parse().map_err(|_| format!("\"{text}\" is no time; write 2026-01-31T09:30:00Z"))?;
            at(civil, &zone(zone_name)?)
        }
        other => Err(format!("a time is expected, not {other}")),
    }
}

/// The moment at which clocks of the zone show this; where they skip it, the first moment after the gap.
pub(crate) fn at(civil: civil::DateTime, zone: &TimeZone) -> Result<Timestamp, String> {
    let ambiguous = zone.to_ambiguous_zoned(civil);
    let zoned = match ambiguous.offset() {
        // The first moment after the gap has the offset that holds from there on.
        AmbiguousOffset::Gap { .. } => ambiguous.later().map(|after| match zone.preceding(after.timestamp()).next() {
            Some(transition) if transition.timestamp() <= after.timestamp() => transition.timestamp().to_zoned(zone.clone()),
            _ => after,
        }),
        _ => ambiguous.compatible(),
    };
    zoned.map(|zoned| Timestamp::from_jiff_rounded_up(zoned.timestamp())).map_err(|error| error.to_string())
}

/// Writes a time by a pattern (`%Y-%m-%d %H:%M`) as clocks of the zone show it.
pub(crate) fn format(moment: Timestamp, pattern: &str, zone_name: &str) -> Result<String, String> {
    let time = moment.to_jiff().ok_or_else(|| "the time lies outside the years that calendars know".to_owned())?;
    let zoned = time.to_zoned(zone(zone_name)?);
    if pattern.len() > 200 {
        return Err("a pattern of a time is 200 characters long at the most".to_owned());
    }
    let mut out = String::new();
    strtime::BrokenDownTime::from(&zoned)
        .format(pattern, &mut out)
        .map_err(|error| format!("\"{pattern}\" is no pattern of a time such as %Y-%m-%d %H:%M: {error}"))?;
    if out.len() > 2_000 {
        return Err("the written time is too long".to_owned());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_senders_write() {
        for (value, expected) in [
            (json!("2026-03-01T10:00:00+05:30"), "2026-03-01T04:30:00.000Z"),
            (json!("2026-03-01T10:00"), "2026-03-01T04:30:00.000Z"),
            (json!("2026-03-01"), "2026-02-28T18:30:00.000Z"),
            (json!(1_772_339_400), "2026-03-01T04:30:00.000Z"),
            (json!(1_772_339_400_000_i64), "2026-03-01T04:30:00.000Z"),
        ] {
            assert_eq!(read(&value, "Asia/Kolkata").unwrap().to_string(), expected, "{value}");
        }
        for wrong in [json!("soon"), json!(null), json!([1]), json!(1.5)] {
            assert!(read(&wrong, "UTC").is_err(), "{wrong}");
        }
        assert!(read(&json!("2026-03-01"), "Asia/Kolkatta").unwrap_err().contains("no time zone"));
    }

    #[test]
    fn a_skipped_time_of_day_is_the_first_moment_after_the_gap() {
        let amsterdam = zone("Europe/Amsterdam").unwrap();
        assert_eq!(at(civil::date(2026, 3, 29).at(2, 30, 0, 0), &amsterdam).unwrap().to_string(), "2026-03-29T01:00:00.000Z");
        assert_eq!(at(civil::date(2026, 10, 25).at(2, 30, 0, 0), &amsterdam).unwrap().to_string(), "2026-10-25T00:30:00.000Z");
    }

    #[test]
    fn patterns_cannot_grow_without_bound() {
        let now = Timestamp::from_millis(0);
        assert_eq!(format(now, "%d.%m.%Y %H:%M", "Asia/Kolkata").unwrap(), "01.01.1970 05:30");
        assert!(format(now, "%!", "UTC").is_err());
        assert!(format(now, &"%255d".repeat(100), "UTC").is_err());
    }
}
