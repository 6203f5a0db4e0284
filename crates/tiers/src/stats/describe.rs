use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Says what the engine's metrics are, for the `HELP` lines of an exporter. Costs nothing when repeated.
pub(crate) fn describe() {
    counters();
    gauges();
    describe_histogram!(
        "terrace_tier_operation_duration_seconds",
        Unit::Seconds,
        "How long one call of a tier took; of lookups in memory, one in 256 is timed"
    );
}

fn counters() {
    describe_counter!("terrace_tier_lookups_total", "Lookups of a tier");
    describe_counter!(
        "terrace_tier_errors_total",
        "Calls of a tier that failed, hung, or found damage"
    );
    describe_counter!(
        "terrace_tier_rejected_total",
        "Calls that were not made because the breaker was open"
    );
    describe_counter!("terrace_tier_breaker_trips_total", "Times a breaker opened");
    describe_counter!(
        "terrace_tier_served_bytes_total",
        Unit::Bytes,
        "Body bytes a tier delivered"
    );
    describe_counter!(
        "terrace_tier_stored_bytes_total",
        Unit::Bytes,
        "Body bytes a tier took and committed"
    );
    describe_counter!(
        "terrace_tier_failovers_total",
        "Bodies that a tier could not go on with"
    );
    describe_counter!(
        "terrace_tier_evictions_total",
        "Objects that had to make room for others"
    );
    describe_counter!(
        "terrace_fill_lanes_started_total",
        "Ways of an origin's body into a tier that began"
    );
    describe_counter!(
        "terrace_fill_lanes_total",
        "Ways of an origin's body into a tier that ended"
    );
    describe_counter!(
        "terrace_promotion_lanes_started_total",
        "Copies to a tier above that began"
    );
    describe_counter!(
        "terrace_promotion_lanes_total",
        "Copies to a tier above that ended"
    );
    describe_counter!(
        "terrace_admissions_total",
        "Decisions whether to store a response below L0"
    );
    describe_counter!(
        "terrace_rescues_total",
        "Bodies continued from another source than a tier"
    );
}

fn gauges() {
    describe_gauge!(
        "terrace_tier_breaker_state",
        "1 for the state a tier's breaker is in, 0 for the others"
    );
    describe_gauge!("terrace_tier_objects", "Objects a tier holds");
    describe_gauge!(
        "terrace_tier_size_bytes",
        Unit::Bytes,
        "Bytes of the objects a tier holds"
    );
    describe_gauge!(
        "terrace_tier_capacity_bytes",
        Unit::Bytes,
        "The most bytes a tier holds"
    );
    describe_gauge!(
        "terrace_in_progress_bodies",
        "Bodies on their way from the origin"
    );
    describe_gauge!(
        "terrace_in_progress_memory_bytes",
        Unit::Bytes,
        "Memory that bodies in progress and promotions have"
    );
    describe_gauge!(
        "terrace_in_progress_memory_limit_bytes",
        Unit::Bytes,
        "The most memory that bodies in progress and promotions may have together"
    );
}
