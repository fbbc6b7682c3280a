//! One process serves a file; after `kill -9` the next one serves it at once.

use super::harness::{Home, Server};
use std::os::unix::fs::PermissionsExt as _;

#[tokio::test]
async fn a_second_server_is_refused_with_the_first_ones_process_id() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let refused = Server::try_start(&home, "127.0.0.1:0", &[]).await.err().unwrap();
    assert!(refused.contains(&server.id().to_string()), "{refused}");
    assert!(refused.contains("exit status: 1"), "{refused}");
    // The first one is none the worse for it.
    server.api(&home).await.get("/api/v1/runs").await;
    let migrate = home.onward(&["migrate"]).await;
    assert_eq!(migrate.code, 1);
    assert!(migrate.err.contains(&server.id().to_string()), "{}", migrate.err);
}

#[tokio::test]
async fn after_kill_9_the_file_is_served_at_once() {
    let home = Home::fresh();
    let server = Server::start(&home).await;
    let token = server.api(&home).await.token().to_owned();
    server.kill().await;
    let socket = home.folder().join("onward.db.sock");
    assert!(socket.exists(), "a killed server leaves its socket behind");
    let server = Server::start(&home).await;
    super::harness::Api::new(&server.url(), &token).get("/api/v1/runs").await;
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    // Commands find the new server, not the old socket.
    home.onward(&["runs", "list"]).await.good();
    assert!(server.stop().await.success());
    assert!(!socket.exists(), "a server that stops takes its socket with it");
}

#[tokio::test]
async fn commands_work_beside_a_server_and_without_one() {
    let home = Home::fresh();
    let without = home.onward(&["token", "add", "early"]).await.good();
    assert!(without.out.starts_with("onw_"), "{}", without.out);
    assert_eq!(without.out.lines().count(), 1, "nothing but the token");
    let server = Server::start(&home).await;
    super::harness::Api::new(&server.url(), without.out.trim()).get("/api/v1/runs").await;
    let beside = home.onward(&["token", "add", "late"]).await.good();
    let url = server.url();
    let over_the_network = home.onward(&["runs", "list", "--json", "--server", &url, "--token", beside.out.trim()]).await.good();
    assert_eq!(over_the_network.json()["items"], serde_json::json!([]));
    let refused = home.onward(&["runs", "list", "--server", &url, "--token", "onw_wrong"]).await;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("onward token add"), "{}", refused.err);
}

#[tokio::test]
async fn a_server_in_a_folder_with_a_long_path_is_found() {
    let home = Home::fresh();
    let deep = home.folder().join("a".repeat(100)).join("b".repeat(100));
    std::fs::create_dir_all(&deep).unwrap();
    let home = Home::at(&deep);
    let _server = Server::start(&home).await;
    home.onward(&["runs", "list"]).await.good();
}
