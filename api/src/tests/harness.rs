//! A server of its own for each test, and a client that checks every answer against the `OpenAPI` document.

use super::contract;
use crate::{App, AppParts, LocalAdmin, Settings, router};
use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use onward_accounts::{Actor, Role, SystemSecrets, organisations, password, tokens, users};
use onward_connectors::{
    Connectors,
    connection::{MasterKey, StoredCredentials, Vault},
    http::{AllowPrivate, HttpClient, HttpRequestNode},
};
use onward_core::{
    NodeId, OrganisationId, Value,
    ports::{Clock as _, Disk, Ids as _, Lane, write},
};
use onward_database::{SystemClock, SystemIds};
use onward_messaging::{Channels, ContactDesk, CrmInventory, CrmRecords};
use onward_runtime::{Duty, Engine, EngineConfig, EngineLimits, Registry, TokioExecutor, debug_nodes};
use onward_store::SqlStore;
use serde_json::json;
use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicU64, Ordering},
};
use tower::ServiceExt as _;

/// One client for all: making one reads the system's certificates, which takes longer than most of these tests.
static CLIENT: LazyLock<HttpClient> = LazyLock::new(|| HttpClient::new(AllowPrivate::None).unwrap());

/// A password that somebody has, hashed once: it takes a core for tens of milliseconds.
pub(crate) const PASSWORD: &str = "correct horse battery";
static HASH: LazyLock<String> = LazyLock::new(|| password::hash(PASSWORD, &SystemSecrets).unwrap());

/// A workflow that ends at once and says what it was given.
pub(crate) const WORKFLOW: &str = "name: hello
on:
  - event: hello.said
  - manual: { input: { type: object, properties: { name: { type: string } } } }
key: \"{{ input.name }}\"
steps:
  - id: note
    do: debug.log
    with: { message: \"hello {{ input.name }}\" }
  - stop: { output: { greeted: \"{{ input.name }}\" } }
";

/// A server, and who may ask it.
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) router: Router,
    /// Of `default`.
    pub(crate) organisation: OrganisationId,
    /// A token of an admin of `default`.
    pub(crate) admin: String,
    pub(crate) disk: Arc<PlantedDisk>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// A disk that is as full as a test says.
pub(crate) struct PlantedDisk(AtomicU64);

impl PlantedDisk {
    pub(crate) fn leave(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

impl Disk for PlantedDisk {
    fn bytes_left(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed))
    }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
    /// Its status must be this one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
    /// It must be a problem of this status and code.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        let reply = self.expect(status);
        assert_eq!(reply.headers[header::CONTENT_TYPE], "application/problem+json");
        let body = reply.json();
        assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(u64::from(status))), "{body}");
        assert!(!body["detail"].as_str().unwrap().is_empty());
        body
    }
    pub(crate) fn items(&self) -> Vec<Value> {
        self.json()["items"].as_array().unwrap().clone()
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let (clock, ids) = (Arc::new(SystemClock::new()), Arc::new(SystemIds::new()));
        let database = onward_database::testing::database_with(ids.clone()).await;
        let vault = Vault::new(MasterKey::new([7; 32]));
        let credentials = StoredCredentials::new(database.reader(), vault.clone());
        let connectors = Connectors::standard(&CLIENT);
        let channels = Channels::new(connectors.all().filter_map(|connector| connector.channel()));
        let nodes = debug_nodes()
            .into_iter()
            .chain([Arc::new(HttpRequestNode::new(CLIENT.clone())) as _])
            .chain(onward_accounts::nodes(Arc::new(onward_messaging::OpenWork)))
            .chain(onward_records::nodes())
            .chain(onward_messaging::nodes(channels));
        let event_types = onward_records::event_types().into_iter().chain(onward_messaging::event_types()).map(str::to_owned);
        let disk = Arc::new(PlantedDisk(AtomicU64::new(u64::MAX)));
        let engine = Engine::start(EngineConfig {
            store: Arc::new(SqlStore::new(database.clone())),
            clock: clock.clone(),
            ids: ids.clone(),
            executor: Arc::new(TokioExecutor::new(tokio::runtime::Handle::current())),
            nodes: Registry::new(nodes, event_types).unwrap(),
            records: Arc::new(CrmRecords::default()),
            segments: Arc::new(onward_records::StoredSegments),
            credentials: Arc::new(credentials.clone()),
            questions: Arc::new(ContactDesk),
            inventory: Arc::new(CrmInventory::new(database.reader())),
            disk: Arc::clone(&disk) as Arc<dyn Disk>,
            node_id: NodeId(ids.fresh(clock.now())),
            role: onward_core::ports::NodeRole::All,
            about: String::new(),
            processes: Arc::new(onward_core::ports::UnknownProcesses),
            take_all: true,
            duty: Duty::Server,
            limits: EngineLimits::default(),
        });
        engine.ready().await;
        let app = App::new(AppParts {
            engine,
            database,
            connectors,
            vault,
            credentials,
            clock,
            secrets: Arc::new(SystemSecrets),
            metrics: Arc::new(|| Box::pin(std::future::ready("onward_up 1\n".to_owned()))),
            gallery: vec![crate::GalleryItem {
                name: "hello".into(),
                description: "Greets.".into(),
                source: "name: hello\nsteps: [{ do: message.send, with: { template: hello } }]\n".into(),
                needs: crate::GalleryNeeds { templates: vec!["hello".into()], ..crate::GalleryNeeds::default() },
            }],
            settings: Settings::new("https://onward.test"),
        });
        let organisation = write(app.engine(), Lane::Normal, |tx| Box::pin(organisations::ensure_default(tx))).await.unwrap().unwrap().id;
        let server = Self { router: router(app.clone()), app, organisation, admin: String::new(), disk };
        let admin = server.token(organisation, Role::Admin).await;
        Self { admin, ..server }
    }

    /// A new token.
    pub(crate) async fn token(&self, organisation: OrganisationId, role: Role) -> String {
        let name = format!("{} {}", role.as_str(), self.app.now());
        let made = write(self.app.engine(), Lane::Normal, move |tx| {
            let name = name.clone();
            Box::pin(async move { tokens::create(tx, organisation, &Actor::System, &name, role, &SystemSecrets).await })
        });
        made.await.unwrap().unwrap().1
    }
    /// Another organisation, and an admin's token of it.
    pub(crate) async fn other_organisation(&self) -> (OrganisationId, String) {
        let made = write(self.app.engine(), Lane::Normal, |tx| Box::pin(organisations::create(tx, &Actor::System, "other", "Other")));
        let organisation = made.await.unwrap().unwrap().id;
        (organisation, self.token(organisation, Role::Admin).await)
    }
    /// A user with [`PASSWORD`].
    pub(crate) async fn user(&self, email: &'static str, role: Role) {
        let organisation = self.organisation;
        let made = write(self.app.engine(), Lane::Normal, move |tx| {
            let new = users::NewUser { email: email.into(), name: String::new(), password_hash: HASH.clone(), role };
            Box::pin(async move { users::create(tx, organisation, &Actor::System, new).await })
        });
        made.await.unwrap().unwrap();
    }

    /// Sends a request as it is; checks the answer against the document.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let reply = Reply { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() };
        contract::check(&method, &path, &reply);
        reply
    }
    /// As the admin.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> Reply {
        self.call_as(&self.admin, method, path, body).await
    }
    /// With this token.
    pub(crate) async fn call_as(&self, token: &str, method: Method, path: &str, body: Value) -> Reply {
        self.call_with(&[("authorization", &format!("Bearer {token}"))], method, path, body).await
    }
    /// With these headers and nothing else.
    pub(crate) async fn call_with(&self, headers: &[(&str, &str)], method: Method, path: &str, body: Value) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        };
        self.send(request.body(body).unwrap()).await
    }
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, Value::Null).await
    }
    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, body).await
    }
    /// As the server's own command line.
    pub(crate) async fn local(&self, local: LocalAdmin, headers: &[(&str, &str)], path: &str) -> Reply {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(local);
        self.send(request).await
    }
    /// A POST of the server's own command line.
    pub(crate) async fn local_post(&self, path: &str, body: Value) -> Reply {
        let request = Request::builder().method(Method::POST).uri(path).header(header::CONTENT_TYPE, "application/json");
        let mut request = request.body(Body::from(body.to_string())).unwrap();
        request.extensions_mut().insert(LocalAdmin::default());
        self.send(request).await
    }

    /// Publishes [`WORKFLOW`].
    pub(crate) async fn publish(&self) {
        self.post("/api/v1/workflows/hello/publish", json!({ "source": WORKFLOW })).await.expect(200);
    }
    /// A run once it has ended: waits for the engine's word, not for time.
    pub(crate) async fn ended(&self, run: &str) -> Value {
        let mut changes = self.app.engine().subscribe();
        loop {
            let found = self.get(&format!("/api/v1/runs/{run}")).await.expect(200).json();
            if !found["ended_at"].is_null() {
                return found;
            }
            changes.recv().await.unwrap();
        }
    }
    /// A run once it waits, likewise.
    pub(crate) async fn waiting(&self, run: &str) -> Value {
        let mut changes = self.app.engine().subscribe();
        loop {
            let found = self.get(&format!("/api/v1/runs/{run}")).await.expect(200).json();
            if found["status"] == "waiting" {
                return found;
            }
            changes.recv().await.unwrap();
        }
    }
    /// A WhatsApp connection; its id.
    pub(crate) async fn whatsapp(&self, token: &str, name: &str, phone_number_id: &str) -> String {
        let body = json!({
            "connector": "whatsapp", "name": name, "config": { "phone_number_id": phone_number_id },
            "secrets": { "access_token": "EAAG", "app_secret": "app-secret", "verify_token": "verify-me" },
        });
        self.call_as(token, Method::POST, "/api/v1/connections", body).await.expect(201).json()["id"].as_str().unwrap().to_owned()
    }
}
