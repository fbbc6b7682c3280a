//! Slowing down guesses of passwords, by e-mail and by network address. Durable: a restart gives no new guesses.

use onward_core::{OrganisationId, Timestamp, ports::Transaction};
use onward_database::{DatabaseError, Query, Tx, args};

/// Wrong passwords for one e-mail before it has to wait.
pub const FREE_FOR_EMAIL: u32 = 5;
/// Wrong passwords from one address before it has to wait; an office shares one.
pub const FREE_FOR_ADDRESS: u32 = 30;
/// The longest wait: 15 minutes. Longer ones would let anybody lock anybody out.
pub const LONGEST_WAIT_MS: i64 = 15 * 60 * 1000;
/// After this long without a failure all is forgotten: 1 hour.
pub const FORGET_MS: i64 = 60 * 60 * 1000;

/// How long one must wait after this many failures: nothing, then 1 s, doubled each time. Pure.
pub fn wait_ms(failures: u32, free: u32) -> i64 {
    match failures.checked_sub(free) {
        None => 0,
        Some(beyond) => 1_000_i64.checked_shl(beyond.min(20)).unwrap_or(LONGEST_WAIT_MS).min(LONGEST_WAIT_MS),
    }
}

/// Milliseconds until another guess is heard; `None`: now. Asked before the password is looked at.
pub async fn must_wait(db: &mut impl Query, organisation: OrganisationId, email: &str, address: &str, now: Timestamp) -> Result<Option<i64>, DatabaseError> {
    let rows = db
        .fetch_all(
            "SELECT subject, failures, last_at FROM sign_in_failures WHERE organisation = $1 AND subject IN ($2, $3) AND last_at > $4",
            args![organisation, by_email(email), by_address(address), now.plus_millis(-FORGET_MS)],
        )
        .await?;
    let mut longest = 0;
    for row in rows {
        let subject: String = row.get("subject")?;
        let free = if subject.starts_with("email:") { FREE_FOR_EMAIL } else { FREE_FOR_ADDRESS };
        let last_at: Timestamp = row.get("last_at")?;
        let left = last_at.plus_millis(wait_ms(row.get("failures")?, free)).millis_since(now);
        longest = longest.max(left);
    }
    Ok((longest > 0).then_some(longest))
}

/// Notes a wrong password. To be committed although the sign-in is refused.
pub async fn note_failure(tx: &mut Tx, organisation: OrganisationId, email: &str, address: &str) -> Result<(), DatabaseError> {
    let now = tx.now();
    let forgotten = now.plus_millis(-FORGET_MS);
    tx.execute("DELETE FROM sign_in_failures WHERE last_at <= $1", args![forgotten]).await?;
    for subject in [by_email(email), by_address(address)] {
        tx.execute(
            "INSERT INTO sign_in_failures (organisation, subject, failures, last_at) VALUES ($1, $2, 1, $3)
             ON CONFLICT (organisation, subject) DO UPDATE SET failures = sign_in_failures.failures + 1, last_at = excluded.last_at",
            args![organisation, subject, now],
        )
        .await?;
    }
    Ok(())
}

/// Forgets the failures of an e-mail whose password was right; its address keeps them, since an attacker has an account too.
pub async fn forget(tx: &mut Tx, organisation: OrganisationId, email: &str) -> Result<(), DatabaseError> {
    tx.execute("DELETE FROM sign_in_failures WHERE organisation = $1 AND subject = $2", args![organisation, by_email(email)]).await?;
    Ok(())
}

/// Cut, so that a hostile text fills no table.
fn by_email(email: &str) -> String {
    format!("email:{}", email.trim().to_lowercase().chars().take(254).collect::<String>())
}
fn by_address(address: &str) -> String {
    format!("address:{}", address.chars().take(64).collect::<String>())
}
