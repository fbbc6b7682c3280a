//! Pages of lists: `?limit=&cursor=` in, `{ items, next_cursor }` out.

use crate::Problem;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use onward_core::{Object, Value};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

/// Items of a page when nobody asks for a number.
pub(crate) const DEFAULT: u32 = 50;
/// Items of a page at the most.
pub(crate) const MOST: u32 = 100;

/// Which page: the query of a list without filters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Items of a page, 1 to 100.
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// Where the next page begins: opaque to clients, URL-safe, and of one kind of list only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor(String);

impl Cursor {
    /// The cursor that follows an item of a list.
    pub(crate) fn after(list: &str, key: impl std::fmt::Display) -> Self {
        Self(URL_SAFE_NO_PAD.encode(format!("{list}:{key}")))
    }
    /// As a client gets it.
    pub(crate) fn shown(self) -> Value {
        self.0.into()
    }
    /// What a client sent, if it is a cursor of this list.
    pub(crate) fn read(list: &str, text: &str) -> Result<String, Problem> {
        let decoded = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded
            .and_then(|decoded| decoded.strip_prefix(list)?.strip_prefix(':').map(str::to_owned))
            .ok_or_else(|| Problem::bad_request("bad_cursor", "this cursor is not one of this list; take `next_cursor` of the page before, or leave it out"))
    }
}

/// Which page was asked for, of a list whose items have ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    list: &'static str,
    /// Items, 1 to [`MOST`].
    pub(crate) limit: u32,
    /// The last item of the page before.
    pub(crate) after: Option<Uuid>,
}

impl Page {
    /// From the query's parameters.
    pub(crate) fn read(list: &'static str, limit: Option<u32>, cursor: Option<&str>) -> Result<Self, Problem> {
        let after = match cursor {
            None => None,
            Some(text) => {
                let key = Cursor::read(list, text)?;
                Some(key.parse().map_err(|_| Problem::bad_request("bad_cursor", "this cursor is broken; take `next_cursor` of the page before"))?)
            }
        };
        Ok(Self { list, limit: bounded(limit)?, after })
    }
    /// How many to ask the database for: one more tells whether there is a next page.
    pub(crate) fn ask(&self) -> u32 {
        self.limit + 1
    }
    /// `{ items, next_cursor }` of what [`Page::ask`] gave.
    pub(crate) fn render<T>(&self, found: Vec<T>, id: impl Fn(&T) -> Uuid, shape: impl Fn(&T) -> Value) -> Value {
        self.render_several(found, id, |item| vec![shape(item)])
    }
    /// The same, where one of what was found may be several items.
    pub(crate) fn render_several<T>(&self, mut found: Vec<T>, id: impl Fn(&T) -> Uuid, shapes: impl Fn(&T) -> Vec<Value>) -> Value {
        let more = found.len() > self.limit as usize;
        found.truncate(self.limit as usize);
        let next = found.last().filter(|_| more).map(|last| Cursor::after(self.list, id(last)));
        envelope(found.iter().flat_map(shapes).collect(), next)
    }
}

/// A limit of 1 to [`MOST`].
pub(crate) fn bounded(limit: Option<u32>) -> Result<u32, Problem> {
    match limit {
        None => Ok(DEFAULT),
        Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::bad_request("bad_limit", format!("limit is {limit}; it goes from 1 to {MOST}"))),
    }
}

/// `{ items, next_cursor }`.
pub(crate) fn envelope(items: Vec<Value>, next: Option<Cursor>) -> Value {
    let mut page = Object::new();
    page.insert("items".into(), Value::Array(items));
    page.insert("next_cursor".into(), next.map(|cursor| cursor.0).into());
    Value::Object(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_ends_with_the_cursor_of_the_next() {
        let page = Page::read("runs", Some(2), None).unwrap();
        let ids: Vec<Uuid> = (1..=3).map(Uuid::from_u128).collect();
        let body = page.render(ids.clone(), |id| *id, |id| json!(id));
        assert_eq!(body["items"].as_array().unwrap().len(), 2);
        let cursor = body["next_cursor"].as_str().unwrap();
        assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{cursor}");
        assert_eq!(Page::read("runs", None, Some(cursor)).unwrap().after, Some(ids[1]));
        assert_eq!(page.render(ids[..2].to_vec(), |id| *id, |id| json!(id))["next_cursor"], Value::Null);
    }

    #[test]
    fn foreign_and_broken_cursors_are_refused() {
        let of_contacts = Cursor::after("contacts", Uuid::nil()).0;
        for text in [of_contacts.as_str(), "", "x", "ümlaut", "cnVuczpoZWxsbw", "cnVuczo"] {
            assert_eq!(Page::read("runs", None, Some(text)).unwrap_err().code(), "bad_cursor", "{text}");
        }
    }

    #[test]
    fn limits_have_ends() {
        assert_eq!(bounded(None), Ok(DEFAULT));
        for limit in [0, MOST + 1, u32::MAX] {
            assert_eq!(bounded(Some(limit)).unwrap_err().code(), "bad_limit");
        }
    }
}
