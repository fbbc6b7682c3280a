//! The one place that names concrete stores and connectors: makes one process of the rooms.

mod clock;
mod processes;

pub(crate) use clock::LeapingClock;

use crate::{cli::Failure, client::Client, gallery};
use axum::{Extension, Router};
use onward_accounts::{SystemSecrets, organisations};
use onward_api::{App, AppParts, LocalAdmin, RenderMetrics};
use onward_connectors::{
    Connectors,
    connection::{MasterKey, StoredCredentials, Vault, any_sealed},
    http::{AllowPrivate, HttpClient, HttpRequestNode},
};
use onward_core::{
    NodeId,
    ports::{self, Clock, Ids as _, Lane, NoInventory, Node, NodeRole},
};
use onward_database::{Database, DatabaseError, SystemClock, SystemIds, Tx, without_password};
use onward_messaging::{Channels, ContactDesk, CrmInventory, CrmRecords, OpenWork};
use onward_runtime::{Duty, Engine, EngineConfig, EngineHandle, EngineLimits, Registry, TokioExecutor, debug_nodes};
use onward_store::SqlStore;
use processes::MachineProcesses;
use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
};

/// How often a server on PostgreSQL tries to settle, and the milliseconds between.
const SETTLE_ATTEMPTS: u32 = 10;
const SETTLE_AGAIN_MS: i64 = 500;

/// How the rooms are opened.
pub(crate) struct Settings {
    /// The database's URL.
    pub(crate) database: String,
    /// 32 bytes in hex or base64; without it, the key file beside the database.
    pub(crate) secret_key: Option<String>,
    /// Which private addresses outgoing calls may reach.
    pub(crate) allow_private: AllowPrivate,
    /// The address as browsers and providers see it.
    pub(crate) public_url: String,
    /// Another clock than the system's.
    pub(crate) clock: Option<Arc<LeapingClock>>,
    /// The database holds what definitions name; one that is made for a single run does not.
    pub(crate) knows_things: bool,
    /// Whose work the engine does.
    pub(crate) duty: Duty,
    /// Whether it takes shards.
    pub(crate) role: NodeRole,
    /// What it says of itself in the list of nodes.
    pub(crate) about: String,
    /// What `/metrics` says.
    pub(crate) metrics: RenderMetrics,
    /// Where the demonstration's customer writes.
    pub(crate) sandbox: Option<String>,
}

impl Settings {
    /// For a command that opens the database itself: it does what it is told, and leaves the runs' work to a server.
    pub(crate) fn for_commands(database: &str) -> Self {
        Self {
            database: database.to_owned(),
            secret_key: secret_key(),
            allow_private: allow_private(false),
            public_url: env::var("ONWARD_PUBLIC_URL").unwrap_or_else(|_| "http://127.0.0.1:8080".to_owned()),
            clock: None,
            knows_things: true,
            duty: Duty::Command,
            // A file has one process at a time; beside servers on PostgreSQL a command owns nothing.
            role: if database_file(database).is_some() { NodeRole::All } else { NodeRole::Api },
            about: "a command".to_owned(),
            metrics: Arc::new(|| Box::pin(std::future::ready(String::new()))),
            sandbox: None,
        }
    }
}

/// `ONWARD_SECRET_KEY`; there is no flag for it, since other users of the machine can read a process's arguments.
pub(crate) fn secret_key() -> Option<String> {
    env::var("ONWARD_SECRET_KEY").ok().filter(|key| !key.trim().is_empty())
}

/// The policy on private addresses: none unless asked for.
pub(crate) fn allow_private(asked: bool) -> AllowPrivate {
    let set = env::var("ONWARD_ALLOW_PRIVATE_URLS").is_ok_and(|value| ["1", "true", "yes", "on"].contains(&value.trim().to_ascii_lowercase().as_str()));
    if asked || set { AllowPrivate::All } else { AllowPrivate::None }
}

/// The file of a database's URL; `None` where it is no file of its own.
pub(crate) fn database_file(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
}

/// A file beside the database: `FILE.key`, `FILE.demo`.
pub(crate) fn beside(file: &Path, extension: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

/// Opens the database and brings its schema up to date.
pub(crate) async fn open_database(url: &str) -> Result<Database, Failure> {
    Database::open(url, Arc::new(SystemIds::new())).await.map_err(|error| match &error {
        DatabaseError::Url { .. } => Failure::wrong_use(error.to_string()),
        _ => Failure::because(format!("the database {} cannot be opened", without_password(url)), &error),
    })
}

/// What `do` steps can run and which events are declared, without a database: for validation.
pub(crate) fn catalogue() -> Result<Registry<Tx>, Failure> {
    let client = HttpClient::new(AllowPrivate::None).map_err(|error| Failure::because("the HTTP client cannot start", &error))?;
    registry(&client, &Connectors::standard(&client))
}

fn registry(client: &HttpClient, connectors: &Connectors) -> Result<Registry<Tx>, Failure> {
    let http: Arc<dyn Node<Tx>> = Arc::new(HttpRequestNode::new(client.clone()));
    let nodes = debug_nodes()
        .into_iter()
        .chain([http])
        .chain(onward_accounts::nodes(Arc::new(OpenWork)))
        .chain(onward_records::nodes())
        .chain(onward_messaging::nodes(channels(connectors)));
    let event_types = onward_records::event_types().into_iter().chain(onward_messaging::event_types()).map(str::to_owned);
    Registry::new(nodes, event_types).map_err(|error| Failure::because("the nodes of this build contradict each other; report this as a bug", &error))
}

/// The channels that can send, by connector.
fn channels(connectors: &Connectors) -> Channels {
    Channels::new(connectors.all().filter_map(|connector| connector.channel()))
}

/// The rooms of one process, open.
pub(crate) struct Rooms {
    app: App,
    database: Database,
}

/// Opens the rooms: the database, the engine over it, and the API over both.
pub(crate) async fn open(settings: &Settings) -> Result<Rooms, Failure> {
    let database = open_database(&settings.database).await?;
    match furnish(settings, &database).await {
        Ok(app) => Ok(Rooms { app, database }),
        Err(failure) => {
            database.close().await;
            Err(failure)
        }
    }
}

async fn furnish(settings: &Settings, database: &Database) -> Result<App, Failure> {
    let key = match (&settings.secret_key, database.path()) {
        (Some(text), _) => MasterKey::parse(text).map_err(|error| Failure::because("ONWARD_SECRET_KEY cannot be used", &error)),
        (None, Some(file)) => {
            let path = beside(file, "key");
            if settings.duty == Duty::Command && !path.exists() && any_sealed(&mut database.reader()).await.unwrap_or(false) {
                // A key of the command's own would open none of them, and what it sealed nobody else could open.
                return Err(Failure::wrong_use(format!(
                    "the secrets in this database were sealed with a key that is not here: set ONWARD_SECRET_KEY as its server has it, or put {} back",
                    path.display()
                )));
            }
            MasterKey::load_or_create(&path).map_err(|error| Failure::because("there is no secret key", &error))
        }
        (None, None) => Err(Failure::wrong_use("set ONWARD_SECRET_KEY to 32 bytes in hex or base64; this database has no file to keep a key beside")),
    }?;
    let clock: Arc<dyn Clock> = match &settings.clock {
        Some(clock) => Arc::clone(clock) as Arc<dyn Clock>,
        None => Arc::new(SystemClock::new()),
    };
    let ids = Arc::new(SystemIds::new());
    let client = HttpClient::new(settings.allow_private.clone()).map_err(|error| Failure::because("the HTTP client cannot start", &error))?;
    let connectors = Connectors::standard(&client);
    let nodes = registry(&client, &connectors)?;
    let gallery = gallery::items(&nodes)?;
    let vault = Vault::new(key);
    let credentials = StoredCredentials::new(database.reader(), vault.clone());
    let engine = Engine::start(EngineConfig {
        store: Arc::new(SqlStore::new(database.clone())),
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids) as Arc<dyn ports::Ids>,
        executor: Arc::new(TokioExecutor::new(tokio::runtime::Handle::current())),
        nodes,
        records: Arc::new(CrmRecords::default()),
        segments: Arc::new(onward_records::StoredSegments),
        questions: Arc::new(ContactDesk),
        credentials: Arc::new(credentials.clone()),
        inventory: if settings.knows_things { Arc::new(CrmInventory::new(database.reader())) } else { Arc::new(NoInventory) },
        disk: Arc::new(database.clone()),
        node_id: NodeId(ids.fresh(clock.now())),
        role: settings.role,
        about: format!("onward {}, {}", env!("CARGO_PKG_VERSION"), settings.about),
        processes: Arc::new(MachineProcesses::new()),
        // A file's lock proves whoever had the shards dead; on PostgreSQL they may live elsewhere.
        take_all: database.path().is_some(),
        duty: settings.duty,
        limits: EngineLimits::default(),
    });
    engine.ready().await;
    // Servers that start at one time on a new database get in each other's way here; the second finds what the first has made.
    let mut attempts = if database.path().is_some() { 1 } else { SETTLE_ATTEMPTS };
    while let Err(failure) = settle(&engine).await {
        attempts -= 1;
        if attempts == 0 {
            engine.shutdown().await;
            return Err(failure);
        }
        clock.sleep_until(clock.now().plus_millis(SETTLE_AGAIN_MS)).await;
    }
    Ok(App::new(AppParts {
        engine,
        database: database.clone(),
        connectors,
        vault,
        credentials,
        clock,
        secrets: Arc::new(SystemSecrets),
        metrics: Arc::clone(&settings.metrics),
        gallery,
        settings: onward_api::Settings { sandbox: settings.sandbox.clone(), ..onward_api::Settings::new(&settings.public_url) },
    }))
}

/// What every database has: an organisation, and the workflows that are built in.
async fn settle(engine: &EngineHandle<SqlStore>) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::because("the database cannot be written", error);
    let made = ports::write(engine, Lane::Normal, |tx: &mut Tx| {
        Box::pin(async move {
            organisations::ensure_default(tx).await?;
            organisations::list(tx).await.map_err(onward_accounts::CrmError::from)
        })
    })
    .await;
    let all = made.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    for organisation in all {
        for (name, source) in onward_messaging::workflow::BUILT_IN {
            let published = engine.publish(organisation.id, Some(name), source).await;
            published.map_err(|error| Failure::because(format!("the built-in workflow {name} cannot be published"), &error))?;
        }
    }
    Ok(())
}

impl Rooms {
    /// What every endpoint shares.
    pub(crate) fn app(&self) -> &App {
        &self.app
    }
    /// The database, for reports.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
    /// The API for whoever has a token or a session.
    pub(crate) fn router(&self) -> Router {
        onward_api::router(self.app.clone())
    }
    /// The API for the command line: whoever can open the database needs no token.
    pub(crate) fn local_router(&self) -> Router {
        self.router().layer(Extension(LocalAdmin::default()))
    }
    /// A client of this API; closing it is left to the rooms.
    pub(crate) fn client(&self) -> Client {
        Client::local(Self { app: self.app.clone(), database: self.database.clone() })
    }
    /// Ends everything in order: calls in flight settle, the shards are given back, the database is closed.
    pub(crate) async fn close(self) {
        self.app.engine().shutdown().await;
        self.database.close().await;
    }
}

/// The nearest of some names, when one is near.
pub(crate) fn nearest<'n>(text: &str, names: &[&'n str]) -> Option<&'n str> {
    names
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(text, name), *name))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_database() {
        assert_eq!(database_file("sqlite://onward.db"), Some("onward.db".into()));
        assert_eq!(database_file("sqlite:///var/lib/onward.db"), Some("/var/lib/onward.db".into()));
        assert_eq!(database_file("sqlite::memory:"), None);
        assert_eq!(database_file("postgres://host/db"), None);
        assert_eq!(beside(Path::new("a/onward.db"), "key"), Path::new("a/onward.db.key"));
    }

    #[test]
    fn the_catalogue_is_whole() {
        let registry = catalogue().unwrap();
        for node in ["debug.echo", "http.request", "crm.contact.upsert", "message.send", "crm.conversation.assign"] {
            assert!(registry.get(node).is_some(), "{node}");
        }
    }

    #[test]
    fn near_names_are_found() {
        assert_eq!(nearest("mesage.send", &["message.send", "debug.echo"]), Some("message.send"));
        assert_eq!(nearest("xyz", &["message.send", "debug.echo"]), None);
    }
}
