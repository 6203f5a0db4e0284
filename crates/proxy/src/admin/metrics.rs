use http::StatusCode;

use super::{Admin, Answer};

/// What is counted, in the Prometheus text format.
pub(super) fn answer(admin: &Admin) -> Answer {
    if let Some(stack) = admin.storage.stack() {
        stack.show();
    }
    Answer::new(
        StatusCode::OK,
        "text/plain; version=0.0.4",
        (admin.metrics)(),
    )
}
