//! `onward doctor`: what is right here and what is not.

use super::{Context, Failure};
use crate::{
    client::Client,
    terminal::{Look, Paint},
    timeline, wiring,
};
use clap::Args;
use onward_connectors::connection::MasterKey;
use onward_core::{Timestamp, ports::Clock as _};
use onward_database::{Database, SystemClock};
use serde_json::{Value, json};

/// Look for what is wrong: the database and its durability, the secret key, the server, the connections.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  onward doctor
  onward doctor --json

Exit code 1 when something is wrong. How large each table is stands under `size` of --json.")]
pub(crate) struct Doctor {
    /// From this size of the database on, say that it is large; 0: never.
    #[arg(long, env = "ONWARD_DATABASE_ALARM_GIB", value_name = "GIB", default_value_t = 0)]
    database_alarm_gib: u32,
}

/// How a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Good,
    Notice,
    Bad,
}

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    subject: &'static str,
    state: State,
    text: String,
}

impl Finding {
    fn good(subject: &'static str, text: impl Into<String>) -> Self {
        Self { subject, state: State::Good, text: text.into() }
    }
    fn notice(subject: &'static str, text: impl Into<String>) -> Self {
        Self { subject, state: State::Notice, text: text.into() }
    }
    fn bad(subject: &'static str, text: impl Into<String>) -> Self {
        Self { subject, state: State::Bad, text: text.into() }
    }
}

impl Doctor {
    pub(crate) async fn run(self, context: Context) -> Result<(), Failure> {
        let mut findings = vec![Finding::good("version", format!("onward {}", env!("CARGO_PKG_VERSION"))), clock()];
        findings.extend(key(&context.place.database));
        let mut tables = Value::Null;
        match context.client().await {
            Ok(client) => {
                findings.push(Finding::good("data", client.place()));
                findings.extend(server(&client).await);
                // Nobody but the operator may ask.
                if let Ok(found) = client.get("/api/v1/server/size").await {
                    findings.push(size(&found, u64::from(self.database_alarm_gib) << 30));
                    tables = found;
                }
                if let Some(rooms) = client.rooms() {
                    findings.push(database(rooms.database()).await);
                }
                client.close().await;
            }
            Err(Failure::Failed(message)) => findings.push(Finding::bad("data", message)),
            Err(other) => return Err(other),
        }
        let bad = findings.iter().any(|finding| finding.state == State::Bad);
        let items: Vec<Value> = findings
            .iter()
            .map(|finding| json!({ "subject": finding.subject, "state": match finding.state { State::Good => "good", State::Notice => "notice", State::Bad => "bad" }, "text": finding.text }))
            .collect();
        let look = Look::of_stdout();
        context.print(&json!({ "healthy": !bad, "items": items, "size": tables }), |_| {
            findings.iter().map(|finding| line(finding, look)).collect::<Vec<_>>().join("\n")
        });
        if bad { Err(Failure::Shown) } else { Ok(()) }
    }
}

fn line(finding: &Finding, look: Look) -> String {
    let mark = match finding.state {
        State::Good => look.paint(Paint::Good, look.either("✔", "+")),
        State::Notice => look.paint(Paint::Attention, "!"),
        State::Bad => look.paint(Paint::Bad, look.either("✘", "x")),
    };
    format!("{mark} {:<12} {}", finding.subject, finding.text)
}

/// A clock that was never set makes every due time wrong.
fn clock() -> Finding {
    /// 2025-01-01: earlier than any build of this program.
    const EARLIEST: Timestamp = Timestamp::from_millis(1_735_689_600_000);
    let now = SystemClock::new().now();
    if now < EARLIEST { Finding::bad("clock", format!("the system's clock says {now}; set it")) } else { Finding::good("clock", now.to_string()) }
}

fn key(database: &str) -> Option<Finding> {
    if let Some(text) = wiring::secret_key() {
        return Some(match MasterKey::parse(&text) {
            Ok(_) => Finding::good("secret key", "from ONWARD_SECRET_KEY"),
            Err(error) => Finding::bad("secret key", format!("ONWARD_SECRET_KEY cannot be used: {error}")),
        });
    }
    let path = wiring::beside(&wiring::database_file(database)?, "key");
    Some(match MasterKey::load(&path) {
        Ok(Some(_)) => Finding::good("secret key", format!("{} (back it up with the database)", path.display())),
        Ok(None) => Finding::notice("secret key", format!("none yet; {} is made at the first start", path.display())),
        Err(error) => Finding::bad("secret key", error.to_string()),
    })
}

async fn database(database: &Database) -> Finding {
    match database.report().await {
        Ok(report) => Finding::good(
            "database",
            format!(
                "{}, migration {}, {}; {} bytes, of which {} are free; {} bytes of log; {} left on the disk",
                report.database,
                report.migration,
                report.durability,
                report.bytes,
                report.free_bytes,
                report.log_bytes,
                report.disk_bytes_left.map_or_else(|| "an unknown number of bytes".to_owned(), |bytes| format!("{} MiB", bytes >> 20))
            ),
        ),
        Err(error) => Finding::bad("database", error.to_string()),
    }
}

/// Tables that are named.
const LARGEST: usize = 3;

/// How large the database is, and which tables make it so.
fn size(size: &Value, alarm_bytes: u64) -> Finding {
    let bytes = size["bytes"].as_u64().unwrap_or(0);
    let largest = size["tables"].as_array().into_iter().flatten().take(LARGEST).map(|table| {
        let dead = table["dead_rows"].as_u64().filter(|dead| *dead > 0).map_or_else(String::new, |dead| format!(", {dead} dead"));
        format!("{} {} ({} rows{dead})", table["table"].as_str().unwrap_or_default(), megabytes(table["bytes"].as_u64().unwrap_or(0)), table["rows"])
    });
    let largest: Vec<String> = largest.collect();
    let text = format!("{}{}{}", megabytes(bytes), if largest.is_empty() { "" } else { "; the largest tables: " }, largest.join(", "));
    if alarm_bytes > 0 && bytes > alarm_bytes {
        let bound = megabytes(alarm_bytes);
        return Finding::notice("size", format!("{text}; more than the {bound} of --database-alarm-gib: keep runs for fewer days with `onward retention set`"));
    }
    Finding::good("size", text)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

async fn server(client: &Client) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(match client.get("/readyz").await {
        Ok(answer) if answer.get("paused") == Some(&Value::Bool(true)) => {
            Finding::notice("requests", "are accepted, and held: everything is paused; `onward resume --everything` lets it go on")
        }
        Ok(_) => Finding::good("requests", "are accepted"),
        Err(Failure::Failed(message) | Failure::WrongUse(message)) => Finding::bad("requests", message),
        Err(Failure::Shown) => Finding::bad("requests", "are not accepted"),
    });
    findings.extend(nodes(client).await);
    findings.extend(connections(client).await);
    findings.extend(runs(client).await);
    findings
}

/// Milliseconds for which a message may wait for its node before that is worth a word.
const LAG_MS: i64 = 5_000;

/// The processes on the database. On one that no server runs on there are none, and nothing is wrong with that.
async fn nodes(client: &Client) -> Vec<Finding> {
    let Ok(server) = client.get("/api/v1/server").await else { return Vec::new() };
    let (nodes, now) = (server["nodes"].as_array().cloned().unwrap_or_default(), SystemClock::new().now());
    let mut findings: Vec<Finding> = nodes.iter().filter_map(|one| node(one, now)).collect();
    let unowned = server["unowned_shards"].as_u64().unwrap_or(0);
    if unowned > 0 && findings.iter().any(|finding| finding.state == State::Good) {
        findings.push(Finding::bad("shards", format!("{unowned} of 256 have no owner: what belongs to them waits; start a server that is not `--role api`")));
    }
    findings
}

/// A node that is gone and owns nothing any more is no finding.
fn node(node: &Value, now: Timestamp) -> Option<Finding> {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    let at = |name: &str| serde_json::from_value::<Timestamp>(node[name].clone()).ok();
    let (shards, waiting) = (node["shards"].as_u64().unwrap_or(0), node["waiting"].as_u64().unwrap_or(0));
    let lag = at("waiting_since").map_or(0, |since| now.millis_since(since).max(0));
    let what = format!("{} ({}), {shards} of 256 shards", text("about"), text("role"));
    if node["lives"] != true {
        let silent = at("seen_at").map_or(0, |seen| now.millis_since(seen).max(0)) / 1_000;
        return (shards > 0).then(|| Finding::bad("node", format!("{what}: silent for {silent} s, and nobody took them over; is any other server running?")));
    }
    Some(match waiting {
        0 => Finding::good("node", format!("{what}, nothing waits for it")),
        _ if lag <= LAG_MS => Finding::good("node", format!("{what}, {waiting} messages wait, the oldest for {lag} ms")),
        _ => Finding::notice("node", format!("{what}, {waiting} messages wait, the oldest for {} s: it does not keep up", lag / 1_000)),
    })
}

async fn connections(client: &Client) -> Vec<Finding> {
    const MOST: usize = 1_000;
    let connections = match client.all("/api/v1/connections", MOST).await {
        Ok(connections) => connections,
        Err(Failure::Failed(message) | Failure::WrongUse(message)) => return vec![Finding::bad("connections", message)],
        Err(Failure::Shown) => return Vec::new(),
    };
    let one = |connection: &Value| {
        let text = |pointer: &str| connection.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        match text("/health/state") {
            "unhealthy" => Finding::bad("connection", format!("{}: {}", text("/name"), text("/health/message"))),
            "healthy" => Finding::good("connection", format!("{} works", text("/name"))),
            _ => Finding::notice("connection", format!("{} was never tested: onward connection test {}", text("/name"), text("/name"))),
        }
    };
    if connections.is_empty() { vec![Finding::notice("connections", "none yet")] } else { connections.iter().map(one).collect() }
}

/// Runs that the engine itself has paused need a person.
async fn runs(client: &Client) -> Option<Finding> {
    const MOST: usize = 100;
    let paused = client.all("/api/v1/runs?status=paused", MOST).await.ok()?;
    let now = SystemClock::new().now();
    let first = paused.first()?;
    let id = first.get("id").and_then(Value::as_str).unwrap_or_default();
    let waits = first.get("waiting_on").and_then(|on| timeline::waiting_for(on, now)).unwrap_or_default();
    Some(Finding::notice("runs", format!("{} are paused; the newest, {id}, waits {waits}", paused.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_database_is_noticed_from_the_bound_on() {
        let found = json!({ "bytes": 3_u64 << 30, "tables": [{ "table": "history", "rows": 7, "dead_rows": 2, "bytes": 1 << 20 }] });
        let large = size(&found, 2 << 30);
        assert_eq!(large.state, State::Notice);
        assert!(large.text.starts_with("3072.0 MiB; the largest tables: history 1.0 MiB (7 rows, 2 dead); more than the 2048.0 MiB"), "{}", large.text);
        assert!(size(&found, 0).state == State::Good && size(&found, 4 << 30).state == State::Good);
        assert_eq!(size(&json!({ "bytes": 1 << 20, "tables": null }), 0).text, "1.0 MiB");
    }
}
