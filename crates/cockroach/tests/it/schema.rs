//! Tables that are made, found, or refused.

use futures::future::join_all;
use sqlx::Row as _;
use terrace_core::{Cas, ErrorKind, IndexStore as _};

use crate::support::{Table, connect, key, record};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn any_number_of_nodes_may_start_at_once() {
    let Some(table) = Table::new() else { return };
    let starts = (0..12).map(|_| connect(table.config()));
    let nodes: Vec<_> = join_all(starts).await;
    let nodes: Vec<_> = nodes.into_iter().map(Result::unwrap).collect();
    assert_eq!(
        nodes[0].put_new(&key(1), &record(1)).await.unwrap(),
        Cas::Applied
    );
    for node in &nodes {
        assert_eq!(node.get(&key(1)).await.unwrap(), Some(record(1)));
    }
    // And again, where everything is.
    let again = table.connect().await;
    assert_eq!(again.get(&key(1)).await.unwrap(), Some(record(1)));
}

#[tokio::test]
async fn what_was_left_half_made_is_completed() {
    let Some(table) = Table::new() else { return };
    drop(table.connect().await);
    table
        .execute("DROP TABLE @_schema; DROP INDEX @_expiry")
        .await;
    let index = table.connect().await;
    assert_eq!(
        index.put_new(&key(1), &record(1)).await.unwrap(),
        Cas::Applied
    );
    assert_eq!(index.purge_expired(10).await.unwrap(), 0);
    let mut config = table.config();
    config.migrate = false;
    assert!(connect(config).await.is_ok(), "it is complete");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let Some(table) = Table::new() else { return };
    drop(table.connect().await);
    table.execute("UPDATE @_schema SET version = 2").await;
    let error = connect(table.config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("schema 2"), "{error}");
}

#[tokio::test]
async fn a_table_of_somebody_else_is_refused_and_left_alone() {
    let Some(table) = Table::new() else { return };
    table
        .execute("CREATE TABLE @ (key TEXT, expires_at INT8)")
        .await;
    let error = connect(table.config()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    let others = "SELECT count(*)::INT8 FROM information_schema.tables WHERE table_name LIKE $1";
    let count = sqlx::query(others)
        .bind(format!("{}%", table.name))
        .fetch_one(&mut table.connection().await)
        .await
        .unwrap();
    assert_eq!(count.get::<i64, _>(0), 1, "nothing was made beside it");
}

#[tokio::test]
async fn tables_are_made_only_where_they_may_be() {
    let Some(table) = Table::new() else { return };
    let mut config = table.config();
    config.migrate = false;
    let error = connect(config.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("migrate"), "{error}");
    drop(table.connect().await);
    assert!(connect(config).await.is_ok());
}
