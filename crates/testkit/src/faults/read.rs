use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use terrace_core::{BlobRead, Body, ReadBody, Result};

use super::{Faults, ReadFault, injected};

/// What becomes of a piece that was read.
enum Fate {
    Pass(Bytes),
    /// Pass it, if it is not empty; then end.
    End(Bytes),
    Die(Bytes, terrace_core::Error),
    Hang(Bytes, Bytes),
}

/// `piece` was read from `at`; offsets are those of the whole body.
fn fate(fault: ReadFault, at: u64, mut piece: Bytes, name: &'static str) -> Fate {
    let (ReadFault::Flip(offset)
    | ReadFault::End(offset)
    | ReadFault::Die(offset, _)
    | ReadFault::Hang(offset)) = fault;
    // An offset that was passed already, as by a seek, has its effect at once; a flip has none.
    let within = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
    if within >= piece.len() || matches!(fault, ReadFault::Flip(_)) && offset < at {
        return Fate::Pass(piece);
    }
    match fault {
        ReadFault::Flip(_) => {
            let mut bytes = piece.to_vec();
            bytes[within] ^= 1;
            Fate::Pass(bytes.into())
        }
        ReadFault::End(_) => Fate::End(piece.split_to(within)),
        ReadFault::Die(_, kind) => Fate::Die(piece.split_to(within), injected(kind, name)),
        ReadFault::Hang(_) => {
            let before = piece.split_to(within);
            Fate::Hang(before, piece)
        }
    }
}

/// Bytes of a record, which come as one.
pub(super) async fn spoil_bytes(faults: &Faults, fault: ReadFault, bytes: Bytes) -> Result<Bytes> {
    match fate(fault, 0, bytes, "faulty.get") {
        Fate::Pass(bytes) | Fate::End(bytes) => Ok(bytes),
        Fate::Die(_, error) => Err(error),
        Fate::Hang(before, after) => {
            faults.hang().await;
            Ok([before, after].concat().into())
        }
    }
}

/// The stream of a blob's range that begins at `start`.
pub(super) fn spoil_stream(
    faults: Faults,
    fault: ReadFault,
    start: u64,
    read: BlobRead,
) -> BlobRead {
    let body = Spoilt::new(
        faults,
        fault,
        start,
        Source::Stream(read),
        "faulty.blob_read",
    );
    stream::unfold(Some(body), |body| async move {
        let mut body = body?;
        match body.next().await {
            Ok(Some(piece)) => Some((Ok(piece), Some(body))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

/// The body of a hit.
pub(super) fn spoil_body(faults: Faults, fault: ReadFault, body: Body) -> Body {
    let source = Source::Body(body);
    Body::Stream(Box::new(Spoilt::new(
        faults,
        fault,
        0,
        source,
        "faulty.read",
    )))
}

/// Bytes with one fault in them.
struct Spoilt {
    faults: Faults,
    /// `None` when it has had its effect.
    fault: Option<ReadFault>,
    at: u64,
    source: Source,
    /// What is still to come after a fault: a piece, then an error, an end, or the rest.
    held: Option<Bytes>,
    hangs: bool,
    ended: bool,
    dies: Option<terrace_core::Error>,
    name: &'static str,
}

enum Source {
    Stream(BlobRead),
    Body(Body),
}

impl Spoilt {
    fn new(faults: Faults, fault: ReadFault, at: u64, source: Source, name: &'static str) -> Self {
        Self {
            faults,
            fault: Some(fault),
            at,
            source,
            held: None,
            hangs: false,
            ended: false,
            dies: None,
            name,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(error) = self.dies.take() {
                self.ended = true;
                return Err(error);
            }
            if self.ended {
                return Ok(None);
            }
            if self.hangs {
                self.faults.hang().await;
                self.hangs = false;
            }
            if let Some(held) = self.held.take() {
                return Ok(Some(held));
            }
            let piece = match &mut self.source {
                Source::Stream(stream) => stream.next().await.transpose()?,
                Source::Body(body) => body.read().await?,
            };
            let Some(piece) = piece else {
                return Ok(None);
            };
            let passed = self.spoil(piece);
            if !passed.is_empty() {
                return Ok(Some(passed));
            }
        }
    }

    fn spoil(&mut self, piece: Bytes) -> Bytes {
        let at = self.at;
        self.at += piece.len() as u64;
        let Some(fault) = self.fault else {
            return piece;
        };
        match fate(fault, at, piece, self.name) {
            Fate::Pass(piece) => piece,
            Fate::End(piece) => {
                self.ended = true;
                piece
            }
            Fate::Die(piece, error) => {
                self.dies = Some(error);
                piece
            }
            Fate::Hang(before, after) => {
                self.fault = None;
                self.hangs = true;
                self.held = Some(after);
                before
            }
        }
    }
}

#[async_trait]
impl ReadBody for Spoilt {
    async fn read(&mut self) -> Result<Option<Bytes>> {
        self.next().await
    }

    fn seek(&mut self, range: Range<u64>) -> Result<()> {
        let Source::Body(body) = &mut self.source else {
            return Ok(()); // Streams are not handed out as bodies.
        };
        body.seek(range.clone())?;
        self.at = range.start;
        self.held = None;
        self.ended = false;
        Ok(())
    }
}
