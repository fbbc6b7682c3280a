//! What the commands print, for people and for programs.

use super::harness::{Home, Server, connect, sandbox};
use onward_core::Value;
use serde_json::json;

const HELLO: &str = "name: hello
on:
  - event: hello.asked
  - manual:
      input: { type: object, properties: { name: { type: string } } }
steps:
  - id: greeting
    do: debug.echo
    with: { text: \"Hello {{ input.name | default('world') }}!\" }
  - stop:
      output: \"{{ steps.greeting.text }}\"
";

const WRONG: &str = "name: wrong
on:
  - event: a.b
steps:
  - do: debug.ecko
    with: { a: 1 }
";

/// Ids and times vary; what they look like does not.
fn redacted(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let is_time = name == "at" || name.ends_with("_at") || name == "time";
                    let is_id = name == "id" || name.ends_with("_id") || name == "seed";
                    match field {
                        Value::String(text) if is_time => *text = "[time]".into(),
                        Value::String(text) if is_id && text.len() == 36 => *text = "[id]".into(),
                        Value::Number(_) if is_id => *field = json!("[number]"),
                        other => walk(other),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::String(text) if text.len() == 36 && text.matches('-').count() == 4 => *text = "[id]".into(),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

#[tokio::test]
async fn validate() {
    let home = Home::fresh();
    home.write("hello.yaml", HELLO);
    home.write("wrong.yaml", WRONG);
    home.onward(&["validate", "hello.yaml"]).await.good();
    let wrong = home.onward(&["validate", "hello.yaml", "wrong.yaml", "--json"]).await;
    assert_eq!(wrong.code, 1);
    insta::assert_snapshot!(format!("{:#}", wrong.json()));
    let text = home.onward(&["validate", "wrong.yaml"]).await;
    assert!(text.out.contains("wrong.yaml:5:9 error unknown_node"), "{}", text.out);
    assert!(text.out.contains("debug.echo"), "the nearest right name: {}", text.out);
    assert_eq!(home.onward(&["validate", "missing.yaml"]).await.code, 2);
    assert_eq!(home.onward(&["validate"]).await.code, 2);
}

#[tokio::test]
async fn run() {
    let home = Home::fresh();
    home.write("hello.yaml", HELLO);
    let done = home.onward(&["run", "hello.yaml", "--input", r#"{"name": "Asha"}"#, "--json"]).await.good();
    insta::assert_snapshot!(format!("{:#}", redacted(done.json())));
    home.write("failing.yaml", "name: failing\non:\n  - manual: {}\nsteps:\n  - do: debug.fail\n    with: { code: declined, message: \"no\" }\n");
    let failed = home.onward(&["run", "failing.yaml", "--json"]).await;
    assert_eq!((failed.code, failed.json()["status"].as_str(), failed.json()["error"]["code"].as_str()), (1, Some("failed"), Some("declined")));
    home.write("slow.yaml", "name: slow\non:\n  - event: a.b\nsteps:\n  - delay: 30d\n  - stop: { output: done }\n");
    home.write("event.json", r#"{ "type": "a.b", "data": {} }"#);
    let leapt = home.onward(&["run", "slow.yaml", "--event", "event.json", "--skip-delays", "--json"]).await.good();
    assert_eq!(leapt.json()["output"], "done");
    home.write("other.json", r#"{ "type": "c.d", "data": {} }"#);
    let none = home.onward(&["run", "slow.yaml", "--event", "other.json"]).await;
    assert_eq!(none.code, 1);
    assert!(none.err.contains("c.d"), "{}", none.err);
    assert!(!home.database().exists(), "a temporary database leaves nothing here");
}

#[tokio::test]
async fn simulate() {
    let home = Home::fresh();
    home.write(
        "calls.yaml",
        "name: calls
on:
  - event: lead.captured
  - webhook: { path: site-form, verify: none }
  - schedule: { cron: 0 9 * * mon, timezone: Asia/Kolkata, each: { segment: leads } }
limits:
  rate: { max: 60, per: 1h }
steps:
  - { id: call, do: debug.echo, with: { who: \"{{ event.data.contact_id }}\" } }
  - delay: 1h
",
    );
    home.write("lead.json", r#"{ "type": "lead.captured", "data": { "contact_id": "x" } }"#);
    home.write("body.json", r#"{ "contact_id": "x" }"#);
    let crowd = home.onward(&["simulate", "calls.yaml", "--event", "lead.json", "--contacts", "200"]).await.good();
    let slow = home.onward(&["simulate", "calls.yaml", "--webhook", "site-form", "--body", "body.json", "--contacts", "200", "--over", "200m"]).await.good();
    let weekly = home.onward(&["simulate", "calls.yaml", "--schedule", "14d", "--now", "2026-01-05T00:00:00Z", "--contacts", "3"]).await.good();
    insta::assert_snapshot!([crowd.out, slow.out, weekly.out].join("\n"));
    for (arguments, told) in [
        (&["--webhook", "site-from", "--body", "body.json"][..], "it listens at site-form"),
        (&["--webhook", "site-form"], "--body"),
        (&["--schedule", "14d", "--event", "lead.json"], "cannot be used with"),
    ] {
        let wrong = home.onward(&[&["simulate", "calls.yaml"], arguments].concat()).await;
        assert!(wrong.code == 2 && wrong.err.contains(told), "{} {}", wrong.code, wrong.err);
    }
}

#[tokio::test]
async fn from_publish_to_history() {
    let home = Home::fresh();
    home.write("hello.yaml", HELLO);
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    let published = home.onward(&["publish", "hello.yaml", "--json"]).await.good().json();
    assert_eq!((&published["items"][0]["workflow"], &published["items"][0]["version"]), (&json!("hello"), &json!(1)));
    assert_eq!(home.onward(&["publish", "hello.yaml", "--json"]).await.good().json()["items"][0]["version"], 1, "the same text is one version");
    assert!(home.onward(&["workflows", "list"]).await.good().out.contains("hello"));
    assert_eq!(home.onward(&["workflows", "show", "hello"]).await.good().out, HELLO);
    assert_eq!(home.onward(&["workflows", "versions", "hello", "--json"]).await.good().json()["items"][0]["version"], 1);
    let sent = home.onward(&["event", "send", "hello.asked", "--data", r#"{"name": "Asha"}"#, "--id", "1", "--source", "test", "--json"]).await.good().json();
    let id = sent["items"][0]["run_ids"][0].as_str().unwrap().to_owned();
    let again = home.onward(&["event", "send", "hello.asked", "--id", "1", "--source", "test"]).await.good();
    assert!(again.out.contains("known already"), "{}", again.out);
    api.run_in(&id, "completed").await;
    let runs = home.onward(&["runs", "list", "--status", "completed", "--json"]).await.good().json();
    assert_eq!(runs["items"][0]["id"], id.as_str());
    insta::assert_snapshot!(format!("{:#}", redacted(home.onward(&["runs", "history", &id, "--json"]).await.good().json())));
    assert!(home.onward(&["runs", "history", &id]).await.good().out.contains("run_started"));
    assert_eq!(home.onward(&["runs", "show", &id, "--json"]).await.good().json()["history"][0]["kind"], "run_started");
    let ended = home.onward(&["runs", "cancel", &id]).await;
    assert!([0, 1].contains(&ended.code), "{}", ended.err);
    assert_eq!(home.onward(&["runs", "show", "00000000-0000-7000-8000-000000000000"]).await.code, 1);
}

/// Ids, causes and times of a text for people, each as long as it was, so that columns keep their place.
fn redacted_text(text: &str) -> String {
    let is_id = |word: &str| word.len() == 36 && word.matches('-').count() == 4 || word.len() == 32 && word.chars().all(|letter| letter.is_ascii_hexdigit());
    let is_time = |word: &str| word.len() >= 20 && word.starts_with("20") && word.ends_with('Z') && word.contains('T');
    let word = |word: &str| {
        let bare = word.trim_end_matches([';', ':', ',', '`', ')']);
        if !is_id(bare) && !is_time(bare) {
            return word.to_owned();
        }
        let name = if is_id(bare) { "id" } else { "time" };
        format!("{name:_<width$}{}", &word[bare.len()..], width = bare.len())
    };
    let piece = |piece: &str| {
        let bare = piece.trim_end_matches([' ', '\n']);
        word(bare) + &piece[bare.len()..]
    };
    text.split_inclusive([' ', '\n']).map(piece).collect()
}

#[tokio::test]
async fn repair() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    home.write(
        "pays.yaml",
        "name: pays\non: [{ manual: {} }]\nsteps:\n  - { id: pay, do: debug.flaky, with: { fail_times: 1 }, retry: { max_attempts: 1 } }\n",
    );
    home.onward(&["publish", "pays.yaml"]).await.good();
    let mut runs = Vec::new();
    for _ in 0..5 {
        let started = api.post("/api/v1/workflows/pays/runs", &json!({})).await.expect(202);
        let id = started["run_id"].as_str().unwrap().to_owned();
        api.run_in(&id, "failed").await;
        runs.push(id);
    }
    let mut told = Vec::new();
    for arguments in [
        &["runs", "failures"][..],
        &["runs", "repair", "retry", "--workflow", "pays", "--dry-run"],
        &["runs", "fork", &runs[0]],
        &["runs", "skip", &runs[0], "--output", "{\"paid\": false}"],
        &["runs", "retry", &runs[0]],
        &["runs", "retry", &runs[1]],
    ] {
        let done = home.onward(arguments).await;
        let command = arguments.iter().map(|word| if runs.iter().any(|id| id == word) { "RUN_ID" } else { *word }).collect::<Vec<_>>().join(" ");
        told.push(format!("$ onward {command}   (exit {})\n{}{}", done.code, done.out, done.err));
        if let Some(id) = done.out.split_whitespace().nth(1).filter(|_| arguments[1] == "fork") {
            api.run_in(id, "completed").await;
        }
        if done.code == 0 && ["skip", "retry"].contains(&arguments[1]) {
            api.run_in(arguments[2], "completed").await;
        }
    }
    let begun = home.onward(&["runs", "repair", "retry", "--workflow", "pays", "--per-minute", "6000", "--json"]).await.good().json();
    let id = begun["id"].as_str().unwrap();
    super::harness::eventually("the repair ends", || async {
        let progress = api.get(&format!("/api/v1/runs/repair/{id}")).await;
        progress["ended_at"].is_string().then_some(())
    })
    .await;
    for run in &runs[2..] {
        api.run_in(run, "completed").await;
    }
    for arguments in [["runs", "repair", "--show", id], ["runs", "repair", "--stop", id]] {
        told.push(format!("$ onward runs repair {} REPAIR_ID\n{}", arguments[2], home.onward(&arguments).await.good().out));
    }
    insta::assert_snapshot!(redacted_text(&told.join("\n")));
    let wrong = home.onward(&["runs", "repair"]).await;
    assert!(wrong.code == 2 && wrong.err.contains("ACTION"), "{} {}", wrong.code, wrong.err);
}

#[tokio::test]
async fn users_connections_and_the_rest() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    home.onward_reading(&["user", "add", "asha@example.com", "--name", "Asha Rao", "--role", "admin"], "correct horse battery\n").await.good();
    home.onward_reading(&["user", "passwd", "ASHA@example.com"], "another long password\n").await.good();
    assert_eq!(home.onward(&["user", "passwd", "asha@example.com"]).await.code, 2, "no password given");
    assert!(home.onward(&["user", "list"]).await.good().out.contains("asha@example.com"));
    let api = server.api(&home).await;
    let signed_in = api.post("/api/v1/auth/sign-in", &json!({ "email": "asha@example.com", "password": "another long password" })).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text);
    home.write("token.txt", "secret-token\n");
    let added = home
        .onward(&[
            "connection",
            "add",
            "whatsapp",
            "main",
            "--config",
            "phone_number_id=1055",
            "--secret",
            "access_token=@token.txt",
            "--secret",
            "app_secret=a",
            "--secret",
            "verify_token=v",
        ])
        .await
        .good();
    assert!(added.out.contains("/hooks/whatsapp/"), "{}", added.out);
    let listed = home.onward(&["connection", "list", "--json"]).await.good();
    assert_eq!(listed.json()["items"][0]["name"], "main");
    assert!(!listed.out.contains("secret-token"), "{}", listed.out);
    let misspelt = home.onward(&["connection", "add", "whatsapp", "two", "--config", "phone_id=1"]).await;
    assert_eq!(misspelt.code, 1);
    assert!(misspelt.err.contains("phone_number_id"), "{}", misspelt.err);
    assert!(home.onward(&["nodes", "list"]).await.good().out.contains("message.send"));
    assert!(home.onward(&["nodes", "show", "message.sent"]).await.err.contains("message.send"));
    assert!(home.onward(&["schema"]).await.good().json().is_object());
    assert!(home.onward(&["completions", "bash"]).await.good().out.contains("onward"));
    let doctor = home.onward(&["doctor", "--json"]).await.good().json();
    assert_eq!(doctor["healthy"], true, "{doctor:#}");
    assert!(server.stop().await.success());
    let doctor = home.onward(&["doctor"]).await.good().out;
    assert!(doctor.contains("synchronous") || doctor.contains("FULL"), "{doctor}");
    assert!(!doctor.contains('\u{1b}'), "colours only on a terminal");
    let organisation = home.onward(&["runs", "list", "--org", "nobody"]).await;
    assert_eq!(organisation.code, 1);
    assert!(organisation.err.contains("nobody"), "{}", organisation.err);
}

#[tokio::test]
async fn versions_are_compared_and_taken_back() {
    let home = Home::fresh();
    home.write("hello.yaml", HELLO);
    home.onward(&["publish", "hello.yaml"]).await.good();
    home.write("hello.yaml", &HELLO.replace("Hello {{", "Good day {{"));
    home.onward(&["publish", "hello.yaml"]).await.good();
    let difference = home.onward(&["workflows", "diff", "hello"]).await.good().out;
    insta::assert_snapshot!("workflows_diff", difference);
    let back = home.onward(&["workflows", "rollback", "hello"]).await.good().out;
    assert!(back.contains("new events start version 1 of hello"), "{back}");
    let versions = home.onward(&["workflows", "versions", "hello", "--json"]).await.good().json();
    assert_eq!(versions["items"][1]["current"], true, "{versions:#}");
    assert_eq!(home.onward(&["workflows", "diff", "hello", "1", "1"]).await.good().out.trim(), "the two are the same");
    assert_eq!(home.onward(&["workflows", "rollback", "hello", "--to", "5"]).await.code, 1);
}

#[tokio::test]
async fn a_version_on_trial_is_promoted() {
    let home = Home::fresh();
    home.write("hello.yaml", HELLO);
    home.onward(&["publish", "hello.yaml"]).await.good();
    home.write("hello.yaml", &format!("{}rollout: {{ share: 10%, hold_if: {{ failed: 5%, of: 50 }} }}\n", HELLO.replace("Hello {{", "Good day {{")));
    home.onward(&["publish", "hello.yaml"]).await.good();
    let shown = home.onward(&["workflows", "show", "hello"]).await.good();
    assert!(shown.err.contains("version 2 is on trial, 10% of the keys; 0 of its runs ended, 0 of them failed"), "{}", shown.err);
    assert!(home.onward(&["workflows", "promote", "hello"]).await.good().out.contains("version 2 of hello takes every start"));
    assert_eq!(home.onward(&["workflows", "promote", "hello"]).await.code, 1);
}

#[tokio::test]
async fn waiting_runs_are_moved_to_another_version() {
    let home = Home::fresh();
    let sleeper = "name: sleeper\non: [{ manual: {} }]\nsteps:\n  - { id: nap, delay: 30d }\n";
    home.write("sleeper.yaml", sleeper);
    home.onward(&["publish", "sleeper.yaml"]).await.good();
    home.onward(&["workflows", "start", "sleeper"]).await.good();
    home.write("sleeper.yaml", &sleeper.replace("nap", "sleep"));
    home.onward(&["publish", "sleeper.yaml"]).await.good();
    let stays = home.onward(&["workflows", "migrate", "sleeper", "--dry-run"]).await;
    assert_eq!(stays.code, 1);
    assert!(stays.out.contains("map it to the step that stands for it") && stays.out.contains("0 of 1 runs would move"), "{}", stays.out);
    let moved = home.onward(&["workflows", "migrate", "sleeper", "--map", "nap=sleep"]).await.good().out;
    insta::assert_snapshot!("workflows_migrate", moved);
    assert_eq!(home.onward(&["workflows", "migrate", "sleeper", "--map", "nap"]).await.code, 2);
    assert!(home.onward(&["workflows", "migrate", "sleeper", "--undo"]).await.good().out.contains("undone in nap"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_makes_no_key_beside_a_database_that_has_one_elsewhere() {
    let home = Home::fresh();
    let key = ("ONWARD_SECRET_KEY", "07".repeat(32));
    let server = Server::start_within(&home, &[(key.0, &key.1), ("ONWARD_ALLOW_PRIVATE_URLS", "true")]).await;
    let (api, sandbox) = (server.api(&home).await, sandbox(7).await);
    connect(&server, &api, &sandbox).await;
    assert!(server.stop().await.success());
    let refused = home.onward(&["token", "add", "second"]).await;
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("ONWARD_SECRET_KEY"), "{}", refused.err);
    assert!(!home.folder().join("onward.db.key").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_and_retention_are_looked_at_and_changed() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let rules = home.onward(&["retention", "set", "--workflow", "invoice", "--days", "365", "--json"]).await.good().json();
    assert_eq!(rules, json!({ "days": 30, "workflows": { "invoice": 365 } }));
    let shown = home.onward(&["retention", "set", "--days", "90"]).await.good();
    assert!(shown.out.contains("invoice       365") && shown.out.contains("(all others)  90"), "{}", shown.out);
    assert_eq!(home.onward(&["retention", "reset", "--workflow", "invoice", "--json"]).await.good().json(), json!({ "days": 90, "workflows": {} }));
    assert_eq!(home.onward(&["retention", "reset", "--workflow", "invoice"]).await.code, 1);
    let jobs = home.onward(&["jobs", "list", "--of-server", "--queue", "retention", "--json"]).await.good().json();
    let id = jobs["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(home.onward(&["jobs", "show", "--of-server", &id, "--json"]).await.good().json()["queue"], "retention");
    let shown = home.onward(&["jobs", "show", "--of-server", &id]).await.good();
    assert!(shown.out.contains("retention") && shown.out.contains("of any"), "{}", shown.out);
    assert_eq!(home.onward(&["jobs", "list", "--json"]).await.good().json(), json!({ "items": [] }));
    assert_eq!(home.onward(&["jobs", "show", "0195d3a0-0000-7000-8000-000000000000"]).await.code, 1);
    // How large the database is stands in the doctor's report, beside a running server too.
    let doctor = home.onward(&["doctor", "--json"]).await.good().json();
    let tables = doctor["size"]["tables"].as_array().unwrap();
    assert!(tables.iter().any(|table| table["table"] == "history") && doctor["size"]["bytes"].as_u64() > Some(0), "{doctor}");
    assert!(server.stop().await.success());
}
