use std::time::Duration;

use tokio::time::Instant;

use super::scene::Scene;
use crate::support::{Gate, eventually, splitmix};

/// Hits, misses, passes, a body that many wait for, and a URL that nobody means well.
pub(super) async fn busy(scene: &Scene, gate: &Gate, hostile: &str) {
    for round in 0..12 {
        for object in 0..12 {
            // Some are asked for more often than others.
            for _ in 0..=(12 - object) / 4 {
                scene.get(&format!("/popular/{object}")).await;
            }
        }
        for _ in 0..3 {
            scene.get(hostile).await;
        }
        scene.get(&format!("/private/{round}")).await;
        for number in 0..4 {
            scene
                .get(&format!("/once/{round}/{number}?session=4711"))
                .await;
        }
    }
    let many = (0..8).map(|_| scene.get("/held/by-the-origin"));
    let opened = async {
        let waits = async || scene.origin.count("/held/by-the-origin") == 1;
        eventually("the origin is asked", waits).await;
        eventually("all wait", async || scene.status().await["in_flight"] == 8).await;
        gate.open();
    };
    tokio::join!(futures::future::join_all(many), opened);
}

/// Traffic that comes and goes, so that there is something to be seen on the pictures.
pub(super) async fn two_minutes(scene: &Scene) {
    let begun = Instant::now();
    for round in 0_u64.. {
        let second = begun.elapsed().as_secs();
        if second >= 120 {
            break;
        }
        // More, and fewer new ones, as time goes by; another round of new ones after a minute.
        let new = if second % 70 < 12 { 3 } else { 7 + second % 9 };
        let path = match round % new {
            0 => format!("/articles/{round}"),
            1 if round % 5 == 0 => format!("/private/{round}"),
            _ => format!(
                "/popular/{}",
                splitmix(round) % 12 * (splitmix(round + 1) % 12) / 11
            ),
        };
        scene.get(&path).await;
        tokio::time::sleep(Duration::from_millis(2 + (second * 7) % 11)).await;
    }
}
