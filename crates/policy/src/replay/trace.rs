use std::str;

/// The longest line of a trace, in bytes: three numbers and generous space.
pub const MAX_LINE_BYTES: usize = 256;

/// One line of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// When, in the trace's own unit.
    pub time: u64,
    /// Which object.
    pub id: u64,
    /// The object's length in bytes.
    pub size: u64,
}

/// Why a line is not a request. Say the line's number beside it: only the reader knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Not three fields.
    #[error("expected three numbers, 'time id size', but there are {fields} fields")]
    Fields {
        /// How many there are instead.
        fields: usize,
    },
    /// A field is not a number.
    #[error("the {field} is not a whole number from 0 to 18446744073709551615")]
    Number {
        /// Which field.
        field: &'static str,
    },
    /// Not text.
    #[error(
        "not text: expected 'time id size', one request to a line, or a compressed file whose name ends in .xz"
    )]
    NotText,
    /// Longer than [`MAX_LINE_BYTES`].
    #[error(
        "longer than {MAX_LINE_BYTES} bytes: expected 'time id size', one request to a line, or a compressed file \
         whose name ends in .xz"
    )]
    TooLong,
}

/// Reads a line of the form `time id size`: three decimal numbers with white space between them.
pub fn parse(line: &[u8]) -> Result<Request, Malformed> {
    if line.len() > MAX_LINE_BYTES {
        return Err(Malformed::TooLong);
    }
    let line = str::from_utf8(line).map_err(|_| Malformed::NotText)?;
    let mut fields = line.split_ascii_whitespace();
    let (Some(time), Some(id), Some(size), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        let fields = line.split_ascii_whitespace().count();
        return Err(Malformed::Fields { fields });
    };
    Ok(Request {
        time: number("time", time)?,
        id: number("id", id)?,
        size: number("size", size)?,
    })
}

fn number(field: &'static str, text: &str) -> Result<u64, Malformed> {
    text.parse().map_err(|_| Malformed::Number { field })
}

#[cfg(test)]
mod tests;
