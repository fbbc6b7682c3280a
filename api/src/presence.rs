//! Who has the app open: users with a socket of their session. What is here is this process's; the database has it for all.

use crate::{App, Caller, caller::Identity};
use onward_accounts::{
    UserId,
    presence::{self, NOTE_MS},
};
use onward_core::{
    OrganisationId, Timestamp,
    ports::{Lane, WriteError, Writer as _},
};
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The open sockets of users.
#[derive(Debug, Default)]
pub(crate) struct OpenApps(Mutex<HashMap<(OrganisationId, UserId), Open>>);

#[derive(Debug)]
struct Open {
    sockets: usize,
    noted_at: Timestamp,
}

impl OpenApps {
    // A poisoned lock still holds whole entries: they are changed in one step.
    fn lock(&self) -> MutexGuard<'_, HashMap<(OrganisationId, UserId), Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One open socket of a user; dropping it is its end.
pub(crate) struct Presence {
    app: App,
    organisation: OrganisationId,
    user: UserId,
}

impl Presence {
    /// Begins, for a caller who is a person.
    pub(crate) fn begin(app: &App, caller: &Caller) -> Option<Self> {
        let Identity::Session { user, .. } = &caller.identity else { return None };
        let here = Self { app: app.clone(), organisation: caller.organisation, user: user.id };
        let mut open = app.open_apps.lock();
        let entry = open.entry((here.organisation, here.user)).or_insert(Open { sockets: 0, noted_at: Timestamp::MIN });
        entry.sockets += 1;
        here.note(entry);
        drop(open);
        Some(here)
    }
    /// The socket is still there.
    pub(crate) fn go_on(&self) {
        if let Some(entry) = self.app.open_apps.lock().get_mut(&(self.organisation, self.user)) {
            self.note(entry);
        }
    }
    fn note(&self, entry: &mut Open) {
        let now = self.app.now();
        if now.millis_since(entry.noted_at) >= NOTE_MS {
            entry.noted_at = now;
            self.write(true);
        }
    }
    /// Called under the lock, so that of two changes the later is written later. Nobody waits for it, and losing it costs
    /// little: a user who is seen is noted again in a minute, one who is not is forgotten by then.
    fn write(&self, here: bool) {
        let (organisation, user) = (self.organisation, self.user);
        let written = self.app.engine().submit(
            Lane::Low,
            Box::new(move |tx| {
                Box::pin(async move {
                    let done = if here { presence::seen(tx, organisation, user).await } else { presence::gone(tx, organisation, user).await };
                    done.map_err(WriteError::from)
                })
            }),
        );
        tokio::spawn(async move {
            if let Err(error) = written.await {
                tracing::debug!(%error, "who is online was not noted");
            }
        });
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut open = self.app.open_apps.lock();
        let key = (self.organisation, self.user);
        if let Some(entry) = open.get_mut(&key) {
            entry.sockets -= 1;
            if entry.sockets == 0 {
                open.remove(&key);
                self.write(false);
            }
        }
    }
}
