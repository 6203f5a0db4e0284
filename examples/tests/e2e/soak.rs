//! A long mixed load with faults in every tier: no error that the origin could have prevented, no byte of another version
//! than may be served, nothing that grows.
//!
//! `cargo xtask soak` runs it for ten minutes; by itself it takes half a minute. What is asked and broken follows from a
//! seed, which is printed; when it happens does not, for that is the machine's affair.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

mod faults;
mod load;
mod pulse;
mod world;

use load::Client;
use pulse::Pulse;
use world::World;

const CLIENTS: u64 = 12;

/// A number from a variable that `cargo xtask soak` sets.
fn number(name: &str, default: u64) -> u64 {
    let text = env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_wrong_and_nothing_grows() {
    let seed = number("TERRACE_SOAK_SEED", 1);
    let length = Duration::from_secs(number("TERRACE_SOAK_SECONDS", 30));
    eprintln!("soak: seed {seed}, {length:?}");
    let world = Arc::new(World::start(seed).await);

    let mut clients = JoinSet::new();
    for nth in 0..CLIENTS {
        clients.spawn(Client::new(Arc::clone(&world), nth).run());
    }
    // Restarts in the first half; in the second, one process is watched.
    let half = Instant::now() + length / 2;
    faults::inject(&world, half, faults::WITH_RESTARTS).await;
    let pulse = Pulse::start(Arc::clone(&world));
    faults::inject(&world, half + length / 2, faults::WITHOUT_RESTARTS).await;
    let pulse = pulse.stop().await;

    world.stop_clients();
    while let Some(ended) = clients.join_next().await {
        ended.expect("a client found nothing wrong");
    }
    world.told().await;
    eprintln!("soak: {pulse}");
    pulse.is_flat();
    world.fetches_once_when_all_is_well().await;
    world.ends_clean().await;
}

/// The pace of a client, or the length of a fault: not a wait for anything.
async fn pass(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}
