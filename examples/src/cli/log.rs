use std::path::{Path, PathBuf};

use clap::Args;
use terrace::OsRandom;
use terrace::proxy::{AccessLog, AccessLogError, AccessLogFormat, AccessLogTarget};

/// What is written down of each request.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// A file for one line per request, opened anew on SIGHUP; - for standard output. Without it, there is no access log
    #[arg(long, env = "TERRACE_ACCESS_LOG", value_name = "FILE")]
    pub access_log: Option<PathBuf>,

    /// How a line looks: common, combined, json, or a text with names in braces: '{remote} {status} {path} {tier}'
    #[arg(
        long,
        env = "TERRACE_ACCESS_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "combined"
    )]
    pub access_log_format: AccessLogFormat,

    /// The part of the requests that is written down, from 0 to 1: 0.01 for one in a hundred
    #[arg(long, env = "TERRACE_ACCESS_LOG_SAMPLE", value_name = "PART", default_value = "1", value_parser = part)]
    pub access_log_sample: f64,
}

impl LogArgs {
    /// The access log, if one is wanted.
    pub(crate) fn open(&self) -> Result<Option<AccessLog>, AccessLogError> {
        let Some(path) = &self.access_log else {
            return Ok(None);
        };
        let target = if path == Path::new("-") {
            AccessLogTarget::Stdout
        } else {
            AccessLogTarget::File(path.clone())
        };
        let format = self.access_log_format.clone();
        AccessLog::sampled(format, target, self.access_log_sample, &OsRandom).map(Some)
    }
}

fn part(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| {
        format!("{text:?} is no part of the requests: write a number from 0 to 1, 0.01 for one in a hundred")
    })
}
