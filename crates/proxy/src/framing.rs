//! Where a response of the origin ends (RFC 9112, section 6.3): one way to read it, or none.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType, Result};

use crate::headers::tokens;

/// Refuses a response whose end, or whose body, could be read in two ways, and gives `Content-Length` its one form.
///
/// Pingora has refused by now what it cannot read at all. It takes any transfer coding but `chunked` for a body that ends
/// with its connection, and would pass on what is still coded as if it were not.
pub(crate) fn check(response: &mut ResponseHeader) -> Result<()> {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    if !is_chunked_or_plain(&response.headers) {
        return refuse("the origin sends a transfer coding that nobody asked for");
    }
    let Ok(length) = one_length(&response.headers) else {
        return refuse("the origin sends a Content-Length that is not one number");
    };
    if let Some(length) = length {
        response.insert_header(header::CONTENT_LENGTH, length)?;
    }
    Ok(())
}

fn is_chunked_or_plain(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::TRANSFER_ENCODING);
    let mut codings = tokens(codings.iter());
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.eq_ignore_ascii_case(b"chunked"),
        _ => false,
    }
}

/// The length, if it has to be written anew.
fn one_length(headers: &HeaderMap) -> std::result::Result<Option<HeaderValue>, ()> {
    let lengths = headers.get_all(header::CONTENT_LENGTH);
    let mut lengths = tokens(lengths.iter());
    let Some(length) = lengths.next() else {
        return Ok(None);
    };
    let mut count = 1;
    let is_one = lengths.inspect(|_| count += 1).all(|other| other == length);
    if !is_one || !length.iter().all(u8::is_ascii_digit) {
        return Err(());
    }
    if count == 1 {
        return Ok(None);
    }
    HeaderValue::from_bytes(length).map(Some).map_err(drop)
}

fn refuse(why: &'static str) -> Result<()> {
    Err(Error::explain(ErrorType::InvalidHTTPHeader, why).into_up())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(fields: &[(&'static str, &str)]) -> Option<String> {
        let mut response = ResponseHeader::build(200, None).unwrap();
        for (name, value) in fields {
            response.append_header(*name, *value).unwrap();
        }
        check(&mut response).ok()?;
        let lengths = response.headers.get_all("content-length");
        let lengths: Vec<_> = lengths.iter().map(|it| it.to_str().unwrap()).collect();
        Some(lengths.join("|"))
    }

    #[test]
    fn one_length_or_one_coding_is_read() {
        for (fields, expected) in [
            (vec![], ""),
            (vec![("content-length", "5")], "5"),
            (vec![("content-length", "5, 5")], "5"),
            (vec![("content-length", "5"), ("content-length", "5")], "5"),
            (vec![("transfer-encoding", "Chunked")], ""),
        ] {
            assert_eq!(checked(&fields).as_deref(), Some(expected), "{fields:?}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for fields in [
            vec![("content-length", "5, 6")],
            vec![("content-length", "5"), ("content-length", "6")],
            vec![("content-length", "+5")],
            vec![("content-length", "0x5")],
            vec![("transfer-encoding", "gzip")],
            vec![("transfer-encoding", "gzip, chunked")],
            vec![("transfer-encoding", "chunked, chunked")],
            vec![("transfer-encoding", "identity")],
            vec![
                ("transfer-encoding", "chunked"),
                ("transfer-encoding", "gzip"),
            ],
        ] {
            assert_eq!(checked(&fields), None, "{fields:?}");
        }
    }
}
