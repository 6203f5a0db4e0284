//! The listener of operators, open by mistake.

use super::Target;
use crate::support::{Raw, eventually};

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n";

impl Target {
    async fn health(&self) -> Vec<u16> {
        Raw::exchange(self.proxy.admin, HEALTH).await.statuses()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_reads_no_head_that_is_too_large() {
    let target = Target::new(&[]).await;
    let field = format!("X-Field: {}\r\n", "v".repeat(128 << 10));
    let head = format!("GET /healthz HTTP/1.1\r\nHost: admin\r\n{field}Connection: close\r\n\r\n");
    let answers = Raw::exchange(target.proxy.admin, head.as_bytes()).await;
    assert_eq!(answers.statuses(), [431], "{answers:?}");
    assert_eq!(target.health().await, [200]);
    target.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_has_256_connections() {
    let target = Target::new(&[]).await;
    let mut held = Vec::new();
    eventually("one is too many", async || {
        // As many again, if the first ones were cut off before the last ones came.
        let fill = if held.len() < 1024 { 256 } else { 0 };
        for _ in 0..fill {
            let mut raw = Raw::open(target.proxy.admin).await;
            raw.send(b"GET /healthz HTTP/1.1\r\nX-Field: ").await;
            held.push(raw);
        }
        target.health().await == [503]
    })
    .await;
    // Clients do not notice.
    target.serves().await;
    drop(held);
    eventually("there is room again", async || {
        target.health().await == [200]
    })
    .await;
    assert!(target.refused("too_many").await >= 1.0);
    target.ends_well().await;
}
