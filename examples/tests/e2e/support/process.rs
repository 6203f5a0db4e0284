use std::fs;

/// The most memory a process ever had, in bytes.
pub(crate) fn memory_peak(pid: u32) -> u64 {
    memory_field(pid, "VmHWM:")
}

/// The memory a process has now, in bytes.
pub(crate) fn memory(pid: u32) -> u64 {
    memory_field(pid, "VmRSS:")
}

fn memory_field(pid: u32, name: &str) -> u64 {
    let line = field(&format!("/proc/{pid}/status"), name);
    let kib: u64 = line
        .trim_end_matches(" kB")
        .parse()
        .expect("a number of kB");
    kib * 1024
}

/// The bytes a process has read by `read` and `pread`. Sockets, which are read by `recv`, do not count.
pub(crate) fn bytes_read(pid: u32) -> u64 {
    let line = field(&format!("/proc/{pid}/io"), "rchar:");
    line.parse().expect("a number of bytes")
}

/// How many files, sockets included, a process has open.
pub(crate) fn open_files(pid: u32) -> usize {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process runs");
    files.count()
}

fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value
        .unwrap_or_else(|| panic!("{path} has no {name}"))
        .trim()
        .to_owned()
}
