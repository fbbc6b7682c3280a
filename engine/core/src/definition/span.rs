//! Lengths of time and moments, as admins write them.

use super::{PhraseDay, Span, UntilPhrase};
use crate::Timestamp;
use jiff::{SignedDuration, civil::Weekday, tz::TimeZone};

impl Span {
    /// Reads `2h 30m`, `500ms`, `1d` (24 h), `2w`, or ISO 8601 (`P1M`, `PT2H`), whose days and months count by the
    /// calendar. Never negative.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        let bad = || format!("{text:?} is no duration; write it like 30s, 2h 30m, 3d or P1M");
        let span = if trimmed.starts_with(['P', 'p']) {
            trimmed.parse::<jiff::Span>().map_err(|_| bad())?
        } else {
            let millis = exact_millis(trimmed).ok_or_else(bad)?;
            jiff::Span::new().try_milliseconds(millis).map_err(|_| bad())?
        };
        if span.is_negative() {
            return Err(format!("{text:?} is negative; a duration must not be"));
        }
        Ok(Self { span, text: trimmed.to_owned() })
    }

    /// As [`Span::parse`], with a `-` before it allowed: an offset.
    pub fn parse_offset(text: &str) -> Result<Self, String> {
        match text.trim().strip_prefix('-') {
            Some(positive) => {
                let span = Self::parse(positive)?;
                Ok(Self { span: span.span.negate(), text: text.trim().to_owned() })
            }
            None => Self::parse(text.trim().trim_start_matches('+')),
        }
    }

    /// The moment this long after `from`; calendar units count in the zone. Stops at the ends of time; an unknown zone
    /// counts as UTC (validation has refused it).
    pub fn add_to(&self, from: Timestamp, zone: &str) -> Timestamp {
        let Some(moment) = from.to_jiff() else { return from };
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        match moment.to_zoned(zone).checked_add(self.span) {
            Ok(moved) => Timestamp::from_jiff_rounded_up(moved.timestamp()),
            Err(_) if self.span.is_negative() => Timestamp::from_jiff_rounded_up(jiff::Timestamp::MIN),
            Err(_) => Timestamp::from_jiff_rounded_up(jiff::Timestamp::MAX),
        }
    }

    /// The length when it has no calendar units.
    pub fn exact(&self) -> Option<SignedDuration> {
        SignedDuration::try_from(self.span).ok()
    }
}

/// Milliseconds of `2h 30m`-like text.
fn exact_millis(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit: f64 = match &rest[..letters] {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            "w" => 604_800_000.0,
            _ => return None,
        };
        let millis = (number * unit).round();
        // A hundred thousand years: beyond it, arithmetic on times has no meaning.
        if !millis.is_finite() || millis > 3.2e15 {
            return None;
        }
        total = total.checked_add(millis as i64)?;
        rest = rest[letters..].trim_start();
    }
    Some(total)
}

impl UntilPhrase {
    /// Reads `[today|tomorrow|next day|next weekday|next mon…] HH:MM`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no moment; write it like 2026-12-24T09:00:00Z, 09:30, tomorrow 09:30, next weekday 09:30 or next mon 09:30");
        let words: Vec<&str> = text.split_whitespace().collect();
        let (time, day) = words.split_last().ok_or_else(bad)?;
        let day = match day {
            [] => PhraseDay::Any,
            ["today"] => PhraseDay::Today,
            ["tomorrow"] | ["next", "day"] => PhraseDay::Tomorrow,
            ["next", "weekday"] => PhraseDay::NextWeekday,
            ["next", name] => PhraseDay::Next(weekday(name).ok_or_else(bad)?),
            _ => return Err(bad()),
        };
        let time = time_of_day(time).ok_or_else(bad)?;
        Ok(Self { day, time })
    }
}

/// Reads `HH:MM` or `HH:MM:SS`.
pub(crate) fn time_of_day(text: &str) -> Option<jiff::civil::Time> {
    let mut parts = text.split(':').map(|part| (1..=2).contains(&part.len()).then(|| part.parse::<i8>().ok()).flatten());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    if parts.next().is_some() {
        return None;
    }
    jiff::civil::Time::new(hour, minute, second, 0).ok()
}

/// Reads a day of the week: `mon` or `monday`.
pub(crate) fn weekday(name: &str) -> Option<Weekday> {
    Some(match name.to_ascii_lowercase().as_str() {
        "mon" | "monday" => Weekday::Monday,
        "tue" | "tuesday" => Weekday::Tuesday,
        "wed" | "wednesday" => Weekday::Wednesday,
        "thu" | "thursday" => Weekday::Thursday,
        "fri" | "friday" => Weekday::Friday,
        "sat" | "saturday" => Weekday::Saturday,
        "sun" | "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str, from: &str, zone: &str) -> String {
        Span::parse_offset(text).unwrap().add_to(from.parse().unwrap(), zone).to_string()
    }

    #[test]
    fn durations_are_exact_and_iso_counts_by_the_calendar() {
        let from = "2026-10-24T12:00:00Z";
        assert_eq!(after("2h 30m", from, "UTC"), "2026-10-24T14:30:00.000Z");
        assert_eq!(after("1.5h", from, "UTC"), "2026-10-24T13:30:00.000Z");
        assert_eq!(after("500ms", from, "UTC"), "2026-10-24T12:00:00.500Z");
        assert_eq!(after("1d", from, "Europe/Amsterdam"), "2026-10-25T12:00:00.000Z", "d is 24 h");
        assert_eq!(after("P1D", from, "Europe/Amsterdam"), "2026-10-25T13:00:00.000Z", "a calendar day has 25 h here");
        assert_eq!(after("P1M", "2026-01-31T00:00:00Z", "UTC"), "2026-02-28T00:00:00.000Z");
        assert_eq!(after("-24h", from, "UTC"), "2026-10-23T12:00:00.000Z");
    }

    #[test]
    fn what_is_no_duration_is_refused_with_an_example() {
        for text in ["", " ", "5", "h", "2 hours", "1d2", "-3h", "1e9d", "99999999999999w", "P-1D", "1..5h", "."] {
            assert!(Span::parse(text).is_err(), "{text:?}");
        }
        assert!(Span::parse("soon").unwrap_err().contains("2h 30m"));
    }

    #[test]
    fn phrases() {
        let parse = |text| UntilPhrase::parse(text).map(|phrase| (phrase.day, phrase.time.to_string()));
        assert_eq!(parse("next weekday 09:30").unwrap(), (PhraseDay::NextWeekday, "09:30:00".into()));
        assert_eq!(parse("next mon 9:05").unwrap(), (PhraseDay::Next(Weekday::Monday), "09:05:00".into()));
        assert_eq!(parse("tomorrow 23:59").unwrap().0, PhraseDay::Tomorrow);
        assert_eq!(parse("18:00").unwrap().0, PhraseDay::Any);
        for text in ["", "tomorrow", "next moon 09:00", "25:00", "09:60", "next 09:00", "9"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
