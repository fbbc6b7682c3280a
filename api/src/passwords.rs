//! Password hashing off the async threads, a few at once: each check takes a core for tens of milliseconds.

use crate::{App, Problem};
use onward_accounts::password;
use tokio::sync::OwnedSemaphorePermit;

/// The hash to store; refuses a password that breaks the rules.
pub(crate) async fn hash(app: &App, password: String) -> Result<String, Problem> {
    let shared = app.clone();
    let _turn = turn(app).await?;
    let hashed = tokio::task::spawn_blocking(move || password::hash(&password, &*shared.parts.secrets));
    hashed.await.map_err(Problem::internal)?.map_err(Problem::from)
}

/// A place among those whose passwords are looked at. Held from before failures are counted until this one is: no number of
/// guesses at once is heard beyond the places there are.
pub(crate) async fn turn(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    let Ok(waiting) = app.waiting_for_turn.clone().try_acquire_owned() else { return Err(Problem::unavailable(2_000)) };
    let turn = app.password_checks.clone().acquire_owned().await.map_err(Problem::internal)?;
    drop(waiting);
    Ok(turn)
}

/// Whether a password is right; takes as long when `stored` is `None`.
pub(crate) async fn verify(_turn: &OwnedSemaphorePermit, password: String, stored: Option<String>) -> Result<bool, Problem> {
    tokio::task::spawn_blocking(move || password::verify(&password, stored.as_deref())).await.map_err(Problem::internal)
}
