use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Long enough to be of no interest, unless it is what is tested.
const GUARD: Duration = Duration::from_millis(100);

fn message(outcome: Outcome) -> String {
    let failed = outcome.expect_err("it fails");
    failed.message().unwrap_or_default().to_owned()
}

#[test]
fn a_trial_that_waits_for_ever_fails() {
    let hangs = run_guarded(GUARD, std::future::pending());
    assert!(message(hangs).contains("hangs"));
}

#[test]
fn a_trial_that_blocks_its_thread_for_ever_fails() {
    let blocks = run_guarded(GUARD, async {
        loop {
            std::thread::park();
        }
    });
    assert!(message(blocks).contains("hangs"));
}

#[test]
fn a_trial_that_panics_fails_with_its_message() {
    let panics = run_guarded(HANG_GUARD, async { panic!("this is {}", "why") });
    assert!(message(panics).contains("this is why"));
}

#[test]
fn a_failed_check_says_what_should_have_been() {
    let fails = run_guarded(HANG_GUARD, async {
        check_eq!(1 + 1, 3, "the sum of {} and {}", 1, 1);
        Ok(())
    });
    let message = message(fails);
    assert!(
        message.contains("the sum of 1 and 1: expected 3, got 2"),
        "{message}"
    );
    assert!(message.contains("tests.rs"), "and where: {message}");
}

/// Notes when it is dropped.
struct Noted(Arc<AtomicUsize>, usize);

impl Drop for Noted {
    fn drop(&mut self) {
        let Self(drops, before) = self;
        assert_eq!(drops.fetch_add(1, Ordering::SeqCst), *before);
    }
}

#[test]
fn what_is_kept_outlives_the_store() {
    let drops = Arc::new(AtomicUsize::new(0));
    let make = {
        let drops = Arc::clone(&drops);
        move || {
            let noted = |before| Noted(Arc::clone(&drops), before);
            let fixture = Fixture::new(noted(0)).keeping(noted(2)).keeping(noted(1));
            std::future::ready(fixture)
        }
    };
    let outcome = run_case(|_store| Box::pin(async { Ok(()) }), make, |store| store);
    assert!(outcome.is_ok());
    assert_eq!(drops.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn tasks_together_answer_in_their_order_and_fail_as_one() {
    let answers = together((0..50).map(|n| async move { Ok(n) })).await;
    assert_eq!(answers.ok(), Some((0..50).collect::<Vec<_>>()));
    let failing = together((0..3).map(|n| async move {
        check!(n != 1, "one of them fails");
        Ok(())
    }));
    let message = failing
        .await
        .expect_err("one failed")
        .message()
        .map(str::to_owned);
    assert!(message.is_some_and(|message| message.contains("one of them")));
}
