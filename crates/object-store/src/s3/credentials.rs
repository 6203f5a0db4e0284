use std::env;
use std::fmt;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredentialProvider};
use secrecy::{ExposeSecret as _, SecretString};

/// Who asks a store for something.
#[derive(Clone, Default)]
pub enum Credentials {
    /// What the surroundings of the process give, the first of these that is there:
    ///
    /// 1. `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, with `AWS_SESSION_TOKEN` if they are temporary;
    /// 2. a web identity (roles of Kubernetes service accounts): `AWS_WEB_IDENTITY_TOKEN_FILE` and `AWS_ROLE_ARN`;
    /// 3. an ECS task's role: `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI`;
    /// 4. an EKS pod identity: `AWS_CONTAINER_CREDENTIALS_FULL_URI` and `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`;
    /// 5. an EC2 instance's role, by its metadata service, version 2.
    ///
    /// Those of 2 to 5 are renewed before they expire. Profiles in `~/.aws` are not read.
    #[default]
    Chain,
    /// A pair of keys.
    Keys {
        /// The public half.
        access_key: String,
        /// The secret half.
        secret_key: SecretString,
        /// What comes with temporary keys.
        session_token: Option<SecretString>,
    },
    /// Any other way to get them, which is asked before each request, and should remember its answer.
    Provider(AwsCredentialProvider),
}

/// What the chain looks at, by the names that [`AmazonS3Builder`] has for it. Nothing else of the environment counts.
const CHAIN: [AmazonS3ConfigKey; 12] = [
    AmazonS3ConfigKey::AccessKeyId,
    AmazonS3ConfigKey::SecretAccessKey,
    AmazonS3ConfigKey::Token,
    AmazonS3ConfigKey::WebIdentityTokenFile,
    AmazonS3ConfigKey::RoleArn,
    AmazonS3ConfigKey::RoleSessionName,
    AmazonS3ConfigKey::StsEndpoint,
    AmazonS3ConfigKey::ContainerCredentialsRelativeUri,
    AmazonS3ConfigKey::ContainerCredentialsFullUri,
    AmazonS3ConfigKey::ContainerAuthorizationTokenFile,
    AmazonS3ConfigKey::MetadataEndpoint,
    AmazonS3ConfigKey::ImdsV1Fallback,
];

impl Credentials {
    /// A pair of keys.
    pub fn keys(access_key: impl Into<String>, secret_key: impl Into<SecretString>) -> Self {
        Self::Keys {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            session_token: None,
        }
    }

    pub(crate) fn give_to(&self, builder: AmazonS3Builder) -> AmazonS3Builder {
        match self {
            Self::Chain => CHAIN.into_iter().fold(builder, |builder, key| {
                let variable = key.as_ref().to_ascii_uppercase();
                match env::var(variable) {
                    Ok(value) => builder.with_config(key, value),
                    Err(_) => builder,
                }
            }),
            Self::Keys {
                access_key,
                secret_key,
                session_token,
            } => {
                let builder = builder
                    .with_access_key_id(access_key)
                    .with_secret_access_key(secret_key.expose_secret());
                match session_token {
                    Some(token) => builder.with_token(token.expose_secret()),
                    None => builder,
                }
            }
            Self::Provider(provider) => builder.with_credentials(provider.clone()),
        }
    }
}

impl fmt::Debug for Credentials {
    /// Says of what kind they are, and nothing more (promise P11).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chain => "Chain",
            Self::Keys { .. } => "Keys",
            Self::Provider(_) => "Provider",
        })
    }
}
