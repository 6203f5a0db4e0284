//! Every call of a fill fails, loses its answer, or hangs until the fill is dropped.

use std::time::Duration;

use terrace_core::{Applied, Committed, Key, Result, Target, Tier};
use terrace_testkit::sample::{Object, key, variant};

use crate::testing::{Fault, MINUTE, World, fill, now};

/// A fill to be troubled, and what is there before.
struct Case {
    name: &'static str,
    key: Key,
    len: usize,
    pace: Duration,
    before: fn(&World),
    /// Whether `before` stores the old object under this key.
    replaces: bool,
}

const SMALL: usize = 300;
const LARGE: usize = 40_000;

fn nothing(_: &World) {}

fn an_object(world: &World) {
    world.store(&key(1), &old());
}

fn a_variant(world: &World) {
    world.store(&key(1), &Object::new(10, 7));
    world.store(&variant(key(1), 1), &old());
}

fn old() -> Object {
    Object::new(LARGE + 1, 77)
}

fn cases() -> Vec<Case> {
    let case = |name, key, len, pace, before| Case {
        name,
        key,
        len,
        pace,
        before,
        replaces: name.contains("replacement"),
    };
    let (fast, slow) = (Duration::ZERO, 16 * MINUTE);
    let other = variant(key(1), 1);
    vec![
        case("inline", key(1), SMALL, fast, nothing),
        case("blob", key(1), LARGE, fast, nothing),
        case("replacement", key(1), LARGE, fast, an_object),
        case("first variant, inline", other, SMALL, fast, nothing),
        case("first variant", other, LARGE, fast, nothing),
        case("variant beside a primary", other, LARGE, fast, an_object),
        case("variant's replacement", other, LARGE, fast, a_variant),
        case("slow", key(1), LARGE, slow, nothing),
        case("slow replacement", key(1), LARGE, slow, an_object),
        case("slow first variant", other, LARGE, slow, nothing),
        case("slow variant's replacement", other, LARGE, slow, a_variant),
    ]
}

/// How each fault ends a fill that meets it: `None` if it hangs.
type Ending = Option<Result<Committed>>;

fn check(case: &Case, at: &str, world: &World, new: &Object, ending: &Ending) {
    let hit = world.hit(&case.key);
    let is_new = hit
        .as_ref()
        .is_some_and(|hit| hit.generation == new.generation());
    if is_new {
        world.assert_holds(&case.key, new);
    } else if hit.is_some() {
        world.assert_holds(&case.key, &old());
    }
    match ending {
        Some(Ok(Committed::Published)) => assert!(is_new, "{at}: published, and not there"),
        Some(Ok(Committed::Fenced)) => assert!(!is_new, "{at}: fenced, and visible"),
        Some(Err(error)) if error.applied() == Applied::No => {
            assert!(!is_new, "{at}: without effect, and visible: {error}");
        }
        Some(Err(_)) | None => {}
    }
    assert!(
        hit.is_some() || !case.replaces,
        "{at}: the old object is lost"
    );
}

/// Runs every case with the fault at its first call, its second, and so on. Returns how often each way of ending
/// was seen: published, fenced, an error, a hang.
fn trouble(make: fn() -> Fault, is_candidate: fn(&str) -> bool) -> [usize; 4] {
    let mut endings = [0; 4];
    for case in cases() {
        for n in 0.. {
            let world = World::new();
            (case.before)(&world);
            let fence = world.fence(&case.key);
            let new = Object::new(case.len, 5);
            world.script().at(n, make());
            let ending = fill(&world, &case.key, &new, fence, case.pace);
            let calls = world.script().calls();
            let Some(op) = calls.get(n) else {
                assert!(n > 0, "{}: no calls", case.name);
                break;
            };
            if !is_candidate(op) {
                continue;
            }
            let at = format!("{}, call {n} of {calls:?}", case.name);
            assert!(world.script().is_over(), "{at}");
            endings[match &ending {
                Some(Ok(Committed::Published)) => 0,
                Some(Ok(Committed::Fenced)) => 1,
                Some(Err(_)) => 2,
                None => 3,
            }] += 1;
            check(&case, &at, &world, &new, &ending);
            world.assert_named_blobs_are_there();
            world.stores.deliver();
            world.assert_named_blobs_are_there();
            world.assert_no_orphans_stay();
            let next = Object::new(case.len, 6);
            world.store(&case.key, &next);
            world.assert_holds(&case.key, &next);
        }
    }
    endings
}

fn any(_: &str) -> bool {
    true
}

fn is_index_write(op: &str) -> bool {
    ["index.put_new", "index.cas_update"].contains(&op)
}

#[test]
fn p1_p5_a_refused_call_leaves_nothing_half_done() {
    let [published, fenced, errors, hangs] = trouble(|| Fault::Refused, any);
    assert!(errors > 50, "{errors} errors");
    // A touch, a deletion of what is fenced: these may fail without being told.
    assert_eq!((published > 0, fenced, hangs), (true, 0, 0));
}

#[test]
fn p1_p5_a_lost_call_leaves_nothing_half_done() {
    let [_, _, errors, hangs] = trouble(|| Fault::LostCall, any);
    assert!(errors > 50, "{errors} errors");
    assert_eq!(hangs, 0);
}

#[test]
fn p4_a_lost_answer_of_the_index_is_found_by_reading_back() {
    let [published, fenced, errors, hangs] = trouble(|| Fault::LostAnswer, is_index_write);
    assert!(published > 10, "{published} published");
    assert_eq!((fenced, errors, hangs), (0, 0, 0));
}

#[test]
fn p4_a_call_the_stores_client_repeats_does_not_fence_itself() {
    let [published, fenced, errors, hangs] = trouble(|| Fault::Repeated, is_index_write);
    assert!(published > 10, "{published} published");
    assert_eq!((fenced, errors, hangs), (0, 0, 0));
}

#[test]
fn p1_p5_a_lost_answer_leaves_nothing_half_done() {
    let [_, _, errors, hangs] = trouble(|| Fault::LostAnswer, any);
    assert!(errors > 30, "{errors} errors");
    assert_eq!(hangs, 0);
}

#[test]
fn p1_a_write_that_arrives_late_never_names_a_missing_blob() {
    let [published, fenced, errors, hangs] = trouble(|| Fault::Late, is_index_write);
    assert!(errors > 10, "{errors} errors");
    assert_eq!((published, fenced, hangs), (0, 0, 0));
}

#[test]
fn p5_a_fill_dropped_before_any_call_leaves_nothing_half_done() {
    let [.., errors, hangs] = trouble(|| Fault::HangsBefore, any);
    assert!(hangs > 50, "{hangs} hangs");
    assert_eq!(errors, 0);
}

#[test]
fn p5_a_fill_dropped_after_any_call_leaves_nothing_half_done() {
    let [.., errors, hangs] = trouble(|| Fault::HangsAfter, any);
    assert!(hangs > 50, "{hangs} hangs");
    assert_eq!(errors, 0);
}

#[test]
fn p5_a_fill_dropped_between_two_calls_leaves_nothing() {
    for case in cases() {
        for writes in 0..3 {
            let world = World::new();
            (case.before)(&world);
            let new = Object::new(case.len, 5);
            let fence = world.fence(&case.key);
            let mut fill = now(world.tier.admit(&case.key, new.entry.clone(), fence)).unwrap();
            for piece in crate::testing::pieces(&new.body).take(writes) {
                world.clock.advance(case.pace);
                now(fill.write(piece)).unwrap();
            }
            drop(fill);
            assert_ne!(
                world.hit(&case.key).map(|hit| hit.generation),
                Some(new.generation())
            );
            world.assert_no_orphans_stay();
        }
    }
}

#[test]
fn a_fill_whose_write_failed_cannot_be_committed() {
    for fault in [|| Fault::Refused, || Fault::HangsAfter] {
        let world = World::new();
        let new = Object::new(LARGE, 5);
        let fence = world.fence(&key(1));
        let mut fill = now(world.tier.admit(&key(1), new.entry.clone(), fence)).unwrap();
        world.script().at(1, fault());
        let written = futures::FutureExt::now_or_never(fill.write(new.body.clone()));
        assert!(!matches!(written, Some(Ok(()))));
        assert!(now(fill.write(new.body.clone())).is_err());
        now(fill.commit(new.commit())).unwrap_err();
        assert!(world.hit(&key(1)).is_none());
        world.assert_no_orphans_stay();
    }
}

#[test]
fn a_lost_answer_does_not_hide_a_purge_of_the_group() {
    let world = World::new();
    a_variant(&world);
    let (one, new) = (variant(key(1), 1), Object::new(SMALL, 5));
    let fence = world.fence(&one);
    world.script().at(0, Fault::LostAnswer);
    let other = world.clone();
    let purge = move || {
        let target = Target::AllVariants(key(1).primary());
        now(other.witness.purge(&target)).unwrap();
    };
    world.script().also_at(1, Fault::Overtaken(Box::new(purge)));
    let ending = fill(&world, &one, &new, fence, Duration::ZERO);
    assert_eq!(ending.unwrap().unwrap(), Committed::Fenced);
    assert_eq!(
        world.script().calls()[..2],
        ["index.cas_update", "index.get"]
    );
    assert!(world.script().is_over() && world.hit(&one).is_none());
}

#[test]
fn purges_and_updates_survive_lost_answers() {
    type Act = fn(&World) -> Result<bool>;
    let acts: [(&str, Act); 3] = [
        ("purge", |world| {
            let outcome = now(world.tier.purge(&Target::Key(key(1))))?;
            Ok(outcome.generation() == Some(old().generation()))
        }),
        ("expire", |world| {
            let at = terrace_testkit::sample::LONG_AGO;
            let outcome = now(world.tier.expire(&Target::Key(key(1)), at))?;
            Ok(outcome.generation() == Some(old().generation()))
        }),
        ("update_meta", |world| {
            let meta = terrace_testkit::sample::meta(9);
            now(world.tier.update_meta(&key(1), old().generation(), meta))
        }),
    ];
    for (name, act) in acts {
        let faults = [
            || Fault::LostAnswer,
            || Fault::LostCall,
            || Fault::Late,
            || Fault::Repeated,
        ];
        for fault in faults {
            let world = World::new();
            an_object(&world);
            world.script().at(1, fault());
            assert!(act(&world).unwrap(), "{name}");
            world.stores.deliver();
            match name {
                "purge" => assert!(world.hit(&key(1)).is_none()),
                "expire" => assert!(world.hit(&key(1)).unwrap().expired_at.is_some()),
                _ => assert_eq!(
                    world.hit(&key(1)).unwrap().meta,
                    terrace_testkit::sample::meta(9)
                ),
            }
        }
    }
}

#[test]
fn a_purge_that_cannot_be_confirmed_says_so() {
    let world = World::new();
    an_object(&world);
    world.script().at(1, Fault::LostAnswer);
    world.script().also_at(2, Fault::Refused);
    let error = now(world.tier.purge(&Target::Key(key(1)))).unwrap_err();
    assert_eq!(error.applied(), Applied::Unknown);
}
