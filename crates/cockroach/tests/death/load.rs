use bytes::Bytes;
use terrace_cockroach::CrdbIndex;
use terrace_core::{Applied, Cas, IndexStore as _, Key, Record, Retry, Timestamp, Version};

/// Somebody who alone writes one key, and what he knows of it.
pub(crate) struct Writer {
    key: Key,
    next: u64,
    /// Of which one must be there: what was acknowledged last, nothing at first, and what was not answered since.
    possible: Vec<Option<Version>>,
}

impl Writer {
    pub(crate) fn new(number: u64) -> Self {
        Self {
            key: Key::named(format!("writer {number}")),
            next: number << 32,
            possible: vec![None],
        }
    }

    /// Writes once more. Says whether it was acknowledged.
    pub(crate) async fn write(&mut self, index: &CrdbIndex) -> bool {
        self.next += 1;
        let version = Version::from_u64(self.next).unwrap();
        let record = Record {
            version,
            retain_until: Timestamp::MAX,
            manifest: Bytes::from(self.next.to_string()),
        };
        let Ok(present) = index.get(&self.key).await else {
            return false;
        };
        let answer = match &present {
            Some(present) => index.cas_update(&self.key, present.version, &record).await,
            None => index.put_new(&self.key, &record).await,
        };
        match answer {
            Ok(Cas::Applied) => {
                self.possible = vec![Some(version)];
                true
            }
            // Only one of his own can have come in between, of which he has no answer yet.
            Ok(Cas::Conflict) => {
                assert!(
                    self.possible.len() > 1,
                    "a conflict without another: {present:?}"
                );
                true
            }
            Err(error) => {
                if error.applied() == Applied::Unknown {
                    self.possible.push(Some(version));
                }
                false
            }
        }
    }

    /// That what is stored, once the server is back, is what may be.
    pub(crate) async fn check(&mut self, index: &CrdbIndex) {
        let record = loop {
            match index.get(&self.key).await {
                Ok(record) => break record,
                Err(error) if error.retry() == Retry::Later => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        let version = record.map(|record| record.version);
        assert!(
            self.possible.contains(&version),
            "there is {version:?}, and not one of {:?}",
            self.possible
        );
    }
}
