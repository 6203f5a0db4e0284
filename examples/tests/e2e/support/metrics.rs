use std::collections::{BTreeMap, BTreeSet};

/// What `/metrics` tells, in the Prometheus text format 0.0.4.
#[derive(Debug, PartialEq)]
pub(crate) struct Metrics {
    /// By name, `counter`, `gauge` or `histogram`.
    pub(crate) types: BTreeMap<String, String>,
    /// By name, what it is in words.
    pub(crate) help: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

#[derive(Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Errors with the line that is not in the format, or whose metric has no type.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut types = BTreeMap::new();
        let mut help = BTreeMap::new();
        let mut samples = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let refused = || format!("{line:?}");
            if let Some(comment) = line.strip_prefix('#') {
                if let Some((name, told)) = comment
                    .strip_prefix(" HELP ")
                    .and_then(|it| it.split_once(' '))
                {
                    help.insert(name.to_owned(), told.to_owned());
                }
                if let Some(told) = comment.strip_prefix(" TYPE ") {
                    let (name, kind) = told.split_once(' ').ok_or_else(refused)?;
                    let is_new = types.insert(name.to_owned(), kind.to_owned()).is_none();
                    is_new.then_some(()).ok_or_else(refused)?;
                }
                continue;
            }
            let sample = Sample::parse(line).ok_or_else(refused)?;
            if !types.contains_key(base(&sample.name, &types)) {
                return Err(refused());
            }
            samples.push(sample);
        }
        Ok(Self {
            types,
            help,
            samples,
        })
    }

    /// The names of the labels that samples of `name` have, but for the buckets of histograms.
    pub(crate) fn labels(&self, name: &str) -> BTreeSet<&str> {
        let of_it = |sample: &&Sample| base(&sample.name, &self.types) == name;
        let samples = self.samples.iter().filter(of_it);
        let labels = samples.flat_map(|sample| sample.labels.keys());
        labels
            .map(String::as_str)
            .filter(|it| *it != "le")
            .collect()
    }

    /// The sum of all samples of `name` that have these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            let is = |(label, value): &(&str, &str)| {
                sample.labels.get(*label).is_some_and(|it| it == value)
            };
            sample.name == name && labels.iter().all(is)
        };
        self.samples.iter().filter(has).map(|it| it.value).sum()
    }
}

/// The metric a sample belongs to: a histogram has samples of several names.
fn base<'a>(name: &'a str, types: &BTreeMap<String, String>) -> &'a str {
    let parts = ["_bucket", "_sum", "_count"];
    let base = parts.iter().find_map(|part| name.strip_suffix(part));
    let of_histogram = base.filter(|base| types.get(*base).is_some_and(|it| it == "histogram"));
    of_histogram.unwrap_or(name)
}

impl Sample {
    fn parse(line: &str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let value = match value {
            "+Inf" => f64::INFINITY,
            value => value.parse().ok()?,
        };
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}')?),
            None => (series, ""),
        };
        let is_name = |text: &str| {
            let legal = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == ':';
            !text.is_empty() && text.chars().all(legal)
        };
        // No label of ours has a comma or a quote in its value.
        let parsed = labels.split(',').filter(|it| !it.is_empty()).map(|label| {
            let (label, value) = label.split_once('=')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            let plain = !value.contains(['"', '\\']) && is_name(label);
            plain.then(|| (label.to_owned(), value.to_owned()))
        });
        is_name(name).then_some(())?;
        Some(Self {
            name: name.to_owned(),
            labels: parsed.collect::<Option<_>>()?,
            value,
        })
    }
}

#[test]
fn samples_are_read_and_what_is_no_sample_is_refused() {
    let text = "# TYPE a_total counter\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"2\"} 4\n\n\
                # TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 2.5\nh_count 1\n";
    let metrics = Metrics::parse(text).unwrap();
    let sum = |labels| metrics.sum("a_total", labels);
    assert!((sum(&[("x", "1")]) - 3.0).abs() < f64::EPSILON);
    assert!((sum(&[]) - 7.0).abs() < f64::EPSILON);
    for wrong in [
        "a",
        "# TYPE a counter\na b",
        "a 1",
        "# TYPE a counter\na{x} 1",
    ] {
        assert!(Metrics::parse(wrong).is_err(), "{wrong}");
    }
}
