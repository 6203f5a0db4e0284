use std::fmt::Write as _;

use http::StatusCode;
use terrace_tiers::{BreakerState, Stack, TierHealth};

use super::{Admin, Answer};

/// Whether the tiers are there, and which of them are left alone.
pub(super) fn answer(admin: &Admin) -> Answer {
    let (status, body) = health(admin.storage.stack().map(Stack::health));
    Answer::json(status, body)
}

fn health(tiers: Option<Vec<TierHealth>>) -> (StatusCode, String) {
    let Some(tiers) = tiers else {
        let body = "{\"status\":\"starting\",\"tiers\":[]}\n".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, body);
    };
    let all_well = tiers
        .iter()
        .all(|tier| tier.breaker == BreakerState::Closed);
    let status = if all_well { "ok" } else { "degraded" };
    let mut body = format!("{{\"status\":\"{status}\",\"tiers\":[");
    for (index, tier) in tiers.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            "{comma}{{\"level\":\"{}\",\"breaker\":\"{}\"}}",
            tier.level,
            tier.breaker.as_str()
        );
    }
    body.push_str("]}\n");
    (StatusCode::OK, body)
}

#[cfg(test)]
mod tests {
    use terrace_core::Level;

    use super::*;

    #[test]
    fn health_tells_what_each_tier_does() {
        let tiers = |breaker| {
            let healthy = TierHealth {
                level: Level::L0,
                breaker: BreakerState::Closed,
            };
            let other = TierHealth {
                level: Level::L3,
                breaker,
            };
            Some(vec![healthy, other])
        };
        assert_eq!(health(None).0, StatusCode::SERVICE_UNAVAILABLE);
        let (status, body) = health(tiers(BreakerState::Closed));
        assert_eq!(status, StatusCode::OK);
        let expected = concat!(
            "{\"status\":\"ok\",\"tiers\":[{\"level\":\"L0\",\"breaker\":\"closed\"},",
            "{\"level\":\"L3\",\"breaker\":\"closed\"}]}\n"
        );
        assert_eq!(body, expected);
        let (status, body) = health(tiers(BreakerState::Open));
        assert_eq!(status, StatusCode::OK);
        assert!(
            body.contains("degraded") && body.contains("\"open\""),
            "{body}"
        );
    }
}
