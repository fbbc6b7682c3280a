//! Lengths of time and moments, as admins write them: `2h 30m`, `1d`, ISO 8601 (`P1M` counts by the calendar);
//! `next weekday 09:30`.

use super::{PhraseDay, Span, UntilPhrase};
use crate::{Timestamp, expression::moment};
use jiff::{SignedDuration, civil::Weekday};

/// The longest length: a hundred years.
const MOST_MS: i64 = 100 * 366 * 86_400_000;

impl Span {
    /// Reads a length that is not negative.
    pub fn parse(text: &str) -> Result<Self, String> {
        let span = Self::parse_offset(text)?;
        if span.span.is_negative() {
            return Err(wrong(text, "it is negative"));
        }
        Ok(span)
    }

    /// Reads a length that may be negative (`offset: -24h`).
    pub fn parse_offset(text: &str) -> Result<Self, String> {
        let wrong = |reason| wrong(text, reason);
        let trimmed = text.trim();
        let (negative, body) = match trimmed.as_bytes().first() {
            Some(b'-') => (true, trimmed[1..].trim_start()),
            Some(b'+') => (false, trimmed[1..].trim_start()),
            _ => (false, trimmed),
        };
        if body.is_empty() {
            return Err(wrong("it is empty"));
        }
        let span = if body.starts_with(['P', 'p']) {
            body.parse::<jiff::Span>().map_err(|_| wrong("it is not ISO 8601"))?
        } else {
            jiff::Span::new().try_milliseconds(millis(body).map_err(wrong)?).map_err(|_| wrong("it is too long"))?
        };
        let span = if negative { span.negate() } else { span };
        let result = Self { span, text: trimmed.to_owned() };
        let epoch = Timestamp::from_millis(0);
        if result.add_to(epoch, "UTC").millis_since(epoch).abs() > MOST_MS {
            return Err(wrong("it is longer than a hundred years"));
        }
        Ok(result)
    }

    /// Milliseconds, unless it counts by the calendar; fractions round up.
    pub fn fixed_millis(&self) -> Option<i64> {
        let span = &self.span;
        if span.get_years() != 0 || span.get_months() != 0 || span.get_weeks() != 0 || span.get_days() != 0 {
            return None;
        }
        let nanos = SignedDuration::try_from(*span).ok()?.as_nanos();
        i64::try_from(nanos.div_euclid(1_000_000) + i128::from(nanos.rem_euclid(1_000_000) != 0)).ok()
    }

    /// The moment this long after another, by the calendar of the zone (an IANA name; UTC if there is none such) where it
    /// counts by the calendar. Rounded up to the millisecond, so never early (SEMANTICS.md 30).
    #[must_use]
    pub fn add_to(&self, moment: Timestamp, zone: &str) -> Timestamp {
        if let Some(millis) = self.fixed_millis() {
            return moment.plus_millis(millis);
        }
        let zone = moment::zone(zone).unwrap_or(jiff::tz::TimeZone::UTC);
        let end = moment.to_jiff().and_then(|moment| moment.to_zoned(zone).checked_add(self.span).ok());
        match end {
            Some(end) => Timestamp::from_jiff_rounded_up(end.timestamp()),
            None if self.span.is_negative() => Timestamp::from_millis(i64::MIN),
            None => Timestamp::from_millis(i64::MAX),
        }
    }

    /// The length, unless it counts by the calendar.
    pub fn exact(&self) -> Option<SignedDuration> {
        self.fixed_millis().map(SignedDuration::from_millis)
    }

    /// The same length backwards.
    #[must_use]
    pub fn negated(&self) -> Self {
        let text = self.text.strip_prefix('-').map_or_else(|| format!("-{}", self.text), str::to_owned);
        Self { span: self.span.negate(), text }
    }
}

fn wrong(text: &str, reason: &str) -> String {
    let shown: String = text.chars().take(60).collect();
    format!("\"{shown}\" is no duration: {reason}; write it like 30s, 2h 30m, 7d or P1M")
}

/// `2h 30m` in milliseconds.
fn millis(text: &str) -> Result<i64, &'static str> {
    let mut rest = text;
    let mut total = 0_f64;
    let mut smallest = f64::INFINITY;
    while !rest.is_empty() {
        let number_end = rest.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(rest.len());
        let (number, tail) = rest.split_at(number_end);
        let tail = tail.trim_start();
        let unit_end = tail.find(|character: char| !character.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        if number.is_empty() {
            return Err("a number is expected");
        }
        let number: f64 = number.parse().map_err(|_| "a number is expected")?;
        let size = match unit {
            "ms" => 1.0,
            "s" => 1_000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            "w" => 604_800_000.0,
            "" => return Err("it has no unit"),
            _ => return Err("its units are ms, s, m, h, d and w"),
        };
        if size >= smallest {
            return Err("its units must go from large to small, each once");
        }
        smallest = size;
        total += number * size;
        rest = tail.trim_start();
    }
    if total > MOST_MS as f64 {
        return Err("it is longer than a hundred years");
    }
    Ok(total.ceil() as i64)
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

    #[test]
    fn units_are_exact_and_a_day_is_24_hours() {
        for (text, expected) in [
            ("0s", 0),
            ("250ms", 250),
            ("2h 30m", 9_000_000),
            ("2h30m", 9_000_000),
            ("1.5h", 5_400_000),
            ("1d", 86_400_000),
            ("1w 1d", 8 * 86_400_000),
            ("PT2H30M", 9_000_000),
            ("PT0.0001S", 1),
        ] {
            assert_eq!(Span::parse(text).unwrap().fixed_millis(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "empty"),
            ("soon", "a number"),
            ("5", "no unit"),
            ("5 minutes", "units are"),
            ("30m 2h", "large to small"),
            ("1h 1h", "large to small"),
            ("-5m", "negative"),
            ("-P1M", "negative"),
            ("PX", "ISO 8601"),
            ("900000w", "hundred years"),
            ("P2000Y", "hundred years"),
            ("1.2.3h", "a number"),
            ("99999999999999999999999999d", "hundred years"),
        ] {
            let error = Span::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert_eq!(Span::parse_offset("-24h").unwrap().fixed_millis(), Some(-86_400_000));
    }

    #[test]
    fn calendar_units_count_in_the_zone() {
        let start: Timestamp = "2026-03-28T08:00:00Z".parse().unwrap();
        // The clocks go forward in between: a calendar day has 23 hours, `1d` has 24.
        assert_eq!(Span::parse("P1D").unwrap().add_to(start, "Europe/Amsterdam").to_string(), "2026-03-29T07:00:00.000Z");
        assert_eq!(Span::parse("1d").unwrap().add_to(start, "Europe/Amsterdam").to_string(), "2026-03-29T08:00:00.000Z");
        assert_eq!(Span::parse("P1M").unwrap().add_to(start, "UTC").to_string(), "2026-04-28T08:00:00.000Z");
        assert_eq!(Span::parse("P1M").unwrap().negated().add_to(start, "UTC").to_string(), "2026-02-28T08:00:00.000Z");
        assert_eq!(Span::parse("P1M").unwrap().fixed_millis(), None);
    }
}
