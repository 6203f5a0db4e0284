use std::fmt::{self, Write as _};

use super::load::{CONNECTIONS, Client};
use super::machine;
use super::options::{Options, shown};
use super::sample::{Sample, median, spread};
use super::server::{Kind, Server};

/// All samples, and what they were taken on.
#[derive(Debug)]
pub(super) struct Report {
    facts: Vec<(&'static str, String)>,
    kinds: Vec<Kind>,
    sizes: Vec<Size>,
}

#[derive(Debug)]
struct Size {
    bytes: usize,
    client: &'static str,
    /// For each server one per round, in order.
    samples: Vec<Vec<Sample>>,
}

type Value = fn(&Sample) -> f64;

impl Report {
    pub(super) fn new(options: &Options, client: &Client, servers: &[Server]) -> Self {
        let kinds: Vec<_> = servers.iter().map(|server| server.kind).collect();
        let sizes = options.sizes.iter().map(|&bytes| Size {
            bytes,
            client: client.name(bytes),
            samples: vec![Vec::new(); kinds.len()],
        });
        let mut facts = machine::facts();
        facts.push(("rounds", options.rounds.to_string()));
        facts.push(("seconds", options.seconds.to_string()));
        facts.push(("connections", CONNECTIONS.to_string()));
        Self {
            facts,
            sizes: sizes.collect(),
            kinds,
        }
    }

    pub(super) fn add(&mut self, kind: Kind, bytes: usize, sample: Sample) {
        let size = self.sizes.iter_mut().find(|size| size.bytes == bytes);
        let place = self.kinds.iter().position(|it| *it == kind);
        if let (Some(size), Some(place)) = (size, place) {
            size.samples[place].push(sample);
        }
    }

    /// Everything, for other programs.
    pub(super) fn json(&self) -> String {
        let mut facts = self.facts.clone();
        facts.push(("load_at_the_end", machine::load()));
        let facts = facts
            .iter()
            .map(|(name, value)| format!("    {}: {}", quoted(name), quoted(value)));
        let mut results = Vec::new();
        for size in &self.sizes {
            for (kind, samples) in self.kinds.iter().zip(&size.samples) {
                let samples = samples.iter().map(|it| {
                    format!(
                        r#"{{"requests_per_second": {:.1}, "cpu_microseconds_per_request": {:.3}, "busy": {:.3}}}"#,
                        it.rate, it.cpu, it.busy
                    )
                });
                results.push(format!(
                    r#"    {{"bytes": {}, "client": {}, "server": {}, "samples": [{}]}}"#,
                    size.bytes,
                    quoted(size.client),
                    quoted(kind.name()),
                    join(samples, ", ")
                ));
            }
        }
        format!(
            "{{\n  \"facts\": {{\n{}\n  }},\n  \"results\": [\n{}\n  ]\n}}\n",
            join(facts, ",\n"),
            results.join(",\n")
        )
    }

    /// A row for each size, a cell for each server.
    fn table(&self, title: &str, cell: impl Fn(&Size, usize) -> Option<String>) -> String {
        let names = join(self.kinds.iter().map(|kind| kind.name().to_owned()), " | ");
        let mut table = format!("{title}\n\n| size | client | {names} |\n|---|---|");
        table.push_str(&"---|".repeat(self.kinds.len()));
        for size in &self.sizes {
            let cells = (0..self.kinds.len()).map(|place| cell(size, place).unwrap_or_default());
            // A `String` takes whatever is written.
            let _ = write!(
                table,
                "\n| {} | {} | {} |",
                shown(size.bytes),
                size.client,
                join(cells, " | ")
            );
        }
        table
    }

    /// How many times the first server's value another's is, or with `inverse` the other way round.
    fn ratio(size: &Size, place: usize, value: Value, inverse: bool) -> Option<String> {
        if place == 0 {
            return None;
        }
        let rounds = size.samples.first()?.iter().zip(&size.samples[place]);
        let ratios = rounds.map(|(first, other)| {
            let ratio = value(first) / value(other);
            if inverse { ratio.recip() } else { ratio }
        });
        let ratios: Vec<_> = ratios.collect();
        let (least, most) = spread(ratios.iter().copied())?;
        Some(format!("{:.2} ({least:.2} to {most:.2})", median(ratios)?))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of =
            |size: &Size, place: usize, value: Value| median(size.samples[place].iter().map(value));
        let rate = self.table("Requests per second, medians:", |size, place| {
            let busy = of(size, place, |it| it.busy)?;
            Some(format!(
                "{:.0} (busy {:.0} %)",
                of(size, place, |it| it.rate)?,
                busy * 100.0
            ))
        });
        let cpu = self.table(
            "Processor time per request, in µs, medians:",
            |size, place| Some(format!("{:.1}", of(size, place, |it| it.cpu)?)),
        );
        let first = self.kinds.first().map_or("", |kind| kind.name());
        let faster = self.table(
            &format!("Requests per second of {first}, as a multiple of another's in the same round, median and spread:"),
            |size, place| Self::ratio(size, place, |it| it.rate, false),
        );
        let cheaper = self.table(
            &format!(
                "The same by processor time per request: how much more another needs than {first}:"
            ),
            |size, place| Self::ratio(size, place, |it| it.cpu, true),
        );
        let facts = self
            .facts
            .iter()
            .map(|(name, value)| format!("{name} {value}"));
        write!(
            f,
            "{rate}\n\n{cpu}\n\n{faster}\n\n{cheaper}\n\n{}",
            join(facts, "; ")
        )
    }
}

fn join(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

/// As a string in JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for it in text.chars() {
        match it {
            '"' | '\\' => quoted.extend(['\\', it]),
            it if it.is_control() => quoted.push(' '),
            it => quoted.push(it),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rate: f64) -> Sample {
        Sample {
            rate,
            cpu: 1e6 / rate,
            busy: 0.99,
        }
    }

    fn report() -> Report {
        Report {
            facts: vec![("nginx", "a \"version\"".to_owned())],
            kinds: vec![Kind::Terrace, Kind::Nginx],
            sizes: vec![Size {
                bytes: 1024,
                client: "wrk",
                samples: vec![vec![], vec![]],
            }],
        }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let mut report = report();
        // A machine that is half as fast in the second round.
        for (terrace, nginx) in [(900.0, 600.0), (450.0, 300.0)] {
            report.add(Kind::Terrace, 1024, sample(terrace));
            report.add(Kind::Nginx, 1024, sample(nginx));
        }
        let text = report.to_string();
        assert!(
            text.contains("| 1KiB | wrk |  | 1.50 (1.50 to 1.50) |"),
            "{text}"
        );
        assert!(text.contains("675 (busy 99 %)"), "{text}");
    }

    #[test]
    fn the_json_has_every_sample() {
        let mut report = report();
        report.add(Kind::Nginx, 1024, sample(1000.0));
        let json = report.json();
        assert!(json.contains(r#""nginx": "a \"version\"""#), "{json}");
        assert!(json.contains(r#""requests_per_second": 1000.0"#), "{json}");
        assert_eq!(json.matches('{').count(), json.matches('}').count());
    }
}
