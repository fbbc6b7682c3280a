//! Path and query parameters, with problems instead of plain texts.

use crate::{App, Problem};
use axum::{
    extract::{FromRequestParts, Path, Query},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

/// The one id in the path. What is no UUID names nothing, so it is not found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id<T>(pub(crate) T);

impl<T: From<Uuid> + Send> FromRequestParts<App> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let Name(text) = Name::from_request_parts(parts, app).await?;
        match onward_core::ids::parse(&text) {
            Some(id) => Ok(Self(id)),
            None => Err(Problem::not_found("record with the id", shortened(&text))),
        }
    }
}

/// The one name in the path.
#[derive(Clone, Debug)]
pub(crate) struct Name(pub(crate) String);

impl FromRequestParts<App> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, app).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(rejection) => Err(Problem::new(StatusCode::NOT_FOUND, "not_found", rejection.body_text())),
        }
    }
}

/// The query's parameters. Unknown ones are refused: a filter that is misspelt must not give everything.
#[derive(Clone, Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => Err(Problem::bad_request("bad_query", rejection.body_text())),
        }
    }
}

/// As much of a text from outside as an answer repeats.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
