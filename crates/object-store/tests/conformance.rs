//! Every way to build the store, held to the text of the trait.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

use std::process::ExitCode;
use std::sync::Arc;

use object_store::memory::InMemory;
use terrace_object_store::{Layout, LocalConfig, ObjectBlob, ObjectBlobConfig};
use terrace_testkit::{CurrentRuntime, Fixture, blob_conformance, run};

fn main() -> ExitCode {
    let mut trials = blob_conformance("local", || local(LocalConfig::default()));
    trials.extend(blob_conformance("local_small_parts", || {
        local(LocalConfig {
            part_size: 1000,
            parallel_parts: 3,
            fsync: false,
            ..LocalConfig::default()
        })
    }));
    trials.extend(blob_conformance("memory", || async {
        memory("", Layout::Nested)
    }));
    trials.extend(blob_conformance("memory_sharded", || async {
        memory("deep/er", Layout::Sharded)
    }));
    run(trials)
}

async fn local(config: LocalConfig) -> Fixture<ObjectBlob> {
    let dir = tempfile::tempdir().unwrap();
    let store = ObjectBlob::local(dir.path().join("bodies"), CurrentRuntime::port(), config);
    Fixture::new(store.await.unwrap()).keeping(dir)
}

fn memory(prefix: &str, layout: Layout) -> Fixture<ObjectBlob> {
    let config = ObjectBlobConfig {
        prefix: prefix.into(),
        layout,
        part_size: 10_000,
        parallel_parts: 2,
    };
    let store = ObjectBlob::new(Arc::new(InMemory::new()), CurrentRuntime::port(), &config);
    Fixture::new(store.unwrap())
}
