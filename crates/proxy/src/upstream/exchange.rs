use http::{HeaderValue, Uri, Version, header};
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};

/// The most interim responses that are skipped.
const MAX_INTERIM: usize = 8;

/// Sends a request without a body to `peer`, on a connection of its own accord, and reads the header of the response.
///
/// Not for requests of clients: those go through Pingora. The session goes back to the connector's pool only if the caller
/// gives it back.
pub(crate) async fn ask(
    connector: &Connector,
    peer: &HttpPeer,
    request: RequestHeader,
) -> Result<HttpSession> {
    let (mut session, _) = connector.get_http_session(peer).await?;
    session.set_read_timeout(peer.options.read_timeout);
    session.set_write_timeout(peer.options.write_timeout);
    let request = match session {
        HttpSession::H2(_) => to_http2(request, peer.is_tls())?,
        _ => request,
    };
    session.write_request_header(Box::new(request)).await?;
    session.finish_request_body().await?;
    for _ in 0..MAX_INTERIM {
        session.read_response_header().await?;
        let header = session.response_header();
        if header.is_some_and(|header| !header.status.is_informational()) {
            return Ok(session);
        }
    }
    let message = "the origin sends interim responses without end";
    Err(Error::explain(ErrorType::H1Error, message))
}

/// The request as HTTP/2 has it: its scheme and authority are parts of the target, and there is no `Host`.
fn to_http2(mut request: RequestHeader, is_tls: bool) -> Result<RequestHeader> {
    let unusable = |context: &'static str| Error::explain(ErrorType::InvalidHTTPHeader, context);
    let host = request.remove_header(&header::HOST);
    let named = host.as_ref().map(HeaderValue::as_bytes);
    let authority = named.or(request.uri.authority().map(|it| it.as_str().as_bytes()));
    let authority = authority.ok_or_else(|| unusable("the request names no host"))?;
    let path = std::str::from_utf8(request.raw_path())
        .map_err(|_| unusable("HTTP/2 has no such target"))?;
    let uri = Uri::builder()
        .scheme(if is_tls { "https" } else { "http" })
        .authority(authority)
        .path_and_query(path)
        .build()
        .map_err(|_| unusable("HTTP/2 has no such target"))?;
    request.set_uri(uri);
    request.set_version(Version::HTTP_2);
    Ok(request)
}

#[test]
fn a_request_is_put_into_the_words_of_http_2() {
    let mut request = RequestHeader::build("GET", b"/a?b", None).unwrap();
    request.insert_header("host", "a.example:81").unwrap();
    let request = to_http2(request, true).unwrap();
    assert_eq!(request.uri.to_string(), "https://a.example:81/a?b");
    assert!(!request.headers.contains_key("host"));
    let nameless = RequestHeader::build("GET", b"/", None).unwrap();
    assert!(to_http2(nameless, true).is_err());
}
