//! Takes a delivery apart. Pure; every provider's item becomes one `Incoming`, what is not understood included.

mod message;
mod read;
mod status;
mod value;

use crate::{
    connector::NormaliseError,
    incoming::{Incoming, IncomingItem},
};
use onward_core::{Object, Value};
use read::text;
use serde_json::json;

/// The `object` of every delivery of this product.
const OBJECT: &str = "whatsapp_business_account";

/// Takes a body apart, in its order. Only a body that is not JSON, or not Meta's envelope, is an error.
pub(super) fn normalise(body: &[u8]) -> Result<Vec<Incoming>, NormaliseError> {
    let envelope = crate::json::parse(body)?;
    let missing = |expected| NormaliseError::Envelope { connector: super::ID, expected };
    let object = envelope["object"].as_str().ok_or_else(|| missing("the text `object`"))?;
    let entries = envelope["entry"].as_array().ok_or_else(|| missing("the list `entry`"))?;
    let mut items = Vec::new();
    for entry in entries {
        match entry["changes"].as_array() {
            Some(changes) if object == OBJECT => {
                for change in changes {
                    let change = Change::new(entry, change);
                    value::normalise(&change, &mut items);
                }
            }
            // Another product of Meta's at this address, or an entry of a shape to come.
            _ => items.push(Incoming {
                account: None,
                item: IncomingItem::Raw { name: if object == OBJECT { "entry".into() } else { object.to_owned() }, dedupe_id: None },
                raw: entry.clone(),
            }),
        }
    }
    Ok(items)
}

/// One change of an entry.
struct Change<'a> {
    entry: &'a Value,
    field: &'a str,
    value: &'a Value,
    account: Option<String>,
}

impl<'a> Change<'a> {
    fn new(entry: &'a Value, change: &'a Value) -> Self {
        let value = &change["value"];
        // A change of an unknown shape is kept as it is.
        let value = if value.is_null() { change } else { value };
        Self { entry, field: change["field"].as_str().unwrap_or("unknown"), value, account: text(&value["metadata"]["phone_number_id"]) }
    }

    /// The change, whole, with only these members of its lists: the provider's own part of the body.
    fn raw(&self, kept: &[(&str, Option<&Value>)]) -> Value {
        let value = match self.value {
            Value::Object(members) => {
                let mut narrowed = Object::new();
                for (name, member) in members {
                    match kept.iter().find(|(list, _)| list == name) {
                        None => {
                            narrowed.insert(name.clone(), member.clone());
                        }
                        Some((_, Some(item))) => {
                            narrowed.insert(name.clone(), json!([item]));
                        }
                        Some((_, None)) => {}
                    }
                }
                Value::Object(narrowed)
            }
            other => other.clone(),
        };
        let mut raw = json!({ "id": self.entry["id"] });
        if let Some(time) = self.entry.get("time") {
            raw["time"] = time.clone();
        }
        raw["field"] = self.field.into();
        raw["value"] = value;
        raw
    }

    fn incoming(&self, item: IncomingItem, kept: &[(&str, Option<&Value>)]) -> Incoming {
        Incoming { account: self.account.clone(), item, raw: self.raw(kept) }
    }

    /// An id for a change that Meta gives none: the same body gives the same one. `None` when the change carries no time,
    /// since then two that look alike may both be meant.
    fn fingerprint(&self) -> Option<String> {
        let time = self.entry.get("time").filter(|time| !time.is_null())?;
        let parts = [self.entry["id"].to_string(), time.to_string(), self.field.to_owned(), self.value.to_string()];
        let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
        Some(hex::encode(onward_core::digest::short(&parts)))
    }
}
