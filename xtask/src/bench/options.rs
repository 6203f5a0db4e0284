use super::server::Kind;
use crate::Outcome;

/// What `bench proxy` was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Options {
    pub(super) rounds: usize,
    pub(super) seconds: f64,
    /// Bytes.
    pub(super) sizes: Vec<usize>,
    only: Vec<Kind>,
    /// Bytes.
    pub(super) wrk_up_to: usize,
    /// Measure what was built before.
    pub(super) no_build: bool,
}

impl Options {
    pub(super) fn parse(args: &[String]) -> Outcome<Self> {
        let mut options = Self {
            rounds: 7,
            seconds: 2.0,
            sizes: vec![1 << 10, 64 << 10, 1 << 20, 16 << 20],
            only: Vec::new(),
            wrk_up_to: 1 << 10,
            no_build: false,
        };
        let mut args = args.iter();
        while let Some(flag) = args.next() {
            if flag == "--no-build" {
                options.no_build = true;
                continue;
            }
            let value = args
                .next()
                .ok_or_else(|| format!("'{flag}' needs a value: cargo xtask bench --help"))?;
            let bad = || format!("{flag} {value}: cargo xtask bench --help");
            match flag.as_str() {
                "--rounds" => options.rounds = value.parse().map_err(|_| bad())?,
                "--seconds" => options.seconds = value.parse().map_err(|_| bad())?,
                "--sizes" => options.sizes = list(value, bytes).ok_or_else(bad)?,
                "--only" => options.only = list(value, Kind::named).ok_or_else(bad)?,
                "--wrk-up-to" => options.wrk_up_to = bytes(value).ok_or_else(bad)?,
                _ => return Err(bad()),
            }
        }
        let is_possible = options.rounds > 0
            && options.seconds >= 0.1
            && options.seconds <= 600.0
            && options
                .sizes
                .iter()
                .all(|size| (1..=64 << 20).contains(size));
        if is_possible {
            Ok(options)
        } else {
            Err(
                "at least one round, from 0.1 to 600 seconds, sizes from 1 byte to 64MiB"
                    .to_owned(),
            )
        }
    }

    pub(super) fn wants(&self, kind: Kind) -> bool {
        self.only.is_empty() || self.only.contains(&kind)
    }
}

fn list<T>(text: &str, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    text.split(',').map(item).collect()
}

const UNITS: [(&str, u32); 3] = [("MiB", 20), ("KiB", 10), ("", 0)];

fn bytes(text: &str) -> Option<usize> {
    let (digits, shift) = UNITS
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)))?;
    let number: usize = digits.parse().ok()?;
    number.checked_mul(1 << shift)
}

/// `65536` as `64KiB`.
pub(super) fn shown(bytes: usize) -> String {
    let fits = |shift: u32| bytes.is_multiple_of(1 << shift);
    let (unit, shift) = UNITS
        .into_iter()
        .find(|(_, shift)| fits(*shift))
        .unwrap_or_default();
    format!("{}{unit}", bytes >> shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &str) -> Outcome<Options> {
        let args: Vec<_> = args.split_whitespace().map(str::to_owned).collect();
        Options::parse(&args)
    }

    #[test]
    fn sizes_and_servers_are_lists() {
        let options = parse("--rounds 3 --sizes 1KiB,1500,16MiB --only terrace,nginx").unwrap();
        assert_eq!(options.sizes, [1024, 1500, 16 << 20]);
        assert_eq!(options.rounds, 3);
        assert!(options.wants(Kind::Nginx) && !options.wants(Kind::MemCache));
        assert!(parse("").unwrap().wants(Kind::MemCache));
        assert_eq!([1024, 1500, 16 << 20].map(shown), ["1KiB", "1500", "16MiB"]);
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        for args in [
            "--rounds",
            "--rounds 0",
            "--rounds x",
            "--seconds 0",
            "--seconds NaN",
            "--sizes 0",
            "--sizes 1KB",
            "--sizes 99999999999999999999MiB",
            "--only squid",
            "--turns 3",
        ] {
            assert!(parse(args).is_err(), "{args}");
        }
    }
}
