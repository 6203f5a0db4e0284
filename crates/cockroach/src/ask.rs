use futures::TryStreamExt as _;
use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::{Connection as _, Either, Executor as _};

/// A statement with its parameters.
pub(crate) type Query<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

/// What a connection is asked.
pub(crate) enum Question<'q> {
    /// Whether the server is there.
    Ping,
    Query(Query<'q>),
}

/// What came back.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<PgRow>,
    /// Rows that were changed, or read.
    pub(crate) affected: u64,
}

impl Question<'_> {
    /// Waits for the end of the answer: that a statement was done comes before that it was committed.
    pub(crate) async fn ask(self, connection: &mut PgConnection) -> Result<Answer, sqlx::Error> {
        let mut answer = Answer::default();
        match self {
            Self::Ping => connection.ping().await?,
            Self::Query(query) => {
                let mut parts = connection.fetch_many(query);
                while let Some(part) = parts.try_next().await? {
                    match part {
                        Either::Left(done) => answer.affected += done.rows_affected(),
                        Either::Right(row) => answer.rows.push(row),
                    }
                }
            }
        }
        Ok(answer)
    }
}
