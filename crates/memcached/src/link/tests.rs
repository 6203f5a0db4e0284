use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use terrace_core::OsRandom;
use terrace_testkit::{CurrentRuntime, drop_after};

use super::*;
use crate::protocol::{Code, OnMiss};
use crate::servers::ServerId;
use fake::{Fake, greet};

mod fake;

fn link(fake: &Fake) -> Link {
    let me = ServerId(1);
    Link::new(Plan {
        address: fake.address(),
        membership: Membership::new(me, [me].into(), "test", Duration::from_mins(5)),
        connect_timeout: Duration::from_secs(30),
        response_timeout: Duration::from_secs(30),
        runtime: CurrentRuntime::port(),
        random: Arc::new(OsRandom),
    })
}

fn get(name: &str) -> Command {
    Command::Get {
        name: name.to_owned(),
        on_miss: OnMiss::Nothing,
    }
}

fn store() -> Command {
    Command::Store {
        name: "item".to_owned(),
        value: Bytes::from_static(b"value"),
        ttl: crate::protocol::Ttl::at_least(Duration::from_secs(1)),
        condition: crate::protocol::Condition::Cas(7),
    }
}

/// Answers a read with the item's name.
fn echo(line: &str) -> Option<Vec<u8>> {
    let name = line.split(' ').nth(1)?;
    let number = line.rsplit(' ').next()?;
    Some(format!("VA {} c7 {number}\r\n{name}\r\n", name.len()).into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_takes_nobody_elses_answer() {
    let fake = Fake::start(|line| greet(line).or_else(|| echo(line))).await;
    let link = link(&fake);
    for n in 0..500 {
        let _ = drop_after(n % 4, link.call(get(&format!("dropped{n}")))).await;
        let name = format!("n{n}");
        let reply = link.call(get(&name)).await.unwrap();
        assert_eq!(reply.answer.value, name);
    }
    assert_eq!(fake.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_share_a_connection() {
    let fake = Fake::start(|line| greet(line).or_else(|| echo(line))).await;
    let link = link(&fake);
    let calls = (0..1000).map(|n| {
        let link = &link;
        async move {
            let name = format!("n{n}");
            let reply = link.call(get(&name)).await.unwrap();
            assert_eq!(reply.answer.value, name);
        }
    });
    futures::future::join_all(calls).await;
    assert_eq!(fake.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_ends_the_connection_and_the_next_call_has_another() {
    for hostile in [
        "VA 99999999999 c1\r\n",
        "HD O424242\r\n",
        "STORED\r\n",
        "HD\r\nHD\r\n",
        "ERROR\r\n",
        "END\r\n",
        "\u{0}\u{0}\u{0}\r\n",
    ] {
        let fake = Fake::start(move |line| {
            let is_hostile = line.starts_with("mg bad ");
            let answer = is_hostile.then(|| hostile.as_bytes().to_vec());
            answer.or_else(|| greet(line)).or_else(|| echo(line))
        })
        .await;
        let link = link(&fake);
        // Two answers to one command: the first is an answer.
        let _ = link.call(get("bad")).await;
        let good = loop {
            // The end of the connection may come between.
            if let Ok(reply) = link.call(get("good")).await {
                break reply;
            }
        };
        assert_eq!(good.answer.value, "good", "after {hostile:?}");
        assert_eq!(fake.connections(), 2, "after {hostile:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_cannot_do_is_told_and_the_connection_stays() {
    let fake = Fake::start(|line| {
        let refused = line.starts_with("mg full ");
        let answer = refused.then(|| b"SERVER_ERROR out of memory storing object\r\n".to_vec());
        answer.or_else(|| greet(line)).or_else(|| echo(line))
    })
    .await;
    let link = link(&fake);
    let failure = link.call(get("full")).await.unwrap_err();
    assert!(matches!(failure.cause, Cause::ServerError(_)) && !failure.is_sent);
    assert_eq!(link.call(get("good")).await.unwrap().answer.value, "good");
    assert_eq!(fake.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_cas_value_is_not_sent_on_another_connection() {
    let stores = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&stores);
    let fake = Fake::start(move |line| {
        let is_store = line.starts_with("ms item ");
        counted.fetch_add(is_store.into(), Ordering::AcqRel);
        greet(line).or_else(|| echo(line))
    })
    .await;
    let link = link(&fake);
    let first = link.call(get("item")).await.unwrap();
    fake.cut();
    while fake.connections() < 2 {
        let _ = link.call(get("item")).await;
    }
    link.call(get("item")).await.unwrap();
    let failure = link.call_in(&first.session, store()).await.unwrap_err();
    assert!(matches!(failure.cause, Cause::OtherSession), "{failure:?}");
    assert_eq!(stores.load(Ordering::Acquire), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_and_not_answered_may_have_been_done() {
    // It takes the value, and says nothing.
    let fake = Fake::start(|line| {
        let is_store = line.starts_with("ms item ");
        if is_store { None } else { greet(line) }
    })
    .await;
    let failure = link(&fake).call(store()).await.unwrap_err();
    assert!(matches!(failure.cause, Cause::Broken(_)) && failure.is_sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_owes_an_answer_for_too_long_loses_its_connection() {
    let hangs = AtomicBool::new(false);
    let fake = Fake::start(move |line| {
        // It says nothing any more, until it is connected to anew.
        if line.starts_with("mg hung ") {
            hangs.store(true, Ordering::Release);
        } else if line == "stats settings" {
            hangs.store(false, Ordering::Release);
        }
        let silence = hangs.load(Ordering::Acquire).then(Vec::new);
        silence.or_else(|| greet(line)).or_else(|| echo(line))
    })
    .await;
    let mut link = link(&fake);
    Arc::get_mut(&mut link.plan).unwrap().response_timeout = Duration::from_millis(300);
    // Those who call leave long before they would notice.
    let _ = drop_after(2, link.call(get("hung"))).await;
    let again = async {
        while fake.connections() < 2 {
            let _ = drop_after(2, link.call(get("hung"))).await;
            tokio::task::yield_now().await;
        }
    };
    let again = tokio::time::timeout(Duration::from_mins(1), again).await;
    again.expect("it is connected to again");
    let answer = loop {
        if let Ok(reply) = link.call(get("good")).await {
            break reply.answer;
        }
    };
    assert_eq!(
        (answer.code, &answer.value[..]),
        (Code::Value, &b"good"[..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_fit_is_refused_with_the_reason() {
    for (setting, advice) in [("cas_enabled no", "-C"), ("item_size_max 65536", "-I")] {
        let fake = Fake::start(move |line| {
            let answer = format!("STAT {setting}\r\nEND\r\n").into_bytes();
            (line == "stats settings")
                .then_some(answer)
                .or_else(|| greet(line))
        })
        .await;
        let failure = link(&fake).call(get("n")).await.unwrap_err();
        let said = failure.cause.to_string();
        assert!(said.contains(advice) && !failure.is_sent, "{said}");
    }
}
