//! Answers that get lost, or say something else than it seems.

use std::time::Duration;

use terrace_cockroach::{CrdbConfig, CrdbIndex};
use terrace_core::{Applied, Cas, ErrorKind, IndexStore as _, Record, Retry, Timestamp};

use crate::support::{Table, connect, key, record, version};
use crate::wire::Wire;

const LATER: Timestamp = Timestamp::from_millis(4_102_444_800_000);

/// An index with one connection, by a wire, that has written record 1 under key 1.
async fn by_wire(table: &Table) -> (CrdbIndex, Wire) {
    let server = table.url.split(['@', '/']).nth(3).unwrap();
    let server_address = server.parse().unwrap();
    let wire = Wire::to(server_address).await;
    let mut config = CrdbConfig::new(table.url.replace(server, &wire.address.to_string()));
    config.table.clone_from(&table.name);
    config.max_connections = 1;
    config.response_timeout = Duration::from_secs(1);
    let index = connect(config).await.unwrap();
    // Everything is prepared by this, so that the next answer is that to a statement.
    assert_eq!(
        index.put_new(&key(1), &record(1)).await.unwrap(),
        Cas::Applied
    );
    assert_eq!(index.get(&key(1)).await.unwrap(), Some(record(1)));
    assert_eq!(
        index
            .cas_update(&key(9), version(9), &record(9))
            .await
            .unwrap(),
        Cas::Conflict
    );
    assert_eq!(
        index.delete(&key(9), version(9)).await.unwrap(),
        Cas::Conflict
    );
    let touched = index.touch_ttl(&key(9), version(9), LATER).await;
    assert_eq!(touched.unwrap(), Cas::Conflict);
    (index, wire)
}

#[tokio::test]
async fn p4_a_write_whose_answer_is_lost_is_read_back() {
    let Some(table) = Table::new() else { return };
    let (index, wire) = by_wire(&table).await;
    wire.lose_one_answer();
    assert_eq!(
        index.put_new(&key(2), &record(2)).await.unwrap(),
        Cas::Applied
    );
    assert!(wire.is_passing(), "an answer was lost");
    assert_eq!(index.get(&key(2)).await.unwrap(), Some(record(2)));

    // The new connection has prepared a read only.
    let prepared = index.cas_update(&key(9), version(9), &record(9)).await;
    assert_eq!(prepared.unwrap(), Cas::Conflict);
    wire.lose_one_answer();
    let updated = index.cas_update(&key(1), version(1), &record(3)).await;
    assert_eq!(updated.unwrap(), Cas::Applied);
    assert!(wire.is_passing(), "an answer was lost");
    assert_eq!(index.get(&key(1)).await.unwrap(), Some(record(3)));

    let prepared = index.touch_ttl(&key(9), version(9), LATER).await;
    assert_eq!(prepared.unwrap(), Cas::Conflict);
    wire.lose_one_answer();
    let touched = index.touch_ttl(&key(1), version(3), LATER).await;
    assert_eq!(touched.unwrap(), Cas::Applied);
    assert!(wire.is_passing(), "an answer was lost");
}

#[tokio::test]
async fn p4_where_reading_back_does_not_tell_it_stays_open() {
    let Some(table) = Table::new() else { return };
    let (index, wire) = by_wire(&table).await;
    wire.lose_one_answer();
    let error = index.delete(&key(1), version(1)).await.unwrap_err();
    assert_eq!(error.applied(), Applied::Unknown, "{error}");
    assert_eq!(error.retry(), Retry::Later, "{error}");
    assert_eq!(index.get(&key(1)).await.unwrap(), None, "it was done");

    // One that conflicts, although nobody may say so.
    let prepared = index.cas_update(&key(9), version(9), &record(9)).await;
    assert_eq!(prepared.unwrap(), Cas::Conflict);
    wire.lose_one_answer();
    let updated = index.cas_update(&key(1), version(1), &record(3)).await;
    assert_eq!(updated.unwrap_err().applied(), Applied::Unknown);
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_repeated() {
    let Some(table) = Table::new() else { return };
    let (index, wire) = by_wire(&table).await;
    wire.lose_one_answer();
    assert_eq!(index.get(&key(1)).await.unwrap(), Some(record(1)));
    assert!(wire.is_passing(), "an answer was lost");
    let page = index.scan(None, 10).await.unwrap();
    assert_eq!(page.records, [(key(1), record(1))]);
}

#[tokio::test]
async fn p9_a_server_that_falls_silent_costs_a_deadline_and_is_found_again() {
    let Some(table) = Table::new() else { return };
    let (index, wire) = by_wire(&table).await;
    wire.fall_silent();
    let error = index.cas_update(&key(1), version(1), &record(2)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.applied(), Applied::Unknown, "{error}");
    let error = index.get(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    wire.pass();
    // The server had done it: only the answer did not arrive.
    assert_eq!(index.get(&key(1)).await.unwrap(), Some(record(2)));
}

/// The last word on a statement is not that it was done, but that its transaction was committed.
#[tokio::test]
async fn p4_a_commit_that_fails_is_not_acknowledged() {
    let Some(table) = Table::new() else { return };
    let index = table.connect().await;
    at_commit(&table, "RAISE EXCEPTION 'canary' USING ERRCODE = '23514'").await;
    let error = index.put_new(&key(1), &record(1)).await.unwrap_err();
    assert_eq!(error.applied(), Applied::Unknown, "{error}");
    assert_eq!(index.get(&key(1)).await.unwrap(), None);
}

#[tokio::test]
async fn a_commit_that_lost_to_others_is_tried_again() {
    let Some(table) = Table::new() else { return };
    let index = table.connect().await;
    table.execute("CREATE SEQUENCE @_tries").await;
    let thrice =
        "IF nextval('@_tries') <= 3 THEN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END IF";
    at_commit(&table, thrice).await;
    let put = index.put_new(&key(1), &record(1)).await;
    assert_eq!(put.unwrap(), Cas::Applied);
    assert_eq!(index.get(&key(1)).await.unwrap(), Some(record(1)));
}

#[tokio::test]
async fn one_that_always_loses_is_contended_and_without_effect() {
    let Some(table) = Table::new() else { return };
    let index = table.connect().await;
    for state in ["40001", "40P01"] {
        at_commit(
            &table,
            &format!("RAISE EXCEPTION 'x' USING ERRCODE = '{state}'"),
        )
        .await;
        let error = index.put_new(&key(1), &record(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Contended, "{error}");
        assert_eq!(error.applied(), Applied::No, "{error}");
        assert_eq!(error.retry(), Retry::Later, "{error}");
    }
}

/// CockroachDB says 40003 when it lost track of a commit. Here nothing was committed, which only a read can tell, and not even that
/// for sure.
#[tokio::test]
async fn p4_a_commit_the_server_lost_track_of_stays_open() {
    let Some(table) = Table::new() else { return };
    let index = table.connect().await;
    at_commit(&table, "RAISE EXCEPTION 'x' USING ERRCODE = '40003'").await;
    let error = index.put_new(&key(1), &record(1)).await.unwrap_err();
    assert_eq!(error.applied(), Applied::Unknown, "{error}");
    let bytes: Record = record(1);
    assert_ne!(index.get(&key(1)).await.unwrap(), Some(bytes));
}

/// Has the server do `what` after a row was inserted, when its transaction is committed.
async fn at_commit(table: &Table, what: &str) {
    let trigger = format!(
        "DROP TRIGGER IF EXISTS trap ON @;
        CREATE OR REPLACE FUNCTION @_trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; RETURN NULL; END $$;
        CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON @ DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION @_trap()"
    );
    table.execute(&trigger).await;
}
