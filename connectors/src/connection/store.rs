//! The table. Functions that write take the transaction; those that read take anything that can be asked.

use super::{
    check,
    error::{ConnectionError, Problem},
    model::{ConnectionChange, Health, HealthState, NewConnection, StoredConnection},
    seal::Vault,
};
use crate::{Connectors, Manifest};
use onward_core::{
    ConnectionId, NewEvent, Object, OrganisationId, Value,
    ports::{Change, Secret, Transaction as _},
};
use onward_database::{DatabaseError, Query, Row, Tx, args};
use serde_json::json;
use std::collections::BTreeMap;

/// Stores a new connection. Never asks the provider: `health` says later whether it works.
pub async fn add(
    tx: &mut Tx,
    connectors: &Connectors,
    vault: &Vault,
    organisation: OrganisationId,
    new: &NewConnection,
) -> Result<StoredConnection, ConnectionError> {
    let Some(manifest) = connectors.manifest(&new.connector) else {
        let nearest = check::did_you_mean(&new.connector, connectors.ids());
        return Err(ConnectionError::invalid("/connector", format!("there is no connector \"{}\"{nearest}", new.connector)));
    };
    let mut problems = Vec::new();
    check::name(&new.name, &mut problems);
    let config = check::config(manifest, &new.config, &mut problems);
    let secrets = check::secrets(manifest, &new.secrets, &mut problems);
    settle(problems)?;
    let secrets: BTreeMap<String, Secret> = secrets.into_iter().filter_map(|(name, text)| Some((name, Secret::new(text?)))).collect();
    let now = tx.now();
    let connection = StoredConnection {
        id: ConnectionId(tx.fresh_id()),
        organisation,
        connector: manifest.id.to_owned(),
        name: new.name.clone(),
        account: account(manifest, &config),
        config,
        secret_names: secrets.keys().cloned().collect(),
        revision: 1,
        health: Health::default(),
        created_at: now,
        updated_at: now,
    };
    let sealed = seal(vault, &connection, &secrets)?;
    let sql = "INSERT INTO connections (organisation, id, connector, name, account, config, secrets, secret_names, revision, health, created_at, updated_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)";
    let args = args![
        organisation,
        connection.id,
        &connection.connector,
        &connection.name,
        &connection.account,
        Value::Object(connection.config.clone()),
        sealed,
        json!(connection.secret_names),
        connection.revision,
        connection.health.state.as_str(),
        now
    ];
    tx.execute(sql, args).await.map_err(|error| name_taken(error, &connection.name))?;
    announce(tx, &connection, "added");
    Ok(connection)
}

/// Changes a connection; `None` when there is none. A change that changes nothing writes nothing.
pub async fn update(
    tx: &mut Tx,
    connectors: &Connectors,
    vault: &Vault,
    organisation: OrganisationId,
    id: ConnectionId,
    change: &ConnectionChange,
) -> Result<Option<StoredConnection>, ConnectionError> {
    // Of two who change the same revision at one time the second is told.
    tx.lock(vec![*id.0.as_bytes()]).await?;
    let Some((mut connection, sealed)) = sealed_by_id(tx, organisation, id).await? else { return Ok(None) };
    if let Some(expected) = change.if_revision.filter(|expected| *expected != connection.revision) {
        return Err(ConnectionError::Changed { expected, actual: connection.revision });
    }
    let Some(manifest) = connectors.manifest(&connection.connector) else {
        return Err(ConnectionError::invalid("/connector", format!("this version has no connector \"{}\"", connection.connector)));
    };
    let before = connection.clone();
    let mut problems = Vec::new();
    if let Some(name) = &change.name {
        check::name(name, &mut problems);
        connection.name.clone_from(name);
    }
    if let Some(config) = &change.config {
        connection.config = check::config(manifest, config, &mut problems);
        connection.account = account(manifest, &connection.config);
    }
    let changes = check::secrets(manifest, &change.secrets, &mut problems);
    settle(problems)?;
    let sealed = if changes.is_empty() {
        sealed
    } else {
        // Replacing every secret must work even when the old ones cannot be opened any more: it is the remedy.
        let kept = connection.secret_names.iter().any(|name| changes.iter().all(|(changed, _)| changed != name));
        let mut secrets = match &sealed {
            Some(sealed) if kept => vault.open(organisation, id, sealed)?,
            _ => BTreeMap::new(),
        };
        for (name, text) in changes {
            match text {
                Some(text) => secrets.insert(name, Secret::new(text)),
                None => secrets.remove(&name),
            };
        }
        connection.secret_names = secrets.keys().cloned().collect();
        seal(vault, &connection, &secrets)?
    };
    if change.secrets.is_empty() && before == connection {
        return Ok(Some(connection));
    }
    connection.revision += 1;
    connection.updated_at = tx.now();
    let sql = "UPDATE connections SET name = $3, account = $4, config = $5, secrets = $6, secret_names = $7, revision = $8, updated_at = $9
               WHERE organisation = $1 AND id = $2";
    let args = args![
        organisation,
        id,
        &connection.name,
        &connection.account,
        Value::Object(connection.config.clone()),
        sealed,
        json!(connection.secret_names),
        connection.revision,
        connection.updated_at
    ];
    tx.execute(sql, args).await.map_err(|error| name_taken(error, &connection.name))?;
    announce(tx, &connection, "changed");
    Ok(Some(connection))
}

/// Deletes a connection and its secrets; gives what it was, or `None` when there is none.
pub async fn delete(tx: &mut Tx, organisation: OrganisationId, id: ConnectionId) -> Result<Option<StoredConnection>, ConnectionError> {
    let Some(connection) = by_id(tx, organisation, id).await? else { return Ok(None) };
    tx.execute("DELETE FROM connections WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    announce(tx, &connection, "deleted");
    Ok(Some(connection))
}

/// Records what asking the provider gave, and emits `connection.unhealthy` when a connection stops working. `None` when it
/// is gone.
pub async fn record_health(
    tx: &mut Tx,
    organisation: OrganisationId,
    id: ConnectionId,
    state: HealthState,
    message: Option<&str>,
) -> Result<Option<StoredConnection>, ConnectionError> {
    // That it stopped working is told once.
    tx.lock(vec![*id.0.as_bytes()]).await?;
    let Some(mut connection) = by_id(tx, organisation, id).await? else { return Ok(None) };
    let before = connection.health.state;
    connection.health = Health { state, message: message.map(str::to_owned), checked_at: Some(tx.now()) };
    let sql = "UPDATE connections SET health = $3, health_message = $4, health_checked_at = $5 WHERE organisation = $1 AND id = $2";
    tx.execute(sql, args![organisation, id, state.as_str(), message, tx.now()]).await?;
    if before != state {
        if state == HealthState::Unhealthy {
            let data = json!({ "connection_id": id, "connector": connection.connector, "name": connection.name, "message": message });
            tx.emit(NewEvent::new(organisation, "connection.unhealthy", "connections", data));
        }
        announce(tx, &connection, "health");
    }
    Ok(Some(connection))
}

/// By id or by name. A name that looks like an id is found as a name when no such id exists.
pub async fn find<Q: Query>(db: &mut Q, organisation: OrganisationId, id_or_name: &str) -> Result<Option<StoredConnection>, ConnectionError> {
    if let Some(id) = onward_core::ids::parse(id_or_name)
        && let Some(connection) = by_id(db, organisation, id).await?
    {
        return Ok(Some(connection));
    }
    let row = db.fetch_optional("SELECT * FROM connections WHERE organisation = $1 AND name = $2", args![organisation, id_or_name]).await?;
    row.map(|row| read(&row)).transpose()
}

/// In order of id, after `after`, at most `limit`.
pub async fn list<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    after: Option<ConnectionId>,
    limit: u32,
) -> Result<Vec<StoredConnection>, ConnectionError> {
    let after = after.unwrap_or(ConnectionId(uuid::Uuid::nil()));
    let rows = db.fetch_all("SELECT * FROM connections WHERE organisation = $1 AND id > $2 ORDER BY id LIMIT $3", args![organisation, after, limit]).await?;
    rows.iter().map(read).collect()
}

/// The connection of a provider's account: one webhook address may deliver for several. The oldest, if there are more.
pub async fn find_by_account<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    connector: &str,
    account: &str,
) -> Result<Option<StoredConnection>, ConnectionError> {
    let sql = "SELECT * FROM connections WHERE organisation = $1 AND connector = $2 AND account = $3 ORDER BY id LIMIT 1";
    let row = db.fetch_optional(sql, args![organisation, connector, account]).await?;
    row.map(|row| read(&row)).transpose()
}

/// Whether a connection still is as it was at this revision: what was checked by its secrets outside a transaction holds
/// in the one that asks.
pub async fn is_current<Q: Query>(db: &mut Q, organisation: OrganisationId, id: ConnectionId, revision: i64) -> Result<bool, DatabaseError> {
    let sql = "SELECT 1 AS one FROM connections WHERE organisation = $1 AND id = $2 AND revision = $3";
    Ok(db.fetch_optional(sql, args![organisation, id, revision]).await?.is_some())
}

/// Whether any connection, of whatever organisation, has secrets that some key has sealed.
pub async fn any_sealed<Q: Query>(db: &mut Q) -> Result<bool, DatabaseError> {
    Ok(db.fetch_optional("SELECT 1 AS one FROM connections WHERE secrets IS NOT NULL LIMIT 1", args![]).await?.is_some())
}

async fn by_id<Q: Query>(db: &mut Q, organisation: OrganisationId, id: ConnectionId) -> Result<Option<StoredConnection>, ConnectionError> {
    Ok(sealed_by_id(db, organisation, id).await?.map(|(connection, _)| connection))
}

/// With its secrets as they are stored.
pub(super) async fn sealed_by_id<Q: Query>(
    db: &mut Q,
    organisation: OrganisationId,
    id: ConnectionId,
) -> Result<Option<(StoredConnection, Option<Vec<u8>>)>, ConnectionError> {
    let row = db.fetch_optional("SELECT * FROM connections WHERE organisation = $1 AND id = $2", args![organisation, id]).await?;
    row.map(|row| Ok((read(&row)?, row.get("secrets")?))).transpose()
}

fn settle(problems: Vec<Problem>) -> Result<(), ConnectionError> {
    if problems.is_empty() { Ok(()) } else { Err(ConnectionError::Invalid(problems)) }
}

fn account(manifest: &Manifest, config: &Object) -> Option<String> {
    manifest.account.and_then(|key| config.get(key)).and_then(Value::as_str).map(str::to_owned)
}

fn seal(vault: &Vault, connection: &StoredConnection, secrets: &BTreeMap<String, Secret>) -> Result<Option<Vec<u8>>, ConnectionError> {
    if secrets.is_empty() {
        return Ok(None);
    }
    Ok(Some(vault.seal(connection.organisation, connection.id, secrets)?))
}

fn name_taken(error: DatabaseError, name: &str) -> ConnectionError {
    match error {
        DatabaseError::UniqueViolation { columns, .. } if columns.iter().any(|column| column == "name") => ConnectionError::NameTaken(name.to_owned()),
        other => other.into(),
    }
}

fn announce(tx: &mut Tx, connection: &StoredConnection, what: &str) {
    let data = json!({ "change": what, "connector": connection.connector, "name": connection.name, "health": connection.health.state.as_str() });
    tx.announce(Change { organisation: connection.organisation, topic: "connection".into(), id: connection.id.to_string(), data });
}

fn read(row: &Row) -> Result<StoredConnection, ConnectionError> {
    Ok(StoredConnection {
        id: row.get("id")?,
        organisation: row.get("organisation")?,
        connector: row.get("connector")?,
        name: row.get("name")?,
        account: row.get("account")?,
        config: json_column::<Object>(row, "config")?,
        secret_names: json_column::<Vec<String>>(row, "secret_names")?,
        revision: row.get("revision")?,
        health: Health { state: health(row)?, message: row.get("health_message")?, checked_at: row.get("health_checked_at")? },
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn json_column<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<T, DatabaseError> {
    let value: Value = row.get(column)?;
    serde_json::from_value(value).map_err(|error| DatabaseError::Column { column: column.to_owned(), reason: error.to_string() })
}

fn health(row: &Row) -> Result<HealthState, DatabaseError> {
    let text: String = row.get("health")?;
    HealthState::parse(&text).ok_or_else(|| DatabaseError::Column { column: "health".into(), reason: format!("\"{text}\" is no health") })
}
