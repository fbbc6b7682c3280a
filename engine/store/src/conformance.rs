//! The store is what the conformance suite says it is.

use crate::SqlStore;
use onward_database::{Database, SystemIds};
use onward_testkit::conformance;
use std::sync::Arc;

#[tokio::test]
async fn the_sql_store_conforms() {
    for name in conformance::BEHAVIOURS {
        let database = Database::open("sqlite::memory:", Arc::new(SystemIds::new())).await.unwrap();
        assert!(conformance::run_one(name, &SqlStore::new(database)).await, "{name}");
        println!("{name}");
    }
}
