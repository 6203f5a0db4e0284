use memchr::memchr;

use super::refusal::Refusal;

/// The fields a head may have: what Pingora takes.
const MAX_FIELDS: usize = 256;
/// The longest method, of those registered: `UPDATEREDIRECTREF` has 17 bytes.
const MAX_METHOD: usize = 32;
/// Empty lines before a request; more are not a slip (RFC 9112, 2.2).
const MAX_EMPTY_LINES: usize = 4;

/// How far a head has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Partial,
    /// It ends before byte `end`.
    Complete {
        end: usize,
        what: Follows,
    },
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// The next request.
    Request,
    /// A body of known length, or the protocol it asks to switch to.
    Body,
    /// A body in chunks.
    Chunks,
}

/// Looks at a head as it comes, at every byte once.
///
/// It finds where the head ends and what makes its end, or that of its body, a matter of opinion. Names and values are
/// left to Pingora's parser, which refuses what they may not have.
#[derive(Debug)]
pub(super) struct Scanner {
    max: usize,
    /// Where the line begins that has not ended yet.
    line: usize,
    /// What was searched for that end.
    seen: usize,
    empty_lines: usize,
    fields: usize,
    has_target: bool,
    /// The length of the body was told.
    is_framed: bool,
    follows: Follows,
}

impl Scanner {
    /// For a head of `max` bytes at most.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            line: 0,
            seen: 0,
            empty_lines: 0,
            fields: 0,
            has_target: false,
            is_framed: false,
            follows: Follows::Request,
        }
    }

    /// Looks at `bytes`, which begin with all that was looked at before.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Result<Progress, Refusal> {
        while let Some(at) = memchr(b'\n', &bytes[self.seen..]) {
            let end = self.seen + at;
            let line = &bytes[self.line..end];
            (self.line, self.seen) = (end + 1, end + 1);
            if self.line > self.max {
                return Err(self.too_large());
            }
            let Some(line) = line.strip_suffix(b"\r") else {
                return Err(Refusal::Malformed("a line ends without CR LF"));
            };
            if !self.has_target {
                self.first_line(line)?;
            } else if line.is_empty() {
                return Ok(Progress::Complete {
                    end: self.line,
                    what: self.follows,
                });
            } else {
                self.field(line)?;
            }
        }
        self.seen = bytes.len();
        if self.seen >= self.max {
            return Err(self.too_large());
        }
        if !self.has_target {
            method_so_far(&bytes[self.line..])?;
        }
        Ok(Progress::Partial)
    }

    fn too_large(&self) -> Refusal {
        if self.has_target {
            Refusal::Large
        } else {
            Refusal::LongTarget
        }
    }

    fn first_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        if line.is_empty() {
            self.empty_lines += 1;
            if self.empty_lines > MAX_EMPTY_LINES {
                return Err(Refusal::Malformed("too many empty lines before a request"));
            }
            return Ok(());
        }
        self.has_target = true;
        request_line(line)
    }

    fn field(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(Refusal::ManyFields);
        }
        match line[0] {
            // RFC 9112, 5.2.
            b' ' | b'\t' => Err(Refusal::Malformed("a header field is folded")),
            b'c' | b'C' => self.content_length(line),
            b't' | b'T' => self.transfer_encoding(line),
            b'u' | b'U' => {
                if self.follows == Follows::Request && value_of(line, b"upgrade").is_some() {
                    self.follows = Follows::Body;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Two lengths may be equal today. Whoever sends them is up to no good (RFC 9112, 6.3).
    fn content_length(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let Some(value) = value_of(line, b"content-length") else {
            return Ok(());
        };
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Refusal::Malformed("Content-Length is not a number"));
        }
        self.frame(Follows::Body)
    }

    fn transfer_encoding(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let Some(value) = value_of(line, b"transfer-encoding") else {
            return Ok(());
        };
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::Coding);
        }
        self.frame(Follows::Chunks)
    }

    fn frame(&mut self, body: Follows) -> Result<(), Refusal> {
        self.follows = body;
        if std::mem::replace(&mut self.is_framed, true) {
            let twice = "the length of the body is told twice";
            return Err(Refusal::Malformed(twice));
        }
        Ok(())
    }
}

/// What is not HTTP, a TLS handshake for example, is told from its first bytes; it might never send a line's end.
fn method_so_far(line: &[u8]) -> Result<(), Refusal> {
    let seen = &line[..line.len().min(MAX_METHOD + 1)];
    let method = seen.split(|byte| matches!(byte, b' ' | b'\r')).next();
    let method = method.unwrap_or(seen);
    if !method.iter().all(|byte| is_token(*byte)) {
        return Err(Refusal::Malformed("this is not HTTP"));
    }
    if method.len() > MAX_METHOD {
        return Err(Refusal::Method);
    }
    Ok(())
}

/// RFC 9112, 3: a method, a target and a version, with one space between them.
fn request_line(line: &[u8]) -> Result<(), Refusal> {
    method_so_far(line)?;
    let mut words = line.split(|byte| *byte == b' ');
    let parts = (words.next(), words.next(), words.next(), words.next());
    let (Some(method), Some(target), Some(version), None) = parts else {
        let shape = "the first line is not METHOD TARGET HTTP/1.1";
        return Err(Refusal::Malformed(shape));
    };
    if method.is_empty() || !is_target(method, target) {
        return Err(Refusal::Malformed(
            "the request target cannot be understood",
        ));
    }
    match version {
        b"HTTP/1.1" | b"HTTP/1.0" => Ok(()),
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(Refusal::Version)
        }
        _ => Err(Refusal::Malformed("this is not HTTP")),
    }
}

/// RFC 9112, 3.2: the origin form, the absolute form, the asterisk for `OPTIONS` alone. The authority form is that of
/// `CONNECT`, which Pingora refuses.
fn is_target(method: &[u8], target: &[u8]) -> bool {
    if target.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
        return false;
    }
    match target {
        [b'/', ..] => true,
        b"*" => method == b"OPTIONS",
        _ => method == b"CONNECT" || target.windows(3).any(|it| it == b"://"),
    }
}

/// The value of the field in `line`, if it is the one of that lower-case `name`. What stands before the colon counts without
/// the space that some would trim.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let colon = memchr(b':', line)?;
    let is_it = line[..colon].trim_ascii_end().eq_ignore_ascii_case(name);
    is_it.then(|| line[colon + 1..].trim_ascii())
}

/// RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
