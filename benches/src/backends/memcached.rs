//! A tier in Memcached. What it is made of is the protocol, so that is its peer: `get`, on connections that are kept.

use std::env;
use std::sync::{Arc, Mutex, PoisonError};

use terrace_memcached::{MemcachedConfig, MemcachedTier};
use terrace_testkit::sample;
use terrace_tiers::TokioRuntime;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::Outcome;
use crate::read;
use crate::subject::{Fetch, Subject, fetch};
use crate::tiers::stored;

/// What a server takes as one item by default; longer bodies have no peer.
const LARGEST: usize = 1 << 20;

pub(crate) async fn memcached(sizes: &[usize]) -> Outcome<Vec<Subject>> {
    let Ok(addresses) = env::var("TERRACE_TEST_MEMCACHED_ADDRS") else {
        return Ok(Vec::new());
    };
    let address = addresses.split(',').next().unwrap_or_default();
    let runtime = Arc::new(TokioRuntime::current());
    let tier = MemcachedTier::builder(MemcachedConfig::new([address]), runtime).build()?;
    let tier = Arc::new(tier);
    let mut subjects = Vec::new();
    for &bytes in sizes.iter().filter(|&&bytes| bytes < LARGEST) {
        subjects.push(Subject {
            backend: "MemcachedTier",
            peer: "`get`",
            bytes,
            ours: stored(&tier, bytes).await?,
            raw: get(address, bytes).await?,
        });
    }
    Ok(subjects)
}

type Connection = BufStream<TcpStream>;

/// An item of `bytes`, and how it is got: on a connection that nobody else uses at that time.
async fn get(address: &str, bytes: usize) -> Outcome<Fetch> {
    let mut connection = connect(address).await?;
    let set = format!("set bench:{bytes} 0 0 {bytes}\r\n");
    connection.write_all(set.as_bytes()).await?;
    connection.write_all(&sample::body(bytes, 1)).await?;
    connection.write_all(b"\r\n").await?;
    connection.flush().await?;
    if line(&mut connection).await? != "STORED\r\n" {
        return Err("Memcached did not store it".into());
    }
    let unused = Arc::new(Mutex::new(vec![connection]));
    let address = address.to_owned();
    Ok(fetch(move || {
        let (unused, address) = (Arc::clone(&unused), address.clone());
        async move {
            let begun = Instant::now();
            let kept = unused.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match kept {
                Some(connection) => connection,
                None => connect(&address).await?,
            };
            let get = format!("get bench:{bytes}\r\n");
            connection.write_all(get.as_bytes()).await?;
            connection.flush().await?;
            if !line(&mut connection).await?.starts_with("VALUE ") {
                return Err("Memcached has lost it".into());
            }
            let mut body = vec![0; bytes + b"\r\nEND\r\n".len()];
            connection.read_exact(&mut body).await?;
            let mut unused = unused.lock().unwrap_or_else(PoisonError::into_inner);
            unused.push(connection);
            Ok(read::whole(begun, bytes))
        }
    }))
}

async fn connect(address: &str) -> Outcome<Connection> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(BufStream::new(stream))
}

async fn line(connection: &mut Connection) -> Outcome<String> {
    let mut line = String::new();
    connection.read_line(&mut line).await?;
    Ok(line)
}
