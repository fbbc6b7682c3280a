//! `ETag` and `If-Match` on what people edit.

use crate::{App, Problem};
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
};
use onward_core::{Value, digest};

/// The strong entity tag of a JSON shape: the same content has the same tag on every node.
pub(crate) fn etag(shape: &Value) -> String {
    let hash = digest::hex(shape.to_string().as_bytes());
    format!("\"{}\"", &hash[..32])
}

/// What `If-Match` demands, when it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IfMatch(Option<Vec<String>>);

impl IfMatch {
    /// Whether the present shape is one of those that the caller has seen.
    pub(crate) fn check(&self, present: &Value) -> Result<(), Problem> {
        self.check_tag(&etag(present))
    }
    /// As [`IfMatch::check`], by tag.
    pub(crate) fn check_tag(&self, present: &str) -> Result<(), Problem> {
        match &self.0 {
            Some(tags) if !tags.iter().any(|tag| tag == "*" || tag == present) => Err(Problem::changed_meanwhile()),
            _ => Ok(()),
        }
    }
    /// For what is not there: even `*` demands that it is.
    pub(crate) fn check_absent(&self) -> Result<(), Problem> {
        if self.0.is_some() { Err(Problem::changed_meanwhile()) } else { Ok(()) }
    }
}

impl FromRequestParts<App> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let mut tags = Vec::new();
        for value in parts.headers.get_all(header::IF_MATCH) {
            let text = HeaderValue::to_str(value).map_err(|_| Problem::bad_request("bad_header", "If-Match is not text"))?;
            tags.extend(text.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()));
        }
        Ok(Self((!tags.is_empty()).then_some(tags)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tag_stands_for_the_content() {
        let (one, other) = (json!({ "a": 1 }), json!({ "a": 2 }));
        assert_eq!(etag(&one), etag(&one.clone()));
        assert_ne!(etag(&one), etag(&other));
        let seen = IfMatch(Some(vec!["\"x\"".into(), etag(&one)]));
        assert_eq!(seen.check(&one), Ok(()));
        assert_eq!(seen.check(&other).unwrap_err().code(), "changed");
        assert_eq!(IfMatch(None).check(&other), Ok(()));
        assert_eq!(IfMatch(Some(vec!["*".into()])).check(&other), Ok(()));
        assert!(IfMatch(Some(vec!["*".into()])).check_absent().is_err());
    }
}
