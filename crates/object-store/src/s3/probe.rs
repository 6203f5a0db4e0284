//! Finds out what an endpoint can do, by doing it.

use http::{HeaderName, Method, StatusCode, header};
use object_store::path::Path;
use terrace_core::{ErrorKind, OsRandom, Random as _, Result};

use crate::s3::answer::ObjectPage;
use crate::s3::capabilities::{Capabilities, Condition};
use crate::s3::sweep::{directory, probes};
use crate::s3::wire::{Request, Wire};

mod uploads;

const OP: &str = "s3.probe";
/// What is written, under names that sort as they stand here.
const NAMES: [&str; 6] = ["a", "b", "c", "checksum", "condition", "upload"];
/// Of them, what is there when the list is asked for.
const LISTED: usize = 3;

pub(crate) struct Probe<'a> {
    wire: &'a Wire,
    /// A directory of its own, so that processes can start at the same time.
    place: Path,
    content: Vec<u8>,
}

impl<'a> Probe<'a> {
    pub(crate) fn new(wire: &'a Wire, prefix: &Path) -> Self {
        let number = OsRandom.next_u64();
        Self {
            wire,
            place: probes(prefix).join(format!("{number:016x}")),
            content: number.to_be_bytes().repeat(128),
        }
    }

    /// What the endpoint can do. Errors if that is not enough, with what to do about it.
    pub(crate) async fn run(&self, create_bucket: bool) -> Result<Capabilities> {
        let made_bucket = self.reach(create_bucket).await?;
        let found = self.examine(made_bucket).await;
        for name in NAMES {
            if let Err(error) = self.delete(name).await {
                tracing::debug!(%error, "what the probe wrote stays");
            }
        }
        found
    }

    /// Finds the bucket, or makes it and says so.
    async fn reach(&self, create_bucket: bool) -> Result<bool> {
        let prefix = directory(&self.place);
        let request = Request::new("list the bucket", Method::GET, None)
            .query("list-type", "2")
            .query("max-keys", "1")
            .query("prefix", &prefix);
        let answer = self.wire.send(OP, &request).await?;
        let said = String::from_utf8_lossy(&answer.body);
        if answer.is_success() {
            if said.contains("<ListBucketResult") {
                return Ok(false);
            }
            let advice = if said.contains("<ListAllMyBucketsResult") {
                "the server does not know its own name, and took the bucket for nothing: use path style"
            } else {
                "what answers there is no object store: check the endpoint"
            };
            return Err(self.lacking(request.purpose, advice));
        }
        if answer.refusal().code != "NoSuchBucket" {
            return Err(self.wire.refused(OP, request.purpose, &answer));
        }
        if !create_bucket {
            let advice = "there is no such bucket: make it, correct its name, or set create_bucket";
            let error = self
                .wire
                .error(ErrorKind::Invalid, OP, request.purpose, advice);
            return Err(error);
        }
        self.make_bucket().await?;
        Ok(true)
    }

    async fn make_bucket(&self) -> Result<()> {
        let region = &self.wire.region;
        let place = format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{region}\
             </LocationConstraint></CreateBucketConfiguration>"
        );
        // The one region that must not be named.
        let body = if region == "us-east-1" {
            String::new()
        } else {
            place
        };
        let request = Request::new("make the bucket", Method::PUT, None).body(body);
        let answer = self.wire.send(OP, &request).await?;
        let is_ours = answer.refusal().code == "BucketAlreadyOwnedByYou";
        if answer.is_success() || is_ours {
            return Ok(());
        }
        Err(self.wire.refused(OP, request.purpose, &answer))
    }

    async fn examine(&self, made_bucket: bool) -> Result<Capabilities> {
        let server = self.reads_what_was_written().await?;
        let list_in_order = self.lists_all().await?;
        self.deletes().await?;
        Ok(Capabilities {
            server,
            made_bucket,
            create_only: self.create_only().await?,
            list_in_order,
            verifies_checksums: self.verifies_checksums().await?,
            uploads: self.uploads().await?,
        })
    }

    /// Says what the server calls itself.
    async fn reads_what_was_written(&self) -> Result<Option<String>> {
        let path = self.path(NAMES[0]);
        let put = Request::new("write an object", Method::PUT, Some(&path));
        let put = put.body(self.content.clone());
        let answer = self.wire.expect(OP, &put).await?;
        let server = answer.header("server").map(str::to_owned);

        self.reads_back(&path).await?;
        let get = Request::new("read a range of an object", Method::GET, Some(&path));
        let part = get.header(header::RANGE, "bytes=100-299");
        let answer = self.wire.expect(OP, &part).await?;
        if answer.status != StatusCode::PARTIAL_CONTENT || answer.body != self.content[100..300] {
            return Err(self.lacking(part.purpose, "it answered something else than the range"));
        }
        let head = Request::new(
            "ask for an object's length and time",
            Method::HEAD,
            Some(&path),
        );
        let answer = self.wire.expect(OP, &head).await?;
        let length = answer.header("content-length").map(str::parse);
        if length != Some(Ok(self.content.len())) || answer.header("last-modified").is_none() {
            return Err(self.lacking(head.purpose, "it does not say"));
        }
        Ok(server)
    }

    async fn reads_back(&self, path: &Path) -> Result<()> {
        let get = Request::new("read what was just written", Method::GET, Some(path));
        let answer = self.wire.expect(OP, &get).await?;
        if answer.body == self.content {
            return Ok(());
        }
        Err(self.lacking(get.purpose, "it is something else"))
    }

    /// Says whether in order.
    async fn lists_all(&self) -> Result<bool> {
        for name in &NAMES[1..LISTED] {
            let path = self.path(name);
            let put = Request::new("write an object", Method::PUT, Some(&path));
            self.wire.expect(OP, &put).await?;
        }
        let prefix = directory(&self.place);
        let (mut names, mut token) = (Vec::new(), None::<String>);
        // One more page than they need if all are full.
        for _ in 0..LISTED {
            let mut list = Request::new("list the objects in pages", Method::GET, None)
                .query("list-type", "2")
                .query("max-keys", "2")
                .query("prefix", &prefix);
            if let Some(token) = &token {
                list = list.query("continuation-token", token);
            }
            let answer = self.wire.expect(OP, &list).await?;
            let Some(page) = answer.parse::<ObjectPage>() else {
                return Err(self.lacking(list.purpose, "it answered something else"));
            };
            names.extend(page.contents.into_iter().map(|object| object.key));
            token = page.next_continuation_token;
            if token.is_none() {
                break;
            }
        }
        let expected: Vec<_> = NAMES[..LISTED]
            .iter()
            .map(|name| self.path(name).to_string())
            .collect();
        let in_order = names == expected;
        names.sort_unstable();
        if names == expected {
            return Ok(in_order);
        }
        let advice = "the list lacks what was just written, or has it twice";
        Err(self.lacking("list the objects in pages", advice))
    }

    async fn deletes(&self) -> Result<()> {
        let name = NAMES[0];
        // The second time, there is nothing.
        for _ in 0..2 {
            self.delete(name).await?;
        }
        if self.is_absent(&self.path(name)).await? {
            return Ok(());
        }
        Err(self.lacking("delete an object", "it is still there afterwards"))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        let path = self.path(name);
        let request = Request::new("delete an object", Method::DELETE, Some(&path));
        let answer = self.wire.send(OP, &request).await?;
        if answer.is_success() || answer.refusal().code == "NoSuchKey" {
            return Ok(());
        }
        Err(self.wire.refused(OP, request.purpose, &answer))
    }

    async fn is_absent(&self, path: &Path) -> Result<bool> {
        let get = Request::new("look for an object", Method::GET, Some(path));
        let answer = self.wire.send(OP, &get).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(true),
            status if status.is_success() => Ok(false),
            // So does S3 whom it does not allow to list.
            _ => Err(self.wire.refused(OP, get.purpose, &answer)),
        }
    }

    async fn create_only(&self) -> Result<Condition> {
        let path = self.path("condition");
        if !self.put_with(&path, header::IF_NONE_MATCH, "*").await? {
            return Ok(Condition::Refused);
        }
        let again = self.put_with(&path, header::IF_NONE_MATCH, "*").await?;
        Ok(if again {
            Condition::Ignored
        } else {
            Condition::Kept
        })
    }

    async fn verifies_checksums(&self) -> Result<bool> {
        let path = self.path("checksum");
        let name = HeaderName::from_static("x-amz-checksum-sha256");
        // That of nothing.
        let wrong = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        Ok(!self.put_with(&path, name, wrong).await?)
    }

    /// Writes something with a header, and says whether it was taken.
    async fn put_with(&self, path: &Path, name: HeaderName, value: &str) -> Result<bool> {
        let put = Request::new("write an object", Method::PUT, Some(path))
            .header(name, value)
            .body(self.content.clone());
        match self.wire.send(OP, &put).await {
            Ok(answer) => Ok(answer.is_success()),
            // Some refuse headers they do not know with 501.
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn path(&self, name: &str) -> Path {
        self.place.clone().join(name)
    }

    fn lacking(&self, purpose: &str, advice: &str) -> terrace_core::Error {
        self.wire.error(ErrorKind::Unsupported, OP, purpose, advice)
    }
}
