//! What a connection is set to, and how long it is used.

use std::sync::Arc;
use std::time::Duration;

use terrace_cockroach::{CrdbConfig, CrdbIndex};
use terrace_core::{Cas, IndexStore as _};
use terrace_testkit::{CurrentRuntime, ManualClock};

use crate::support::{Table, connect, key, record};

/// Each row that is inserted leaves what `what` is then in a table beside it.
async fn note_at_insert(table: &Table, what: &str) {
    let trigger = format!(
        "CREATE TABLE @_seen (seen TEXT);
        CREATE FUNCTION @_note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO @_seen VALUES ({what}); RETURN NULL; END $$;
        CREATE TRIGGER note AFTER INSERT ON @ FOR EACH ROW EXECUTE FUNCTION @_note()"
    );
    table.execute(&trigger).await;
}

async fn seen(table: &Table) -> Vec<String> {
    let seen = format!("SELECT seen FROM {}_seen", table.name);
    let seen = sqlx::query_scalar(sqlx::AssertSqlSafe(seen));
    seen.fetch_all(&mut table.connection().await).await.unwrap()
}

#[tokio::test]
async fn p4_each_transaction_is_serializable_and_waits_for_the_log_whatever_the_servers_defaults() {
    let Some(table) = Table::new() else { return };
    drop(table.connect().await);
    note_at_insert(
        &table,
        "current_setting('transaction_isolation') || ', ' || current_setting('synchronous_commit')",
    )
    .await;
    table
        .execute(
            "CREATE ROLE @ LOGIN SUPERUSER;
            ALTER ROLE @ SET default_transaction_isolation = 'read committed';
            ALTER ROLE @ SET synchronous_commit = 'off'",
        )
        .await;
    let mut config = CrdbConfig::new(table.url.replace("terrace@", &format!("{}@", table.name)));
    config.table.clone_from(&table.name);
    let index = connect(config).await.unwrap();
    assert_eq!(
        index.put_new(&key(1), &record(1)).await.unwrap(),
        Cas::Applied
    );
    assert_eq!(seen(&table).await, ["serializable, on"]);
}

/// A write on a connection that ended meanwhile would leave open whether it took effect.
#[tokio::test]
async fn a_write_after_a_long_pause_is_not_entrusted_to_a_connection_that_has_ended() {
    let Some(table) = Table::new() else { return };
    let clock = Arc::new(ManualClock::default());
    let index = CrdbIndex::connect(
        table.config(),
        CurrentRuntime::port(),
        Arc::clone(&clock) as _,
    );
    let index = index.await.unwrap();
    note_at_insert(&table, "pg_backend_pid()::TEXT").await;
    assert_eq!(
        index.put_new(&key(1), &record(1)).await.unwrap(),
        Cas::Applied
    );
    let terminate = format!(
        "SELECT pg_terminate_backend({}, 10000)",
        seen(&table).await[0]
    );
    table.execute(&terminate).await;
    clock.advance(Duration::from_mins(1));
    assert_eq!(
        index.put_new(&key(2), &record(2)).await.unwrap(),
        Cas::Applied
    );
}

#[tokio::test]
async fn an_old_connection_is_replaced() {
    let Some(table) = Table::new() else { return };
    let clock = Arc::new(ManualClock::default());
    let index = CrdbIndex::connect(
        table.config(),
        CurrentRuntime::port(),
        Arc::clone(&clock) as _,
    );
    let index = index.await.unwrap();
    note_at_insert(&table, "pg_backend_pid()::TEXT").await;
    for number in 0..3 {
        assert_eq!(
            index.put_new(&key(number), &record(number)).await.unwrap(),
            Cas::Applied
        );
        if number == 1 {
            clock.advance(table.config().max_age);
        }
    }
    let seen = seen(&table).await;
    assert_eq!(seen[0], seen[1], "it is used again");
    assert_ne!(seen[1], seen[2], "it is replaced");
}
