//! A Ceph cluster of one node, with its S3 gateway.

use std::process::Command;

use super::Service;
use super::backends::version_in;
use super::instance::Instance;
use super::port;
use super::process::Spawn;
use super::wait::{http_status, output, until};
use crate::Outcome;
use crate::tools::{Tool, find};

const fn tool(program: &'static str, variable: &'static str, package: &'static str) -> Tool {
    Tool {
        program,
        variable,
        package,
        why: "Ceph, for the tests of its object store",
    }
}

const KEY: &str = "terrace";
const SECRET: &str = "terrace-secret";

pub(super) const SERVICE: Service = Service {
    name: "ceph",
    variable: "TERRACE_TEST_CEPH_URL",
    tools: &[
        tool("ceph-mon", "CEPH_MON", "ceph-mon"),
        tool("ceph-osd", "CEPH_OSD", "ceph-osd"),
        tool("radosgw", "RADOSGW", "radosgw"),
        tool("ceph", "CEPH", "ceph-common"),
    ],
    start,
};

pub(super) fn version() -> Option<String> {
    version_in(&output(Command::new(find("ceph")?).arg("--version")).ok()?)
}

/// A monitor, one store in memory, and a gateway; no manager, which only statistics need.
fn start(instance: &mut Instance) -> Outcome {
    let [monitor, gateway] = port::free()?;
    for folder in ["mon", "osd", "run", "rgw"] {
        instance.folder(folder)?;
    }
    let home = instance.folder("")?.display().to_string();
    let home = home.trim_end_matches('/');
    let fsid = output(Command::new("cat").arg("/proc/sys/kernel/random/uuid"))?;
    let config = instance.write("ceph.conf", &configuration(home, &fsid, monitor, gateway))?;
    let ceph = Ceph {
        config: config.display().to_string(),
    };

    keys(&ceph, home)?;
    let map = format!("{home}/monmap");
    let address = format!("[v2:127.0.0.1:{monitor}]");
    ceph.run(
        "monmaptool",
        &format!("--create --fsid {fsid} --addv a {address} {map}"),
    )?;
    ceph.run(
        "ceph-mon",
        &format!("--mkfs -i a --monmap {map} --keyring {home}/keyring"),
    )?;
    instance.start(&ceph.daemon("mon", "ceph-mon", "-f -i a").listening(monitor))?;
    until("Ceph's monitor", || {
        ceph.run("ceph", "--connect-timeout 5 -s").is_ok()
    })?;

    let uuid = output(Command::new("cat").arg("/proc/sys/kernel/random/uuid"))?;
    ceph.run("ceph", &format!("osd new {uuid}"))?;
    ceph.run("ceph-osd", &format!("-i 0 --mkfs --osd-uuid {uuid}"))?;
    ceph.run("ceph", "osd crush add-bucket here host")?;
    ceph.run("ceph", "osd crush move here root=default")?;
    ceph.run("ceph", "osd crush add osd.0 1.0 host=here root=default")?;
    instance.start(&ceph.daemon("osd", "ceph-osd", "-f -i 0"))?;
    let is_up = || {
        ceph.run("ceph", "osd stat")
            .is_ok_and(|stat| stat.contains("1 up"))
    };
    until("Ceph's store", is_up)?;

    instance.start(
        &ceph
            .daemon("gateway", "radosgw", "-f -n client.rgw.a")
            .listening(gateway),
    )?;
    until("Ceph's gateway", || http_status(gateway, "/") == Some(200))?;
    ceph.run(
        "radosgw-admin",
        &format!("user create --uid=terrace --display-name=terrace --access-key={KEY} --secret-key={SECRET}"),
    )?;
    instance.publish(SERVICE.variable, format!("http://127.0.0.1:{gateway}"))?;
    instance.publish("TERRACE_TEST_CEPH_ACCESS_KEY", KEY)?;
    instance.publish("TERRACE_TEST_CEPH_SECRET_KEY", SECRET)
}

/// Real keys: with authentication switched off, the gateway hangs.
fn keys(ceph: &Ceph, home: &str) -> Outcome {
    let everything = "--cap mon|allow *|--cap osd|allow *|--cap mgr|allow *";
    let owners = [
        ("--create-keyring", "mon.", "--cap mon|allow *"),
        ("", "client.admin", everything),
        ("", "osd.0", "--cap mon|allow profile osd|--cap osd|allow *"),
        ("", "client.rgw.a", "--cap mon|allow rw|--cap osd|allow rwx"),
    ];
    for (create, name, rights) in owners {
        let mut words: Vec<&str> = create.split_whitespace().collect();
        let keyring = format!("{home}/keyring");
        words.extend([keyring.as_str(), "--gen-key", "-n", name]);
        // A right is one word, spaces and all.
        for (number, part) in rights.split('|').enumerate() {
            if number % 2 == 0 {
                words.extend(part.split(' '));
            } else {
                words.push(part);
            }
        }
        ceph.run_words("ceph-authtool", &words)?;
    }
    Ok(())
}

struct Ceph {
    config: String,
}

impl Ceph {
    fn run(&self, program: &str, line: &str) -> Outcome<String> {
        self.run_words(program, &line.split_whitespace().collect::<Vec<_>>())
    }

    fn run_words(&self, program: &str, words: &[&str]) -> Outcome<String> {
        let path = find(program).unwrap_or_else(|| program.into());
        output(
            Command::new(path)
                .env("CEPH_CONF", &self.config)
                .args(words),
        )
    }

    fn daemon(&self, name: &str, program: &str, line: &str) -> Spawn {
        Spawn::new(name, find(program).unwrap_or_else(|| program.into()))
            .line(line)
            .env("CEPH_CONF", &self.config)
    }
}

fn configuration(home: &str, fsid: &str, monitor: u16, gateway: u16) -> String {
    format!(
        "\
[global]
fsid = {fsid}
mon_initial_members = a
mon_host = [v2:127.0.0.1:{monitor}]
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
ms_bind_ipv6 = false
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
auth_allow_insecure_global_id_reclaim = false
keyring = {home}/keyring
run_dir = {home}/run
admin_socket = {home}/run/$name.$pid.asok
log_file = {home}/run/$name.log
crash_dir = {home}/run
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_crush_chooseleaf_type = 0
osd_pool_default_pg_num = 8
osd_pool_default_pgp_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_data = {home}/mon
mon_warn_on_pool_no_redundancy = false
# Every change of a map waits for this long; a second otherwise.
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_data_avail_warn = 1
mon_data_avail_crit = 1
[osd]
osd_data = {home}/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_crush_update_on_start = false
osd_fast_shutdown = true
[client.rgw.a]
rgw_data = {home}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{gateway} tcp_nodelay=1
rgw_enable_usage_log = false
rgw_dns_name = localhost
rgw_s3_auth_use_keystone = false
rgw_thread_pool_size = 64
"
    )
}
