//! Password hashing off the async threads, a few at once: each check takes a core for tens of milliseconds.

use crate::{App, Problem};
use onward_accounts::password;

/// The hash to store; refuses a password that breaks the rules.
pub(crate) async fn hash(app: &App, password: String) -> Result<String, Problem> {
    let shared = app.clone();
    off_thread(app, move || password::hash(&password, &*shared.parts.secrets)).await?.map_err(Problem::from)
}

/// Whether a password is right; takes as long when `stored` is `None`.
pub(crate) async fn verify(app: &App, password: String, stored: Option<String>) -> Result<bool, Problem> {
    off_thread(app, move || password::verify(&password, stored.as_deref())).await
}

async fn off_thread<T: Send + 'static>(app: &App, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let permit = app.password_checks.clone().acquire_owned().await.map_err(Problem::internal)?;
    let done = tokio::task::spawn_blocking(move || {
        let result = work();
        drop(permit);
        result
    });
    done.await.map_err(Problem::internal)
}
