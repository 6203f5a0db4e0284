use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;
use terrace_core::{Clock, Random, Runtime};
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc, oneshot, watch};

use super::*;

/// An actor of `segments` segments that writes its name down in each.
async fn writes(explorer: Explorer, log: Arc<Mutex<String>>, name: char, segments: usize) {
    for segment in 0..segments {
        if segment > 0 {
            explorer.step("write").await;
        }
        log.lock().push(name);
    }
}

/// All orders in which actors with these numbers of segments write, and the report.
fn orders(limits: &Limits, segments: &[usize]) -> (BTreeSet<String>, Report) {
    let orders = Arc::new(Mutex::new(BTreeSet::new()));
    let report = explore(limits, |explorer| {
        let log = Arc::new(Mutex::new(String::new()));
        let mut scenario = Scenario::new();
        for (name, &segments) in ('a'..).zip(segments) {
            let writes = writes(explorer.clone(), log.clone(), name, segments);
            scenario = scenario.actor("writer", writes);
        }
        let orders = orders.clone();
        scenario.check(async move {
            let log = log.lock().clone();
            let new = orders.lock().insert(log.clone());
            new.then_some(()).ok_or(format!("{log} came twice"))
        })
    });
    let orders = orders.lock().clone();
    (orders, report)
}

#[test]
fn every_interleaving_is_run_exactly_once() {
    // (n₁ + n₂ + …)! / (n₁! · n₂! · …)
    for (segments, expected) in [
        (&[2, 2][..], 6),
        (&[3, 3], 20),
        (&[1, 5], 6),
        (&[2, 2, 2], 90),
        (&[4], 1),
        (&[], 1),
    ] {
        let (orders, report) = orders(&Limits::default(), segments);
        report.assert_holds();
        assert_eq!((orders.len(), report.schedules), (expected, expected));
    }
}

#[test]
fn preemptions_are_bounded() {
    for (bound, expected) in [
        (0, &["aabb", "bbaa"][..]),
        (1, &["aabb", "abba", "baab", "bbaa"]),
        (2, &["aabb", "abab", "abba", "baab", "baba", "bbaa"]),
    ] {
        let (orders, report) = orders(&Limits::preemptions(bound), &[2, 2]);
        report.assert_holds();
        let expected: BTreeSet<_> = expected.iter().map(ToString::to_string).collect();
        assert_eq!(orders, expected, "at most {bound} preemptions");
    }
}

#[test]
fn a_bounded_exploration_says_that_it_is_not_exhaustive() {
    let limits = Limits {
        max_schedules: 5,
        ..Limits::default()
    };
    let (_, report) = orders(&limits, &[2, 2]);
    assert!(report.failure.is_none());
    assert_eq!((report.schedules, report.exhaustive), (5, false));
    assert!(std::panic::catch_unwind(|| report.assert_holds()).is_err());
}

#[test]
fn finds_a_lost_update_and_shows_the_way_there() {
    let report = explore(&Limits::default(), |explorer| {
        let counter = Arc::new(AtomicUsize::new(0));
        let increment = || {
            let (counter, explorer) = (counter.clone(), explorer.clone());
            async move {
                explorer.step("load").await;
                let seen = counter.load(SeqCst);
                explorer.step("store").await;
                counter.store(seen + 1, SeqCst);
            }
        };
        Scenario::new()
            .actor("one", increment())
            .actor("two", increment())
            .check(async move {
                match counter.load(SeqCst) {
                    2 => Ok(()),
                    other => Err(format!("counted {other}")),
                }
            })
    });
    let failure = report.assert_fails();
    assert_eq!(failure.reason, Reason::Check("counted 1".into()));
    let expected = [
        "one",
        "one, load",
        "two",
        "two, load",
        "two, store, ends",
        "one, store, ends",
        "check, ends",
    ];
    assert_eq!(failure.schedule, expected);
}

#[test]
fn finds_a_deadlock_that_needs_one_order() {
    let report = explore(&Limits::default(), |explorer| {
        let locks = [(); 2].map(|()| Arc::new(AsyncMutex::new(())));
        let takes = |first: usize, second: usize| {
            let (first, second) = (locks[first].clone(), locks[second].clone());
            let explorer = explorer.clone();
            async move {
                let _first = first.lock().await;
                explorer.step("the second lock").await;
                let _second = second.lock().await;
            }
        };
        Scenario::new()
            .actor("one", takes(0, 1))
            .actor("two", takes(1, 0))
    });
    assert!(report.schedules > 1, "the first schedule does not deadlock");
    let stuck = vec!["one".into(), "two".into()];
    assert_eq!(report.assert_fails().reason, Reason::Deadlock(stuck));
}

#[test]
fn who_waits_for_a_channel_runs_when_it_is_woken() {
    let report = explore(&Limits::default(), |explorer| {
        let (items, mut received) = mpsc::channel(1);
        let (sum, total) = oneshot::channel();
        let (state, mut observed) = watch::channel(0);
        let ready = Arc::new(Notify::new());
        let (wakes, producer) = (ready.clone(), explorer.clone());
        Scenario::new()
            .actor("consumer", async move {
                ready.notified().await;
                let mut all = 0;
                while let Some(item) = received.recv().await {
                    all += item;
                }
                sum.send(all).unwrap();
            })
            .actor("producer", async move {
                wakes.notify_one();
                for item in [1, 2, 3] {
                    producer.step("send").await;
                    items.send(item).await.unwrap();
                    state.send(item).unwrap();
                }
            })
            .check(async move {
                observed.wait_for(|&state| state == 3).await.unwrap();
                match total.await {
                    Ok(6) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            })
    });
    report.assert_holds();
    assert!(report.schedules > 3, "{report}");
}

#[test]
fn spawned_tasks_are_interleaved_and_need_not_end() {
    let outcomes = Arc::new(Mutex::new(BTreeSet::new()));
    let kept = Arc::new(());
    let report = explore(&Limits::default(), |explorer| {
        let log = Arc::new(Mutex::new(String::new()));
        let (spawner, outcomes) = (explorer.clone(), outcomes.clone());
        let (written, checker, kept) = (log.clone(), explorer.clone(), kept.clone());
        Scenario::new()
            .actor("spawner", async move {
                let worker = (spawner.clone(), kept.clone(), Notify::new());
                spawner.spawn(Box::pin(async move { worker.2.notified().await }));
                spawner.spawn(Box::pin(writes(spawner.clone(), log.clone(), 't', 1)));
                spawner.step("write").await;
                log.lock().push('a');
            })
            .check(async move {
                outcomes.lock().insert(written.lock().clone());
                match checker.tasks() {
                    1 => Ok(()),
                    other => Err(format!("{other} tasks are left")),
                }
            })
    });
    report.assert_holds();
    assert_eq!(*outcomes.lock(), ["at", "ta"].map(String::from).into());
    assert_eq!(Arc::strong_count(&kept), 1, "the idle worker was dropped");
}

#[test]
fn deadlines_pass_in_order_and_only_when_nobody_can_run() {
    let report = explore(&Limits::default(), |explorer| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let start = explorer.now();
        let sleeps = |seconds: u64| {
            let (explorer, order) = (explorer.clone(), order.clone());
            async move {
                explorer.sleep(Duration::from_secs(seconds)).await;
                order.lock().push(explorer.now().since(start).as_secs());
            }
        };
        let (busy, seen) = (explorer.clone(), order.clone());
        Scenario::new()
            .actor("late", sleeps(9))
            .actor("early", sleeps(5))
            .actor("busy", async move {
                busy.step("works").await;
                assert!(seen.lock().is_empty(), "time passed while somebody worked");
            })
            .check(async move {
                let order = order.lock().clone();
                (order == [5, 9]).then_some(()).ok_or(format!("{order:?}"))
            })
    });
    report.assert_holds();
}

#[test]
fn a_dropped_deadline_does_not_pass() {
    let report = explore(&Limits::default(), |explorer| {
        let start = explorer.now();
        let explorer = explorer.clone();
        Scenario::new().actor("works", async move {
            tokio::select! {
                biased;
                () = explorer.step("work") => {}
                () = explorer.sleep(Duration::from_secs(1)) => panic!("a timeout"),
            }
            explorer.sleep(Duration::from_secs(7)).await;
            assert_eq!(explorer.now().since(start), Duration::from_secs(7));
        })
    });
    report.assert_holds();
}

#[test]
fn panics_and_endless_runs_are_failures() {
    let report = explore(&Limits::default(), |_| {
        Scenario::new().actor("panics", async { panic!("it broke: {}", 7) })
    });
    let reason = &report.assert_fails().reason;
    assert_eq!(*reason, Reason::Panic("it broke: 7".into()));

    let limits = Limits {
        max_steps: 50,
        ..Limits::default()
    };
    let report = explore(&limits, |explorer| {
        let explorer = explorer.clone();
        Scenario::new().actor("turns", async move {
            loop {
                explorer.step("turn").await;
            }
        })
    });
    assert_eq!(report.assert_fails().reason, Reason::Endless(50));
}

#[test]
fn a_scenario_that_tosses_coins_of_its_own_is_found_out() {
    let tosses = AtomicUsize::new(0);
    let report = explore(&Limits::default(), |explorer| {
        let log = Arc::new(Mutex::new(String::new()));
        let segments = 2 + tosses.fetch_add(1, SeqCst) % 2;
        Scenario::new()
            .actor("a", writes(explorer.clone(), log.clone(), 'a', segments))
            .actor("b", writes(explorer.clone(), log.clone(), 'b', segments))
            .actor("c", writes(explorer.clone(), log, 'c', segments))
    });
    assert_eq!(report.assert_fails().reason, Reason::NotDeterministic);
}

#[test]
fn randomness_repeats_in_every_run() {
    let drawn = Mutex::new(BTreeSet::new());
    let report = explore(&Limits::default(), |explorer| {
        drawn.lock().insert(explorer.next_u64());
        let log = Arc::new(Mutex::new(String::new()));
        Scenario::new()
            .actor("a", writes(explorer.clone(), log.clone(), 'a', 2))
            .actor("b", writes(explorer.clone(), log, 'b', 2))
    });
    report.assert_holds();
    assert_eq!(drawn.lock().len(), 1);
}
