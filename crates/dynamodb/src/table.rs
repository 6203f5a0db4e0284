//! The table: found, made if that is wanted, and looked at before it is used.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::describe_table::DescribeTableOutput;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ProvisionedThroughput,
    ScalarAttributeType, TableDescription, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use futures::FutureExt as _;
use terrace_core::{Error, ErrorKind, Result, Runtime};

use crate::calls::{Calls, sent, within};
use crate::config::{Billing, DdbConfig};
use crate::error::Op;
use crate::item::{EXPIRES_AT, KEY};

const OP: &str = "dynamodb.connect";
/// The pause between two looks at a table that is being made.
const PAUSE: Duration = Duration::from_millis(250);

/// What there is to know of a table that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Whether it has replicas in other regions, which lag, and whose writes win if they are the last.
    pub(crate) is_replicated: bool,
}

/// Finds and checks a table.
pub(crate) struct Search<'a> {
    pub(crate) client: &'a Client,
    pub(crate) calls: &'a Calls,
    pub(crate) runtime: &'a dyn Runtime,
    pub(crate) config: &'a DdbConfig,
}

impl Search<'_> {
    /// The table, once it is there. Within the deadline of a start.
    pub(crate) async fn run(&self) -> Result<Found> {
        let found = within(self.runtime, self.config.start_timeout, self.find()).await;
        found.unwrap_or_else(|| {
            let advice = "it was not ready in time: look at its state, or raise `start_timeout`";
            Err(self.error(ErrorKind::Timeout, advice))
        })
    }

    async fn find(&self) -> Result<Found> {
        loop {
            match self.describe().await {
                Err(error) if error.kind() == ErrorKind::NotFound => match self.config.create {
                    Some(billing) => self.create(billing).await?,
                    None => return Err(error),
                },
                Err(error) => return Err(error),
                Ok(table) => {
                    self.check_keys(&table)?;
                    if self.is_ready(&table)? && self.forgets().await? {
                        return Ok(Found {
                            is_replicated: !table.replicas().is_empty(),
                        });
                    }
                }
            }
            self.runtime.sleep(PAUSE).await;
        }
    }

    async fn describe(&self) -> Result<TableDescription> {
        let describe = || {
            let describe = self.client.describe_table();
            sent(describe.table_name(&self.config.table).send())
        };
        let described = self.calls.run(Op::new(OP), describe).await?;
        let DescribeTableOutput { table, .. } = described;
        table.ok_or_else(|| self.error(ErrorKind::Internal, "DynamoDB does not describe it"))
    }

    /// It is keyed by one text, as our items are.
    fn check_keys(&self, table: &TableDescription) -> Result<()> {
        let keys = table.key_schema();
        let is_text = table
            .attribute_definitions()
            .iter()
            .any(|it| it.attribute_name() == KEY && *it.attribute_type() == ScalarAttributeType::S);
        match keys {
            [key]
                if key.attribute_name() == KEY && *key.key_type() == KeyType::Hash && is_text =>
            {
                Ok(())
            }
            _ => Err(self.error(
                ErrorKind::Invalid,
                format!(
                    "it is another application's, or was made otherwise: its key must be the text `{KEY}`, and \
                     nothing else; choose another table"
                ),
            )),
        }
    }

    fn is_ready(&self, table: &TableDescription) -> Result<bool> {
        match table.table_status() {
            Some(TableStatus::Active | TableStatus::Updating) => Ok(true),
            Some(TableStatus::Creating) => Ok(false),
            // It is gone in a moment, and made anew then, if that is wanted.
            Some(TableStatus::Deleting) if self.config.create.is_some() => Ok(false),
            other => {
                let status = other.map_or("unknown", TableStatus::as_str);
                Err(self.error(
                    ErrorKind::Unavailable,
                    format!("its status is {status}: make it ACTIVE"),
                ))
            }
        }
    }

    /// Whether DynamoDB removes what has expired; turned on where tables may be made.
    async fn forgets(&self) -> Result<bool> {
        let describe = || {
            let describe = self.client.describe_time_to_live();
            sent(describe.table_name(&self.config.table).send())
        };
        let described = self.calls.run(Op::new(OP), describe).await?;
        let ttl = described.time_to_live_description();
        let is_ours = ttl.and_then(|it| it.attribute_name()) == Some(EXPIRES_AT);
        match ttl.and_then(|it| it.time_to_live_status()) {
            Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling) if is_ours => Ok(true),
            Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling) => Err(self.error(
                ErrorKind::Invalid,
                format!("its time to live is another attribute than `{EXPIRES_AT}`: change that"),
            )),
            _ if self.config.create.is_some() => {
                self.turn_on_forgetting().await?;
                Ok(false)
            }
            _ => Err(self.error(
                ErrorKind::Invalid,
                format!(
                    "it has no time to live, and would grow for ever: turn it on for the attribute \
                     `{EXPIRES_AT}`, or set `create`"
                ),
            )),
        }
    }

    async fn turn_on_forgetting(&self) -> Result<()> {
        let ttl = TimeToLiveSpecification::builder()
            .attribute_name(EXPIRES_AT)
            .enabled(true)
            .build()
            .map_err(unbuilt)?;
        let update = || {
            let update = self.client.update_time_to_live();
            let update = update.table_name(&self.config.table);
            let update = update.time_to_live_specification(ttl.clone());
            let answer = |answer| unless("ValidationException", "already", answer);
            sent(update.send()).map(answer).boxed()
        };
        self.calls.run(Op::new(OP), update).await
    }

    /// Orders the table. Somebody else may have done so at the same time.
    async fn create(&self, billing: Billing) -> Result<()> {
        let definition = AttributeDefinition::builder()
            .attribute_name(KEY)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(unbuilt)?;
        let key = KeySchemaElement::builder()
            .attribute_name(KEY)
            .key_type(KeyType::Hash)
            .build()
            .map_err(unbuilt)?;
        let create = self.client.create_table();
        let create = create.table_name(&self.config.table);
        let create = create.attribute_definitions(definition).key_schema(key);
        let create = match billing {
            Billing::OnDemand => create.billing_mode(BillingMode::PayPerRequest),
            Billing::Provisioned {
                read_units,
                write_units,
            } => create
                .billing_mode(BillingMode::Provisioned)
                .provisioned_throughput(
                    ProvisionedThroughput::builder()
                        .read_capacity_units(read_units.into())
                        .write_capacity_units(write_units.into())
                        .build()
                        .map_err(unbuilt)?,
                ),
        };
        tracing::info!(place = self.calls.place(), "making the table");
        let create = || {
            let answer = |answer| unless("ResourceInUseException", "", answer);
            sent(create.clone().send()).map(answer).boxed()
        };
        self.calls.run(Op::new(OP), create).await
    }

    fn error(&self, kind: ErrorKind, advice: impl AsRef<str>) -> Error {
        let message = format!("{}: {}", self.calls.place(), advice.as_ref());
        Error::new(kind, OP, message)
    }
}

/// Takes a refusal that somebody else's success brings about for a success: the next look tells. So a repeat after a lost answer
/// does no harm.
fn unless<T, E: ProvideErrorMetadata>(
    code: &str,
    word: &str,
    answer: Result<T, Box<SdkError<E>>>,
) -> Result<(), Box<SdkError<E>>> {
    match answer {
        Err(error)
            if error.code() == Some(code) && error.message().unwrap_or_default().contains(word) =>
        {
            Ok(())
        }
        answer => answer.map(drop),
    }
}

/// A request without something it needs.
fn unbuilt(error: BuildError) -> Error {
    Error::new(ErrorKind::Internal, OP, "a request is not complete").with_source(error)
}
