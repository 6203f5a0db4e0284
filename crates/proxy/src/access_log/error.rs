use std::path::PathBuf;

/// Why an access log cannot be kept as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessLogError {
    /// The file cannot be written to.
    #[error("cannot open the access log {}", path.display())]
    Open {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A sample is a part of the whole.
    #[error(
        "{0} is no part of the requests: write a number from 0 to 1, 0.01 for one in a hundred"
    )]
    Part(f64),
    /// A format names something there is not.
    #[error("there is no {{{name}}} for the access log; there is {known}")]
    Unknown {
        /// What it names.
        name: String,
        /// What it might have named.
        known: String,
    },
    /// A header that carries secrets.
    #[error("the header {0} carries secrets, and is not written to the access log")]
    Secret(String),
    /// A brace has no partner.
    #[error(
        "a brace of the access log's format has no partner: write {{{{ or }}}} for the character itself"
    )]
    Brace,
}
