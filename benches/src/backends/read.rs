//! Bodies that are read to the end and thrown away.

use std::error::Error;
use std::pin::pin;

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use terrace_core::Body;
use tokio::time::Instant;

use crate::Outcome;
use crate::subject::Taken;

/// A body that came at once.
pub(crate) fn whole(begun: Instant, bytes: usize) -> Taken {
    Taken {
        bytes,
        first: begun.elapsed(),
    }
}

pub(crate) async fn body(begun: Instant, body: &mut Body) -> Outcome<Taken> {
    let (mut bytes, mut first) = (0, None);
    while let Some(piece) = body.read().await? {
        first.get_or_insert_with(|| begun.elapsed());
        bytes += piece.len();
    }
    Ok(Taken {
        bytes,
        first: first.ok_or("an empty body")?,
    })
}

pub(crate) async fn stream<E>(
    begun: Instant,
    stream: impl Stream<Item = Result<Bytes, E>>,
) -> Outcome<Taken>
where
    E: Error + Send + Sync + 'static,
{
    let mut stream = pin!(stream);
    let (mut bytes, mut first) = (0, None);
    while let Some(piece) = stream.try_next().await? {
        first.get_or_insert_with(|| begun.elapsed());
        bytes += piece.len();
    }
    Ok(Taken {
        bytes,
        first: first.ok_or("an empty body")?,
    })
}
