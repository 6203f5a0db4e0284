//! Records that have expired leave the table.

use futures::future::join_all;
use terrace_core::{Cas, IndexStore as _, Record, Timestamp};

use crate::support::{Table, connect, key, record};

async fn rows(table: &Table) -> i64 {
    let count = format!("SELECT count(*)::INT8 FROM {}", table.name);
    let count = sqlx::query_scalar(sqlx::AssertSqlSafe(count));
    count
        .fetch_one(&mut table.connection().await)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_has_expired_is_removed_in_steps_and_nothing_else() {
    let Some(table) = Table::new() else { return };
    let index = table.connect().await;
    for number in 0..60 {
        let until = match number % 3 {
            0 => Timestamp::MAX,
            1 => Timestamp::from_millis(4_102_444_800_000),
            _ => Timestamp::from_millis(1 + number),
        };
        let record = Record {
            retain_until: until,
            ..record(number)
        };
        assert_eq!(
            index.put_new(&key(number), &record).await.unwrap(),
            Cas::Applied
        );
    }
    assert_eq!(rows(&table).await, 60);
    assert_eq!(index.purge_expired(7).await.unwrap(), 7);
    assert_eq!(rows(&table).await, 53);

    // Several processes, each for the rest.
    let others = join_all((0..3).map(|_| connect(table.config()))).await;
    let purged = join_all(others.iter().map(async |other| {
        let mut all = 0;
        loop {
            match other.as_ref().unwrap().purge_expired(2).await.unwrap() {
                0 => return all,
                some => all += some,
            }
        }
    }));
    assert_eq!(purged.await.into_iter().sum::<u64>(), 13);
    assert_eq!(rows(&table).await, 40);
    assert_eq!(index.scan(None, 100).await.unwrap().records.len(), 40);
}

#[tokio::test]
async fn a_page_is_cut_before_it_becomes_too_large() {
    let Some(table) = Table::new() else { return };
    let index = table.connect().await;
    let large = vec![7; 1 << 20];
    for number in 0..9 {
        let record = Record {
            manifest: large.clone().into(),
            ..record(number)
        };
        assert_eq!(
            index.put_new(&key(number), &record).await.unwrap(),
            Cas::Applied
        );
    }
    let (mut sizes, mut cursor) = (Vec::new(), None);
    loop {
        let page = index.scan(cursor.as_ref(), 1000).await.unwrap();
        sizes.push(page.records.len());
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [4, 4, 1]);
}
