//! API tokens for programs: `onw_…`; only the hash is stored.

use crate::{Actor, CrmError, Role, SecretSource, TokenId, audit, secret};
use onward_core::{OrganisationId, Timestamp, Value, ports::Transaction};
use onward_database::{DatabaseError, Query, Row, Rows, Tx, args};
use std::collections::{BTreeMap, BTreeSet};

/// What every token begins with, so that scanners for leaked secrets find it.
pub const PREFIX: &str = "onw_";
/// `last_used_at` is kept to this: 1 hour.
pub const USED_GRAIN_MS: i64 = 60 * 60 * 1000;

/// A token's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Whose.
    pub organisation: OrganisationId,
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its first characters.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Timestamp>,
    /// When it ended.
    pub revoked_at: Option<Timestamp>,
}

impl ApiToken {
    /// The one JSON shape; the secret is in none.
    pub fn to_value(&self) -> Value {
        serde_json::json!({
            "id": self.id, "name": self.name, "role": self.role, "hint": self.hint, "created_at": self.created_at,
            "last_used_at": self.last_used_at, "revoked_at": self.revoked_at,
        })
    }
    /// As the one who does something.
    pub fn actor(&self) -> Actor {
        Actor::Token { id: self.id, name: self.name.clone() }
    }
    /// It is time to call [`touch`].
    pub fn wants_touch(&self, now: Timestamp) -> bool {
        self.last_used_at.is_none_or(|used| now.millis_since(used) >= USED_GRAIN_MS)
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT organisation, id, name, role, hint, created_at, last_used_at, revoked_at, token_hash FROM api_tokens ", $rest)
    };
}

/// Makes a token; the text is known only now.
pub async fn create(
    tx: &mut Tx,
    organisation: OrganisationId,
    actor: &Actor,
    name: &str,
    role: Role,
    secrets: &dyn SecretSource,
) -> Result<(ApiToken, String), CrmError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(CrmError::invalid("name", "a token's name has 1 to 100 characters"));
    }
    let text = secret::fresh(secrets, PREFIX);
    let token = ApiToken {
        organisation,
        id: TokenId(tx.fresh_id()),
        name: name.to_owned(),
        role,
        hint: text.chars().take(PREFIX.len() + 4).collect(),
        created_at: tx.now(),
        last_used_at: None,
        revoked_at: None,
    };
    let written = tx
        .attempt(
            "INSERT INTO api_tokens (organisation, id, name, token_hash, hint, role, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            args![organisation, token.id, &token.name, secret::hash(&text), &token.hint, role.as_str(), token.created_at],
        )
        .await;
    match written {
        Err(error) if error.is_unique_violation_of("api_tokens") => {
            return Err(CrmError::conflict(format!("there is already a token named `{name}`; revoke it or choose another name"), vec![]));
        }
        other => other?,
    };
    let after = serde_json::json!({ "name": token.name, "role": role });
    let deed = audit::Deed { action: "token.created", subject: "token", subject_id: token.id.to_string(), before: Value::Null, after };
    audit::record(tx, organisation, actor, deed).await?;
    Ok((token, text))
}

/// What is stored of a token's text.
pub type TokenHash = [u8; 32];

/// The hash of a text that someone sent, when it can be a token.
pub fn hash_of(text: &str) -> Option<TokenHash> {
    text.starts_with(PREFIX).then(|| secret::hash(text))
}

/// The live tokens among these, in one statement.
pub async fn find(db: &mut impl Query, hashes: &[TokenHash]) -> Result<BTreeMap<TokenHash, ApiToken>, DatabaseError> {
    let asked: Rows = hashes.iter().collect::<BTreeSet<_>>().into_iter().map(|hash| args![*hash]).collect();
    let sql = select!("WHERE token_hash IN (SELECT hash FROM {$1: hash bytes} AS asked) AND revoked_at IS NULL");
    let rows = db.fetch_all(sql, args![asked]).await?;
    let told = |row: &Row| {
        let hash: Vec<u8> = row.get("token_hash")?;
        let hash = TokenHash::try_from(hash)
            .map_err(|hash| DatabaseError::Column { column: "token_hash".into(), reason: format!("{} bytes are no hash", hash.len()) })?;
        Ok((hash, from_row(row)?))
    };
    rows.iter().map(told).collect()
}

/// Every token, newest first.
pub async fn list(db: &mut impl Query, organisation: OrganisationId) -> Result<Vec<ApiToken>, DatabaseError> {
    let rows = db.fetch_all(select!("WHERE organisation = $1 ORDER BY id DESC"), args![organisation]).await?;
    rows.iter().map(from_row).collect()
}

/// Notes that it was used, to the hour.
pub async fn touch(tx: &mut Tx, organisation: OrganisationId, id: TokenId) -> Result<(), DatabaseError> {
    let now = tx.now();
    let hour = Timestamp::from_millis(now.as_millis() - now.as_millis().rem_euclid(USED_GRAIN_MS));
    tx.execute(
        "UPDATE api_tokens SET last_used_at = $3 WHERE organisation = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $3)",
        args![organisation, id, hour],
    )
    .await?;
    Ok(())
}

/// Ends a token at once.
pub async fn revoke(tx: &mut Tx, organisation: OrganisationId, actor: &Actor, id: TokenId) -> Result<(), CrmError> {
    let now = tx.now();
    let changed =
        tx.execute("UPDATE api_tokens SET revoked_at = $3 WHERE organisation = $1 AND id = $2 AND revoked_at IS NULL", args![organisation, id, now]).await?;
    if changed == 0 {
        return Err(CrmError::not_found("token", id));
    }
    let deed = audit::Deed { action: "token.revoked", subject: "token", subject_id: id.to_string(), before: Value::Null, after: Value::Null };
    audit::record(tx, organisation, actor, deed).await?;
    Ok(())
}

fn from_row(row: &Row) -> Result<ApiToken, DatabaseError> {
    let role: String = row.get("role")?;
    Ok(ApiToken {
        organisation: row.get("organisation")?,
        id: row.get("id")?,
        name: row.get("name")?,
        role: Role::parse(&role).ok_or_else(|| DatabaseError::Column { column: "role".into(), reason: format!("`{role}` is no role") })?,
        hint: row.get("hint")?,
        created_at: row.get("created_at")?,
        last_used_at: row.get("last_used_at")?,
        revoked_at: row.get("revoked_at")?,
    })
}
