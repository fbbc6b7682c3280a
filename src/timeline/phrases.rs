//! How times, lengths of time and values are put for people.

use jiff::{Zoned, tz::TimeZone};
use onward_core::{Timestamp, Value};

/// A length of time in its two largest units: `340 ms`, `1.2 s`, `3 min 20 s`, `2 h 3 min`, `2 d 23 h`.
pub(crate) fn length(millis: i64) -> String {
    const SECOND: i64 = 1_000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let two = |large: i64, large_name: &str, small: i64, small_name: &str| match (millis % large) / small {
        0 => format!("{} {large_name}", millis / large),
        rest => format!("{} {large_name} {rest} {small_name}", millis / large),
    };
    match millis {
        ..SECOND => format!("{} ms", millis.max(0)),
        SECOND..MINUTE => match (millis % SECOND) / 100 {
            0 => format!("{} s", millis / SECOND),
            tenth => format!("{}.{tenth} s", millis / SECOND),
        },
        MINUTE..HOUR => two(MINUTE, "min", SECOND, "s"),
        HOUR..DAY => two(HOUR, "h", MINUTE, "min"),
        _ => two(DAY, "d", HOUR, "h"),
    }
}

/// Shows moments in one zone.
#[derive(Clone, Debug)]
pub(super) struct Almanac {
    zone: TimeZone,
    /// The zone's name.
    pub(super) name: String,
}

impl Almanac {
    /// In the zone of that name; UTC when nobody knows it.
    pub(super) fn of(zone: &str) -> Self {
        match TimeZone::get(zone) {
            Ok(found) => Self { zone: found, name: zone.to_owned() },
            Err(_) => Self { zone: TimeZone::UTC, name: "UTC".to_owned() },
        }
    }

    fn zoned(&self, at: Timestamp) -> Option<Zoned> {
        at.to_jiff().map(|time| time.to_zoned(self.zone.clone()))
    }
    /// `Fri 20 Nov 2026`.
    pub(super) fn day(&self, at: Timestamp) -> String {
        self.zoned(at).map_or_else(|| at.to_string(), |time| time.strftime("%a %-d %b %Y").to_string())
    }
    /// `10:00:00.004`.
    pub(super) fn time(&self, at: Timestamp) -> String {
        self.zoned(at).map_or_else(|| at.to_string(), |time| time.strftime("%H:%M:%S%.3f").to_string())
    }
    /// `Fri 20 Nov 2026 10:00:00`.
    pub(super) fn moment(&self, at: Timestamp) -> String {
        self.zoned(at).map_or_else(|| at.to_string(), |time| time.strftime("%a %-d %b %Y %H:%M:%S").to_string())
    }
    /// `until Fri 20 Nov 2026 10:00:00 (in 2 h)`, or how long ago it was.
    pub(super) fn due(&self, due: Timestamp, now: Timestamp) -> String {
        let left = due.millis_since(now);
        let distance = if left >= 0 { format!("in {}", length(left)) } else { format!("{} ago", length(-left)) };
        format!("{} ({distance})", self.moment(due))
    }
}

/// A value on one line, cut to `width` characters.
pub(super) fn value(value: &Value, width: usize) -> String {
    cut(&value.to_string(), width)
}

/// A text on one line, cut to `width` characters. Control characters of foreign data never reach the terminal.
pub(super) fn cut(text: &str, width: usize) -> String {
    let mut line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(width + 1).collect();
    if line.chars().count() > width {
        line = line.chars().take(width.saturating_sub(3)).collect();
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_two_units_at_most() {
        for (millis, text) in [
            (-5, "0 ms"),
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (1_290, "1.2 s"),
            (60_000, "1 min"),
            (200_000, "3 min 20 s"),
            (7_380_000, "2 h 3 min"),
            (86_400_000, "1 d"),
            (255_600_000, "2 d 23 h"),
        ] {
            assert_eq!(length(millis), text);
        }
    }

    #[test]
    fn foreign_text_is_cut_and_harmless() {
        assert_eq!(cut("a\u{1b}[31mb\nc", 20), "a [31mb c");
        assert_eq!(cut("abcdefgh", 6), "abc...");
        assert_eq!(cut("äöü", 3), "äöü");
    }

    #[test]
    fn unknown_zones_are_utc() {
        assert_eq!(Almanac::of("Mars/Olympus").name, "UTC");
        assert_eq!(Almanac::of("Asia/Kolkata").time(Timestamp::from_millis(0)), "05:30:00.000");
    }
}
