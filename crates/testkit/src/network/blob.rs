use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use libtest_mimic::Failed;
use terrace_core::{Applied, BlobInfo, BlobName, BlobStore, Result};

use super::{Behind, ends, fails, leaves, recovers};
use crate::proxy::{Towards, WireFault};
use crate::sample::{blob_name, body};
use crate::suite::{Case, Outcome, cases, check, check_eq};

type Blobs = Behind<dyn BlobStore>;

pub(crate) fn cases() -> Vec<Case<Blobs>> {
    cases![
        silence_ends_every_call_and_it_recovers,
        a_black_hole_ends_every_call_and_it_recovers,
        refused_connections_are_errors_and_it_recovers,
        calls_dropped_in_silence_cost_nothing,
        p1_a_read_that_breaks_off_is_no_whole_body,
        p1_a_read_that_is_half_closed_is_no_whole_body,
        p1_a_read_that_falls_silent_ends,
        p5_a_blob_whose_answer_is_lost_is_whole_or_absent,
        p5_a_blob_whose_upload_breaks_is_whole_or_absent,
        a_delete_that_was_acknowledged_holds,
        lists_under_resets_are_whole_or_errors,
    ]
}

const LEN: usize = 1_000_000;

async fn put(blobs: &Blobs, name: &BlobName, content: &Bytes) -> Result<()> {
    let mut writer = blobs.store.put(name).await?;
    let mut rest = content.clone();
    while !rest.is_empty() {
        writer.write(rest.split_to(rest.len().min(99_999))).await?;
    }
    writer.finish().await
}

async fn get(blobs: &Blobs, name: &BlobName, len: usize) -> Result<Vec<u8>> {
    let mut read = blobs.store.get(name, 0..len as u64).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = read.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

async fn list(blobs: &Blobs) -> Result<Vec<BlobInfo>> {
    blobs.store.list().try_collect().await
}

async fn begin(blobs: &Blobs) -> Outcome {
    let (name, content) = (blob_name(1, 1), body(LEN, 1));
    recovers("put", || put(blobs, &name, &content)).await
}

async fn all_fail(blobs: &Blobs) -> Outcome {
    let name = blob_name(1, 1);
    fails("head", blobs.store.head(&name)).await?;
    fails("get", get(blobs, &name, LEN)).await?;
    fails("put", put(blobs, &blob_name(2, 2), &body(LEN, 2))).await?;
    fails("list", list(blobs)).await?;
    // A repeat succeeds, so that one that may have been done may be done again.
    fails("delete", blobs.store.delete(&blob_name(3, 3))).await
}

async fn check_whole(blobs: &Blobs, name: &BlobName, content: &Bytes) -> Outcome {
    let read = recovers("get", || async { get(blobs, name, content.len()).await }).await?;
    check!(read == *content, "the bytes of {name}");
    Ok(())
}

async fn is_well(blobs: &Blobs) -> Outcome {
    blobs.proxy.heal().await;
    check_whole(blobs, &blob_name(1, 1), &body(LEN, 1)).await?;
    let (name, content) = (blob_name(4, 4), body(LEN, 4));
    // Under the same name again: the bytes are the same.
    recovers("put", || async { put(blobs, &name, &content).await }).await?;
    check_whole(blobs, &name, &content).await?;
    recovers("delete", || async { blobs.store.delete(&name).await }).await?;
    let left = recovers("head", || async { blobs.store.head(&name).await }).await?;
    check!(left.is_none(), "it was deleted");
    Ok(())
}

async fn silence_ends_every_call_and_it_recovers(blobs: Arc<Blobs>) -> Outcome {
    begin(&blobs).await?;
    blobs.proxy.silence();
    all_fail(&blobs).await?;
    is_well(&blobs).await
}

async fn a_black_hole_ends_every_call_and_it_recovers(blobs: Arc<Blobs>) -> Outcome {
    begin(&blobs).await?;
    blobs.proxy.black_hole();
    blobs.proxy.reset();
    all_fail(&blobs).await?;
    is_well(&blobs).await
}

async fn refused_connections_are_errors_and_it_recovers(blobs: Arc<Blobs>) -> Outcome {
    begin(&blobs).await?;
    blobs.proxy.refuse().await;
    blobs.proxy.reset();
    all_fail(&blobs).await?;
    is_well(&blobs).await
}

async fn calls_dropped_in_silence_cost_nothing(blobs: Arc<Blobs>) -> Outcome {
    begin(&blobs).await?;
    blobs.proxy.silence();
    // More than any pool holds.
    for _ in 0..200 {
        leaves(async { blobs.store.head(&blob_name(1, 1)).await }).await;
        leaves(async { get(&blobs, &blob_name(1, 1), LEN).await }).await;
    }
    is_well(&blobs).await
}

/// Reads what is left. An error may end it, but neither other bytes nor an early end.
async fn right_or_error(mut read: terrace_core::BlobRead, expected: &[u8]) -> Outcome {
    let mut at = 0;
    loop {
        let next = async { Ok::<_, Failed>(read.next().await) };
        match ends("read", next).await?? {
            Some(Err(_)) => return Ok(()),
            None => break,
            Some(Ok(piece)) => {
                let end = at + piece.len();
                check!(
                    expected.get(at..end) == Some(&piece[..]),
                    "bytes {at}..{end} are not those stored"
                );
                at = end;
            }
        }
    }
    check_eq!(at, expected.len(), "bytes before a clean end");
    Ok(())
}

async fn read_under(blobs: &Blobs, fault: impl Fn(u64) -> WireFault) -> Outcome {
    let (name, content) = (blob_name(1, 1), body(LEN, 1));
    for after in [0, 1, 1_000, 70_000, 300_000, 900_000] {
        blobs.proxy.set(Towards::Client, fault(after));
        if let Ok(read) = ends("get", blobs.store.get(&name, 0..LEN as u64)).await? {
            right_or_error(read, &content).await?;
        }
        blobs.proxy.heal().await;
        check_whole(blobs, &name, &content).await?;
    }
    Ok(())
}

async fn p1_a_read_that_breaks_off_is_no_whole_body(blobs: Arc<Blobs>) -> Outcome {
    begin(&blobs).await?;
    read_under(&blobs, |after| WireFault::Reset(after..=after)).await
}

async fn p1_a_read_that_is_half_closed_is_no_whole_body(blobs: Arc<Blobs>) -> Outcome {
    begin(&blobs).await?;
    read_under(&blobs, WireFault::HalfClose).await
}

async fn p1_a_read_that_falls_silent_ends(blobs: Arc<Blobs>) -> Outcome {
    begin(&blobs).await?;
    let (name, content) = (blob_name(1, 1), body(LEN, 1));
    let read = blobs.store.get(&name, 0..LEN as u64).await?;
    blobs.proxy.silence();
    right_or_error(read, &content).await?;
    is_well(&blobs).await
}

/// Puts blobs while `fault` happens in one direction: whole or absent, and what was acknowledged is there.
async fn put_under(blobs: &Blobs, towards: Towards, fault: &WireFault) -> Outcome {
    for n in 10..18 {
        let (name, content) = (
            blob_name(n, n),
            body([500, LEN][usize::from(n % 2 == 0)], n),
        );
        blobs.proxy.set(towards, fault.clone());
        let answer = ends("put", put(blobs, &name, &content)).await?;
        blobs.proxy.heal().await;
        let left = recovers("head", || async { blobs.store.head(&name).await }).await?;
        if let Some(info) = left {
            check_eq!(
                info.len,
                content.len() as u64,
                "the length of a visible blob"
            );
            check_whole(blobs, &name, &content).await?;
        }
        match answer {
            Ok(()) => check!(left.is_some(), "acknowledged, and absent"),
            Err(error) if error.applied() == Applied::No => {
                check!(
                    left.is_none(),
                    "it said it had done nothing, and it is there: {error:?}"
                );
            }
            Err(_) => {}
        }
    }
    Ok(())
}

async fn p5_a_blob_whose_answer_is_lost_is_whole_or_absent(blobs: Arc<Blobs>) -> Outcome {
    begin(&blobs).await?;
    put_under(&blobs, Towards::Client, &WireFault::Reset(0..=0)).await?;
    is_well(&blobs).await
}

async fn p5_a_blob_whose_upload_breaks_is_whole_or_absent(blobs: Arc<Blobs>) -> Outcome {
    begin(&blobs).await?;
    let fault = WireFault::Reset(0..=LEN as u64 / 2);
    put_under(&blobs, Towards::Server, &fault).await?;
    is_well(&blobs).await
}

async fn a_delete_that_was_acknowledged_holds(blobs: Arc<Blobs>) -> Outcome {
    begin(&blobs).await?;
    for n in 10..16 {
        let name = blob_name(n, n);
        recovers("put", || async { put(&blobs, &name, &body(500, n)).await }).await?;
        let direction = [Towards::Client, Towards::Server][usize::from(n % 2 == 0)];
        blobs.proxy.set(direction, WireFault::Reset(0..=0));
        let answer = ends("delete", blobs.store.delete(&name)).await?;
        blobs.proxy.heal().await;
        let left = recovers("head", || async { blobs.store.head(&name).await }).await?;
        match answer {
            Ok(()) => check!(left.is_none(), "deleted, and it is there"),
            Err(error) if error.applied() == Applied::No => {
                check!(
                    left.is_some(),
                    "it said it had done nothing, and it is gone: {error:?}"
                );
            }
            Err(_) => {}
        }
        recovers("delete", || async { blobs.store.delete(&name).await }).await?;
    }
    is_well(&blobs).await
}

async fn lists_under_resets_are_whole_or_errors(blobs: Arc<Blobs>) -> Outcome {
    let mut expected = BTreeSet::new();
    for n in 0..100 {
        put(&blobs, &blob_name(n, n), &body(10, n)).await?;
        expected.insert(blob_name(n, n));
    }
    for after in [0, 100, 1_000, 5_000, 20_000, 50_000] {
        let fault = WireFault::Reset(after..=after);
        blobs.proxy.set(Towards::Client, fault);
        if let Ok(listed) = ends("list", list(&blobs)).await? {
            let names: BTreeSet<_> = listed.iter().map(|info| info.name).collect();
            check_eq!(listed.len(), names.len(), "no blob is listed twice");
            check!(names == expected, "{} of 100 blobs are listed", names.len());
        }
        blobs.proxy.heal().await;
    }
    let listed = recovers("list", || async { list(&blobs).await }).await?;
    check_eq!(listed.len(), 100, "blobs, after the faults");
    Ok(())
}
