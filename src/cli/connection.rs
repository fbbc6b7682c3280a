//! `onward connection`: stored credentials for connectors.

use super::{
    Context, Failure, input,
    table::{items, table, text},
};
use crate::{
    client::{Client, escape},
    terminal::{Look, Paint},
};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

/// More than any list that a person reads.
const LIST_MOST: usize = 10_000;

/// Add, list and test connections: stored credentials for connectors.
#[derive(Debug, Subcommand)]
pub(crate) enum Connection {
    Add(Add),
    /// List the connections; secrets are never shown.
    List,
    /// Ask the provider whether a connection works.
    Test {
        /// Its name or id.
        name: String,
    },
}

/// Add a connection.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward connection add whatsapp main --config phone_number_id=1055 --config waba_id=2044 \\
      --secret access_token=@token.txt --secret app_secret=… --secret verify_token=…
  onward connection add http erp --config headers='{\"X-Site\": \"1\"}' --secret token=@-

A value `@FILE` is read from the file (`@-`: standard input), so that a secret need not stand in the shell's history.")]
pub(crate) struct Add {
    /// The connector: whatsapp, http.
    connector: String,
    /// What workflows call it: a-z, 0-9 and -.
    name: String,
    /// What is not secret.
    #[arg(long = "config", value_name = "NAME=VALUE")]
    config: Vec<String>,
    /// What is: written and replaced, never read back.
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<String>,
}

impl Connection {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let look = Look::of_stdout();
        match self {
            Self::Add(add) => {
                let body = add.body()?;
                let client = context.client().await?;
                let result = client.post("/api/v1/connections", &body).await;
                client.close().await;
                context.print(&result?, |connection| {
                    let field = |name: &str| connection.get(name).map(text).unwrap_or_default();
                    format!(
                        "connection {} ({}) is stored\nwebhook address: {}\ntest it with `onward connection test {}`",
                        field("name"),
                        field("id"),
                        field("webhook_url"),
                        field("name")
                    )
                });
            }
            Self::List => {
                let client = context.client().await?;
                let result = client.all("/api/v1/connections", LIST_MOST).await;
                client.close().await;
                context.print(&json!({ "items": result? }), |document| {
                    let rows = items(document).iter().map(|connection| {
                        let field = |name: &str| connection.get(name).map(text).unwrap_or_default();
                        vec![field("name"), field("connector"), health(connection), field("webhook_url")]
                    });
                    table(look, &["NAME", "CONNECTOR", "HEALTH", "WEBHOOK"], rows, "no connections yet; add one with `onward connection add CONNECTOR NAME`")
                });
            }
            Self::Test { name } => {
                let client = context.client().await?;
                let result = test(&client, &name).await;
                client.close().await;
                let document = result?;
                let good = document.get("ok").and_then(Value::as_bool).unwrap_or_else(|| health(&document) == "ok");
                context.print(&document, |document| {
                    let said = document
                        .get("message")
                        .map(text)
                        .filter(|said| !said.is_empty())
                        .or_else(|| document.pointer("/health/message").map(text))
                        .unwrap_or_default();
                    let verdict = if good { look.paint(Paint::Good, "works") } else { look.paint(Paint::Bad, "does not work") };
                    format!("{name} {verdict}{}{said}", if said.is_empty() { "" } else { ": " })
                });
                return if good { Ok(()) } else { Err(Failure::Shown) };
            }
        }
        Ok(())
    }
}

impl Add {
    fn body(&self) -> Result<Value, Failure> {
        let config = self.config.iter().map(|pair| split("--config", pair).map(|(name, value)| (name, typed(value)))).collect::<Result<Map<_, _>, _>>()?;
        let secrets =
            self.secrets.iter().map(|pair| split("--secret", pair).map(|(name, value)| (name, Value::from(value)))).collect::<Result<Map<_, _>, _>>()?;
        Ok(json!({ "connector": self.connector, "name": self.name, "config": config, "secrets": secrets }))
    }
}

fn split(option: &str, pair: &str) -> Result<(String, String), Failure> {
    let (name, value) = pair
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| Failure::wrong_use(format!("{option} takes NAME=VALUE; `{}` has no `=`", pair.split('=').next().unwrap_or_default())))?;
    let value = match value.strip_prefix('@') {
        Some(file) => input::short_text(file)?,
        None => value.to_owned(),
    };
    Ok((name.to_owned(), value))
}

/// A config value: an object, a list or a truth value where it is written as one. Numbers stay text: ids are digits, and
/// the connector's schema says what is a number.
fn typed(text: String) -> Value {
    match serde_json::from_str(&text) {
        Ok(value @ (Value::Object(_) | Value::Array(_) | Value::Bool(_))) => value,
        _ => Value::String(text),
    }
}

fn health(connection: &Value) -> String {
    connection.get("health").map(|health| health.get("state").map_or_else(|| text(health), text)).unwrap_or_default()
}

async fn test(client: &Client, name: &str) -> Result<Value, Failure> {
    let connections = client.all("/api/v1/connections", LIST_MOST).await?;
    let is_it = |connection: &&Value| ["id", "name"].into_iter().any(|field| connection.get(field).and_then(Value::as_str) == Some(name));
    let id = connections.iter().find(is_it).and_then(|connection| connection.get("id")).map(text);
    let id = id.ok_or_else(|| Failure::new(format!("there is no connection {name} (`onward connection list` shows all)")))?;
    client.post(&format!("/api/v1/connections/{}/test", escape(&id)), &json!({})).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_config_and_secrets() {
        let add = Add {
            connector: "whatsapp".into(),
            name: "main".into(),
            config: vec!["phone_number_id=1055".into(), "headers={\"a\": \"b=c\"}".into()],
            secrets: vec!["access_token=a=b".into()],
        };
        assert_eq!(
            add.body().unwrap(),
            json!({ "connector": "whatsapp", "name": "main", "config": { "phone_number_id": "1055", "headers": { "a": "b=c" } }, "secrets": { "access_token": "a=b" } })
        );
    }

    #[test]
    fn a_pair_without_a_sign_is_refused_without_showing_a_secret() {
        assert!(matches!(split("--secret", "=hunter2"), Err(Failure::WrongUse(message)) if !message.contains("hunter2")));
    }

    #[test]
    fn a_value_may_stand_in_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "secret\n").unwrap();
        assert_eq!(split("--secret", &format!("token=@{}", file.path().display())), Ok(("token".into(), "secret".into())));
    }
}
