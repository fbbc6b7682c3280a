//! `onward serve --demo`: an organisation to try everything with, and a sandbox that plays WhatsApp.
//!
//! Everything goes through the API, as it would for anybody else; only the sandbox is started here.

use crate::{
    cli::Failure,
    client::{Client, escape},
    gallery,
    wiring::{self, Rooms},
};
use http::Method;
use onward_accounts::{SecretSource as _, SystemSecrets};
use onward_connectors::http::AllowPrivate;
use onward_core::{definition, ports::Ids as _};
use onward_database::SystemIds;
use onward_sandbox::{Account, Config, Sandbox, SandboxHandle};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
    time::Duration,
};
use tokio::net::TcpListener;

/// The connection of the example `partner-leads`.
const PARTNER: &str = "partner";
/// The connection to the sandbox.
const CONNECTION: &str = "sandbox";
/// Who signs in.
const EMAIL: &str = "demo@example.com";
/// The token's name.
const TOKEN: &str = "demo";
/// The sandbox's business number.
const PHONE_NUMBER_ID: &str = "100000000000002";
/// Items that are read of a list.
const MOST: usize = 10_000;
/// Between a message's statuses: slow enough to be seen.
const STATUS_INTERVAL: Duration = Duration::from_millis(300);

/// A demonstration whose sandbox has its address, so that calls to exactly that one can be allowed.
pub(crate) struct Demonstration {
    listener: TcpListener,
    address: std::net::SocketAddr,
}

impl Demonstration {
    /// Takes a free port for the sandbox.
    pub(crate) async fn prepare() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::because("the sandbox finds no free port", &error);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// The sandbox's address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls may reach the sandbox, and no other private address.
    pub(crate) fn allow_private(&self) -> AllowPrivate {
        AllowPrivate::Exactly(vec![self.address])
    }

    /// Makes what is missing, publishes the examples and starts the sandbox.
    pub(crate) async fn begin(self, rooms: &Rooms, database: &str, server_url: &str) -> Result<Running, Failure> {
        let file = wiring::database_file(database).map(|file| wiring::beside(&file, "demo"));
        let kept = file.as_deref().map(Kept::load).transpose()?.flatten();
        let is_new = kept.is_none();
        let mut kept = kept.unwrap_or_else(Kept::fresh);
        let client = rooms.client();
        let sandbox_url = self.url();
        let connection = connect(&client, &kept, is_new, &sandbox_url).await?;
        sign_in(&client, &kept, is_new).await?;
        if is_new || named(&client, "/api/v1/tokens", "name", TOKEN).await?.is_none() {
            kept.token = make_token(&client).await?;
            if let Some(file) = &file {
                kept.save(file)?;
            }
        }
        connect_partner(&client, &kept).await?;
        let published = publish_examples(&client).await?;
        let webhook = format!("{server_url}/hooks/whatsapp/{connection}");
        let account = Account::new(PHONE_NUMBER_ID, &kept.access_token, &kept.app_secret, &kept.verify_token).with_webhook(webhook);
        let config = Config { status_interval: STATUS_INTERVAL, enforce_window: true, ..Config::new(account, SystemIds::new().seed()) };
        let sandbox = Sandbox::start(self.listener, config).map_err(|error| Failure::because("the sandbox cannot start", &error))?;
        Ok(Running { server_url: server_url.to_owned(), sandbox_url, kept, published, _sandbox: sandbox })
    }
}

/// What a demonstration remembers between starts: secrets that the database holds sealed or hashed only. Lies beside the
/// database in a file that only its owner can read.
#[derive(Clone, Deserialize, Serialize)]
struct Kept {
    password: String,
    token: String,
    access_token: String,
    app_secret: String,
    verify_token: String,
}

impl Kept {
    fn fresh() -> Self {
        let secret = || hex::encode(SystemSecrets.bytes());
        Self { password: secret()[..20].to_owned(), token: String::new(), access_token: secret(), app_secret: secret(), verify_token: secret() }
    }

    /// `None` when there is no file, or none that can be used: then everything is made anew.
    fn load(path: &Path) -> Result<Option<Self>, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::because(format!("{} cannot be used; remove it, and new secrets are made", path.display()), error);
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let mode = fs::metadata(path).map_err(|error| failed(&error))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Failure::new(format!("{} can be read by others (mode {mode:o}); run `chmod 600 {}`", path.display(), path.display())));
        }
        serde_json::from_str(&text).map(Some).map_err(|error| failed(&error))
    }

    fn save(&self, path: &Path) -> Result<(), Failure> {
        let failed = |error: &dyn std::error::Error| Failure::because(format!("{} cannot be written", path.display()), error);
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(&error))?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(|error| failed(&error))?;
        writeln!(file, "{text}").and_then(|()| file.sync_all()).map_err(|error| failed(&error))
    }
}

/// Makes the connection to the sandbox, or points it at the sandbox's new address; gives its id.
async fn connect(client: &Client, kept: &Kept, is_new: bool, sandbox_url: &str) -> Result<String, Failure> {
    let secrets = json!({ "access_token": kept.access_token, "app_secret": kept.app_secret, "verify_token": kept.verify_token });
    let config = json!({ "phone_number_id": PHONE_NUMBER_ID, "base_url": sandbox_url });
    let known = named(client, "/api/v1/connections", "name", CONNECTION).await?;
    let connection = match known {
        None => client.post("/api/v1/connections", &json!({ "connector": "whatsapp", "name": CONNECTION, "config": config, "secrets": secrets })).await?,
        Some(known) => {
            let mut change = json!({ "config": config });
            if is_new {
                change["secrets"] = secrets;
            }
            let path = format!("/api/v1/connections/{}", escape(id_of(&known)));
            client.request(Method::PATCH, &path, Some(&change)).await?.document()?
        }
    };
    Ok(id_of(&connection).to_owned())
}

/// Makes the user, or gives them the new password.
async fn sign_in(client: &Client, kept: &Kept, is_new: bool) -> Result<(), Failure> {
    match named(client, "/api/v1/users", "email", EMAIL).await? {
        None => client.post("/api/v1/users", &json!({ "email": EMAIL, "name": "Demo", "role": "admin", "password": kept.password })).await.map(drop),
        Some(user) if is_new => {
            let path = format!("/api/v1/users/{}", escape(id_of(&user)));
            client.request(Method::PATCH, &path, Some(&json!({ "password": kept.password }))).await?.document().map(drop)
        }
        Some(_) => Ok(()),
    }
}

/// Makes the token; one of that name whose text nobody knows any more is revoked.
async fn make_token(client: &Client) -> Result<String, Failure> {
    if let Some(lost) = named(client, "/api/v1/tokens", "name", TOKEN).await? {
        client.request(Method::DELETE, &format!("/api/v1/tokens/{}", escape(id_of(&lost))), None).await?.document()?;
    }
    let made = client.post("/api/v1/tokens", &json!({ "name": TOKEN, "role": "admin" })).await?;
    made.get("token").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| Failure::new("the token that was made is not shown; report this as a bug"))
}

/// Makes the connection by which `partner-leads` knows who may post.
async fn connect_partner(client: &Client, kept: &Kept) -> Result<(), Failure> {
    if named(client, "/api/v1/connections", "name", PARTNER).await?.is_none() {
        let secrets = json!({ "signing_secret": kept.app_secret });
        client.post("/api/v1/connections", &json!({ "connector": "http", "name": PARTNER, "config": {}, "secrets": secrets })).await?;
    }
    Ok(())
}

/// Publishes the examples; gives the names. One that is there already is left alone: somebody may have put their own in its place.
async fn publish_examples(client: &Client) -> Result<Vec<String>, Failure> {
    let catalogue = wiring::catalogue()?;
    let mut names = Vec::new();
    let known = client.all("/api/v1/workflows", MOST).await?;
    let is_there = |name: &str| known.iter().any(|item| item.get("name").and_then(Value::as_str) == Some(name));
    for shipped in gallery::EXAMPLES {
        let name = definition::compile(shipped.source, &catalogue).workflow.map(|workflow| workflow.name);
        let name = name.ok_or_else(|| Failure::new(format!("{} does not compile; report this as a bug", shipped.path)))?;
        if !is_there(&name) {
            client.post(&format!("/api/v1/workflows/{}/publish", escape(&name)), &json!({ "source": shipped.source })).await?;
        }
        names.push(name);
    }
    Ok(names)
}

/// The item of a list whose field has this value.
async fn named(client: &Client, path: &str, field: &str, value: &str) -> Result<Option<Value>, Failure> {
    Ok(client.all(path, MOST).await?.into_iter().find(|item| item.get(field).and_then(Value::as_str) == Some(value)))
}

fn id_of(item: &Value) -> &str {
    item.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// A demonstration that runs; the sandbox stops with it.
pub(crate) struct Running {
    server_url: String,
    sandbox_url: String,
    kept: Kept,
    published: Vec<String>,
    _sandbox: SandboxHandle,
}

impl Running {
    /// For programs.
    pub(crate) fn document(&self) -> Value {
        json!({
            "sandbox": self.sandbox_url, "email": EMAIL, "password": self.kept.password, "token": self.kept.token, "workflows": self.published,
        })
    }

    /// For people: how to sign in, and what to do next.
    pub(crate) fn text(&self) -> String {
        let Self { server_url, sandbox_url, kept, published, .. } = self;
        format!(
            "
  sign-in    {EMAIL}  {password}
  token      {token}
  workflows  {published}

Try it:
  {server_url}/  the app: sign in, and watch what the customer starts
  {sandbox_url}/  write as a customer of the demonstration, and see the answers
  {server_url}/docs  the API, with its documentation
  onward runs list                 the runs, from another terminal in this folder
  onward runs show RUN_ID          what happened, when, and why

Ctrl-C stops it; started again it goes on where it was.",
            password = kept.password,
            token = kept.token,
            published = published.join(", "),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_kept_where_only_the_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("onward.db.demo");
        assert!(Kept::load(&path).unwrap().is_none());
        let kept = Kept { token: "onw_x".into(), ..Kept::fresh() };
        kept.save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let loaded = Kept::load(&path).unwrap().unwrap();
        assert_eq!((loaded.password, loaded.token), (kept.password, kept.token));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Kept::load(&path), Err(Failure::Failed(message)) if message.contains("chmod 600")));
    }

    #[test]
    fn fresh_secrets_differ() {
        assert_ne!(Kept::fresh().password, Kept::fresh().password);
        assert_eq!(Kept::fresh().password.len(), 20);
    }
}
