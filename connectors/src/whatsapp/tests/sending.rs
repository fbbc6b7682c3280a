//! What is sent, and what becomes of each answer.

use super::*;
use crate::{
    channel::{Button, Content, OutgoingMessage, SendOutcome, TemplateButton, TemplateHeader},
    http::test_server::{Script, TestServer, answer},
};
use onward_core::ErrorCode;

fn message(content: Content) -> OutgoingMessage {
    OutgoingMessage { message_id: "018f-ours".into(), to: "4915550000101".into(), content, reply_to: None }
}

fn text(text: &str) -> OutgoingMessage {
    message(Content::Text { text: text.into() })
}

fn buttons(titles: &[&str]) -> OutgoingMessage {
    let buttons = titles.iter().map(|title| Button { id: format!("id-{title}"), title: (*title).to_owned() }).collect();
    message(Content::Buttons { text: "Choose".into(), buttons })
}

fn list(button: &str, titles: &[&str]) -> OutgoingMessage {
    let rows = titles.iter().map(|title| Button { id: format!("id-{title}"), title: (*title).to_owned() }).collect();
    message(Content::List { text: "Choose".into(), button: button.to_owned(), rows })
}

fn template_of(name: &str, language: &str, params: Vec<(String, Value)>) -> Content {
    Content::Template { name: name.into(), language: language.into(), params, header: None, buttons: Vec::new() }
}

fn template(params: &[(&str, Value)]) -> OutgoingMessage {
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    message(template_of("hello_short", "en_US", params))
}

fn with_header(header: TemplateHeader) -> OutgoingMessage {
    message(Content::Template { name: "hello".into(), language: "en".into(), params: Vec::new(), header: Some(header), buttons: Vec::new() })
}

fn with_buttons(buttons: Vec<(u8, TemplateButton)>) -> OutgoingMessage {
    message(Content::Template { name: "hello".into(), language: "en".into(), params: Vec::new(), header: None, buttons })
}

#[test]
fn headers_and_buttons_are_components_of_their_own() {
    let components = |message: OutgoingMessage| request::body(&message, "to")["template"]["components"].clone();
    let header = |header| components(with_header(header))[0]["parameters"][0].clone();
    assert_eq!(header(TemplateHeader::Text(vec![("1".into(), json!("Summer"))])), json!({ "type": "text", "text": "Summer" }));
    assert_eq!(
        header(TemplateHeader::Document { link: "https://a.b/c.pdf".into(), filename: Some("c.pdf".into()) }),
        json!({ "type": "document", "document": { "link": "https://a.b/c.pdf", "filename": "c.pdf" } })
    );
    assert_eq!(header(TemplateHeader::Video { link: "https://a.b/c".into() }), json!({ "type": "video", "video": { "link": "https://a.b/c" } }));
    let place = TemplateHeader::Location { latitude: 12.5, longitude: 77.0, name: "Shop".into(), address: "1 Road".into() };
    let expected = json!({ "type": "location", "location": { "latitude": "12.5", "longitude": "77", "name": "Shop", "address": "1 Road" } });
    assert_eq!(header(place), expected);
    let buttons = components(with_buttons(vec![(0, TemplateButton::Payload("STOP".into())), (2, TemplateButton::Code("25OFF".into()))]));
    let expected = json!([
        { "type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{ "type": "payload", "payload": "STOP" }] },
        { "type": "button", "sub_type": "copy_code", "index": "2", "parameters": [{ "type": "coupon_code", "coupon_code": "25OFF" }] },
    ]);
    assert_eq!(buttons, expected);
}

#[test]
fn bodies_are_what_the_contract_says() {
    let body = |message: &OutgoingMessage| request::body(message, "recipient");
    let expected = json!({
        "messaging_product": "whatsapp", "recipient_type": "individual", "to": "4915550000101",
        "type": "text", "text": { "preview_url": false, "body": "Hello" }, "biz_opaque_callback_data": "018f-ours",
    });
    assert_eq!(body(&text("Hello")), expected);
    let answered = OutgoingMessage { reply_to: Some("wamid.x".into()), ..text("Hello") };
    assert_eq!(body(&answered)["context"], json!({ "message_id": "wamid.x" }));
    assert_eq!(body(&buttons(&["Yes"]))["interactive"]["action"]["buttons"], json!([{ "type": "reply", "reply": { "id": "id-Yes", "title": "Yes" } }]));
    let user = OutgoingMessage { to: "DE.90001".into(), ..text("Hello") };
    assert_eq!((&body(&user)["recipient"], body(&user).get("to")), (&json!("DE.90001"), None));
    assert_eq!(request::body(&user, "to")["to"], "DE.90001");
}

#[test]
fn template_parameters_are_positional_or_named() {
    let components = |params: &[(&str, Value)]| request::body(&template(params), "to")["template"]["components"].clone();
    assert_eq!(components(&[]), Value::Null);
    let positional = components(&[("2", json!(7)), ("1", json!("Asha")), ("10", json!(true))]);
    assert_eq!(positional[0]["parameters"], json!([{ "type": "text", "text": "Asha" }, { "type": "text", "text": "7" }, { "type": "text", "text": "true" }]));
    let named = components(&[("name", json!("Asha"))]);
    assert_eq!(named[0], json!({ "type": "body", "parameters": [{ "type": "text", "parameter_name": "name", "text": "Asha" }] }));
}

#[test]
fn limits_are_checked_before_anything_is_stored() {
    let right = [
        text(&"ü".repeat(4096)),
        buttons(&["a", "b", "c"]),
        buttons(&[&"ü".repeat(20)]),
        list("Choose", &["1", "2", "3", "4", "5", "6", "7", "8", "9", &"ü".repeat(24)]),
        template(&[("1", json!("a")), ("2", json!("b"))]),
        template(&[("name", json!("a"))]),
    ];
    for message in &right {
        assert_eq!(request::check(message), Ok(()), "{message:?}");
    }
    let wrong = [
        text(""),
        text(" \n"),
        text(&"x".repeat(4097)),
        buttons(&[]),
        buttons(&["a", "b", "c", "d"]),
        buttons(&["a", "a"]),
        buttons(&[&"x".repeat(21)]),
        buttons(&[""]),
        OutgoingMessage { to: String::new(), ..text("a") },
        OutgoingMessage { message_id: "x".repeat(513), ..text("a") },
        template(&[("1", json!("a")), ("3", json!("b"))]),
        template(&[("1", json!("a")), ("name", json!("b"))]),
        template(&[("1", json!(""))]),
        template(&[("1", json!("a\nb"))]),
        template(&[("1", Value::Null)]),
        template(&[("1", json!(["a"]))]),
        message(template_of("Hello World", "en", vec![])),
        message(template_of("hello", "", vec![])),
        with_header(TemplateHeader::Image { link: "http://example.com/a.png".into() }),
        with_header(TemplateHeader::Document { link: "a.pdf".into(), filename: None }),
        with_header(TemplateHeader::Text(vec![("1".into(), json!(""))])),
        with_header(TemplateHeader::Location { latitude: 91.0, longitude: 0.0, name: String::new(), address: String::new() }),
        with_buttons(vec![(0, TemplateButton::Url(String::new()))]),
        with_buttons(vec![(10, TemplateButton::Payload("a".into()))]),
        with_buttons(vec![(1, TemplateButton::Code("a".into())), (1, TemplateButton::Code("b".into()))]),
        list("Choose", &[]),
        list("Choose", &["a"; 2]),
        list("Choose", &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]),
        list("Choose", &[&"x".repeat(25)]),
        list(&"x".repeat(21), &["a"]),
        message(Content::Buttons { text: "x".repeat(1025), buttons: vec![Button { id: "a".into(), title: "a".into() }] }),
    ];
    for message in &wrong {
        assert_eq!(request::check(message).unwrap_err().code, ErrorCode::InvalidInput, "{message:?}");
    }
}

fn at(server: &TestServer) -> Connection {
    connection(&json!({ "base_url": server.url("/").to_string(), "api_version": "v26.0" }), &[("access_token", "EAAG-token")])
}

async fn send(script: Script) -> SendOutcome {
    let server = TestServer::start(vec![script]).await;
    let connection = at(&server);
    connector().channel().unwrap().send(&connection, &text("Hello")).await
}

#[tokio::test]
async fn an_accepted_send_travels_with_our_id_and_the_token() {
    let mut server = TestServer::start(vec![answer(200, "", r#"{"messaging_product":"whatsapp","contacts":[],"messages":[{"id":"wamid.new"}]}"#)]).await;
    let outcome = connector().channel().unwrap().send(&at(&server), &text("Hello")).await;
    assert_eq!(outcome, SendOutcome::Accepted { external_id: "wamid.new".into() });
    let request = server.requests.recv().await.unwrap();
    assert!(request.starts_with("POST /v26.0/700000000000001/messages HTTP/1.1\r\n"), "{request}");
    assert!(request.to_ascii_lowercase().contains("authorization: bearer eaag-token\r\n"));
    let body: Value = serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body["biz_opaque_callback_data"], "018f-ours");
}

/// A Graph error with this code.
fn graph(status: u16, headers: &str, code: i64) -> Script {
    answer(status, headers, &json!({ "error": { "message": "said with EAAG-token in it", "code": code, "fbtrace_id": "T" } }).to_string())
}

#[tokio::test]
async fn every_code_of_the_contract_is_sorted() {
    let own = |code: i64| ErrorCode::Provider(format!("whatsapp:{code}"));
    let refused = [
        (0, ErrorCode::Unauthorized),
        (190, ErrorCode::Unauthorized),
        (3, ErrorCode::Forbidden),
        (10, ErrorCode::Forbidden),
        (200, ErrorCode::Forbidden),
        (299, ErrorCode::Forbidden),
        (368, ErrorCode::Forbidden),
        (131_031, ErrorCode::Forbidden),
        (131_048, own(131_048)),
        (131_047, ErrorCode::PolicyDenied),
        (131_050, ErrorCode::PolicyDenied),
        (131_026, own(131_026)),
        (131_049, own(131_049)),
        (130_472, own(130_472)),
        (131_051, ErrorCode::InvalidInput),
        (132_000, ErrorCode::InvalidInput),
        (132_001, ErrorCode::InvalidInput),
        (132_005, ErrorCode::InvalidInput),
        (132_007, ErrorCode::InvalidInput),
        (132_012, ErrorCode::InvalidInput),
        (132_015, own(132_015)),
        (132_016, own(132_016)),
        (100, ErrorCode::InvalidInput),
        (999_999, own(999_999)),
    ];
    for (number, code) in refused {
        let SendOutcome::Refused { error } = send(graph(400, "", number)).await else { panic!("{number}") };
        assert_eq!(error.code, code, "{number}");
        assert_eq!(error.details["provider_code"], number.to_string());
        assert!(!error.details.to_string().contains("EAAG-token"), "the provider's words are cleaned: {error:?}");
    }
    let later = [
        (4, ErrorCode::RateLimited, None),
        (80007, ErrorCode::RateLimited, None),
        (130_429, ErrorCode::RateLimited, None),
        (133_016, ErrorCode::RateLimited, None),
        (131_056, ErrorCode::RateLimited, Some(6_000)),
        (131_052, ErrorCode::Unavailable, None),
        (131_053, ErrorCode::Unavailable, None),
        (1, ErrorCode::Unavailable, None),
        (2, ErrorCode::Unavailable, None),
        (131_000, ErrorCode::Unavailable, None),
        (131_016, ErrorCode::Unavailable, None),
    ];
    for (number, code, after) in later {
        let SendOutcome::TryLater { after_ms, error } = send(graph(400, "", number)).await else { panic!("{number}") };
        assert_eq!((error.code, after_ms), (code, after), "{number}");
    }
}

#[tokio::test]
async fn the_code_decides_and_not_the_status() {
    assert!(matches!(send(graph(500, "", 131_047)).await, SendOutcome::Refused { .. }));
    assert!(matches!(send(graph(200, "", 190)).await, SendOutcome::Refused { .. }));
    assert!(matches!(send(graph(503, "", 777_777)).await, SendOutcome::TryLater { .. }), "an unknown code says at least that nothing was sent");
    assert!(matches!(send(graph(429, "Retry-After: 9\r\n", 130_429)).await, SendOutcome::TryLater { after_ms: Some(9_000), .. }));
    assert!(matches!(send(graph(429, "Retry-After: Fri, 20 Nov 2026 10:00:00 GMT\r\n", 130_429)).await, SendOutcome::TryLater { after_ms: None, .. }));
}

#[tokio::test]
async fn what_cannot_be_known_is_unknown_and_never_a_retry() {
    let unknown = [
        answer(500, "", "oops"),
        answer(502, "", ""),
        answer(503, "", "<html>"),
        answer(200, "", ""),
        answer(200, "", "{\"messages\":[]}"),
        Script::Hang,
        Script::Answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"messages\"".into()),
    ];
    for script in unknown {
        let outcome = send(script).await;
        assert!(matches!(&outcome, SendOutcome::Unknown { error } if error.code == ErrorCode::OutcomeUnknown), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_surely_was_not_sent_may_be_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let secrets = [("access_token", "t")];
    let outcome = connector().channel().unwrap().send(&connection(&json!({ "base_url": closed }), &secrets), &text("a")).await;
    assert!(matches!(outcome, SendOutcome::TryLater { after_ms: None, error } if error.code == ErrorCode::Unavailable));
    for (status, code) in [
        (301, ErrorCode::InvalidInput),
        (400, ErrorCode::InvalidInput),
        (401, ErrorCode::Unauthorized),
        (403, ErrorCode::Forbidden),
        (404, ErrorCode::NotFound),
    ] {
        assert!(matches!(send(answer(status, "", "")).await, SendOutcome::Refused { error } if error.code == code), "{status}");
    }
    assert!(matches!(send(answer(429, "Retry-After: 2\r\n", "")).await, SendOutcome::TryLater { after_ms: Some(2_000), .. }));
    let tokenless = connector().channel().unwrap().send(&connection(&json!({}), &[]), &text("a")).await;
    assert!(matches!(tokenless, SendOutcome::Refused { error } if error.code == ErrorCode::Unauthorized && error.message.contains("access_token")));
}

#[tokio::test]
async fn private_addresses_are_refused_without_a_call() {
    let guarded = WhatsApp::new(HttpClient::new(AllowPrivate::None).unwrap());
    let outcome = guarded.channel().unwrap().send(&connection(&json!({ "base_url": "http://127.0.0.1:9" }), &[("access_token", "t")]), &text("a")).await;
    assert!(matches!(outcome, SendOutcome::Refused { error } if error.message.contains("private network")));
}

#[tokio::test]
async fn a_test_says_who_we_are_or_what_is_wrong() {
    let mut server = TestServer::start(vec![
        answer(200, "", r#"{"id":"7","display_phone_number":"+49 155","verified_name":"Shop"}"#),
        graph(401, "", 190),
        answer(502, "", ""),
    ])
    .await;
    let report = connector().test(&at(&server)).await.unwrap();
    assert_eq!(report.message, "Connected to +49 155 (Shop).");
    assert!(server.requests.recv().await.unwrap().starts_with("GET /v26.0/700000000000001?fields="));
    assert_eq!(connector().test(&at(&server)).await.unwrap_err().code, ErrorCode::Unauthorized);
    assert_eq!(connector().test(&at(&server)).await.unwrap_err().code, ErrorCode::Unavailable);
}
