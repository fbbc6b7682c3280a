//! Writes of endpoints: through the engine's writer, together with the answer to their `Idempotency-Key`.

use crate::{Answer, App, Caller, Problem, idempotency::BoundKey};
use onward_core::ports::{self, BoxFuture, Lane};
use onward_database::Tx;
use std::sync::Arc;

/// Runs a write in one transaction and answers after its commit. With a key, the answer is stored in that transaction, and a
/// repeated request gets it without running anything.
///
/// `effect` may run again after a rollback, so it must be repeatable.
pub(crate) async fn write<F>(app: &App, caller: &Caller, key: Option<BoundKey>, effect: F) -> Result<Answer, Problem>
where
    F: for<'t> Fn(&'t mut Tx, Arc<Caller>) -> BoxFuture<'t, Result<Answer, Problem>> + Send + Sync + 'static,
{
    let (effect, key, caller) = (Arc::new(effect), key.map(Arc::new), Arc::new(caller.clone()));
    ports::write(app.engine(), Lane::Normal, move |tx: &mut Tx| {
        let (effect, key, caller) = (Arc::clone(&effect), key.clone(), Arc::clone(&caller));
        Box::pin(async move {
            if let Some(key) = &key
                && let Some(kept) = key.kept(tx).await?
            {
                return Ok(kept);
            }
            let answer = effect(tx, caller).await?;
            if let Some(key) = &key {
                key.keep(tx, &answer).await?;
            }
            Ok(answer)
        })
    })
    .await?
}
