//! An explanation for people.

use std::fmt::{self, Write as _};

use super::view::{Explanation, Object, Slot, TierView};

pub(super) fn of(explanation: &Explanation) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut out, explanation);
    out
}

fn write(out: &mut String, it: &Explanation) -> fmt::Result {
    writeln!(out, "{}\nnow {}", printable(&it.url), it.now)?;
    if !it.rule.is_empty() {
        writeln!(out, "rule {}", printable(&it.rule))?;
    }
    if let Some(reason) = it.passes_by {
        writeln!(out, "passes by the cache: {reason}")?;
    }
    writeln!(out)?;
    match &it.last {
        None => writeln!(out, "last answer: not remembered")?,
        Some(last) => {
            writeln!(
                out,
                "last answer: {} ({}, {})",
                last.outcome, last.at, last.slot
            )?;
            writeln!(out, "  why: {}", last.why)?;
            if let Some(status) = &last.cache_status {
                writeln!(out, "  Cache-Status: {status}")?;
            }
            let (status, bytes, seconds) = (last.status, last.bytes, last.seconds);
            writeln!(out, "  status {status}, {bytes} bytes, {seconds:.6} s")?;
        }
    }
    it.slots.iter().try_for_each(|slot| write_slot(out, slot))
}

fn write_slot(out: &mut String, slot: &Slot) -> fmt::Result {
    writeln!(out, "\n{} slot {}", slot.name, slot.key)?;
    if let Some(body) = &slot.in_progress {
        let (state, generation) = (body.state, &body.generation);
        write!(
            out,
            "  in progress: {state}, generation {generation}, {}",
            body.received_bytes
        )?;
        match body.length {
            Some(length) => writeln!(out, " of {length} bytes")?,
            None => writeln!(out, " bytes so far")?,
        }
    }
    slot.tiers.iter().try_for_each(|tier| write_tier(out, tier))
}

fn write_tier(out: &mut String, tier: &TierView) -> fmt::Result {
    write!(out, "  {}: {}", tier.level, tier.state)?;
    if tier.breaker != "closed" {
        write!(out, " (breaker {})", tier.breaker)?;
    }
    if let Some(error) = &tier.error {
        write!(out, ": {}", printable(error))?;
    }
    writeln!(out)?;
    match &tier.object {
        Some(object) => write_object(out, object),
        None => Ok(()),
    }
}

fn write_object(out: &mut String, object: &Object) -> fmt::Result {
    let mut line = |name: &str, value: &str| writeln!(out, "    {name:15}{}", printable(value));
    line("generation", &object.generation)?;
    if let Some(length) = object.length {
        line("length", &format!("{length} bytes"))?;
    }
    line("stored", &object.stored_at)?;
    line(
        "fresh until",
        &format!("{} (ttl {} s)", object.fresh_until, object.ttl),
    )?;
    if let Some(at) = &object.soft_purged_at {
        line("soft purged", at)?;
    }
    line("stale until", &object.stale_until)?;
    if !object.tags.is_empty() {
        line("tags", &object.tags.join(" "))?;
    }
    let Some(response) = &object.response else {
        return line("response", "cannot be read: to requests, this is a miss");
    };
    line("status", &response.status.to_string())?;
    let windows = format!(
        "while revalidating {} s, if the origin fails {} s",
        response.stale_while_revalidate_seconds, response.stale_if_error_seconds
    );
    line("served stale", &windows)?;
    for (name, value) in [
        ("etag", &response.etag),
        ("modified", &response.last_modified),
        ("cache-control", &response.cache_control),
        ("vary", &response.vary),
        ("type", &response.content_type),
    ] {
        if let Some(value) = value {
            line(name, value)?;
        }
    }
    Ok(())
}

/// Without what would move the cursor of a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|it| if it.is_control() { '\u{FFFD}' } else { it })
        .collect()
}
