//! Tiers that processes share.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::io::tcp::TcpSettings;
use redis::{AsyncTypedCommands as _, IntoConnectionInfo as _};
use terrace_core::{Key, Lookup, Tier};
use terrace_redis::{RedisConfig, RedisTier};
use terrace_testkit::sample::Object;
use terrace_tiers::TokioRuntime;
use tokio::time::Instant;

use crate::Outcome;
use crate::read;
use crate::subject::{Fetch, Subject, Taken, fetch};

/// For how long a client waits for an answer.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) async fn redis(sizes: &[usize]) -> Outcome<Vec<Subject>> {
    let Ok(url) = env::var("TERRACE_TEST_REDIS_URL") else {
        return Ok(Vec::new());
    };
    let runtime = Arc::new(TokioRuntime::current());
    let tier = Arc::new(RedisTier::builder(RedisConfig::single(&url), runtime).build()?);
    let mut subjects = Vec::new();
    for &bytes in sizes {
        let ours = stored(&tier, bytes).await?;
        let raw = redis_get(&url, bytes).await?;
        subjects.push(Subject {
            backend: "RedisTier",
            peer: "`GET` by redis-rs",
            bytes,
            ours,
            raw,
        });
    }
    Ok(subjects)
}

/// An object of `bytes` in `tier`, and how it is looked up and read.
pub(crate) async fn stored<T: Tier>(tier: &Arc<T>, bytes: usize) -> Outcome<Fetch> {
    let key = Key::named(format!("bench {bytes}"));
    let _committed = Object::new(bytes, bytes as u64)
        .store(&**tier, &key)
        .await?;
    let tier = Arc::clone(tier);
    Ok(fetch(move || look_up(Arc::clone(&tier), key)))
}

async fn look_up<T: Tier>(tier: Arc<T>, key: Key) -> Outcome<Taken> {
    let begun = Instant::now();
    match tier.lookup(&key).await? {
        Lookup::Hit(mut hit) => read::body(begun, &mut hit.body).await,
        Lookup::Miss(_) => Err("a miss".into()),
    }
}

/// As many bytes under one name, and the command that gets them: on one connection for all, set up as an adapter's.
pub(crate) async fn redis_get(url: &str, bytes: usize) -> Outcome<Fetch> {
    let nodelay = TcpSettings::default().set_nodelay(true);
    let server = url.into_connection_info()?.set_tcp_settings(nodelay);
    // Many clients with large bodies wait longer for each other than it would let them.
    let patient = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
    let connection = redis::Client::open(server)?
        .get_multiplexed_async_connection_with_config(&patient)
        .await?;
    let name = format!("bench:{bytes}");
    let body = terrace_testkit::sample::body(bytes, 1);
    connection.clone().set(&name, &body[..]).await?;
    Ok(fetch(move || {
        let (mut connection, name) = (connection.clone(), name.clone());
        async move {
            let begun = Instant::now();
            let body: Bytes = redis::cmd("GET")
                .arg(name)
                .query_async(&mut connection)
                .await?;
            Ok(read::whole(begun, body.len()))
        }
    }))
}
