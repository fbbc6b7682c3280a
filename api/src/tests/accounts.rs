//! Signing in, users, tokens, the audit log, the command line's own way in.

use super::{Server, harness::PASSWORD};
use crate::LocalAdmin;
use http::{Method, header};
use onward_accounts::Role;
use onward_core::Value;
use serde_json::json;

/// A signed-in browser: its cookie and CSRF token.
async fn sign_in(server: &Server, email: &str) -> (String, String) {
    let reply = server.call_with(&[], Method::POST, "/api/v1/auth/sign-in", json!({ "email": email, "password": PASSWORD })).await.expect(200);
    let cookie = reply.headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    (cookie.split(';').next().unwrap().to_owned(), reply.json()["csrf_token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_session_begins_and_ends() {
    let server = Server::start().await;
    server.user("meera@example.com", Role::Agent).await;
    let (cookie, csrf) = sign_in(&server, "Meera@Example.com").await;
    let session = server.call_with(&[("cookie", &cookie)], Method::GET, "/api/v1/auth/session", Value::Null).await.expect(200).json();
    assert_eq!((&session["user"]["email"], &session["role"], &session["csrf_token"]), (&json!("meera@example.com"), &json!("agent"), &json!(csrf)));
    assert_eq!(session["organisation"]["name"], "default");
    let out = server.call_with(&[("cookie", &cookie), ("x-csrf-token", &csrf)], Method::POST, "/api/v1/auth/sign-out", Value::Null).await.expect(204);
    assert!(out.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    server.call_with(&[("cookie", &cookie)], Method::GET, "/api/v1/auth/session", Value::Null).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn what_changes_something_needs_the_csrf_token_and_our_own_origin() {
    let server = Server::start().await;
    server.user("meera@example.com", Role::Agent).await;
    let (cookie, csrf) = sign_in(&server, "meera@example.com").await;
    let (_, foreign_csrf) = sign_in(&server, "meera@example.com").await;
    let cookie = ("cookie", cookie.as_str());
    for (headers, code) in [
        (vec![cookie], "csrf"),
        (vec![cookie, ("x-csrf-token", "")], "csrf"),
        (vec![cookie, ("x-csrf-token", &foreign_csrf)], "csrf"),
        (vec![cookie, ("x-csrf-token", &csrf), ("origin", "https://evil.test")], "foreign_origin"),
        (vec![cookie, ("x-csrf-token", &csrf), ("origin", "null")], "foreign_origin"),
        (vec![cookie, ("x-csrf-token", &csrf), ("origin", "https://onward.test.evil.test"), ("host", "onward.test")], "foreign_origin"),
    ] {
        server.call_with(&headers, Method::POST, "/api/v1/contacts", json!({ "name": "X" })).await.problem(403, code);
    }
    assert!(server.get("/api/v1/contacts").await.items().is_empty());
    for headers in [
        vec![cookie, ("x-csrf-token", &*csrf)],
        vec![cookie, ("x-csrf-token", &*csrf), ("origin", "https://onward.test")],
        vec![cookie, ("x-csrf-token", &*csrf), ("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")],
    ] {
        server.call_with(&headers, Method::POST, "/api/v1/contacts", json!({ "name": "X" })).await.expect(201);
    }
    // Reading needs neither, and a bearer token is no cookie.
    server.call_with(&[cookie], Method::GET, "/api/v1/contacts", Value::Null).await.expect(200);
    server.post("/api/v1/contacts", json!({ "name": "Y" })).await.expect(201);
}

#[tokio::test]
async fn wrong_passwords_are_all_the_same_and_have_to_wait() {
    let server = Server::start().await;
    server.user("meera@example.com", Role::Agent).await;
    let attempt =
        async |email: &str, password: &str| server.call_with(&[], Method::POST, "/api/v1/auth/sign-in", json!({ "email": email, "password": password })).await;
    let unknown = attempt("nobody@example.com", PASSWORD).await.problem(401, "wrong_credentials");
    let wrong = attempt("meera@example.com", "wrong password").await.problem(401, "wrong_credentials");
    assert_eq!(unknown, wrong, "nobody learns which e-mails are known");
    for _ in 0..4 {
        attempt("meera@example.com", "wrong password").await.problem(401, "wrong_credentials");
    }
    let throttled = attempt("meera@example.com", PASSWORD).await;
    assert!(throttled.headers[header::RETRY_AFTER].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    throttled.problem(429, "too_many_failures");
    // A page of another origin cannot sign anybody in.
    let foreign =
        server.call_with(&[("origin", "https://evil.test")], Method::POST, "/api/v1/auth/sign-in", json!({ "email": "a@b.co", "password": "x" })).await;
    foreign.problem(403, "foreign_origin");
}

#[tokio::test]
async fn users_are_added_changed_and_shut_out() {
    let server = Server::start().await;
    let made = server.post("/api/v1/users", json!({ "email": "meera@example.com", "password": PASSWORD, "role": "agent" })).await.expect(201);
    assert!(!made.text.contains("argon2") && !made.text.contains(PASSWORD));
    let path = made.headers[header::LOCATION].to_str().unwrap().to_owned();
    server.post("/api/v1/users", json!({ "email": "MEERA@example.com", "password": PASSWORD })).await.problem(409, "conflict");
    server.post("/api/v1/users", json!({ "email": "x@example.com", "password": "short" })).await.problem(422, "invalid_input");
    server.post("/api/v1/users", json!({ "email": "x@example.com", "password": PASSWORD, "role": "king" })).await.problem(422, "invalid_input");
    let (cookie, _) = sign_in(&server, "meera@example.com").await;
    assert_eq!(server.call(Method::PATCH, &path, json!({ "name": "Meera", "role": "admin" })).await.expect(200).json()["role"], "admin");
    assert_eq!(server.get(&path).await.expect(200).json()["name"], "Meera");
    // The last active admin stays one.
    server.call(Method::PATCH, &path, json!({ "active": false })).await.problem(409, "conflict");
    server.call(Method::PATCH, &path, json!({ "password": "another long one" })).await.expect(200);
    server.call_with(&[("cookie", &cookie)], Method::GET, "/api/v1/auth/session", Value::Null).await.problem(401, "unauthorized");
    let log = server.get("/api/v1/audit-log").await.expect(200);
    let actions: Vec<String> = log.items().iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect();
    for action in ["user.created", "user.updated", "user.password_changed", "token.created"] {
        assert!(actions.iter().any(|known| known == action), "{actions:?}");
    }
    assert!(!log.text.contains(PASSWORD) && !log.text.contains("argon2"));
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(server.get(&format!("/api/v1/audit-log?subject=user&subject_id={id}")).await.expect(200).items().len(), 3);
    server.get("/api/v1/audit-log?subject=user").await.problem(400, "bad_query");
}

#[tokio::test]
async fn a_token_is_shown_once_and_ends_at_once() {
    let server = Server::start().await;
    let made = server.post("/api/v1/tokens", json!({ "name": "warehouse" })).await.expect(201).json();
    let text = made["token"].as_str().unwrap();
    assert!(text.starts_with("onw_") && made["role"] == "agent", "{made}");
    let list = server.get("/api/v1/tokens").await.expect(200);
    assert!(!list.text.contains(text));
    assert_eq!(list.items().len(), 2);
    assert_eq!(server.call_as(text, Method::GET, "/api/v1/auth/session", Value::Null).await.expect(200).json()["token"]["name"], "warehouse");
    server.post("/api/v1/tokens", json!({ "name": "warehouse" })).await.problem(409, "conflict");
    server.call(Method::DELETE, &format!("/api/v1/tokens/{}", made["id"].as_str().unwrap()), Value::Null).await.expect(204);
    server.call_as(text, Method::GET, "/api/v1/auth/session", Value::Null).await.problem(401, "unauthorized");
}

#[tokio::test]
async fn the_command_line_comes_in_by_the_wiring_only() {
    let server = Server::start().await;
    let session = server.local(LocalAdmin::default(), &[], "/api/v1/auth/session").await.expect(200).json();
    assert_eq!((&session["role"], &session["organisation"]["name"]), (&json!("admin"), &json!("default")));
    let (other, _) = server.other_organisation().await;
    server.local(LocalAdmin::default(), &[], "/api/v1/contacts").await.problem(422, "invalid_input");
    let named = server.local(LocalAdmin::default(), &[("x-onward-organisation", "other")], "/api/v1/auth/session").await.expect(200).json();
    assert_eq!(named["organisation"]["name"], "other");
    let fixed =
        server.local(LocalAdmin { organisation: Some(other) }, &[("x-onward-organisation", "default")], "/api/v1/auth/session").await.expect(200).json();
    assert_eq!(fixed["organisation"]["name"], "other", "what the wiring says counts");
    server.local(LocalAdmin::default(), &[("x-onward-organisation", "nobody")], "/api/v1/contacts").await.problem(404, "not_found");
    // Without the wiring's mark the header is nothing.
    server.call_with(&[("x-onward-organisation", "default")], Method::GET, "/api/v1/contacts", Value::Null).await.problem(401, "unauthorized");
    let token = server.admin.clone();
    let reply = server
        .call_with(&[("authorization", &format!("Bearer {token}")), ("x-onward-organisation", "other")], Method::GET, "/api/v1/auth/session", Value::Null)
        .await;
    assert_eq!(reply.expect(200).json()["organisation"]["name"], "default");
}

#[tokio::test]
async fn guesses_made_at_once_are_counted_like_others() {
    let server = Server::start().await;
    server.user("meera@example.com", Role::Agent).await;
    let body = json!({ "email": "meera@example.com", "password": "wrong password" });
    let all = futures_util::future::join_all((0..40).map(|_| server.call_with(&[], Method::POST, "/api/v1/auth/sign-in", body.clone()))).await;
    let heard = all.iter().filter(|reply| reply.status == 401).count();
    assert!(all.iter().all(|reply| matches!(reply.status.as_u16(), 401 | 429)));
    // Five are free, and one more may be under way when the fifth is noted; a slow machine lets a wait or two pass.
    assert!((5..=9).contains(&heard), "{heard} of 40 guesses were heard");
}

#[tokio::test]
async fn the_first_user_is_made_by_whoever_started_the_server() {
    let server = Server::start().await;
    let path = "/api/v1/auth/first-run";
    let ask = async || server.call_with(&[], Method::GET, path, Value::Null).await.expect(200).json()["needed"].clone();
    let invitation = crate::invitation(&server.app).await.unwrap().unwrap();
    let (address, code) = invitation.split_once("/?set-up=").unwrap();
    assert_eq!((address, ask().await), ("https://onward.test", json!(true)));
    let first = |code: &str| json!({ "code": code, "email": "Meera@example.com", "name": "Meera", "password": PASSWORD });
    for wrong in ["", "0", &code[1..], &format!("{code}0")] {
        server.call_with(&[], Method::POST, path, first(wrong)).await.problem(403, "wrong_code");
    }
    server.call_with(&[("origin", "https://evil.test")], Method::POST, path, first(code)).await.problem(403, "foreign_origin");
    server.call_with(&[], Method::POST, path, json!({ "code": code, "email": "meera", "password": PASSWORD })).await.expect(422);
    server.call_with(&[], Method::POST, path, json!({ "code": code, "email": "meera@example.com", "password": "short" })).await.expect(422);
    assert_eq!(ask().await, json!(true));

    let made = server.call_with(&[], Method::POST, path, first(&format!(" {code} "))).await.expect(200);
    assert_eq!((made.json()["user"]["email"].clone(), made.json()["role"].clone()), (json!("meera@example.com"), json!("admin")));
    let cookie = made.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    server.call_with(&[("cookie", &cookie)], Method::GET, "/api/v1/users", Value::Null).await.expect(200);
    sign_in(&server, "meera@example.com").await;
    assert_eq!(ask().await, json!(false));
    assert_eq!(crate::invitation(&server.app).await.unwrap(), None);
    server.call_with(&[], Method::POST, path, first(code)).await.problem(409, "already_set_up");
}

#[tokio::test]
async fn two_first_users_at_once_are_one() {
    let server = Server::start().await;
    let invitation = crate::invitation(&server.app).await.unwrap().unwrap();
    let code = invitation.split_once("/?set-up=").unwrap().1;
    let make = async |email: &str| {
        let body = json!({ "code": code, "email": email, "password": PASSWORD });
        server.call_with(&[], Method::POST, "/api/v1/auth/first-run", body).await.status.as_u16()
    };
    let mut answers = <[u16; 2]>::from(tokio::join!(make("one@example.com"), make("two@example.com")));
    answers.sort_unstable();
    assert_eq!(answers, [200, 409]);
}

#[tokio::test]
async fn the_server_tells_about_itself() {
    let server = Server::start().await;
    assert_eq!(server.get("/api/v1/about").await.expect(200).json(), json!({ "version": env!("CARGO_PKG_VERSION"), "sandbox_url": null }));
    server.call_with(&[], Method::GET, "/api/v1/about", Value::Null).await.problem(401, "unauthorized");
}
