//! End-to-end tests: the `embedded` proxy as an operator runs it, in front of origins that behave and origins that do not.
//!
//! `cargo xtask test` builds it in release and names it, an nginx, and a Chromium with its driver, by
//! `TERRACE_TEST_EMBEDDED`, `TERRACE_TEST_NGINX`, `TERRACE_TEST_CHROMIUM` and `TERRACE_TEST_CHROMEDRIVER`.

mod support;

mod a_body_is_fetched_once;
mod a_broken_tier_costs_nothing;
mod a_purge_is_final;
mod a_restart_keeps_what_was_stored;
mod bad_clients;
mod certificates_are_checked;
mod http_semantics;
mod kill_at_any_moment;
mod memory_is_bounded;
mod metrics_are_true;
mod no_secret_is_printed;
mod operators_are_told;
mod protocols_mix;
mod ranges_are_exact;
mod requests_are_explained;
mod requests_are_logged;
mod rules_of_a_file;
mod soak;
mod the_status_page;
mod upstream_groups;
mod upstreams;
mod whom_a_request_comes_from;
