//! Everything under one router, with what holds for every request.

use crate::{App, Problem, endpoints};
use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
};
use onward_core::{OrganisationId, trace};
use std::any::Any;
use tower_http::{catch_panic::CatchPanicLayer, trace::TraceLayer};
use tracing::{Span, field};

/// The server's router. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`, so that failed sign-ins are
/// counted by address.
pub fn router(app: App) -> Router {
    let (described, _) = endpoints::described().split_for_parts();
    guarded(described.merge(endpoints::undescribed()), app)
}

/// These routes with what holds for every request.
fn guarded(routes: Router<App>, app: App) -> Router {
    routes
        .fallback(endpoints::web_app::fallback)
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address knows other methods; /docs lists them")
        })
        .layer(middleware::from_fn_with_state(app.clone(), measure))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::map_response(harden))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .with_state(app)
}

/// What the log says of a request: its route, and whose data it means once that is known ([`note_organisation`]). Never the
/// query, which may hold a verify token, and no path, which may hold a webhook's secret part.
fn span(request: &Request) -> Span {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request", method = %request.method(), route, organisation = field::Empty, status = field::Empty, traceparent = field::Empty, trace = field::Empty,
        id = field::Empty, error = field::Empty
    );
    // A program of ours may trace its requests; a provider's trace is none of our business.
    if tracing::enabled!(target: trace::TARGET, tracing::Level::INFO)
        && route.starts_with(endpoints::PREFIX)
        && let Some(caller) = request.headers().get("traceparent").and_then(|header| header.to_str().ok())
        && trace::read_traceparent(caller).is_some()
    {
        span.record("traceparent", caller);
    }
    span
}

/// Adds to the log's word on the request under way whose data it means.
pub(crate) fn note_organisation(organisation: OrganisationId) {
    Span::current().record("organisation", field::display(organisation));
}

/// The caller learns nothing of a panic; the log does.
#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer calls")]
fn panicked(cause: Box<dyn Any + Send>) -> Response<Body> {
    let text = cause.downcast_ref::<String>().map(String::as_str).or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    Problem::internal(format!("a handler panicked: {text}")).into_response()
}

/// Headers that keep a browser from doing what nobody meant. Pages bring a policy of their own; everything else may do
/// nothing at all.
async fn harden(mut response: Response) -> Response {
    const ALWAYS: [(HeaderName, HeaderValue); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    let headers = response.headers_mut();
    headers.extend(ALWAYS);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

/// Counts requests and their time by route, never by path: paths hold ids, and there is no end of them.
async fn measure(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", |path| path.as_str()).to_owned();
    let method = request.method().as_str().to_owned();
    let began = app.now();
    let response = next.run(request).await;
    let seconds = app.now().millis_since(began) as f64 / 1_000.0;
    let status = response.status().as_u16().to_string();
    if tracing::enabled!(target: trace::TARGET, tracing::Level::INFO) {
        Span::current().record("status", response.status().as_u16());
        if response.status().is_server_error() {
            Span::current().record("error", response.status().as_u16());
        }
    }
    metrics::histogram!("onward_http_request_seconds", "method" => method.clone(), "route" => route.clone()).record(seconds);
    metrics::counter!("onward_http_requests_total", "method" => method, "route" => route, "status" => status).increment(1);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Server;
    use axum::routing::get;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    #[tokio::test]
    async fn a_panic_is_a_problem_without_its_cause() {
        async fn broken() {
            panic!("password_hash of nobody");
        }
        let server = Server::start().await;
        let router = guarded(Router::new().route("/broken", get(broken)), server.app.clone());
        let response = router.oneshot(Request::get("/broken").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("password_hash"));
    }
}
