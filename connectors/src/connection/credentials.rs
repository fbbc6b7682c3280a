//! Hands nodes and webhooks the credentials that they name.

use super::{check, error::ConnectionError, seal::Vault, store};
use onward_core::{
    ConnectionId, ErrorCode, OrganisationId, StepError,
    ports::{Connection, Credentials},
};
use onward_database::{Query as _, Reader, args};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// Opened connections that are kept. Above this all are dropped and opened again: an organisation has a handful.
const KEPT: usize = 1_024;
/// Connections that an error message names.
const NAMED: u32 = 10;

/// A connection that a webhook address names.
#[derive(Clone)]
pub struct Addressed {
    /// Whose it is.
    pub organisation: OrganisationId,
    /// The connection, opened.
    pub connection: Connection,
    /// Which state of it this is; see [`is_current`](super::is_current).
    pub revision: i64,
}

/// The connections of the database, opened.
///
/// Every question first reads the connection's revision (one look into an index) and opens secrets only when it has moved:
/// a changed or deleted credential is never used again, on whichever node it was changed. Who asks thousands of times a
/// second takes what is [`remembered`](Self::remembered) and checks its revision in the transaction that uses it.
#[derive(Clone)]
pub struct StoredCredentials {
    reader: Reader,
    vault: Vault,
    opened: Arc<Mutex<HashMap<ConnectionId, Addressed>>>,
}

impl StoredCredentials {
    /// Credentials from this database, opened with this vault.
    pub fn new(reader: Reader, vault: Vault) -> Self {
        Self { reader, vault, opened: Arc::default() }
    }

    /// The connection that a webhook address names, and whose it is. The one question that carries no organisation: the
    /// address says the connection, and the connection says the organisation.
    pub async fn for_webhook(&self, connector: &str, id: ConnectionId) -> Result<Option<Addressed>, ConnectionError> {
        let sql = "SELECT organisation, revision FROM connections WHERE id = $1 AND connector = $2";
        let Some(row) = self.reader.clone().fetch_optional(sql, args![id, connector]).await? else { return Ok(None) };
        self.open(row.get("organisation")?, id, row.get("revision")?).await
    }

    /// As [`for_webhook`](Self::for_webhook) found it some time ago, without a look into the database: it may have changed
    /// since. What is genuine by it counts only once its revision was found current
    /// ([`is_current`](super::is_current)); what is forged by it must be asked about again.
    pub fn remembered(&self, connector: &str, id: ConnectionId) -> Option<Addressed> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.get(&id).filter(|addressed| addressed.connection.connector == connector).cloned()
    }

    /// By id, opened; `None` when there is none.
    pub async fn by_id(&self, organisation: OrganisationId, id: ConnectionId) -> Result<Option<Connection>, ConnectionError> {
        let sql = "SELECT revision FROM connections WHERE organisation = $1 AND id = $2";
        let Some(row) = self.reader.clone().fetch_optional(sql, args![organisation, id]).await? else { return Ok(None) };
        Ok(self.open(organisation, id, row.get("revision")?).await?.map(|addressed| addressed.connection))
    }

    async fn open(&self, organisation: OrganisationId, id: ConnectionId, revision: i64) -> Result<Option<Addressed>, ConnectionError> {
        if let Some(kept) = self.opened.lock().unwrap_or_else(PoisonError::into_inner).get(&id)
            && kept.revision == revision
        {
            return Ok(Some(kept.clone()));
        }
        let Some((stored, sealed)) = store::sealed_by_id(&mut self.reader.clone(), organisation, id).await? else { return Ok(None) };
        let secrets = match sealed {
            Some(sealed) => self.vault.open(organisation, id, &sealed)?,
            None => BTreeMap::new(),
        };
        let connection = Connection { id, connector: stored.connector, name: stored.name, config: stored.config, secrets: Arc::new(secrets) };
        let addressed = Addressed { organisation, connection, revision: stored.revision };
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= KEPT {
            opened.clear();
        }
        opened.insert(id, addressed.clone());
        Ok(Some(addressed))
    }

    async fn named(&self, organisation: OrganisationId, connector: Option<&str>, name: &str) -> Result<ConnectionId, StepError> {
        let found = store::find(&mut self.reader.clone(), organisation, name).await?;
        match found {
            Some(found) if connector.is_none_or(|connector| connector == found.connector) => Ok(found.id),
            Some(found) => {
                let wanted = connector.unwrap_or_default();
                Err(StepError::new(ErrorCode::InvalidInput, format!("the connection \"{name}\" is of {}, not of {wanted}", found.connector)))
            }
            None => {
                let all = store::list(&mut self.reader.clone(), organisation, None, 100).await?;
                let names = all.iter().filter(|other| connector.is_none_or(|connector| connector == other.connector)).map(|other| other.name.as_str());
                let nearest = check::did_you_mean(name, names);
                Err(StepError::new(ErrorCode::NotFound, format!("there is no connection \"{name}\"{nearest}")))
            }
        }
    }

    async fn only(&self, organisation: OrganisationId, connector: &str) -> Result<ConnectionId, StepError> {
        let sql = "SELECT id, name FROM connections WHERE organisation = $1 AND connector = $2 ORDER BY id LIMIT $3";
        let rows = self.reader.clone().fetch_all(sql, args![organisation, connector, NAMED]).await.map_err(ConnectionError::from)?;
        match rows.as_slice() {
            [] => Err(StepError::new(ErrorCode::NotFound, format!("there is no connection of {connector} yet; add one"))),
            [row] => Ok(row.get("id").map_err(ConnectionError::from)?),
            several => {
                let names: Result<Vec<String>, _> = several.iter().map(|row| row.get("name")).collect();
                let names = names.map_err(ConnectionError::from)?.join(", ");
                Err(StepError::new(ErrorCode::Conflict, format!("there are several connections of {connector} ({names}); name one of them")))
            }
        }
    }
}

#[onward_core::async_trait]
impl Credentials for StoredCredentials {
    async fn connection(&self, organisation: OrganisationId, connector: Option<&str>, name: Option<&str>) -> Result<Connection, StepError> {
        let id = match (name, connector) {
            (Some(name), connector) => self.named(organisation, connector, name).await?,
            (None, Some(connector)) => self.only(organisation, connector).await?,
            (None, None) => return Err(StepError::new(ErrorCode::InvalidInput, "name a connection")),
        };
        let gone = || StepError::new(ErrorCode::NotFound, "the connection was deleted just now");
        self.by_id(organisation, id).await?.ok_or_else(gone)
    }
}

impl std::fmt::Debug for StoredCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoredCredentials(…)")
    }
}
