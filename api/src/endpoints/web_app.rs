//! The web app: the files of `web/dist` as `make web` made them, embedded in release builds.
//!
//! Its pages have addresses of their own (`/contacts/…`) that only the app knows: a browser that opens one gets the app's
//! page, a program that asks for what is not there is told so. Without a built app, `/` says how to build it.

use crate::{App, Problem};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use flate2::read::GzDecoder;
use rust_embed::RustEmbed;
use std::{borrow::Cow, io::Read as _};

/// What the app may do in a browser: its own scripts, its own server, and nothing from elsewhere. Its parts are placed by
/// styles that are set while it runs (menus, sizes of columns, the graph), so styles may stand in the page; a style runs nothing.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; \
     manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// The page that says how to get the app.
const NOT_BUILT_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
/// Files under here are named by what is in them.
const NAMED_BY_CONTENT: &str = "assets/";
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
const PAGE: &str = "index.html";
/// More than any file of the app has.
const UNPACKED_BYTES: u64 = 16 * 1024 * 1024;
/// Addresses that are the server's own, or were; never a page of the app.
const NO_PAGES: [&str; 6] = ["api", "hooks", "ws", "docs", "metrics", "assets"];

#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Built;

/// A file that is served.
struct File {
    bytes: Cow<'static, [u8]>,
    /// Over its bytes.
    digest: [u8; 32],
}

/// Where files come from.
type Find = fn(&str) -> Option<File>;

fn built(path: &str) -> Option<File> {
    let file = Built::get(path)?;
    Some(File { digest: file.metadata.sha256_hash(), bytes: file.data })
}

pub(crate) fn routes() -> Router<App> {
    Router::new().route("/", get(|headers: HeaderMap| async move { page(&headers, built) }))
}

/// What no route knows: a file of the app, one of its pages, or nothing.
pub(crate) async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    answer(&method, uri.path(), &headers, built)
}

fn answer(method: &Method, path: &str, headers: &HeaderMap, find: Find) -> Response {
    let path = path.trim_start_matches('/');
    let reads = matches!(*method, Method::GET | Method::HEAD);
    // A name that begins with a dot is for the build alone.
    if reads && !path.split('/').any(|part| part.starts_with('.')) {
        if let Some(response) = file(path, headers, find) {
            return response;
        }
        let first = path.split('/').next().unwrap_or_default();
        if opens_a_page(headers) && !NO_PAGES.contains(&first) {
            return page(headers, find);
        }
    }
    Problem::new(StatusCode::NOT_FOUND, "no_route", "there is nothing at this address; /docs lists what there is").into_response()
}

/// Whether a browser goes there, and not a program.
fn opens_a_page(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/html"))
}

/// The app's page, or the one that says how to get the app.
fn page(headers: &HeaderMap, find: Find) -> Response {
    file(PAGE, headers, find).unwrap_or_else(|| ([(header::CONTENT_SECURITY_POLICY, NOT_BUILT_POLICY)], Html(include_str!("not_built.html"))).into_response())
}

/// A file, in the smallest form that the browser takes.
fn file(path: &str, headers: &HeaderMap, find: Find) -> Option<Response> {
    let kind = content_type(path)?;
    let (file, encoding) = best(path, headers, find)?;
    let tag = HeaderValue::try_from(format!("\"{}{}\"", hex::encode(&file.digest[..16]), encoding.map_or("", |(_, mark)| mark))).ok()?;
    let mut answer = Response::builder()
        .header(header::ETAG, &tag)
        .header(header::CACHE_CONTROL, if path.starts_with(NAMED_BY_CONTENT) { FOR_GOOD } else { ASK_AGAIN })
        .header(header::VARY, "accept-encoding")
        .header(header::CONTENT_SECURITY_POLICY, POLICY);
    let same = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|known| knows(known, &tag));
    if same {
        return answer.status(StatusCode::NOT_MODIFIED).body(Body::empty()).ok();
    }
    answer = answer.header(header::CONTENT_TYPE, kind);
    if let Some((name, _)) = encoding {
        answer = answer.header(header::CONTENT_ENCODING, name);
    }
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => bytes::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes::Bytes::from(bytes),
    };
    answer.body(Body::from(bytes)).ok()
}

/// The file as the browser takes it, with the name of its encoding and what tells its tag from the others'.
fn best(path: &str, headers: &HeaderMap, find: Find) -> Option<(File, Option<(&'static str, &'static str)>)> {
    for (name, ending) in [("br", ".br"), ("gzip", ".gz")] {
        if accepts(headers, name)
            && let Some(file) = find(&format!("{path}{ending}"))
        {
            return Some((file, Some((name, ending))));
        }
    }
    find(path).or_else(|| unpacked(&find(&format!("{path}.gz"))?)).map(|file| (file, None))
}

/// A file as it was before it was compressed: of most of them only that is kept, and hardly a client is there that takes nothing else.
fn unpacked(compressed: &File) -> Option<File> {
    let mut bytes = Vec::new();
    GzDecoder::new(&*compressed.bytes).take(UNPACKED_BYTES).read_to_end(&mut bytes).ok()?;
    Some(File { bytes: Cow::Owned(bytes), digest: compressed.digest })
}

fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        named && !parts.any(|part| part.replace(' ', "").strip_prefix("q=").is_some_and(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0)))
    })
}

fn knows(known: &str, tag: &HeaderValue) -> bool {
    known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == "*" || one.as_bytes() == tag.as_bytes())
}

/// Of the kinds that a built app has; another kind is not served.
fn content_type(path: &str) -> Option<&'static str> {
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    fn planted(path: &str) -> Option<File> {
        let text: &'static str = match path {
            "index.html" => "<!doctype html>",
            "index.html.br" => "br",
            "assets/app-1.js" => "export {}",
            "assets/app-1.js.gz" => "gz",
            ".vite/manifest.json" => "{}",
            "secret.key" => "k",
            _ => return None,
        };
        Some(File { digest: [text.len() as u8; 32], bytes: Cow::Borrowed(text.as_bytes()) })
    }
    fn nothing(_: &str) -> Option<File> {
        None
    }
    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }
    async fn text(response: Response) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }
    const BROWSER: (header::HeaderName, &str) = (header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8");

    #[tokio::test]
    async fn files_in_the_smallest_form_that_is_taken() {
        for (accepted, encoding, body) in [
            ("gzip, deflate, br", Some("gzip"), "gz"),
            ("identity", None, "export {}"),
            ("br, gzip;q=0", None, "export {}"),
            ("GZIP;q=0.5", Some("gzip"), "gz"),
        ] {
            let response = answer(&Method::GET, "/assets/app-1.js", &headers(&[(header::ACCEPT_ENCODING, accepted)]), planted);
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap()), encoding, "{accepted}");
            assert_eq!(response.headers()[header::CACHE_CONTROL], FOR_GOOD);
            assert_eq!(response.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
            assert_eq!(response.headers()[header::VARY], "accept-encoding");
            assert_eq!(text(response).await, body);
        }
        let page = answer(&Method::GET, "/index.html", &headers(&[(header::ACCEPT_ENCODING, "br")]), planted);
        assert_eq!((&page.headers()[header::CACHE_CONTROL], &page.headers()[header::CONTENT_ENCODING]), (&ASK_AGAIN, &HeaderValue::from_static("br")));
    }

    #[tokio::test]
    async fn what_is_kept_compressed_alone_is_unpacked_for_those_who_want_it_so() {
        fn compressed(path: &str) -> Option<File> {
            let mut bytes = Vec::new();
            flate2::read::GzEncoder::new("export default 1".as_bytes(), flate2::Compression::fast()).read_to_end(&mut bytes).unwrap();
            (path == "assets/app-2.js.gz").then_some(File { digest: [7; 32], bytes: bytes.into() })
        }
        let plain = answer(&Method::GET, "/assets/app-2.js", &HeaderMap::new(), compressed);
        assert_eq!((plain.status(), plain.headers().get(header::CONTENT_ENCODING)), (StatusCode::OK, None));
        assert_eq!(text(plain).await, "export default 1");
        assert_eq!(answer(&Method::GET, "/assets/app-3.js", &HeaderMap::new(), compressed).status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn what_a_browser_has_is_not_sent_again() {
        let first = answer(&Method::GET, "/assets/app-1.js", &HeaderMap::new(), planted);
        let tag: &'static str = first.headers()[header::ETAG].to_str().unwrap().to_owned().leak();
        let again = answer(&Method::GET, "/assets/app-1.js", &headers(&[(header::IF_NONE_MATCH, tag)]), planted);
        assert_eq!((again.status(), text(again).await.as_str()), (StatusCode::NOT_MODIFIED, ""));
        let other_form = answer(&Method::GET, "/assets/app-1.js", &headers(&[(header::IF_NONE_MATCH, tag), (header::ACCEPT_ENCODING, "gzip")]), planted);
        assert_eq!(other_form.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn pages_of_the_app_are_its_page_and_nothing_else_is() {
        let browser = headers(&[BROWSER]);
        for path in ["/contacts", "/contacts/0190-1", "/workflows/first.reply"] {
            let response = answer(&Method::GET, path, &browser, planted);
            assert_eq!(
                (response.status(), &response.headers()[header::CONTENT_TYPE]),
                (StatusCode::OK, &HeaderValue::from_static("text/html; charset=utf-8")),
                "{path}"
            );
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
            assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'") && policy.contains("default-src 'none'"));
        }
        let program = HeaderMap::new();
        for (method, path, headers) in [
            (Method::GET, "/contacts", &program),
            (Method::POST, "/contacts", &browser),
            (Method::GET, "/api/v2/contacts", &browser),
            (Method::GET, "/api", &browser),
            (Method::GET, "/hooks/none/x", &browser),
            (Method::GET, "/assets/app-2.js", &browser),
            (Method::GET, "/.vite/manifest.json", &browser),
            (Method::GET, "/secret.key", &program),
            (Method::GET, "/assets/../secret.key", &program),
        ] {
            let response = answer(&method, path, headers, planted);
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method} {path}");
            assert!(text(response).await.contains("no_route"));
        }
    }

    #[tokio::test]
    async fn without_an_app_the_page_says_how_to_get_it() {
        let response = page(&HeaderMap::new(), nothing);
        assert_eq!(response.status(), StatusCode::OK);
        assert!(text(response).await.contains("make web"));
        assert_eq!(answer(&Method::GET, "/favicon.svg", &HeaderMap::new(), nothing).status(), StatusCode::NOT_FOUND);
    }
}
