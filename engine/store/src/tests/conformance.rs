//! The store is what the conformance suite says it is.

use super::store;
use onward_testkit::conformance;

#[tokio::test]
async fn the_sql_store_conforms() {
    for name in conformance::BEHAVIOURS {
        // Shown when it fails: which one.
        println!("{name}");
        assert!(conformance::run_one(name, &store().await.0).await, "{name} is listed and not there");
    }
}
