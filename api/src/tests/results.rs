//! What the passes of a long loop gave, page by page.

use super::Server;
use onward_core::{Value, ports::Lane};
use onward_database::Tx;
use onward_store::erase_payloads;
use serde_json::json;

/// More passes than a loop gives as a list.
const ITEMS: usize = 1_050;

const LONG: &str = "name: long
on: [{ manual: {} }]
steps:
  - id: each
    for_each: '{{ range(1050) | list }}'
    steps: [{ id: note, set: { name: 'item {{ item }}' } }]
  - stop: { output: '{{ steps.each }}' }
";

#[tokio::test]
async fn pages_of_a_long_list_join_up_and_what_is_erased_is_gone_from_them() {
    let server = Server::start().await;
    server.post("/api/v1/workflows/long/publish", json!({ "source": LONG })).await.expect(200);
    let contact = server.post("/api/v1/contacts", json!({ "name": "Asha" })).await.expect(201).json()["id"].clone();
    let run = server.post("/api/v1/workflows/long/runs", json!({ "input": { "contact_id": contact } })).await.expect(202).json()["run_id"].clone();
    let run = run.as_str().unwrap();
    let ended = server.ended(run).await;
    assert_eq!((&ended["output"]["count"], &ended["output"]["failed"]), (&json!(ITEMS), &json!(0)), "{ended:#}");
    let path = ended["output"]["results_ref"].as_str().unwrap();

    let first = server.get(path).await.expect(200).json();
    assert_eq!(first["items"].as_array().unwrap().len(), 1_000);
    let rest = server.get(&format!("{path}&cursor={}", first["next_cursor"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(rest["next_cursor"], Value::Null);
    let all: Vec<&Value> = first["items"].as_array().unwrap().iter().chain(rest["items"].as_array().unwrap()).collect();
    assert_eq!(all.len(), ITEMS);
    for (number, item) in all.into_iter().enumerate() {
        assert_eq!(*item, json!({ "name": format!("item {number}") }));
    }
    let few = server.get(&format!("{path}&limit=2")).await.expect(200).json();
    assert_eq!(few["items"], json!([{ "name": "item 0" }, { "name": "item 1" }]));
    server.get(&format!("/api/v1/runs/{run}/results?step=none")).await.problem(404, "not_found");
    let (_, stranger) = server.other_organisation().await;
    server.call_as(&stranger, http::Method::GET, path, Value::Null).await.problem(404, "not_found");

    let (organisation, id) = (server.organisation, run.parse().unwrap());
    let erased = onward_core::ports::write(server.app.engine(), Lane::Normal, move |tx: &mut Tx| {
        Box::pin(async move { Ok::<_, ()>(erase_payloads(tx, organisation, &[id]).await.unwrap()) })
    });
    assert!(erased.await.unwrap().unwrap() > 0);
    let gone = server.get(&format!("{path}&limit=2")).await.problem(404, "not_found");
    assert!(gone["detail"].as_str().unwrap().contains("erased"), "{gone:#}");
}
