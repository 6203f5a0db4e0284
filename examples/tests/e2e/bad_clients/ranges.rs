//! Ranges that nobody means.

use super::Target;
use crate::support::{MIB, Raw};

#[tokio::test(flavor = "multi_thread")]
async fn absurd_ranges_cost_no_more_than_the_whole() {
    let target = Target::new(&[]).await;
    target.proxy.get("/large").await.whole().await;
    let list = |range: fn(usize) -> String| {
        let all: Vec<_> = (0..1000).map(range).collect();
        format!("bytes={}", all.join(","))
    };
    let ranges = [
        list(|nth| format!("{nth}-{nth}")),
        list(|_| "0-".to_owned()),
        list(|nth| format!("{nth}-")),
        list(|nth| format!("-{}", nth + 1)),
        list(|_| "5-1".to_owned()),
        "bytes=0-,0-,0-,0-,0-,0-,0-,0-".to_owned(),
        "bytes=5-1".to_owned(),
        "bytes=-0".to_owned(),
        "bytes=0-18446744073709551615".to_owned(),
        "bytes=18446744073709551615-".to_owned(),
        "bytes=18446744073709551616-18446744073709551617".to_owned(),
        "bytes=-99999999999999999999999999".to_owned(),
        "bytes=--1".to_owned(),
        "bytes=,,,,".to_owned(),
        "bytes=".to_owned(),
        "apples=1-2".to_owned(),
    ];
    for path in ["/next", "/large"] {
        for range in &ranges {
            let head = format!(
                "GET {path} HTTP/1.1\r\nHost: e2e.example\r\nRange: {range}\r\nConnection: close\r\n\r\n"
            );
            let answers = Raw::exchange(target.proxy.listen, head.as_bytes()).await;
            let shown = &range[..range.len().min(40)];
            let status = answers.statuses().first().copied();
            assert!(
                matches!(status, Some(200 | 206 | 400 | 416)),
                "{shown}: {answers:?}"
            );
            let len = answers.0.len() as u64;
            assert!(len < 4 * MIB, "{shown}: {len} bytes in answer");
        }
    }
    target.ends_well().await;
}
