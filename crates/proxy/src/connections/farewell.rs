use std::time::Duration;

use pingora::protocols::Stream;
use pingora_timeout::timeout;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::refusal::Refusal;

/// How long a client that was refused may take to be told,
const TELLING: Duration = Duration::from_secs(1);
/// and to notice,
const LINGERING: Duration = Duration::from_secs(2);
/// and how much it may still send meanwhile.
const IGNORED_BYTES: usize = 4 * 1024 * 1024;

/// Tells the client why, and closes the connection.
///
/// Closing it with something unread would reset it, and the client might lose the answer (RFC 9112, 9.6). So what it still
/// sends is read, and thrown away, for a while.
pub(super) async fn say(mut stream: Stream, refusal: Refusal) {
    let Some(status) = refusal.status() else {
        return;
    };
    let message = refusal.message();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n\r\n{message}\n",
        message.len() + 1,
    );
    let telling = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
        stream.shutdown().await
    };
    if !matches!(timeout(TELLING, telling).await, Ok(Ok(()))) || refusal == Refusal::TooMany {
        return;
    }
    // Whichever way it ends, the connection is closed.
    let _ = timeout(LINGERING, ignore(&mut stream)).await;
}

async fn ignore(stream: &mut Stream) {
    let mut ignored = 0;
    let mut buffer = vec![0; 16 * 1024];
    while ignored < IGNORED_BYTES
        && let Ok(read @ 1..) = stream.read(&mut buffer).await
    {
        ignored += read;
    }
}
