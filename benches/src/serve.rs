use std::net::SocketAddr;

use pingora::prelude::http_proxy_service;
use pingora::proxy::ProxyHttp;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server};

/// Serves `proxy` on one thread until a signal comes.
pub(crate) fn serve<P>(listen: SocketAddr, proxy: P)
where
    P: ProxyHttp + Send + Sync + 'static,
    P::CTX: Send + Sync,
{
    let conf = ServerConf {
        threads: 1,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    let mut service = http_proxy_service(&server.configuration, proxy);
    service.add_tcp(&listen.to_string());
    server.add_service(service);
    server.bootstrap();
    server.run(RunArgs::default());
}
