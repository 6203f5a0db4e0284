/// What one server did in one turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Requests per second.
    pub(super) rate: f64,
    /// Microseconds of processor time that the server spent per request, in the kernel too. Other programs on the
    /// machine lengthen the time a request takes, but hardly this.
    pub(super) cpu: f64,
    /// The part of the time in which the server was running. Where it is far from 1, something else was the limit.
    pub(super) busy: f64,
}

/// The median; the mean of the two in the middle if their number is even. `None` of nothing.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(values[middle - 1].midpoint(upper))
}

/// The least and the greatest; `None` of nothing.
pub(super) fn spread(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .into_iter()
        .map(|it| (it, it))
        .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outlier_does_not_move_the_median() {
        assert_eq!(median([5.0, 900.0, 1.0]), Some(5.0));
        assert_eq!(median([1.0, 3.0]), Some(2.0));
        assert_eq!(median([]), None);
        assert_eq!(spread([5.0, 900.0, 1.0]), Some((1.0, 900.0)));
    }
}
