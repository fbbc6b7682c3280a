//! `/`: what this is, until the web app exists.

use crate::App;
use axum::{
    Router,
    http::{HeaderValue, header},
    response::{Html, IntoResponse as _},
    routing::get,
};

const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/", get(|| async { ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("home.html"))).into_response() }))
}
