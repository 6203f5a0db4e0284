use std::fmt;

use crate::measure::{Round, Sample};
use crate::subject::Subject;

/// A table of what was measured, in the form of the documents.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    backend: &'static str,
    peer: &'static str,
    bytes: usize,
    clients: usize,
    rounds: Vec<Round>,
}

impl Report {
    pub(crate) fn add(&mut self, subject: &Subject, clients: usize, rounds: Vec<Round>) {
        self.rows.push(Row {
            backend: subject.backend,
            peer: subject.peer,
            bytes: subject.bytes,
            clients,
            rounds,
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| backend | its client | size | clients | bodies per second, of the client's | first byte, of the client's |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|")?;
        for row in &self.rows {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} |",
                row.backend,
                row.peer,
                length(row.bytes),
                row.clients,
                ratio(&row.rounds, |it| it.rate),
                ratio(&row.rounds, |it| it.first),
            )?;
        }
        Ok(())
    }
}

/// How many times the client's value ours is, in the same round: the median, and the least and the greatest.
fn ratio(rounds: &[Round], value: impl Fn(&Sample) -> f64) -> String {
    let ratios = rounds
        .iter()
        .map(|round| value(&round.ours) / value(&round.raw));
    let mut ratios: Vec<_> = ratios.collect();
    ratios.sort_by(f64::total_cmp);
    match (ratios.first(), ratios.get(ratios.len() / 2), ratios.last()) {
        (Some(least), Some(median), Some(most)) => {
            format!("{median:.2} ({least:.2} to {most:.2})")
        }
        _ => String::new(),
    }
}

fn length(bytes: usize) -> String {
    match bytes {
        mib if mib % (1 << 20) == 0 => format!("{} MiB", mib >> 20),
        kib if kib % (1 << 10) == 0 => format!("{} KiB", kib >> 10),
        bytes => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_of_the_same_round() {
        let sample = |rate| Sample {
            rate,
            first: 1.0 / rate,
        };
        // A machine that is half as fast in the second round.
        let rounds = [(90.0, 100.0), (45.0, 50.0)].map(|(ours, raw)| Round {
            ours: sample(ours),
            raw: sample(raw),
        });
        assert_eq!(ratio(&rounds, |it| it.rate), "0.90 (0.90 to 0.90)");
        assert_eq!(ratio(&[], |it| it.rate), "");
    }

    #[test]
    fn lengths_are_as_in_the_documents() {
        assert_eq!(
            [1000, 1024, 16 << 20].map(length),
            ["1000 B", "1 KiB", "16 MiB"]
        );
    }
}
