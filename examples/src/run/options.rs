//! What was asked for: the command line, over the variables, over the file, over the defaults.

use std::error::Error as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, Parser};
use terrace::proxy::{ConfigError, ProxyConfig, PurgeConfig, TlsError};

use super::BoxError;
use super::addresses::Origin;
use crate::cli::ProxyArgs;
use crate::config::Loaded;

/// Why nothing is going to be served.
pub(super) enum Ended {
    /// Help, the version, or what is wrong with the command line was printed.
    Printed(ExitCode),
    /// Something else is wrong.
    Error(BoxError),
}

impl From<clap::Error> for Ended {
    fn from(error: clap::Error) -> Self {
        // If nobody can read it, there is nobody to tell.
        let _ = error.print();
        Self::Printed(ExitCode::from(u8::from(error.use_stderr())))
    }
}

impl From<BoxError> for Ended {
    fn from(error: BoxError) -> Self {
        Self::Error(error)
    }
}

/// Reads the command line and the file it names.
pub(super) fn read<W: Parser>() -> Result<(W, Loaded), Ended> {
    // Which file it is has to be known before the rest can be understood.
    let named = without_answers(W::command()).try_get_matches()?;
    let loaded = load(&named)?;
    let command = loaded.apply_to(W::command()).map_err(BoxError::from)?;
    let args = W::from_arg_matches_mut(&mut command.try_get_matches()?)?;
    Ok((args, loaded))
}

fn load(named: &ArgMatches) -> Result<Loaded, BoxError> {
    let path = named.try_get_one::<PathBuf>("config")?;
    Ok(Loaded::read(path.map(PathBuf::as_path))?)
}

/// `command`, without complaints, and without help, which is to show what the file says.
fn without_answers(command: Command) -> Command {
    let flag = |name| Arg::new(name).long(name).action(ArgAction::SetTrue);
    command
        .ignore_errors(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .arg(flag("help").short('h'))
        .arg(flag("version").short('V'))
}

/// How the proxy is to behave. `origin` is where responses come from if nothing is said.
pub(super) fn proxy_config(
    args: &ProxyArgs,
    loaded: &Loaded,
    origin: &Origin,
) -> Result<ProxyConfig, BoxError> {
    let group = args.origin.group(&origin.servers());
    let mut config = ProxyConfig::with_group(group.map_err(told)?);
    loaded.file.cache.apply(&mut config);
    loaded.file.forwarded.apply(&mut config);
    loaded.apply_upstreams(&mut config)?;
    loaded.apply_rules(&mut config)?;
    config.purge = purge_config(args, loaded)?;
    config.validate().map_err(|why| in_file(loaded, why))?;
    Ok(config)
}

/// What of TLS and HTTP/2 cannot be together, under its name in the file if that says it, else as the option.
pub(super) fn check_tls(args: &ProxyArgs, loaded: &Loaded) -> Result<(), BoxError> {
    args.tls.check().map_err(|(option, why)| {
        let key = ["server", option];
        if loaded.line_of(&key).is_some() {
            return loaded
                .error_at(&key, format!("`server.{option}`: {why}"))
                .into();
        }
        format!("--{}: {why}", option.replace('_', "-")).into()
    })
}

/// With its place in the file, if it was the file that said it.
fn in_file(loaded: &Loaded, why: ConfigError) -> BoxError {
    let key = match &why {
        ConfigError::Rule { number, source } => {
            return loaded.error_in_rule(*number, source).into();
        }
        ConfigError::GroupName(name) => ["upstreams", name],
        ConfigError::Zero(name) => ["cache", *name],
        ConfigError::Name(_) => ["cache", "name"],
        ConfigError::Token | ConfigError::TokenFile { .. } => ["purge", "token_file"],
        _ => return why.into(),
    };
    if loaded.line_of(&key).is_none() {
        return why.into();
    }
    let what = format!("`{}`: {why}", key.join("."));
    loaded.error_at(&key, what).into()
}

/// An error in one line, with its cause.
pub(super) fn told(error: TlsError) -> BoxError {
    match error.source() {
        Some(cause) => format!("{error} ({cause})").into(),
        None => error.into(),
    }
}

fn purge_config(args: &ProxyArgs, loaded: &Loaded) -> Result<PurgeConfig, BoxError> {
    let mut said = loaded.file.purge.clone();
    said.token_only |= args.purge_token_only;
    if !args.purge_allow.is_empty() {
        said.allow.clone_from(&args.purge_allow);
    }
    if args.purge_token.is_some() {
        said.token_file = None;
    }
    if said.token_only && !said.allow.is_empty() {
        let message = "--purge-token-only (`purge.token_only`) and --purge-allow (`purge.allow`) contradict each other";
        return Err(message.into());
    }
    let mut config = PurgeConfig::default();
    said.apply(&mut config)
        .map_err(|why| in_file(loaded, why))?;
    config.token = args.purge_token.clone().or(config.token);
    if said.token_only && config.token.is_none() {
        let message = "--purge-token-only (`purge.token_only`) needs a token: set --purge-token, better its variable TERRACE_PURGE_TOKEN, or `purge.token_file`";
        return Err(message.into());
    }
    Ok(config)
}
