//! The real clock: the one place where a benchmark reads it or waits for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, for differences.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Now, in microseconds since 1970 UTC: comparable with the times that the server writes.
#[expect(clippy::disallowed_methods, reason = "lateness is the difference between the server's due time and the machine's clock")]
pub(crate) fn wall_micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}

/// The same in whole milliseconds, rounded down.
pub(crate) fn wall_millis() -> i64 {
    wall_micros() / 1_000
}

/// Lets time pass while load runs, or while a server is to be idle.
#[expect(clippy::disallowed_methods, reason = "a rate is measured over real time")]
pub(crate) async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}
