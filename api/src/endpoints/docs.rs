//! `/openapi.json`, and `/docs` to read it in: everything is served from the binary, nothing from elsewhere.

use crate::{App, Problem, openapi};
use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use std::sync::{Arc, LazyLock};
use utoipa_swagger_ui::Config;

/// The pages' own scripts, and the styles that they set themselves.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/openapi.json", get(document))
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(|| file(Path(String::new()))))
        .route("/docs/{*file}", get(file))
}

async fn document() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| openapi::document().to_string());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

async fn file(Path(path): Path<String>) -> Result<Response, Problem> {
    static CONFIG: LazyLock<Arc<Config<'static>>> =
        LazyLock::new(|| Arc::new(Config::from("/openapi.json").display_request_duration(true).doc_expansion("list")));
    let found = utoipa_swagger_ui::serve(&path, Arc::clone(&CONFIG)).map_err(Problem::internal)?;
    let file = found.ok_or_else(|| Problem::not_found("page", crate::request::params::shortened(&path)))?;
    let headers = [(header::CONTENT_TYPE, HeaderValue::try_from(file.content_type).map_err(Problem::internal)?), (header::CONTENT_SECURITY_POLICY, POLICY)];
    Ok((headers, file.bytes.into_owned()).into_response())
}
