/// `delta-seconds` (RFC 9111, 1.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seconds {
    /// That many, at most [`Self::MAX`].
    Of(u32),
    /// Something else than digits.
    Invalid,
}

impl Seconds {
    /// Stands for everything larger, too: more than 68 years.
    pub(crate) const MAX: u32 = 1 << 31;

    pub(crate) fn parse(text: &[u8]) -> Self {
        if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
            return Self::Invalid;
        }
        let digit = |sum: u32, byte: &u8| {
            let digit = u32::from(byte - b'0');
            sum.saturating_mul(10).saturating_add(digit)
        };
        Self::Of(text.iter().fold(0, digit).min(Self::MAX))
    }

    /// The number, if it is one.
    pub(crate) fn valid(self) -> Option<u32> {
        match self {
            Self::Of(seconds) => Some(seconds),
            Self::Invalid => None,
        }
    }

    /// A lifetime that cannot be read is over.
    pub(crate) fn or_zero(self) -> u32 {
        self.valid().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_are_a_number_and_no_number_is_too_large() {
        for (text, number) in [
            ("0", Some(0)),
            ("003600", Some(3600)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", Some(Seconds::MAX)),
            ("99999999999999999999999999", Some(Seconds::MAX)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.0", None),
            ("1 ", None),
            ("'1'", None),
            ("1a", None),
            ("\u{661}", None),
        ] {
            assert_eq!(Seconds::parse(text.as_bytes()).valid(), number, "{text}");
        }
    }
}
