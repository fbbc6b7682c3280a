//! The log of the built binary: JSON where nobody reads along, and nothing in it that must not be.

use super::harness::{Home, Server};
use http::Method;
use onward_core::Value;
use serde_json::json;

const WORKFLOW: &str = "name: logged
on: [{ event: order.paid }]
steps:
  - { id: contact, do: crm.contact.upsert, with: { name: \"{{ event.data.name }}\", phone: \"{{ event.data.phone }}\", emails: [\"{{ event.data.email }}\"] } }
  - { id: ask, do: http.request, with: { connection: erp, url: \"/orders?phone={{ event.data.phone }}\", body: { name: \"{{ event.data.name }}\" } }, on_error: continue, retry: { max_attempts: 1 } }
  - { id: fail, do: debug.fail, with: { code: declined, message: \"{{ event.data.name }} declined\" } }
";

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_json_and_hold_no_secret_and_nothing_personal() {
    let home = Home::fresh();
    // Everything that any part of the program would say.
    let server = Server::start_within(&home, &[("ONWARD_LOG", "trace"), ("ONWARD_ALLOW_PRIVATE_URLS", "true")]).await;
    let api = server.api(&home).await;
    home.onward_reading(&["user", "add", "asha@secret.example", "--name", "Secret Asha"], "hidden-password-1\n").await.good();
    let signing_in = json!({ "email": "asha@secret.example", "password": "hidden-password-1" }).to_string().into_bytes();
    let signed_in = api.send(Method::POST, "/api/v1/auth/sign-in", &[("content-type", "application/json")], Some(signing_in)).await.unwrap();
    assert_eq!(signed_in.status, 200, "{}", signed_in.text);
    let cookie = signed_in.headers["set-cookie"].to_str().unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    let connection = json!({ "connector": "http", "name": "erp", "config": { "base_url": "http://127.0.0.1:9" }, "secrets": { "token": "hidden-erp-token" } });
    api.post("/api/v1/connections", &connection).await.expect(201);
    api.publish("logged", WORKFLOW).await;
    let event = json!({ "type": "order.paid", "data": { "name": "Secret Ravi", "phone": "+919899999999", "email": "ravi@secret.example" } });
    let run = api.post("/api/v1/events", &event).await.expect(202)["items"][0]["run_ids"][0].as_str().unwrap().to_owned();
    api.run_in(&run, "failed").await;
    api.ask("/api/v1/contacts?q=Secret%20Ravi").await;
    api.ask("/hooks/whatsapp/0198f1c2-7b7e-7cc3-9c41-3f6f2f0a1b2e?hub.verify_token=hidden-verify-token&hub.mode=subscribe&hub.challenge=1").await;
    let log = server.log();
    assert!(server.stop().await.success());

    let lines: Vec<Value> = log.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    for line in &lines {
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "{field} is not in {line}");
        }
    }
    let of_run = |line: &&Value| line["spans"].as_array().into_iter().flatten().any(|span| span["run"] == run.as_str() && span["step"] == "ask");
    assert!(lines.iter().any(|line| of_run(&line)), "what a call says names its run");
    let secrets = ["hidden-password-1", "hidden-erp-token", "hidden-verify-token", api.token(), &cookie];
    for text in secrets.into_iter().chain(["Secret Asha", "Secret Ravi", "+919899999999", "919899999999", "ravi@secret.example", "asha@secret.example"]) {
        let told = lines.iter().find(|line| line.to_string().contains(text));
        assert!(told.is_none(), "{text} is in the log: {}", told.unwrap());
    }
}
