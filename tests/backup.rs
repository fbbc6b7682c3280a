//! Backup and restore of the built binary: a copy made under load brings every run to its end elsewhere, and sends nothing before it is
//! told to go on.

use super::{
    harness::{Home, Server, connect, eventually, pause, sandbox},
    kill::text,
};
use serde_json::json;
use std::collections::BTreeSet;

const TELL: &str = "name: tell
on:
  - event: order.paid
steps:
  - delay: 300ms
  - id: call
    do: http.request
    with: { method: POST, url: \"{{ event.data.url }}\", body: { n: \"{{ event.data.n }}\" } }
  - delay: 300ms
  - do: crm.contact.upsert
    with: { phone: \"{{ event.data.phone }}\", name: Asha }
  - stop: { output: { n: \"{{ event.data.n }}\" } }
";

const ORDERS: usize = 150;

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_is_restored_elsewhere_and_sends_nothing_before_it_is_told_to() {
    let sandbox = sandbox(7).await;
    let home = Home::fresh();
    let server = Server::start_with(&home, "127.0.0.1:0", &["--allow-private-urls"]).await;
    let api = server.api(&home).await;
    connect(&server, &api, &sandbox).await;
    api.publish("tell", TELL).await;
    let url = format!("{}/http/orders", sandbox.base_url());
    let order =
        |n: usize| json!({ "type": "order.paid", "source": "shop", "id": n.to_string(), "data": { "n": n, "url": url, "phone": format!("+9198123{n:05}") } });
    let loading = tokio::spawn({
        let (api, orders) = (api.clone(), (0..ORDERS).map(order).collect::<Vec<_>>());
        async move {
            for order in orders {
                api.post("/api/v1/events", &order).await.expect(202);
            }
        }
    });
    eventually("orders come in", || async { (api.all("/api/v1/runs").await.len() > ORDERS / 4).then_some(()) }).await;
    let copy = home.folder().join("copy.db");
    let file = copy.to_str().unwrap();
    let told = home.onward(&["backup", file, "--json"]).await.good().json();
    assert!(told["bytes"].as_u64().unwrap() > 100_000 && text(&told["key_file"]).ends_with("onward.db.key"), "{told}");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&copy).unwrap().permissions()) & 0o777, 0o600);
    assert!(home.onward(&["backup", file]).await.err.contains("there already"));
    let refused = home.onward(&["restore", file, "--force"]).await;
    assert!(refused.code == 1 && refused.err.contains("in use by the process"), "{}", refused.err);
    loading.await.unwrap();
    server.kill().await;
    let refused = home.onward(&["restore", file]).await;
    assert!(refused.code == 1 && refused.err.contains("--force"), "{}", refused.err);
    assert!(home.onward(&["backup", "x.db", "--server", "http://127.0.0.1:9"]).await.code == 2);

    // Elsewhere, with the key of that time.
    let elsewhere = Home::fresh();
    std::fs::copy(home.folder().join("onward.db.key"), elsewhere.folder().join("onward.db.key")).unwrap();
    let restored = elsewhere.onward(&["restore", file]).await.good();
    assert!(restored.out.contains("onward resume"), "{}", restored.out);
    let server = Server::start_with(&elsewhere, "127.0.0.1:0", &["--allow-private-urls"]).await;
    let api = server.api(&elsewhere).await;
    let before = sandbox.http_calls().len();
    let due = elsewhere.onward(&["resume", "--dry-run"]).await.good();
    assert!(due.err.contains("due:") && due.out.contains("nothing was changed"), "{} {}", due.out, due.err);
    // Longer than any delay of the runs.
    pause(1_000).await;
    assert_eq!(sandbox.http_calls().len(), before, "something was sent before the resume");
    assert_eq!(api.get("/readyz").await["paused"], true);
    let unfinished = api.all("/api/v1/runs").await.iter().filter(|run| run["ended_at"].is_null()).count();
    assert!(unfinished > 0, "the backup was made under load");
    let said = elsewhere.onward(&["resume"]).await.good();
    assert!(said.err.contains("due:") && said.out.contains("goes on"), "{} {}", said.out, said.err);
    eventually("every run of the copy ends", || async { api.all("/api/v1/runs").await.iter().all(|run| !run["ended_at"].is_null()).then_some(()) }).await;
    let runs = api.all("/api/v1/runs").await;
    assert!(runs.iter().all(|run| run["status"] == "completed"), "{runs:#?}");
    let numbers: BTreeSet<String> = runs.iter().map(|run| run["output"]["n"].to_string()).collect();
    assert_eq!(numbers.len(), runs.len(), "an order has two runs");
    assert!(server.stop().await.success());

    // In its own place, over what is there.
    let moved = home.onward(&["restore", file, "--force", "--json"]).await.good().json();
    assert!(home.folder().join(text(&moved["moved_aside"])).exists(), "{moved}");
    let server = Server::start(&home).await;
    let api = server.api(&home).await;
    assert_eq!(api.get("/readyz").await["paused"], true);
    assert!(server.stop().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_backups_are_made_and_the_newest_are_kept() {
    let home = Home::fresh();
    let folder = home.folder().join("backups");
    for made in 1..=3 {
        let server =
            Server::start_with(&home, "127.0.0.1:0", &["--backup-folder", folder.to_str().unwrap(), "--backup-every", "1m", "--backup-keep", "2"]).await;
        let files = || {
            std::fs::read_dir(&folder)
                .into_iter()
                .flatten()
                .filter_map(|file| file.unwrap().file_name().into_string().ok())
                .filter(|name| std::path::Path::new(name).extension().is_some_and(|ending| ending == "db"))
                .count()
        };
        eventually("a backup is there", || async { (files() == made.min(2)).then_some(()) }).await;
        assert!(server.stop().await.success());
        // The next one is due at once, as a minute later.
        let database =
            onward_database::Database::open(&format!("sqlite://{}", home.database().display()), std::sync::Arc::new(onward_database::SystemIds::new()))
                .await
                .unwrap();
        let mut tx = database.begin(onward_core::ports::Clock::now(&onward_database::SystemClock::new())).await.unwrap();
        tx.execute("UPDATE jobs SET not_before = 0 WHERE queue = 'backup'", onward_database::args![]).await.unwrap();
        tx.commit().await.unwrap();
        database.close().await;
    }
}
