//! Opening hours: when somewhere is open, the next open moment, and lengths of time of which only open time counts. Pure: the
//! zone's rules are data, the moment is a parameter.

use crate::{Timestamp, Value, definition::span::time_of_day, expression::moment};
use jiff::{
    ToSpan,
    civil::{Date, Time},
    tz::TimeZone,
};
use std::collections::BTreeSet;

/// How far ahead open time is looked for: ten years and a bit, so that hours that never open end in an error.
const MOST_DAYS: i32 = 3_700;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The business hours of an organisation that has set none: Monday to Friday, nine to six, no holidays. As
/// [`OpeningHours::parse`] reads them.
pub fn usual() -> Value {
    let day = serde_json::json!([["09:00", "18:00"]]);
    serde_json::json!({ "days": { "mon": day, "tue": day, "wed": day, "thu": day, "fri": day }, "holidays": [] })
}

/// When somewhere is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpeningHours {
    /// Monday first: the spans of a day, in order and apart.
    week: [Vec<OpenSpan>; 7],
    holidays: BTreeSet<Date>,
}

/// A span of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct OpenSpan {
    opens: Time,
    /// `None`: the end of the day.
    closes: Option<Time>,
}

impl OpeningHours {
    /// The same span on some days of the week (Monday first).
    pub fn weekly(days: [bool; 7], from: Time, to: Time) -> Self {
        let week = days.map(|open| if open { vec![OpenSpan { opens: from, closes: Some(to) }] } else { Vec::new() });
        Self { week, holidays: BTreeSet::new() }
    }

    /// Reads an organisation's business hours:
    /// `{ "days": { "mon": [["09:00", "12:30"], ["13:30", "18:00"]], … }, "holidays": ["2026-12-25"] }`. A day that is left out is
    /// closed; `24:00` is the end of a day. The error names the place.
    pub fn parse(value: &Value) -> Result<Self, String> {
        let shape = "business hours are an object: { \"days\": { \"mon\": [[\"09:00\", \"18:00\"]] }, \"holidays\": [] }";
        let fields = value.as_object().ok_or(shape)?;
        if let Some(unknown) = fields.keys().find(|name| !["days", "holidays"].contains(&name.as_str())) {
            return Err(format!("business hours have no \"{unknown}\"; there are days and holidays"));
        }
        let days = fields.get("days").and_then(Value::as_object).ok_or(shape)?;
        let mut hours = Self::default();
        for (name, spans) in days {
            let at = DAYS.iter().position(|day| day == name).ok_or_else(|| format!("days: \"{name}\" is no day; there are {}", DAYS.join(", ")))?;
            let spans = spans.as_array().ok_or_else(|| format!("days.{name} is a list of spans, such as [[\"09:00\", \"18:00\"]]"))?;
            let mut read =
                spans.iter().map(|span| OpenSpan::parse(span).map_err(|problem| format!("days.{name}: {problem}"))).collect::<Result<Vec<_>, _>>()?;
            read.sort_unstable();
            if read.windows(2).any(|pair| pair[0].closes.is_none_or(|closes| closes > pair[1].opens)) {
                return Err(format!("days.{name}: its spans overlap"));
            }
            hours.week[at] = read;
        }
        let holidays = match fields.get("holidays") {
            None => &[],
            Some(list) => list.as_array().ok_or("holidays is a list of dates, such as [\"2026-12-25\"]")?.as_slice(),
        };
        for day in holidays {
            let date =
                day.as_str().and_then(|text| text.parse::<Date>().ok()).ok_or_else(|| format!("holidays: {day} is no date; write it like \"2026-12-25\""))?;
            hours.holidays.insert(date);
        }
        Ok(hours)
    }

    /// The first open moment at or after `from`.
    pub fn open_at(&self, from: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
        self.after(from, 0, zone)
    }

    /// The moment at which this much open time has passed since `from`: an open one. Nothing of a length that ends when it
    /// closes is left for the next day.
    pub fn after(&self, from: Timestamp, millis: i64, zone: &TimeZone) -> Result<Timestamp, String> {
        let mut left = millis;
        let start = from.to_jiff().ok_or("the time lies outside the years that calendars know")?.to_zoned(zone.clone()).date();
        for day in 0..MOST_DAYS {
            let date = start.checked_add(day.days()).map_err(|error| error.to_string())?;
            for span in self.on(date) {
                let (opens, closes) = span.moments(date, zone)?;
                let begin = opens.max(from);
                if closes <= begin {
                    continue;
                }
                let open = closes.millis_since(begin);
                if left < open || (left == open && left > 0) {
                    return Ok(begin.plus_millis(left));
                }
                left -= open;
            }
        }
        Err("these hours are not open long enough within ten years; check `within`, or the organisation's business hours".into())
    }

    fn on(&self, date: Date) -> &[OpenSpan] {
        if self.holidays.contains(&date) {
            return &[];
        }
        &self.week[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs()) % 7]
    }
}

impl OpenSpan {
    fn parse(value: &Value) -> Result<Self, String> {
        let wrong = || format!("{value} is no span; write it like [\"09:00\", \"18:00\"]");
        let Some([opens, closes]) = value.as_array().map(Vec::as_slice) else { return Err(wrong()) };
        let (opens, closes) = (opens.as_str().ok_or_else(wrong)?, closes.as_str().ok_or_else(wrong)?);
        let opens = time_of_day(opens).ok_or_else(wrong)?;
        let closes = if closes == "24:00" { None } else { Some(time_of_day(closes).ok_or_else(wrong)?) };
        if closes.is_some_and(|closes| closes <= opens) {
            return Err(format!("{value} closes before it opens; a night is two spans, one to 24:00 and one from 00:00 on the next day"));
        }
        Ok(Self { opens, closes })
    }

    /// When it opens and closes on that day.
    fn moments(self, date: Date, zone: &TimeZone) -> Result<(Timestamp, Timestamp), String> {
        let closes = match self.closes {
            Some(closes) => date.to_datetime(closes),
            None => date.tomorrow().map_err(|error| error.to_string())?.to_datetime(Time::midnight()),
        };
        Ok((moment::at(date.to_datetime(self.opens), zone)?, moment::at(closes, zone)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }
    fn zone(name: &str) -> TimeZone {
        moment::zone(name).unwrap()
    }

    #[test]
    fn open_hours_wait_for_the_door() {
        let hours = OpeningHours::weekly([true, true, true, true, true, false, false], "09:00".parse().unwrap(), "18:00".parse().unwrap());
        let open = |from: &str| hours.open_at(at(from), &zone("UTC")).unwrap().to_string();
        assert_eq!(open("2026-11-20T12:00:00Z"), "2026-11-20T12:00:00.000Z");
        assert_eq!(open("2026-11-20T07:00:00Z"), "2026-11-20T09:00:00.000Z");
        assert_eq!(open("2026-11-20T18:00:00Z"), "2026-11-23T09:00:00.000Z");
        let never = OpeningHours::weekly([false; 7], "09:00".parse().unwrap(), "18:00".parse().unwrap());
        assert!(never.open_at(at("2026-11-20T12:00:00Z"), &zone("UTC")).is_err());
    }

    #[test]
    fn the_organisations_hours_know_breaks_and_holidays() {
        let hours = json!({ "days": { "thu": [["13:00", "17:00"], ["09:00", "12:00"]] }, "holidays": ["2026-12-24"] });
        let hours = OpeningHours::parse(&hours).unwrap();
        let open = |from: &str| hours.open_at(at(from), &zone("UTC")).unwrap().to_string();
        assert_eq!(open("2026-12-17T12:30:00Z"), "2026-12-17T13:00:00.000Z");
        assert_eq!(open("2026-12-18T12:30:00Z"), "2026-12-31T09:00:00.000Z");
    }

    #[test]
    fn the_usual_hours_are_hours() {
        assert!(OpeningHours::parse(&usual()).is_ok());
    }

    #[test]
    fn only_open_time_counts() {
        let hours = json!({ "days": { "fri": [["09:00", "12:00"], ["13:00", "18:00"]], "mon": [["09:00", "18:00"]] }, "holidays": ["2026-11-23"] });
        let hours = OpeningHours::parse(&hours).unwrap();
        // 2026-11-20 is a Friday.
        let after = |from: &str, hours_long: f64| hours.after(at(from), (hours_long * 3_600_000.0) as i64, &zone("UTC")).unwrap().to_string();
        assert_eq!(after("2026-11-20T10:00:00Z", 1.0), "2026-11-20T11:00:00.000Z");
        assert_eq!(after("2026-11-20T10:00:00Z", 2.0), "2026-11-20T12:00:00.000Z", "it ends when the door closes");
        assert_eq!(after("2026-11-20T10:00:00Z", 2.5), "2026-11-20T13:30:00.000Z", "the break does not count");
        assert_eq!(after("2026-11-20T17:00:00Z", 4.0), "2026-11-27T12:00:00.000Z", "neither do night, weekend and holiday");
        assert_eq!(after("2026-11-21T17:00:00Z", 0.0), "2026-11-27T09:00:00.000Z");
        assert!(hours.after(at("2026-11-20T10:00:00Z"), i64::MAX, &zone("UTC")).is_err());
    }

    #[test]
    fn round_the_clock_counts_like_any_clock_through_a_change_of_time() {
        let all: serde_json::Map<String, Value> = DAYS.iter().map(|day| ((*day).to_owned(), json!([["00:00", "24:00"]]))).collect();
        let hours = OpeningHours::parse(&json!({ "days": all })).unwrap();
        // The clocks go back in the night: that day is open for 25 hours.
        let zone = zone("Europe/Amsterdam");
        assert_eq!(hours.after(at("2026-10-24T22:00:00Z"), 25 * 3_600_000, &zone).unwrap(), at("2026-10-25T23:00:00Z"));
        assert_eq!(hours.after(at("2026-10-24T22:00:00Z"), 240 * 3_600_000, &zone).unwrap(), at("2026-11-03T22:00:00Z"));
    }

    #[test]
    fn what_is_no_business_hours_is_refused_with_its_place() {
        for (value, problem) in [
            (json!(null), "are an object"),
            (json!({ "days": [] }), "are an object"),
            (json!({ "days": {}, "closed": [] }), "no \"closed\""),
            (json!({ "days": { "monday": [] } }), "\"monday\" is no day"),
            (json!({ "days": { "mon": "09:00-18:00" } }), "days.mon is a list"),
            (json!({ "days": { "mon": [{ "from": "09:00", "to": "18:00" }] } }), "days.mon: "),
            (json!({ "days": { "mon": [["18:00", "09:00"]] } }), "closes before it opens"),
            (json!({ "days": { "mon": [["09:00", "25:00"]] } }), "no span"),
            (json!({ "days": { "mon": [["09:00", "12:00"], ["11:00", "18:00"]] } }), "overlap"),
            (json!({ "days": {}, "holidays": ["25.12."] }), "no date"),
        ] {
            let told = OpeningHours::parse(&value).unwrap_err();
            assert!(told.contains(problem), "{value}: {told}");
        }
    }
}
