use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::MAX_VALUE_BYTES;

/// The longest line a server may send.
const MAX_LINE_BYTES: usize = 2048;
const BUFFER_BYTES: usize = 16 * 1024;

/// What a server says, read from a connection. Its memory is bounded, whatever comes.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    from: R,
    /// What was read and is not understood yet.
    buffer: BytesMut,
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: Code,
    /// Empty unless a value was asked for and is there.
    pub(crate) value: Bytes,
    pub(crate) cas: Option<u64>,
    /// Of the command it answers, if the server says.
    pub(crate) number: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// `HD`: it was done.
    Done,
    /// `VA`: here is the value.
    Value,
    /// `EN`: there is no such item.
    Miss,
    /// `NS`: it was not stored.
    NotStored,
    /// `EX`: it has another CAS value.
    Exists,
    /// `NF`: there is no item whose CAS value could be compared.
    NotFound,
}

/// One line, with its value if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Line {
    Answer(Answer),
    /// The server is not able to.
    ServerError(String),
    /// The server did not understand.
    ClientError(String),
    /// One of many settings.
    Setting(String, String),
    /// The last of many.
    End,
}

/// Why nothing more can be read from this connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("the connection broke")]
    Io(#[from] io::Error),
    #[error("the server sent what is no answer ({0})")]
    Malformed(&'static str),
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(from: R) -> Self {
        Self {
            from,
            buffer: BytesMut::with_capacity(BUFFER_BYTES),
        }
    }

    /// The next line. After an error, or when it is dropped half way, the connection is of no use any more.
    pub(crate) async fn line(&mut self) -> Result<Line, Unreadable> {
        let line = self.raw_line().await?;
        let (mut line, value_bytes) = parse(&line)?;
        if let (Line::Answer(answer), Some(len)) = (&mut line, value_bytes) {
            answer.value = self.value(len).await?;
        }
        Ok(line)
    }

    /// Up to the end of the line, without it.
    async fn raw_line(&mut self) -> Result<BytesMut, Unreadable> {
        let mut searched = 0;
        loop {
            let end = self.buffer[searched..]
                .iter()
                .position(|&byte| byte == b'\n');
            if let Some(end) = end.map(|end| searched + end) {
                let mut line = self.buffer.split_to(end + 1);
                line.truncate(end);
                if line.last() == Some(&b'\r') {
                    line.truncate(end - 1);
                }
                return Ok(line);
            }
            searched = self.buffer.len();
            if searched >= MAX_LINE_BYTES {
                return Err(Unreadable::Malformed("a line without an end"));
            }
            self.buffer.reserve(BUFFER_BYTES);
            let read = self.from.read_buf(&mut self.buffer).await?;
            check_end(read)?;
        }
    }

    /// The next `len` bytes, in memory of their own: whoever keeps them keeps nothing else.
    async fn value(&mut self, len: usize) -> Result<Bytes, Unreadable> {
        if len > MAX_VALUE_BYTES {
            return Err(Unreadable::Malformed(
                "a value longer than any that is stored",
            ));
        }
        let total = len + 2;
        let mut value = BytesMut::with_capacity(total);
        let ready = self.buffer.len().min(total);
        value.put_slice(&self.buffer[..ready]);
        self.buffer.advance(ready);
        while value.len() < total {
            let missing = total - value.len();
            let read = self.from.read_buf(&mut (&mut value).limit(missing)).await?;
            check_end(read)?;
        }
        if &value[len..] != b"\r\n" {
            return Err(Unreadable::Malformed("a value of another length"));
        }
        value.truncate(len);
        Ok(value.freeze())
    }
}

fn check_end(read: usize) -> Result<(), Unreadable> {
    if read == 0 {
        let message = "the server closed the connection";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message).into());
    }
    Ok(())
}

/// The line, and the length of the value that follows it.
fn parse(line: &[u8]) -> Result<(Line, Option<usize>), Unreadable> {
    let text = String::from_utf8_lossy(line);
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let rest = |word: &str| text.get(word.len()..).unwrap_or("").trim().to_owned();
    let code = match words.next().unwrap_or("") {
        "HD" => Code::Done,
        "VA" => Code::Value,
        "EN" => Code::Miss,
        "NS" => Code::NotStored,
        "EX" => Code::Exists,
        "NF" => Code::NotFound,
        word @ "SERVER_ERROR" => return Ok((Line::ServerError(rest(word)), None)),
        word @ "CLIENT_ERROR" => return Ok((Line::ClientError(rest(word)), None)),
        "ERROR" => return Ok((Line::ClientError("unknown command".to_owned()), None)),
        "END" => return Ok((Line::End, None)),
        "STAT" => {
            let name = words.next().unwrap_or("").to_owned();
            let value = words.collect::<Vec<_>>().join(" ");
            return Ok((Line::Setting(name, value), None));
        }
        _ => return Err(Unreadable::Malformed("an unknown code")),
    };
    let len = match code {
        Code::Value => {
            let len = words.next().and_then(|word| word.parse().ok());
            Some(len.ok_or(Unreadable::Malformed("a value without a length"))?)
        }
        _ => None,
    };
    let (mut cas, mut number) = (None, None);
    for word in words {
        let (flag, token) = word.split_at_checked(1).unwrap_or(("", ""));
        let malformed = |_| Unreadable::Malformed("a number that is none");
        match flag {
            "c" => cas = Some(token.parse().map_err(malformed)?),
            "O" => number = Some(token.parse().map_err(malformed)?),
            // Others say what was not asked for.
            _ => {}
        }
    }
    let answer = Answer {
        code,
        value: Bytes::new(),
        cas,
        number,
    };
    Ok((Line::Answer(answer), len))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
