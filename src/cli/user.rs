//! `onward user`: who signs in.

use super::{
    Context, Failure,
    table::{items, table, text},
};
use crate::{
    client::{Client, escape},
    terminal::{self, Look},
};
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

/// More than any list that a person reads.
const LIST_MOST: usize = 10_000;

/// Add users, set passwords, list who signs in.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  onward user add asha@example.com --name \"Asha Rao\" --role admin
  echo \"$PASSWORD\" | onward user passwd asha@example.com
  onward user list

The password is asked for, or read from standard input.")]
pub(crate) enum User {
    Add(Add),
    /// Set a user's password; every session of theirs ends.
    Passwd {
        /// Their e-mail.
        email: String,
    },
    /// List the users.
    List,
}

/// Add a user.
#[derive(Args, Debug)]
pub(crate) struct Add {
    /// Their e-mail: what they sign in with.
    email: String,
    /// Their name, as others see it.
    #[arg(long)]
    name: Option<String>,
    /// What they may do: admin or agent.
    #[arg(long, default_value = "agent")]
    role: String,
}

impl User {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let look = Look::of_stdout();
        match self {
            Self::Add(add) => {
                let password = password()?;
                let client = context.client().await?;
                let name = add.name.unwrap_or_else(|| add.email.split('@').next().unwrap_or_default().to_owned());
                let result = client.post("/api/v1/users", &json!({ "email": add.email, "name": name, "role": add.role, "password": password })).await;
                client.close().await;
                context.print(&result?, |user| format!("{} can sign in", user.get("email").map(text).unwrap_or_default()));
            }
            Self::Passwd { email } => {
                let password = password()?;
                let client = context.client().await?;
                let result = set_password(&client, &email, &password).await;
                client.close().await;
                context.print(&result?, |_| format!("{email} has a new password"));
            }
            Self::List => {
                let client = context.client().await?;
                let result = client.all("/api/v1/users", LIST_MOST).await;
                client.close().await;
                context.print(&json!({ "items": result? }), |document| {
                    let rows =
                        items(document).iter().map(|user| ["email", "name", "role", "id"].map(|name| user.get(name).map(text).unwrap_or_default()).to_vec());
                    table(look, &["E-MAIL", "NAME", "ROLE", "ID"], rows, "no users yet; add one with `onward user add E-MAIL`")
                });
            }
        }
        Ok(())
    }
}

fn password() -> Result<String, Failure> {
    let password = terminal::read_password("Password").map_err(|error| Failure::because("the password cannot be read", &error))?;
    if password.is_empty() {
        Err(Failure::wrong_use("no password was given; type it, or pipe it in: echo \"$PASSWORD\" | onward user …"))
    } else {
        Ok(password)
    }
}

/// Gives the user of that e-mail another password.
async fn set_password(client: &Client, email: &str, password: &str) -> Result<Value, Failure> {
    let users = client.all("/api/v1/users", LIST_MOST).await?;
    let found = users.iter().find(|user| user.get("email").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(email)));
    let id =
        found.and_then(|user| user.get("id")).map(text).ok_or_else(|| Failure::new(format!("nobody signs in as {email} (`onward user list` shows all)")))?;
    client.request(Method::PATCH, &format!("/api/v1/users/{}", escape(&id)), Some(&json!({ "password": password }))).await?.document()
}
