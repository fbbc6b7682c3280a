//! Every workflow that we ship or print in the manual validates, and takes a run.

use super::harness::{Home, Server, signature, workspace};
use http::Method;
use onward_core::{
    Value,
    definition::{
        Need, NeedKind, needs,
        testing::{Begin, Opening, TestFile},
    },
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// A workflow and where it stands.
struct Shipped {
    place: String,
    source: String,
    /// The text of the test beside it.
    test: Option<String>,
}

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|is| is == extension) {
            found.push(path);
        }
    }
}

/// Whole workflow files, and the blocks of pages that are whole workflows: those with a name, a trigger and steps.
fn shipped() -> Vec<Shipped> {
    let mut found = Vec::new();
    let mut yaml = Vec::new();
    for folder in ["examples", "workflows", "docs"] {
        files(&workspace().join(folder), "yaml", &mut yaml);
        files(&workspace().join(folder), "rhai", &mut yaml);
    }
    for path in yaml.iter().filter(|path| !path.to_string_lossy().ends_with(".test.yaml")) {
        let test = std::fs::read_to_string(path.with_extension("test.yaml")).ok();
        found.push(Shipped { place: path.display().to_string(), source: std::fs::read_to_string(path).unwrap(), test });
    }
    let mut pages = vec![workspace().join("README.md")];
    for folder in ["docs", "examples"] {
        files(&workspace().join(folder), "md", &mut pages);
    }
    for page in pages.iter().filter(|page| page.is_file()) {
        let text = std::fs::read_to_string(page).unwrap();
        let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("\n```").map(|(block, _)| format!("{block}\n")));
        for (number, source) in blocks.enumerate() {
            let has = |key: &str| source.lines().any(|line| line.starts_with(key));
            if has("name:") && has("on:") && has("steps:") {
                found.push(Shipped { place: format!("{} block {}", page.display(), number + 1), source, test: None });
            }
        }
        let scripts = text.split("```rhai\n").skip(1).filter_map(|rest| rest.split_once("\n```").map(|(block, _)| format!("{block}\n")));
        for (number, source) in scripts.enumerate().filter(|(_, source)| source.starts_with("//! name:")) {
            found.push(Shipped { place: format!("{} script {}", page.display(), number + 1), source, test: None });
        }
    }
    found.sort_by(|a, b| a.place.cmp(&b.place));
    found
}

#[tokio::test]
async fn every_workflow_validates_and_takes_a_run() {
    let shipped = shipped();
    assert!(shipped.iter().any(|file| file.place.contains("first-reply")), "the examples were not found");
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    furnish(&home, &api, &shipped).await;
    for (number, file) in shipped.iter().enumerate() {
        let path = home.write(&format!("{number}.yaml"), &file.source);
        let validated = home.onward(&["validate", path.to_str().unwrap(), "--json"]).await;
        assert_eq!(validated.json()["items"][0]["valid"], true, "{}: {}", file.place, validated.out);
        let published = home.onward(&["publish", path.to_str().unwrap(), "--json"]).await.good().json();
        let name = published["items"][0]["workflow"].as_str().unwrap().to_owned();
        let started = match &file.test {
            Some(test) => as_tested(&api, &name, &file.source, test).await,
            None => start(&api, &name, &file.source).await,
        };
        let Some(id) = started else { continue };
        let run = api.get(&format!("/api/v1/runs/{id}")).await;
        assert_eq!(run["workflow"], name.as_str(), "{}: {run:#}", file.place);
        assert_ne!(run["status"], "paused", "{}: the engine could not run it: {run:#}", file.place);
        // A start that a limit of its own holds back has not begun.
        assert!(run["status"] == "held" || !api.history(&id).await.is_empty(), "{}", file.place);
        let cancelled = api.post(&format!("/api/v1/runs/{id}/cancel"), &json!({})).await;
        assert!([200, 202, 409].contains(&cancelled.status), "{}: {}", file.place, cancelled.text);
    }
}

/// Makes what the files need: connections, teams, segments.
async fn furnish(home: &Home, api: &super::harness::Api, shipped: &[Shipped]) {
    let needs: std::collections::BTreeSet<Need> = shipped.iter().flat_map(|file| needs(&file.source)).collect();
    for Need { kind, name } in needs {
        match kind {
            NeedKind::Connection => {
                let secret = ["--secret", "signing_secret=s3cret", "--config", "base_url=http://127.0.0.1:1"];
                home.onward(&[&["connection", "add", "http", name.as_str()][..], &secret].concat()).await.good();
            }
            NeedKind::Team => drop(api.post("/api/v1/teams", &json!({ "name": name })).await.expect(201)),
            NeedKind::Segment => drop(api.post("/api/v1/segments", &json!({ "name": name })).await.expect(201)),
            // The real one comes later, in its place.
            NeedKind::Workflow => {
                let path = home
                    .write(&format!("{name}.yaml"), &format!("name: {name}\non: [{{ manual: {{}} }}]\nsteps: [{{ do: debug.log, with: {{ message: x }} }}]\n"));
                home.onward(&["publish", path.to_str().unwrap()]).await.good();
            }
            NeedKind::Template => {}
        }
    }
}

/// Starts a run as the first case of the file's test does, for a contact of ours.
async fn as_tested(api: &super::harness::Api, name: &str, source: &str, test: &str) -> Option<String> {
    let contact = api.post("/api/v1/contacts", &json!({ "name": "Asha Rao" })).await.expect(201)["id"].clone();
    let ours = |mut data: Value| {
        if let Some(id) = data.get_mut("contact_id") {
            *id = contact.clone();
        }
        data
    };
    let case = TestFile::parse(test).value.unwrap().cases.remove(0);
    let ids = match case.begin {
        Opening::Begin(Begin::Event(event)) => {
            let sent = json!({ "type": event.kind, "source": "test", "data": ours(event.data) });
            api.post("/api/v1/events", &sent).await.expect(202)["items"][0]["run_ids"].clone()
        }
        Opening::Begin(Begin::Input(input)) => return by_hand(api, name, &ours(input)).await,
        Opening::Webhook(delivery) => return deliver(api, source, &delivery.body).await,
        // A schedule with `each` cannot be made up for: who was in the segment is not known.
        Opening::Schedule { .. } if source.contains("each:") => return by_hand(api, name, &json!({ "contact_id": contact })).await,
        Opening::Schedule { .. } => return make_up(api, name).await,
    };
    for id in ids.as_array().unwrap() {
        if api.get(&format!("/api/v1/runs/{}", id.as_str().unwrap())).await["workflow"] == name {
            return id.as_str().map(str::to_owned);
        }
    }
    panic!("{name}: the event of its first case started no run of it");
}

async fn by_hand(api: &super::harness::Api, name: &str, input: &Value) -> Option<String> {
    let started = api.post(&format!("/api/v1/workflows/{name}/runs"), &json!({ "input": input })).await.expect(202);
    started["run_id"].as_str().map(str::to_owned)
}

/// Starts a run by the webhook that the file names, signed with the secret of the connection `partner`.
async fn deliver(api: &super::harness::Api, source: &str, body: &Value) -> Option<String> {
    let path = source.split("path: ").nth(1)?.split([',', ' ', '}']).next()?;
    let body = body.to_string().into_bytes();
    let signed = signature("s3cret", &body);
    let headers = [("content-type", "application/json"), ("x-signature", signed.as_str())];
    let answer = api.send(Method::POST, &format!("/hooks/in/{path}"), &headers, Some(body)).await.unwrap();
    assert!([200, 202].contains(&answer.status), "{}", answer.text);
    answer.body["run_ids"][0].as_str().or(answer.body["run_id"].as_str()).map(str::to_owned)
}

/// Starts a run for a due time that is past.
async fn make_up(api: &super::harness::Api, name: &str) -> Option<String> {
    let answer = api.post(&format!("/api/v1/workflows/{name}/backfill"), &json!({ "from": "2024-06-01", "to": "2024-07-15" })).await;
    answer.expect(202)["items"][0]["run_ids"][0].as_str().map(str::to_owned)
}

/// Starts a run: by hand, webhook or time where the file says so, else by an event of its first trigger that carries a bit of everything.
async fn start(api: &super::harness::Api, name: &str, source: &str) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if source.contains("manual:") {
        return by_hand(api, name, &json!({ "name": "Asha", "phone": "+919812345678", "url": "http://127.0.0.1:1/", "source": "test", "numbers": [1, 2] }))
            .await;
    }
    if source.contains("- webhook:") {
        return deliver(api, source, &json!({ "name": "Asha", "full_name": "Asha Rao", "mobile": "+919812345678" })).await;
    }
    if source.contains("- schedule:") && !source.contains("each:") {
        return make_up(api, name).await;
    }
    let listening = |line: &str| {
        let line = line.trim_start_matches("//!").trim().trim_start_matches("on: [{ ").trim_start_matches("- ");
        line.strip_prefix("event:").map(str::to_owned)
    };
    let kind = source.lines().find_map(listening)?.split(['#', '}']).next()?.trim().to_owned();
    let contact = api.post("/api/v1/contacts", &json!({ "name": "Asha Rao" })).await.expect(201)["id"].clone();
    let data = json!({
        "contact_id": contact, "name": "Asha", "full_name": "Asha Rao", "phone": "+919812345678", "mobile": "+919812345678", "email": "asha@example.com",
        "source": "whatsapp", "channel": "whatsapp", "kind": "text", "text": "Hi", "order": "4711", "order_id": "4711", "invoice": "4711", "account": "acme", "vip": true, "reference": "4711", "amount": 1900, "score": 80,
    });
    let answer = api.post("/api/v1/events", &json!({ "type": kind, "source": "test", "data": data })).await.expect(202);
    let ids: Vec<&Value> = answer["items"][0]["run_ids"].as_array().unwrap().iter().collect();
    for id in ids {
        let run = api.get(&format!("/api/v1/runs/{}", id.as_str().unwrap())).await;
        if run["workflow"] == name {
            return text(id);
        }
    }
    let event = api.get(&format!("/api/v1/events/{}", answer["items"][0]["event_id"].as_str().unwrap())).await;
    panic!("{name}: an event of type {kind:?} started no run of it: {event:#}");
}
