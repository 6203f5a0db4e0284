use std::fs::{self, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rustix::process::Signal;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::Instant;

use super::pass;
use super::world::{BREAKING_OFF, FAILING, SLOW, WELL, World};
use crate::support::splitmix;

/// What can be broken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    /// The index is locked by another process.
    Locked,
    /// Bodies vanish, are cut, are changed.
    Rot,
    /// The folder of all bodies is gone for a while.
    Unmounted,
    /// The origin takes its time, refuses, breaks off.
    Origin(u64),
    /// The origin refuses, so that what is stale is served, just when bodies vanish, are cut, are changed.
    RotUnderStale,
    /// SIGTERM, and a start.
    Restart,
    /// SIGKILL, and a start.
    Kill,
}

pub(super) const WITHOUT_RESTARTS: &[Fault] = &[
    Fault::Locked,
    Fault::Origin(SLOW),
    Fault::Rot,
    Fault::Unmounted,
    Fault::Origin(FAILING),
    Fault::Rot,
    Fault::Origin(BREAKING_OFF),
    Fault::RotUnderStale,
];
pub(super) const WITH_RESTARTS: &[Fault] = &[
    Fault::Rot,
    Fault::Kill,
    Fault::Locked,
    Fault::Origin(BREAKING_OFF),
    Fault::Restart,
    Fault::Unmounted,
    Fault::Origin(SLOW),
    Fault::Origin(FAILING),
    Fault::Kill,
];

/// One fault after the other until `end`, with quiet between them.
pub(super) async fn inject(world: &World, end: Instant, faults: &[Fault]) {
    let mut draws = world.seed;
    for fault in faults.iter().cycle() {
        pass(700).await;
        if Instant::now() > end {
            return;
        }
        draws = splitmix(draws);
        world.count(format!("fault: {fault:?}"));
        one(world, *fault, draws).await;
    }
}

async fn one(world: &World, fault: Fault, draw: u64) {
    match fault {
        Fault::Locked => lock_index(world.data.path(), 300 + draw % 2500).await,
        Fault::Rot => rot(&world.bodies(), draw),
        Fault::Unmounted => {
            let away = world.data.path().join("bodies.away");
            fs::rename(world.bodies(), &away).expect("a folder can be renamed");
            pass(200 + draw % 600).await;
            // What was written meanwhile is lost, as it is when a disk comes back. More may come until it is.
            let mut is_back = false;
            while !is_back {
                let _ = fs::remove_dir_all(world.bodies());
                is_back = fs::rename(&away, world.bodies()).is_ok();
            }
        }
        Fault::Origin(mood) => {
            world.state().mood.store(mood, Ordering::Relaxed);
            pass(500 + draw % 1000).await;
            world.state().mood.store(WELL, Ordering::Relaxed);
        }
        Fault::RotUnderStale => {
            world.state().mood.store(FAILING, Ordering::Relaxed);
            rot(&world.bodies(), draw);
            pass(500 + draw % 1000).await;
            world.state().mood.store(WELL, Ordering::Relaxed);
        }
        Fault::Restart | Fault::Kill => {
            world.away.begin();
            let mut place = world.proxy.write().await;
            let old = place.take().expect("it runs");
            assert!(!old.log().contains("panicked"), "{}", old.log());
            if matches!(fault, Fault::Kill) {
                old.kill().await;
            } else {
                old.signal(Signal::TERM);
                assert_eq!(old.terminate().await.code(), Some(0));
            }
            *place = Some(world.start_proxy().await);
            drop(place);
            world.away.end();
        }
    }
}

async fn lock_index(data: &Path, millis: u64) {
    let options = SqliteConnectOptions::new().filename(data.join("index.db"));
    let mut connection = options.connect().await.expect("the index is SQLite");
    let locked = sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut connection)
        .await;
    if locked.is_ok() {
        pass(millis).await;
    }
    drop(connection.close().await);
}

/// A third of the files is removed, cut, or has a byte changed.
fn rot(bodies: &Path, draw: u64) {
    for (nth, file) in (0_u64..).zip(files(bodies)) {
        let draw = splitmix(draw ^ nth);
        if !draw.is_multiple_of(3) {
            continue;
        }
        // It may have gone meanwhile.
        let _ = match draw >> 8 & 3 {
            0 => fs::remove_file(&file),
            1 => cut(&file, draw),
            _ => change(&file, draw),
        };
    }
}

fn cut(file: &Path, draw: u64) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(file)?;
    let len = file.metadata()?.len();
    file.set_len((draw >> 16) % len.max(1))
}

fn change(file: &Path, draw: u64) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(file)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start((draw >> 16) % len.max(1)))?;
    file.write_all(b"\xa5")
}

fn files(bodies: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries
            .filter_map(|it| Some(it.ok()?.path()))
            .collect::<Vec<_>>()
    };
    let shards = list(bodies).into_iter().filter(|it| it.is_dir());
    let all = shards.flat_map(|shard| list(&shard));
    all.filter(|it| !it.to_string_lossy().contains('#'))
        .collect()
}
