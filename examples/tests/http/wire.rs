//! HTTP/1.1 messages as they are on the wire: nothing is normalised, added or forgiven.

use std::fmt;
use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// More than any message here has.
const MAX_BODY: usize = 1 << 20;

pub(crate) type Headers = Vec<(String, String)>;

/// A request or a response.
#[derive(Clone, Default)]
pub(crate) struct Message {
    /// The request line or the status line.
    pub(crate) start: String,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Headers,
    /// The statuses of the interim responses before it.
    pub(crate) interim: Vec<u16>,
}

impl Message {
    /// All values of `name`, as one list.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        find(&self.headers, name)
    }

    /// Of a response; 0 if it is none.
    pub(crate) fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1);
        status.and_then(|it| it.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or("")
    }

    pub(crate) fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or("")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn is_chunked(&self) -> bool {
        self.header("transfer-encoding")
            .is_some_and(|it| it.eq_ignore_ascii_case("chunked"))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.start)?;
        for (name, value) in &self.headers {
            writeln!(f, "  {name}: {value}")?;
        }
        writeln!(f, "  {:?}", self.text())
    }
}

pub(crate) fn find(headers: &Headers, name: &str) -> Option<String> {
    let values = headers
        .iter()
        .filter(|(it, _)| it.eq_ignore_ascii_case(name));
    let values: Vec<&str> = values.map(|(_, value)| value.as_str()).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

/// One end of a connection.
pub(crate) struct Wire(BufReader<TcpStream>);

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes).await
    }

    /// The next request; `None` if the client has closed the connection.
    pub(crate) async fn request(&mut self) -> io::Result<Option<Message>> {
        let Some(mut message) = self.head().await? else {
            return Ok(None);
        };
        let has_body = message.is_chunked() || message.header("content-length").is_some();
        if has_body {
            self.body(&mut message).await?;
        }
        Ok(Some(message))
    }

    /// The final response to a request by `method`, and the statuses of those before it.
    pub(crate) async fn response(&mut self, method: &str) -> io::Result<Message> {
        let mut interim = Vec::new();
        loop {
            let head = self.head().await?;
            let mut message = head.ok_or(io::ErrorKind::UnexpectedEof)?;
            let status = message.status();
            let is_interim = (100..200).contains(&status) && status != 101;
            let has_body = !is_interim && method != "HEAD" && !matches!(status, 204 | 304);
            if has_body {
                self.body(&mut message).await?;
            }
            if !is_interim {
                message.interim = interim;
                return Ok(message);
            }
            interim.push(status);
        }
    }

    async fn head(&mut self) -> io::Result<Option<Message>> {
        let start = self.line().await?;
        if start.is_empty() {
            return Ok(None);
        }
        Ok(Some(Message {
            start,
            headers: self.fields().await?,
            ..Message::default()
        }))
    }

    async fn fields(&mut self) -> io::Result<Headers> {
        let mut fields = Headers::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    async fn body(&mut self, message: &mut Message) -> io::Result<()> {
        if message.is_chunked() {
            return self.chunks(message).await;
        }
        if let Some(length) = message.header("content-length") {
            let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            message.body = self.exactly(length).await?;
            return Ok(());
        }
        self.0.read_to_end(&mut message.body).await.map(drop)
    }

    async fn chunks(&mut self, message: &mut Message) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or("").trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if size == 0 {
                message.trailers = self.fields().await?;
                return Ok(());
            }
            let piece = self.exactly(size).await?;
            message.body.extend_from_slice(&piece);
            self.line().await?;
        }
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > MAX_BODY {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    /// Without its end. Empty at the end of the stream, too.
    async fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await?;
        let line = String::from_utf8_lossy(&line);
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}
