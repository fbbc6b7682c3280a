//! Cron patterns as schedules write them, and when they occur on the clocks of a zone.

use crate::Timestamp;
use croner::parser::{CronParser, Seconds, Year};
use jiff::{Zoned, tz::TimeZone};

/// Characters of a pattern: the longest useful list of minutes has fewer.
const PATTERN_LENGTH: usize = 256;

/// When a schedule fires: five fields, or six with seconds first, or seven with the year last.
///
/// A fixed time that clocks skip at the start of summer time occurs right after the gap; one that they show twice occurs once,
/// the first time. A pattern for every hour or minute occurs in both of the hours that are shown twice.
#[derive(Clone, Debug)]
pub struct Cron {
    pattern: croner::Cron,
    text: String,
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Cron {
    /// Reads a pattern. The error is one sentence without the remedy.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.len() > PATTERN_LENGTH {
            return Err(format!("it is longer than {PATTERN_LENGTH} characters"));
        }
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Optional).build();
        let pattern = parser.parse(&text).map_err(|error| match wrong_field(parser, &text) {
            Some(field) => format!("the {field} is wrong: {}", reason(&error)),
            None => reason(&error),
        })?;
        Ok(Self { pattern, text })
    }

    /// As written, single spaces between the fields.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// In English, for people.
    pub fn describe(&self) -> String {
        self.pattern.describe()
    }

    /// The first occurrence after a moment; `None` when there is none any more.
    pub fn next_after(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let from = whole_second(moment, zone)?;
        let next = self.pattern.find_next_occurrence(&from, false).ok()?;
        Some(Timestamp::from_jiff_rounded_up(next.timestamp()))
    }

    /// The last occurrence before a moment; `None` when there was none.
    pub fn latest_before(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let from = whole_second(moment.plus_millis(-1), zone)?;
        let latest = self.pattern.find_previous_occurrence(&from, true).ok()?;
        Some(Timestamp::from_jiff_rounded_up(latest.timestamp()))
    }

    /// Whether it occurs at all: a 30th of February never does.
    pub(super) fn ever_occurs(&self) -> bool {
        self.next_after(Timestamp::from_millis(0), &TimeZone::UTC).is_some()
    }
}

/// Occurrences lie on whole seconds: the last one that has begun.
fn whole_second(moment: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    let seconds = moment.as_millis().div_euclid(1_000);
    Some(jiff::Timestamp::from_second(seconds).ok()?.to_zoned(zone.clone()))
}

/// The first field that is wrong by itself, with its name.
fn wrong_field(parser: CronParser, text: &str) -> Option<String> {
    const NAMES: [&str; 7] = ["second", "minute", "hour", "day", "month", "day of the week", "year"];
    let fields: Vec<&str> = text.split(' ').collect();
    let names = NAMES.get(usize::from(fields.len() == 5)..).filter(|_| (5..=7).contains(&fields.len()))?;
    let is_wrong = |place: &usize| {
        let alone: Vec<&str> = fields.iter().enumerate().map(|(other, field)| if other == *place { *field } else { "*" }).collect();
        parser.parse(&alone.join(" ")).is_err()
    };
    let place = (0..fields.len()).find(is_wrong)?;
    Some(format!("{} \"{}\"", names.get(place)?, fields.get(place)?))
}

/// What is wrong, in our words.
fn reason(error: &croner::errors::CronError) -> String {
    use croner::errors::CronError;
    match error {
        CronError::EmptyPattern => "it is empty".to_owned(),
        CronError::InvalidPattern(text) | CronError::IllegalCharacters(text) | CronError::ComponentError(text) => {
            let mut text = text.trim_end_matches('.').to_owned();
            if let Some(first) = text.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            text
        }
        CronError::InvalidDate | CronError::InvalidTime | CronError::TimeSearchLimitExceeded => "it names no moment".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expression::moment;

    fn occurrences(pattern: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let (cron, zone) = (Cron::parse(pattern).unwrap(), moment::zone(zone).unwrap());
        let first = from.parse().unwrap();
        let forward: Vec<Timestamp> = std::iter::successors(cron.next_after(first, &zone), |last| cron.next_after(*last, &zone)).take(count).collect();
        let last = forward.last().unwrap().plus_millis(1);
        let mut backward: Vec<Timestamp> =
            std::iter::successors(cron.latest_before(last, &zone), |next| cron.latest_before(*next, &zone)).take_while(|moment| *moment > first).collect();
        backward.reverse();
        assert_eq!(forward, backward, "{pattern}: the same occurrences, seen from either end");
        forward.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn fields_are_minutes_first_seconds_and_years_are_optional() {
        let utc = |pattern, count| occurrences(pattern, "UTC", "2026-11-20T10:00:30.500Z", count);
        assert_eq!(utc("*/15 * * * *", 2), ["2026-11-20T10:15:00.000Z", "2026-11-20T10:30:00.000Z"]);
        assert_eq!(utc("*/10 * * * * *", 2), ["2026-11-20T10:00:40.000Z", "2026-11-20T10:00:50.000Z"]);
        assert_eq!(utc("0 0 9 1 1 * 2030", 1), ["2030-01-01T09:00:00.000Z"]);
        assert_eq!(utc("0 9 * * mon", 1), ["2026-11-23T09:00:00.000Z"]);
        assert_eq!(utc("0 9 * * 1", 1), ["2026-11-23T09:00:00.000Z"], "1 is Monday");
        assert_eq!(utc("0 9 L * *", 1), ["2026-11-30T09:00:00.000Z"]);
        assert_eq!(utc("@daily", 1), ["2026-11-21T00:00:00.000Z"]);
    }

    #[test]
    fn an_occurrence_is_after_and_before_its_moment_to_the_millisecond() {
        let (cron, utc) = (Cron::parse("0 10 * * *").unwrap(), TimeZone::UTC);
        let due: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        assert_eq!(cron.next_after(due.plus_millis(-1), &utc), Some(due));
        assert_eq!(cron.next_after(due, &utc), Some(due.plus_millis(86_400_000)));
        assert_eq!(cron.latest_before(due.plus_millis(1), &utc), Some(due));
        assert_eq!(cron.latest_before(due, &utc), Some(due.plus_millis(-86_400_000)));
    }

    #[test]
    fn a_fixed_time_occurs_once_when_clocks_change() {
        assert_eq!(
            occurrences("30 2 * * *", "Europe/Amsterdam", "2026-03-27T12:00:00Z", 3),
            ["2026-03-28T01:30:00.000Z", "2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"],
            "skipped: right after the gap"
        );
        assert_eq!(
            occurrences("30 2 * * *", "Europe/Amsterdam", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"],
            "shown twice: the first of the two"
        );
        assert_eq!(
            occurrences("*/30 * * * *", "Europe/Amsterdam", "2026-10-25T00:15:00Z", 4),
            ["2026-10-25T00:30:00.000Z", "2026-10-25T01:00:00.000Z", "2026-10-25T01:30:00.000Z", "2026-10-25T02:00:00.000Z"],
            "every half hour goes on through both"
        );
    }

    #[test]
    fn what_is_no_pattern_is_refused_and_what_never_occurs_is_known() {
        for text in ["", "x", "* * * *", "60 * * * *", "0 25 * * *", "0 0 * * 9", "* * * * * * * *", "0 9 * * mon-", "0 0 0 0 0", &"1,".repeat(300)] {
            assert!(Cron::parse(text).is_err(), "{text:?}");
        }
        assert!(!Cron::parse("0 0 30 2 *").unwrap().ever_occurs());
        assert!(Cron::parse("0 0 29 2 *").unwrap().ever_occurs());
        let past = Cron::parse("0 0 0 1 1 * 2001").unwrap();
        assert!(past.ever_occurs());
        assert_eq!(past.next_after("2026-01-01T00:00:00Z".parse().unwrap(), &TimeZone::UTC), None);
    }
}
