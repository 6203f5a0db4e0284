use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;
use terrace_testkit::OwnServers;

use crate::support::{Proxy, Setup, folder};

/// A wiring with servers of its own.
pub(crate) struct Deployment {
    pub(crate) wiring: &'static Wiring,
    pub(crate) servers: OwnServers,
    /// By their names in the file: `redis.url`.
    pub(crate) settings: Vec<(&'static str, String)>,
    pub(crate) folder: TempDir,
}

/// What the tests know of a wiring.
pub(crate) struct Wiring {
    pub(crate) name: &'static str,
    /// Where cargo has put it.
    pub(crate) program: &'static str,
    pub(crate) services: &'static [&'static str],
    /// Which of them are killed in turn.
    pub(crate) mortal: &'static [&'static str],
    pub(crate) has_l1: bool,
    /// How it is told of its servers.
    pub(crate) settings: fn(&OwnServers) -> Vec<(&'static str, String)>,
}

pub(crate) static DEV: Wiring = Wiring {
    name: "dev",
    program: env!("CARGO_BIN_EXE_dev"),
    services: &["minio", "redis"],
    mortal: &["minio", "redis"],
    has_l1: false,
    settings: |servers| {
        let [endpoint, access_key, secret_key] = bucket(servers, "MINIO");
        vec![
            ("minio.endpoint", endpoint),
            ("minio.bucket", "terrace".to_owned()),
            ("minio.create_bucket", "true".to_owned()),
            ("minio.access_key", access_key),
            ("minio.secret_key", secret_key),
            ("redis.url", redis(servers)),
        ]
    },
};

pub(crate) static AWS: Wiring = Wiring {
    name: "aws",
    program: env!("CARGO_BIN_EXE_aws"),
    services: &["minio", "dynamodb", "redis"],
    mortal: &["redis", "minio", "dynamodb"],
    has_l1: true,
    settings: |servers| {
        let table = servers.variable("TERRACE_TEST_DYNAMODB_URL").to_owned();
        let mut settings = s3(servers);
        settings.extend([
            ("dynamodb.endpoint", table),
            ("dynamodb.region", "us-east-1".to_owned()),
            ("dynamodb.table", "terrace".to_owned()),
            ("dynamodb.create_table", "true".to_owned()),
            ("dynamodb.access_key", "terrace".to_owned()),
            ("dynamodb.secret_key", "canary-of-dynamodb".to_owned()),
            ("redis.url", redis(servers)),
        ]);
        settings
    },
};

pub(crate) static GLOBAL: Wiring = Wiring {
    name: "global",
    program: env!("CARGO_BIN_EXE_global"),
    services: &["minio", "postgres", "redis"],
    mortal: &["redis", "minio", "postgres"],
    has_l1: true,
    settings: |servers| {
        let mut settings = s3(servers);
        settings.extend([
            ("cockroach.url", postgres(servers)),
            ("redis.url", redis(servers)),
        ]);
        settings
    },
};

pub(crate) static ONPREM: Wiring = Wiring {
    name: "onprem",
    program: env!("CARGO_BIN_EXE_onprem"),
    services: &["ceph", "postgres", "memcached"],
    mortal: &["memcached", "ceph/gateway", "postgres"],
    has_l1: true,
    settings: |servers| {
        let memcached = servers.variable("TERRACE_TEST_MEMCACHED_ADDRS").to_owned();
        let mut settings = ceph_and_cockroach(servers);
        settings.extend([
            ("tiers.l1", "memcached".to_owned()),
            ("memcached.servers", memcached),
        ]);
        settings
    },
};

pub(crate) static ONPREM_WITH_REDIS: Wiring = Wiring {
    services: &["ceph", "postgres", "redis"],
    mortal: &["redis", "ceph/gateway", "postgres"],
    settings: |servers| {
        let mut settings = ceph_and_cockroach(servers);
        settings.extend([
            ("tiers.l1", "redis".to_owned()),
            ("redis.url", redis(servers)),
        ]);
        settings
    },
    ..ONPREM
};

fn ceph_and_cockroach(servers: &OwnServers) -> Vec<(&'static str, String)> {
    let [endpoint, access_key, secret_key] = bucket(servers, "CEPH");
    vec![
        ("ceph.endpoint", endpoint),
        ("ceph.bucket", "terrace".to_owned()),
        ("ceph.create_bucket", "true".to_owned()),
        ("ceph.access_key", access_key),
        ("ceph.secret_key", secret_key),
        ("cockroach.url", postgres(servers)),
    ]
}

/// MinIO, as S3.
fn s3(servers: &OwnServers) -> Vec<(&'static str, String)> {
    let [endpoint, access_key, secret_key] = bucket(servers, "MINIO");
    vec![
        ("s3.endpoint", endpoint),
        ("s3.region", "us-east-1".to_owned()),
        ("s3.bucket", "terrace".to_owned()),
        ("s3.create_bucket", "true".to_owned()),
        ("s3.access_key", access_key),
        ("s3.secret_key", secret_key),
    ]
}

fn postgres(servers: &OwnServers) -> String {
    servers.variable("TERRACE_TEST_POSTGRES_URL").to_owned()
}

fn redis(servers: &OwnServers) -> String {
    servers.variable("TERRACE_TEST_REDIS_URL").to_owned()
}

fn bucket(servers: &OwnServers, of: &str) -> [String; 3] {
    ["URL", "ACCESS_KEY", "SECRET_KEY"].map(|what| {
        let name = format!("TERRACE_TEST_{of}_{what}");
        servers.variable(&name).to_owned()
    })
}

impl Deployment {
    /// Nothing, said loudly, where its servers cannot be had.
    pub(crate) fn start(wiring: &'static Wiring) -> Option<Self> {
        let servers = OwnServers::start(wiring.services)?;
        let settings = (wiring.settings)(&servers);
        Some(Self {
            wiring,
            servers,
            settings,
            folder: folder(),
        })
    }

    /// Sets a setting of the backends to something else.
    pub(crate) fn set(&mut self, key: &'static str, value: &str) {
        self.settings.retain(|(it, _)| *it != key);
        self.settings.push((key, value.to_owned()));
    }

    /// In front of nobody: what it serves comes from the stores.
    pub(crate) fn without_origin(&self) -> Setup {
        self.setup(SocketAddr::from(([127, 0, 0, 1], 9)))
    }

    /// On free ports, in front of `upstream`: what is secret by variables, all else by a file.
    pub(crate) fn setup(&self, upstream: SocketAddr) -> Setup {
        let file = self.folder.path().join("terrace.toml");
        self.write_file(&file);
        let setup = Setup::of(Path::new(self.wiring.program))
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--upstream", &upstream.to_string()])
            .arg("--config")
            .arg(&file);
        let secrets = self.settings.iter().filter(|(key, _)| is_secret(key));
        secrets.fold(setup, |setup, (key, value)| {
            let variable = format!("TERRACE_{}", key.replace('.', "_").to_uppercase());
            setup.env(&variable, value)
        })
    }

    fn write_file(&self, path: &Path) {
        let lines = self.settings.iter().filter(|(key, _)| !is_secret(key));
        let lines: Vec<_> = lines
            .map(|(key, value)| format!("{key} = {value:?}\n"))
            .collect();
        std::fs::write(path, lines.concat()).expect("room on the disk");
    }

    /// Nothing that a proxy says has one of the secrets it was given.
    pub(crate) fn told_no_secret(&self, proxy: &Proxy) {
        let output = proxy.output();
        for (key, value) in self.settings.iter().filter(|(key, _)| is_secret(key)) {
            assert!(!output.contains(value), "{key} is in the output");
        }
    }
}

fn is_secret(key: &str) -> bool {
    key.ends_with("secret_key")
}
