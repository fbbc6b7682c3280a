//! What fills a template besides its body: `header` and `button_params` of `message.send`.

use super::input::params;
use onward_accounts::CrmError;
use onward_connectors::channel::{TemplateButton, TemplateHeader};
use onward_core::{Object, Value};

const HEADER: &str = "`header` is the values of its text, or one of { image: URL }, { video: URL }, { document: URL, filename } and { location: { latitude, longitude, name, address } }";
const BUTTONS: &str = "`button_params` is a list in the order of the template's buttons: a text for the end of a button's address, { payload } or { code } for the others, null for one that takes nothing";

/// The header: what it shows, or the values of its text.
pub(super) fn header(value: Option<&Value>) -> Result<Option<TemplateHeader>, CrmError> {
    let wrong = || CrmError::invalid("header", HEADER);
    let members = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
            return Ok(value.map(|value| TemplateHeader::Text(vec![("1".to_owned(), value.clone())])));
        }
        Some(Value::Array(_)) => return Ok(Some(TemplateHeader::Text(params("header", value)?))),
        Some(Value::Object(members)) => members,
    };
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let only = |names: &[&str]| if members.keys().all(|name| names.contains(&name.as_str())) { Ok(()) } else { Err(wrong()) };
    Ok(Some(if members.contains_key("image") {
        only(&["image"])?;
        TemplateHeader::Image { link: text("image").ok_or_else(wrong)? }
    } else if members.contains_key("video") {
        only(&["video"])?;
        TemplateHeader::Video { link: text("video").ok_or_else(wrong)? }
    } else if members.contains_key("document") {
        only(&["document", "filename"])?;
        TemplateHeader::Document { link: text("document").ok_or_else(wrong)?, filename: text("filename") }
    } else if let Some(location) = members.get("location") {
        only(&["location"])?;
        place(location.as_object().ok_or_else(wrong)?).ok_or_else(wrong)?
    } else {
        TemplateHeader::Text(params("header", value)?)
    }))
}

fn place(location: &Object) -> Option<TemplateHeader> {
    let degrees = |name: &str| location.get(name).and_then(|value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()));
    let text = |name: &str| location.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(TemplateHeader::Location { latitude: degrees("latitude")?, longitude: degrees("longitude")?, name: text("name"), address: text("address") })
}

/// What the buttons carry, by their place.
pub(super) fn buttons(value: Option<&Value>) -> Result<Vec<(u8, TemplateButton)>, CrmError> {
    let wrong = |field: String| CrmError::invalid(field, BUTTONS);
    let list = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wrong("button_params".to_owned())),
    };
    let mut buttons = Vec::with_capacity(list.len());
    for (place, value) in (0_u8..).zip(list) {
        let carried = match value {
            Value::Null => continue,
            Value::String(text) => TemplateButton::Url(text.clone()),
            Value::Number(number) => TemplateButton::Url(number.to_string()),
            other => match (other["payload"].as_str(), other["code"].as_str()) {
                (Some(payload), None) => TemplateButton::Payload(payload.to_owned()),
                (None, Some(code)) => TemplateButton::Code(code.to_owned()),
                _ => return Err(wrong(format!("button_params/{place}"))),
            },
        };
        buttons.push((place, carried));
    }
    Ok(buttons)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_header_is_text_media_or_a_place() {
        let text = |values: &[(&str, Value)]| TemplateHeader::Text(values.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect());
        for (given, expected) in [
            (json!("Summer"), text(&[("1", json!("Summer"))])),
            (json!(["Summer"]), text(&[("1", json!("Summer"))])),
            (json!({ "season": "Summer" }), text(&[("season", json!("Summer"))])),
            (json!({ "image": "https://a.b/c.png" }), TemplateHeader::Image { link: "https://a.b/c.png".into() }),
            (
                json!({ "document": "https://a.b/c.pdf", "filename": "c.pdf" }),
                TemplateHeader::Document { link: "https://a.b/c.pdf".into(), filename: Some("c.pdf".into()) },
            ),
            (
                json!({ "location": { "latitude": "12.5", "longitude": 77, "name": "Shop" } }),
                TemplateHeader::Location { latitude: 12.5, longitude: 77.0, name: "Shop".into(), address: String::new() },
            ),
        ] {
            assert_eq!(header(Some(&given)), Ok(Some(expected)), "{given}");
        }
        assert_eq!(header(Some(&Value::Null)), Ok(None));
        for wrong in [json!({ "image": 7 }), json!({ "image": "https://a.b", "video": "https://a.b" }), json!({ "location": { "latitude": "north" } })] {
            assert!(header(Some(&wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn buttons_go_by_their_place() {
        let given = json!(["1001", null, { "payload": "STOP" }, { "code": "25OFF" }, 7]);
        let expected = vec![
            (0, TemplateButton::Url("1001".into())),
            (2, TemplateButton::Payload("STOP".into())),
            (3, TemplateButton::Code("25OFF".into())),
            (4, TemplateButton::Url("7".into())),
        ];
        assert_eq!(buttons(Some(&given)), Ok(expected));
        for wrong in [json!("1001"), json!([{ "payload": "a", "code": "b" }]), json!([[]]), json!([true])] {
            assert!(buttons(Some(&wrong)).is_err(), "{wrong}");
        }
    }
}
