use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Outcome;
use crate::subject::{Fetch, Subject};

/// Before anything is counted: connections are made, statements prepared.
const WARM_UP: Duration = Duration::from_millis(200);

/// What one of the two did in one turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Bodies per second.
    pub(crate) rate: f64,
    /// Seconds to the first piece, the median.
    pub(crate) first: f64,
}

/// What both did in one round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round {
    pub(crate) ours: Sample,
    pub(crate) raw: Sample,
}

/// Lets the two take turns, so that whatever else the machine does hits both.
pub(crate) async fn take_turns(
    subject: &Subject,
    clients: usize,
    rounds: usize,
    time: Duration,
) -> Outcome<Vec<Round>> {
    for fetch in [&subject.ours, &subject.raw] {
        run(fetch, clients, subject.bytes, WARM_UP).await?;
    }
    let mut samples = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let run = |fetch| run(fetch, clients, subject.bytes, time);
        // Neither is always the first.
        samples.push(if round % 2 == 0 {
            let ours = run(&subject.ours).await?;
            let raw = run(&subject.raw).await?;
            Round { ours, raw }
        } else {
            let raw = run(&subject.raw).await?;
            let ours = run(&subject.ours).await?;
            Round { ours, raw }
        });
    }
    Ok(samples)
}

/// Has each of `clients` fetch, again when the last byte has come, for `time`. Errors if a body is not as long as it should
/// be.
async fn run(fetch: &Fetch, clients: usize, bytes: usize, time: Duration) -> Outcome<Sample> {
    let begun = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..clients {
        asking.spawn(ask(Arc::clone(fetch), bytes, begun + time));
    }
    let mut firsts = Vec::new();
    while let Some(asked) = asking.join_next().await {
        firsts.extend(asked??);
    }
    // The last bodies end a little later.
    let elapsed = begun.elapsed().as_secs_f64();
    firsts.sort_unstable();
    let median = firsts.get(firsts.len() / 2).ok_or("nothing was fetched")?;
    #[expect(clippy::cast_precision_loss, reason = "far from 2^52 bodies")]
    let rate = firsts.len() as f64 / elapsed;
    Ok(Sample {
        rate,
        first: median.as_secs_f64(),
    })
}

/// Has `clients` fetch `bodies` together, and measures nothing.
pub(crate) async fn fetch(fetch: &Fetch, clients: usize, bodies: usize) -> Outcome<()> {
    let mut asking = JoinSet::new();
    for client in 0..clients {
        let fetch = Arc::clone(fetch);
        asking.spawn(async move {
            for _ in (client..bodies).step_by(clients) {
                fetch().await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked??;
    }
    Ok(())
}

async fn ask(fetch: Fetch, bytes: usize, until: Instant) -> Outcome<Vec<Duration>> {
    let mut firsts = Vec::new();
    loop {
        let taken = fetch().await?;
        if taken.bytes != bytes {
            return Err(format!("a body of {} bytes, and not {bytes}", taken.bytes).into());
        }
        firsts.push(taken.first);
        if Instant::now() >= until {
            return Ok(firsts);
        }
    }
}
