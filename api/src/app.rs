//! What every endpoint shares.

use crate::{GalleryItem, endpoints::results::Lists, idempotency::RunningKeys, presence::OpenApps, token_lookups::TokenLookups};
use onward_accounts::SecretSource;
use onward_connectors::{
    Connectors,
    connection::{StoredCredentials, Vault},
};
use onward_core::{
    OrganisationId, Timestamp,
    ports::{BoxFuture, Clock},
};
use onward_database::{Database, Reader};
use onward_runtime::EngineHandle;
use onward_store::SqlStore;
use std::{ops::Deref, sync::Arc};
use tokio::sync::Semaphore;

/// Renders the metrics in Prometheus' text format.
pub type RenderMetrics = Arc<dyn Fn() -> BoxFuture<'static, String> + Send + Sync>;

/// What the wiring hands over.
pub struct AppParts {
    /// The engine; also the one way to write.
    pub engine: EngineHandle<SqlStore>,
    /// For reading.
    pub database: Database,
    /// The connectors of this build.
    pub connectors: Connectors,
    /// Seals the secrets of connections.
    pub vault: Vault,
    /// Opens them.
    pub credentials: StoredCredentials,
    /// Engine time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for sessions and tokens.
    pub secrets: Arc<dyn SecretSource>,
    /// What `/metrics` says.
    pub metrics: RenderMetrics,
    /// Ready workflows to choose from.
    pub gallery: Vec<GalleryItem>,
    /// What an operator sets.
    pub settings: Settings,
}

/// Sign-ins that may wait for their password to be looked at; more are told to come back, in about the time these take.
const WAITING_SIGN_INS: usize = 64;

/// Senders of webhooks that may wait for the end of their runs (`respond: finished`); more are answered at once. Each hears
/// of every change of every run.
const WAITING_SENDERS: usize = 256;

/// What an operator sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's address as browsers and providers see it (`https://crm.example.com`).
    pub public_url: String,
    /// Sockets of `/ws` at once.
    pub sockets: usize,
    /// Passwords checked at once: each takes a core and 19 MiB.
    pub password_checks: usize,
    /// Where the demonstration's customer writes.
    pub sandbox: Option<String>,
}

impl Settings {
    /// The usual settings behind this address.
    pub fn new(public_url: impl Into<String>) -> Self {
        Self { public_url: public_url.into().trim_end_matches('/').to_owned(), sockets: 1_000, password_checks: 2, sandbox: None }
    }
    /// Cookies are for HTTPS only.
    pub fn secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// What every endpoint shares. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

/// What an [`App`] holds.
pub struct Shared {
    /// What the wiring handed over.
    pub parts: AppParts,
    pub(crate) password_checks: Arc<Semaphore>,
    pub(crate) waiting_for_turn: Arc<Semaphore>,
    pub(crate) sockets: Arc<Semaphore>,
    pub(crate) waiting_senders: Semaphore,
    pub(crate) running_keys: RunningKeys,
    pub(crate) token_lookups: TokenLookups,
    pub(crate) open_apps: OpenApps,
    /// Results of long loops that somebody pages through.
    pub(crate) loop_results: Lists,
}

impl App {
    /// From its parts.
    pub fn new(parts: AppParts) -> Self {
        let password_checks = Arc::new(Semaphore::new(parts.settings.password_checks.max(1)));
        let waiting_for_turn = Arc::new(Semaphore::new(WAITING_SIGN_INS));
        let sockets = Arc::new(Semaphore::new(parts.settings.sockets));
        let waiting_senders = Semaphore::new(WAITING_SENDERS);
        let (running_keys, token_lookups, open_apps) = (RunningKeys::default(), TokenLookups::default(), OpenApps::default());
        Self(Arc::new(Shared {
            parts,
            password_checks,
            waiting_for_turn,
            sockets,
            waiting_senders,
            running_keys,
            token_lookups,
            open_apps,
            loop_results: Lists::default(),
        }))
    }
    /// Reads committed data.
    pub fn reader(&self) -> Reader {
        self.parts.database.reader()
    }
    /// Engine time.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }
    /// The engine.
    pub fn engine(&self) -> &EngineHandle<SqlStore> {
        &self.parts.engine
    }
}

impl Deref for App {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("settings", &self.parts.settings).finish_non_exhaustive()
    }
}

/// Marks a request that comes from the server's own command line, in-process or through the Unix socket that only the
/// server's user can open. Put into a request's extensions by the wiring, and by nothing else: never made from a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalAdmin {
    /// Whose data it means; `None`: the one that `X-Onward-Organisation` names, else the only one there is.
    pub organisation: Option<OrganisationId>,
}
