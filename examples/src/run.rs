//! The server around the tiers.

use std::error::Error;
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pingora::prelude::background_service;
use pingora::proxy::http_proxy;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server};
use terrace::pingora::TerraceStorage;
use terrace::proxy::{
    Admin, CachingProxy, CertificateWatch, ConnectionLimits, Connections, ProxyConfig, StackService,
};
use terrace::{Runtime, Stack, TokioRuntime};

use crate::cli::ProxyArgs;
use crate::config::Loaded;
use crate::{Wiring, origin, tiers};

mod addresses;
mod connections;
mod options;
mod ready;
mod telemetry;

use addresses::{Addresses, Origin};
use options::Ended;

/// What can go wrong before the first request is served.
pub type BoxError = Box<dyn Error + Send + Sync>;

static STORAGE: TerraceStorage = TerraceStorage::new();

/// The `main` of a wiring: reads the command line and the file it names, serves until a signal comes, and says in one line
/// why if it cannot.
///
/// SIGTERM lets requests and writes finish, SIGINT does not; both end with status 0. Whatever prevents
/// serving ends with status 1.
pub fn main<W: Wiring>() -> ExitCode {
    let started = options::read::<W>().and_then(|(wiring, loaded)| {
        telemetry::log_to_stderr();
        Ok(start(wiring, &loaded)?)
    });
    match started {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Printed(status)) => status,
        Err(Ended::Error(error)) => {
            eprintln!("terrace: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start<W: Wiring>(wiring: W, loaded: &Loaded) -> Result<(), BoxError> {
    let args = wiring.proxy().clone();
    let limits = connections::limits(&args.connections)?;
    options::check_tls(&args, loaded)?;
    tiers::check(&wiring)?;
    if args.check_config {
        // Any origin will do where none is named.
        let origin = Origin::Demonstration(SocketAddr::from(([127, 0, 0, 1], 9)));
        options::proxy_config(&args, loaded, &origin)?;
        args.tls.certificate().map_err(options::told)?;
        let _ = writeln!(std::io::stdout(), "the configuration is valid");
        return Ok(());
    }
    let addresses = Addresses::claim(&args)?;
    let config = options::proxy_config(&args, loaded, &addresses.origin)?;
    addresses.check(&config.upstreams)?;
    let place = wiring.place();
    let counts_requests = loaded.file.counts_requests();
    let open = move |runtime| tiers::open(wiring, counts_requests, runtime);
    serve(&args, config, limits, addresses, &place, open)
}

fn serve<O>(
    args: &ProxyArgs,
    mut config: ProxyConfig,
    limits: ConnectionLimits,
    addresses: Addresses,
    place: &str,
    open: impl FnOnce(Arc<dyn Runtime>) -> O + Send + 'static,
) -> Result<(), BoxError>
where
    O: Future<Output = Result<Stack, BoxError>> + Send + 'static,
{
    let certificate = args.tls.certificate().map_err(options::told)?;
    let metrics = telemetry::record_metrics()?;
    let access_log = args.log.open()?;
    config.access_log.clone_from(&access_log);
    let proxy = CachingProxy::new(&STORAGE, config)?;
    let insight = proxy.insight();
    let ready = ready::Announcement::new(&addresses, place);
    let upkeep = metrics.clone();
    let stack = StackService::new(&STORAGE, move |handle| {
        let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new(handle));
        async move {
            let stack = open(Arc::clone(&runtime)).await?;
            runtime.spawn(Box::pin(telemetry::keep_up(upkeep, Arc::clone(&runtime))));
            runtime.spawn(Box::pin(ready.when_listening(Arc::clone(&runtime))));
            Ok::<_, BoxError>(stack)
        }
    });
    let grace = Duration::from_secs(args.grace);
    let stack = stack
        .threads(args.threads.get())
        .drain_timeout(grace)
        .wait_for(proxy.in_flight())
        // All is drained: the rest of Pingora's grace period would be idle.
        .on_stopped(|_| std::process::exit(0));

    let mut server = Server::new_with_opt_and_conf(None, server_conf(args));
    let stack = match &access_log {
        Some(log) => {
            server.add_service(background_service("access log", log.writer()));
            stack.access_log(log.clone())
        }
        None => stack,
    };
    let stack = server.add_service(background_service("tiers", stack));
    server.add_service(background_service("upstreams", proxy.upstreams()));
    let mut proxy = http_proxy(&server.configuration, proxy);
    args.tls.http2().apply(&mut proxy)?;
    let mut listening = Connections::new(proxy, limits).into_service("proxy");
    if let (Some(address), Some(certificate)) = (addresses.tls, certificate) {
        let settings = certificate.settings(!args.tls.no_http2)?;
        listening.add_tls_with_settings(&address.to_string(), None, settings);
        let watch = CertificateWatch::new(vec![certificate]).every(args.tls.tls_reload);
        server.add_service(background_service("certificates", watch));
    }
    // The last one: where it is looked at, the others are there as well.
    listening.add_tcp(&addresses.listen.to_string());
    server.add_service(listening).add_dependency(&stack);
    let admin = Admin::new(&STORAGE, move || metrics.render()).insight(insight);
    let mut admin = admin.into_service();
    admin.add_tcp(&addresses.admin.to_string());
    server.add_service(admin);
    if let Origin::Demonstration(address) = addresses.origin {
        server.add_service(origin::service(&address.to_string()));
    }
    server.bootstrap();
    addresses.release();
    server.run(RunArgs::default());
    Ok(())
}

fn server_conf(args: &ProxyArgs) -> ServerConf {
    ServerConf {
        threads: args.threads.get(),
        // Requests, then writes, each have their share; on_stopped comes before.
        grace_period_seconds: Some(args.grace.saturating_mul(2).saturating_add(1)),
        graceful_shutdown_timeout_seconds: Some(1),
        ..ServerConf::default()
    }
}
