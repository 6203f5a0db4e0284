//! What servers say, in XML.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// When the server sent it, by its own clock.
    pub(crate) fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.header(header::DATE.as_str())?).ok()
    }

    /// The body as `T`, if it is that.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Option<T> {
        quick_xml::de::from_reader(&*self.body).ok()
    }

    pub(crate) fn refusal(&self) -> Refusal {
        Refusal::read(&String::from_utf8_lossy(&self.body))
    }
}

/// What is wrong, in the server's words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
    /// The region it should have been.
    pub(crate) region: Option<String>,
}

impl Refusal {
    /// Finds it in `text`, whatever is around it, and leaves out all else: some servers repeat what was signed, tokens
    /// included.
    pub(crate) fn read(text: &str) -> Self {
        let element = |name: &str| {
            let (_, after) = text.split_once(&format!("<{name}>"))?;
            let (value, _) = after.split_once(&format!("</{name}>"))?;
            (value.len() <= 500).then(|| value.to_owned())
        };
        Self {
            code: element("Code").unwrap_or_default(),
            message: element("Message").unwrap_or_default(),
            region: element("Region"),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UploadStarted {
    pub(crate) upload_id: String,
}

/// A page of the list of objects.
#[derive(Debug, Deserialize)]
#[serde(rename = "ListBucketResult", rename_all = "PascalCase")]
pub(crate) struct ObjectPage {
    #[serde(default)]
    pub(crate) contents: Vec<ListedObject>,
    pub(crate) next_continuation_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListedObject {
    pub(crate) key: String,
    pub(crate) last_modified: String,
}

/// A page of the list of unfinished uploads.
#[derive(Debug, Deserialize)]
#[serde(rename = "ListMultipartUploadsResult", rename_all = "PascalCase")]
pub(crate) struct UploadPage {
    #[serde(default)]
    pub(crate) upload: Vec<ListedUpload>,
    #[serde(default)]
    pub(crate) is_truncated: bool,
    pub(crate) next_key_marker: Option<String>,
    pub(crate) next_upload_id_marker: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListedUpload {
    pub(crate) key: String,
    pub(crate) upload_id: String,
    /// Not every server says when.
    pub(crate) initiated: Option<String>,
}

/// A moment as servers write it in XML.
pub(crate) fn moment(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_found_in_any_text_and_leaves_out_what_was_signed() {
        let text = "Server returned 403: <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>no \
                    </Message><CanonicalRequest>x-amz-security-token:canary</CanonicalRequest></Error>";
        let refusal = Refusal::read(text);
        assert_eq!(refusal.code, "SignatureDoesNotMatch");
        assert!(!format!("{refusal:?}").contains("canary"));
        assert_eq!(Refusal::read("<html>502</html>"), Refusal::default());
    }

    #[test]
    fn pages_are_read() {
        let parse = |text: &str| quick_xml::de::from_str::<UploadPage>(text).unwrap();
        let page = parse(
            "<ListMultipartUploadsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Bucket>b</Bucket>\
             <IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>u</NextUploadIdMarker>\
             <Upload><Key>a</Key><UploadId>1</UploadId><Initiated>2026-11-21T12:00:00.000Z</Initiated></Upload>\
             <Prefix>p</Prefix><Upload><Key>b</Key><UploadId>2</UploadId></Upload></ListMultipartUploadsResult>",
        );
        assert!(page.is_truncated);
        assert_eq!(page.upload.len(), 2);
        assert!(moment(page.upload[0].initiated.as_deref().unwrap()).is_some());
        assert!(parse("<ListMultipartUploadsResult/>").upload.is_empty());
        let page: ObjectPage = quick_xml::de::from_str("<ListBucketResult/>").unwrap();
        assert!(page.contents.is_empty());
    }
}
