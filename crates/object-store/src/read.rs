use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetResult, GetResultPayload};
use terrace_core::{BlobRead, Error, ErrorKind, Result};

use crate::blocking::blocking;
use crate::error::{from_io, from_store};

const OP: &str = "object_store.read";
/// Bytes of a file per trip to the blocking pool: the trip costs some 20 µs, copying this from the page cache
/// about as much.
const FILE_PIECE: u64 = 256 * 1024;
/// No piece is larger, whatever the store hands over at once.
const MAX_PIECE: usize = 1024 * 1024;

/// The bytes of `result`, whose range was checked: exactly those, or an error (promise P1).
pub(crate) fn exactly(result: GetResult, at: Path) -> BlobRead {
    let range = result.range;
    match result.payload {
        GetResultPayload::File(file, _) => file_pieces(file, range, at),
        GetResultPayload::Stream(stream) => {
            let on_error = at.clone();
            let stream = stream.map_err(move |error| from_store(OP, &on_error, error));
            counted(stream.boxed(), range.end - range.start, at)
        }
    }
}

/// Reads `range` of `file`.
///
/// The stream that `object_store` makes of a file reads 8 KiB per trip to the blocking pool, and never
/// ends if the file has become shorter.
fn file_pieces(file: File, range: Range<u64>, at: Path) -> BlobRead {
    stream::try_unfold((file, range), move |(mut file, range)| {
        let at = at.clone();
        async move {
            if range.is_empty() {
                return Ok(None);
            }
            blocking(OP, move || {
                let piece = read_piece(&mut file, &range, &at)?;
                let next = range.start + piece.len() as u64..range.end;
                Ok(Some((piece, (file, next))))
            })
            .await
        }
    })
    .boxed()
}

fn read_piece(file: &mut File, range: &Range<u64>, at: &Path) -> Result<Bytes> {
    let want = FILE_PIECE.min(range.end - range.start);
    let failed = |error| from_io(OP, at.as_ref(), error);
    file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
    let mut piece = Vec::with_capacity(usize::try_from(want).unwrap_or(0));
    file.take(want).read_to_end(&mut piece).map_err(failed)?;
    if piece.len() as u64 == want {
        return Ok(piece.into());
    }
    let missing = range.end - range.start - piece.len() as u64;
    let message = format!("{at}: the file lost its last {missing} bytes while it was read");
    Err(Error::new(ErrorKind::Corrupt, OP, message))
}

/// `stream`, if it yields `len` bytes: an error in place of its end if they are fewer, and in place of what
/// is too much if they are more.
pub(crate) fn counted(stream: BoxStream<'static, Result<Bytes>>, len: u64, at: Path) -> BlobRead {
    let begin = Counted {
        stream,
        unsplit: Bytes::new(),
        left: len,
        at,
    };
    stream::unfold(Some(begin), |state| async {
        let mut state = state?;
        match state.next().await {
            Ok(None) => None,
            Ok(Some(piece)) => Some((Ok(piece), Some(state))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

struct Counted {
    stream: BoxStream<'static, Result<Bytes>>,
    /// What came and was not yet yielded.
    unsplit: Bytes,
    /// How many bytes are still to come.
    left: u64,
    at: Path,
}

impl Counted {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while self.unsplit.is_empty() {
            let Some(bytes) = self.stream.next().await.transpose()? else {
                return match self.left {
                    0 => Ok(None),
                    left => Err(self.wrong(ErrorKind::Unavailable, &format!("{left} bytes early"))),
                };
            };
            self.left = self
                .left
                .checked_sub(bytes.len() as u64)
                .ok_or_else(|| self.wrong(ErrorKind::Corrupt, "too late"))?;
            self.unsplit = bytes;
        }
        let piece = self.unsplit.len().min(MAX_PIECE);
        Ok(Some(self.unsplit.split_to(piece)))
    }

    fn wrong(&self, kind: ErrorKind, when: &str) -> Error {
        let message = format!("{}: the store's answer ended {when}", self.at);
        Error::new(kind, OP, message)
    }
}

#[cfg(test)]
mod tests;
