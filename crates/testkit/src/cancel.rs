use std::pin::{Pin, pin};
use std::task::{Context, Poll};

/// The most polls that a trial tries one after the other. Whatever a call does, it does most of it by then.
pub(crate) const MAX_POLLS: usize = 24;

/// Polls `future` at most `polls` times, whenever it is woken, then drops it where it stands: a client
/// that leaves, a deadline that passes. `None` if it was dropped.
///
/// A test that wants to see a future dropped at each of its awaits counts `polls` up from zero until the answer
/// is `Some`.
pub async fn drop_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let future = pin!(future);
    DropAfter {
        future,
        left: polls,
    }
    .await
}

struct DropAfter<'a, F> {
    future: Pin<&'a mut F>,
    left: usize,
}

impl<F: Future> Future for DropAfter<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        match self.future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // The last poll allowed: nobody waits for the next one.
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn three_steps(done: &Cell<usize>) {
        for step in 1..=3 {
            tokio::task::yield_now().await;
            done.set(step);
        }
    }

    #[tokio::test]
    async fn a_future_gets_as_far_as_its_polls() {
        for (polls, steps, ends) in [(0, 0, false), (1, 0, false), (2, 1, false), (4, 3, true)] {
            let done = Cell::new(0);
            let ended = drop_after(polls, three_steps(&done)).await;
            assert_eq!(
                (done.get(), ended.is_some()),
                (steps, ends),
                "{polls} polls"
            );
        }
    }
}
