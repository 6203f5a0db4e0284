//! HTTP dates, read as caches are to read them.

use std::time::{Duration, SystemTime};

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];
const MONTHS: [(&str, u64); 12] = [
    ("jan", 31),
    ("feb", 28),
    ("mar", 31),
    ("apr", 30),
    ("may", 31),
    ("jun", 30),
    ("jul", 31),
    ("aug", 31),
    ("sep", 30),
    ("oct", 31),
    ("nov", 30),
    ("dec", 31),
];
const DAY: u64 = 24 * 60 * 60;
const YEAR: Duration = Duration::from_secs(DAY * 36_525 / 100);
/// Longer than any date.
const MAX_LENGTH: usize = 64;

/// Reads any of the three formats of RFC 9110, 5.6.7, whatever the case of their letters (RFC 9111, 4.2). A zone other
/// than GMT is invalid; whether it was that day of the week is not checked. `now` tells the century of a year of two
/// digits.
pub(crate) fn parse(text: &[u8], now: SystemTime) -> Option<SystemTime> {
    let text = std::str::from_utf8(text).ok()?;
    if text.len() > MAX_LENGTH {
        return None;
    }
    let text = text.trim_ascii().to_ascii_lowercase();
    match text.split(' ').collect::<Vec<_>>().as_slice() {
        [day, date, month, year, time, "gmt"] => {
            is_day(day.strip_suffix(',')?, 3)?;
            moment(number(year, 4)?, month, number(date, 2)?, time)
        }
        [day, date, time, "gmt"] => {
            is_day(day.strip_suffix(',')?, usize::MAX)?;
            let mut parts = date.splitn(3, '-');
            let (date, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            of_century(number(year, 2)?, month, number(date, 2)?, time, now)
        }
        [day, month, "", date, time, year] => {
            is_day(day, 3)?;
            moment(number(year, 4)?, month, number(date, 1)?, time)
        }
        [day, month, date, time, year] => {
            is_day(day, 3)?;
            moment(number(year, 4)?, month, number(date, 2)?, time)
        }
        _ => None,
    }
}

fn is_day(text: &str, length: usize) -> Option<()> {
    let is_it = |day: &&str| day.get(..length.min(day.len())) == Some(text);
    DAYS.iter().any(is_it).then_some(())
}

fn number(text: &str, digits: usize) -> Option<u64> {
    let is_it = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    is_it.then(|| text.parse().ok()).flatten()
}

/// What would be more than fifty years ahead is of the last century.
fn of_century(year: u64, month: &str, day: u64, time: &str, now: SystemTime) -> Option<SystemTime> {
    let this = moment(2000 + year, month, day, time);
    let is_past = this.is_none_or(|it| it > now + YEAR * 50);
    if is_past {
        moment(1900 + year, month, day, time)
    } else {
        this
    }
}

/// From 1970 on.
fn moment(year: u64, month: &str, day: u64, time: &str) -> Option<SystemTime> {
    let month = MONTHS.iter().position(|(name, _)| *name == month)?;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let in_month = MONTHS[month].1 + u64::from(month == 1 && is_leap(year));
    if year < 1970 || day < 1 || day > in_month {
        return None;
    }
    let before: u64 = MONTHS[..month].iter().map(|(_, days)| days).sum();
    let leap_day = u64::from(month > 1 && is_leap(year));
    let leap_days = |year: u64| year / 4 - year / 100 + year / 400;
    let days =
        (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969) + before + leap_day + day - 1;
    let moment = Duration::from_secs(days * DAY + seconds(time)?);
    SystemTime::UNIX_EPOCH.checked_add(moment)
}

fn seconds(time: &str) -> Option<u64> {
    let mut parts = time.splitn(3, ':');
    let mut next = |most| number(parts.next()?, 2).filter(|it| *it <= most);
    let (hours, minutes) = (next(23)?, next(59)?);
    // 60 is a leap second.
    Some(hours * 3600 + minutes * 60 + next(60)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 January 2030.
    const NOW: u64 = 1_893_456_000;

    fn parsed(text: &str) -> Option<u64> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        let date = parse(text.as_bytes(), now)?;
        let since = date.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Some(since.as_secs())
    }

    #[test]
    fn the_three_formats_are_read_in_any_case() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "SUN, 06 NOV 1994 08:49:37 gmt",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "sunday, 06-nov-94 08:49:37 GmT",
            "Sun Nov  6 08:49:37 1994",
            "sUN nOV  6 08:49:37 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parsed(text), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn a_year_of_two_digits_is_at_most_fifty_years_ahead() {
        let year = |text| {
            let date = SystemTime::UNIX_EPOCH + Duration::from_secs(parsed(text).unwrap());
            httpdate::fmt_http_date(date)[12..16].to_owned()
        };
        assert_eq!(year("Thursday, 18-Aug-50 02:01:18 GMT"), "2050");
        assert_eq!(year("Thursday, 18-Aug-75 02:01:18 GMT"), "2075");
        assert_eq!(year("Thursday, 18-Aug-94 02:01:18 GMT"), "1994");
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            "0",
            "-1",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov  1994 08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37",
            "Sun, 30 Feb 1994 08:49:37 GMT",
            "Sun, 29 Feb 2100 08:49:37 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "\u{133}un, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    proptest::proptest! {
        /// What others write is read, and no bytes make it panic.
        #[test]
        fn it_agrees_with_what_others_write(seconds in 0_u64..253_402_300_799) {
            let date = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            proptest::prop_assert_eq!(parsed(&httpdate::fmt_http_date(date)), Some(seconds));
        }

        #[test]
        fn arbitrary_bytes_end_well(text in proptest::collection::vec(0_u8.., 0..80)) {
            let _ = parse(&text, SystemTime::UNIX_EPOCH);
        }
    }
}
