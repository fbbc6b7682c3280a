//! `onward serve`: the server.

use super::{Context, Failure};
use crate::{
    server::{self, Backups, Options},
    wiring,
};
use clap::{Args, ValueEnum, builder::BoolishValueParser};
use onward_core::{definition::Span, ports::NodeRole};
use std::{net::SocketAddr, path::PathBuf};

/// Serve: the API, webhooks, and the engine that runs the workflows.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward serve
  onward serve --database sqlite:///var/lib/onward/onward.db --listen 0.0.0.0:8080 --public-url https://crm.example.com
  onward serve --demo
  onward serve --database postgres://onward:PASSWORD@db.example.com/onward --role worker

It prints its address when it takes requests. SIGTERM or Ctrl-C: nothing new is taken in, calls in flight end, then it
stops; killed in any other way, it goes on at the next start where it was. Beside the database file lie FILE.lock (one
process serves a file), FILE.sock (for the other commands) and FILE.key (seals the connections' secrets; back it up with
the file, or set ONWARD_SECRET_KEY).")]
pub(crate) struct Serve {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, env = "ONWARD_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// What this process does. On SQLite one process does all.
    #[arg(long, env = "ONWARD_ROLE", value_enum, default_value_t = Role::All)]
    role: Role,
    /// Serve a demonstration: a sandbox that plays WhatsApp, a sign-in, a token, and the example automations.
    #[arg(long, env = "ONWARD_DEMO", value_parser = BoolishValueParser::new())]
    demo: bool,
    /// The address that providers and browsers see; default: the address that is listened on.
    #[arg(long, env = "ONWARD_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Let outgoing calls reach loopback and private addresses.
    #[arg(long, env = "ONWARD_ALLOW_PRIVATE_URLS", value_parser = BoolishValueParser::new())]
    allow_private_urls: bool,
    /// Write runs into this folder, as they can be exported, before they are forgotten: one a line, in `.jsonl.gz` files.
    #[arg(long, env = "ONWARD_ARCHIVE_FOLDER", value_name = "FOLDER")]
    archive_folder: Option<PathBuf>,
    /// Back the database up into this folder, now and then.
    #[arg(long, env = "ONWARD_BACKUP_FOLDER", value_name = "FOLDER")]
    backup_folder: Option<PathBuf>,
    /// How often, with --backup-folder: `6h`, `1d`; a minute at least.
    #[arg(long, env = "ONWARD_BACKUP_EVERY", value_name = "DURATION", default_value = "1d", value_parser = every)]
    backup_every: i64,
    /// How many backups are kept; older ones are removed.
    #[arg(long, env = "ONWARD_BACKUP_KEEP", value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    backup_keep: u32,
    /// From this size of the database on, metrics (`onward_database_alarm_bytes`) and `onward doctor` say that it is large; 0: never.
    #[arg(long, env = "ONWARD_DATABASE_ALARM_GIB", value_name = "GIB", default_value_t = 0)]
    database_alarm_gib: u32,
}

/// Milliseconds of a duration.
fn every(text: &str) -> Result<i64, String> {
    match Span::parse(text)?.fixed_millis() {
        Some(millis) if millis >= 60_000 => Ok(millis),
        _ => Err(format!("{text:?} is no fixed duration of a minute or more; write for example 6h or 1d")),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Everything.
    All,
    /// Takes requests and events in; its runs are others' to carry on.
    Api,
    /// Carries runs on; requests are meant for the others.
    Worker,
}

impl Serve {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        if self.role != Role::All && wiring::database_file(&context.place.database).is_some() {
            return Err(Failure::wrong_use("--role api and --role worker need PostgreSQL; on SQLite one process does all: leave --role out"));
        }
        if let Some(url) = &self.public_url {
            let parsed = url::Url::parse(url).ok().filter(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.has_host());
            parsed.ok_or_else(|| Failure::wrong_use(format!("--public-url {url} is no address; write for example https://crm.example.com")))?;
        }
        server::serve(Options {
            database: context.place.database,
            listen: self.listen,
            role: match self.role {
                Role::All => NodeRole::All,
                Role::Api => NodeRole::Api,
                Role::Worker => NodeRole::Worker,
            },
            demo: self.demo,
            public_url: self.public_url,
            allow_private_urls: self.allow_private_urls,
            json: context.json,
            archive_folder: self.archive_folder,
            backups: self.backup_folder.map(|folder| Backups { folder, every_ms: self.backup_every, keep: self.backup_keep as usize }),
            alarm_bytes: u64::from(self.database_alarm_gib) << 30,
        })
        .await
    }
}
