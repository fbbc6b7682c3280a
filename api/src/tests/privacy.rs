//! What is about a person lies where it can be erased.

use super::{
    Server,
    hooks::{deliver_signed, text_message},
};
use onward_database::{Query as _, args};
use serde_json::json;

/// Repeats what somebody wrote in every place that a run has: its input, a variable, a node's input and output, its own output.
const PARROT: &str = "name: parrot
on:
  - event: message.received
    with: { words: \"{{ event.data.text }}\" }
steps:
  - { id: said, set: { words: \"{{ input.words }}\" } }
  - { id: log, do: debug.log, with: { message: \"{{ vars.words }}\" } }
  - stop: { output: { words: \"{{ vars.words }}\" } }
";

#[tokio::test]
async fn a_run_about_a_person_keeps_what_it_saw_apart_to_its_end() {
    let server = Server::start().await;
    let connection = server.whatsapp(&server.admin, "support", "700").await;
    server.post("/api/v1/workflows/parrot/publish", json!({ "source": PARROT })).await.expect(200);
    deliver_signed(&server, &connection, &text_message("700", "wamid.1", "my secret words")).await.expect(200);
    let run = server.get("/api/v1/runs?workflow=parrot").await.items().remove(0);
    assert_eq!((&run["status"], &run["output"]["words"]), (&json!("completed"), &json!("my secret words")), "people who may see it do");

    let mut reader = server.app.reader();
    let sql = "SELECT (SELECT count(*) FROM history WHERE organisation = $1 AND entries LIKE '%my secret words%') AS entries,
        (SELECT count(*) FROM runs WHERE organisation = $1 AND (input LIKE '%my secret words%' OR output LIKE '%my secret words%')) AS rows,
        (SELECT count(*) FROM payloads WHERE organisation = $1 AND personal AND value LIKE '%my secret words%') AS apart,
        (SELECT count(*) FROM payloads WHERE organisation = $1 AND NOT personal) AS plain";
    let row = reader.fetch_one(sql, args![server.organisation]).await.unwrap();
    let count = |column| row.get::<i64>(column).unwrap();
    assert_eq!((count("entries"), count("rows"), count("plain")), (0, 0, 0));
    assert!(count("apart") > 0);
}
