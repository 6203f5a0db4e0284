use proptest::prelude::*;

use super::*;

#[test]
fn white_space_does_not_matter() {
    let request = Request {
        time: 1,
        id: 2,
        size: 3,
    };
    for line in ["1 2 3", " 1\t2  3 \r"] {
        assert_eq!(parse(line.as_bytes()), Ok(request), "{line:?}");
    }
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    let long = "1".repeat(MAX_LINE_BYTES + 1);
    for (line, error) in [
        (&b""[..], Malformed::Fields { fields: 0 }),
        (b"1 2", Malformed::Fields { fields: 2 }),
        (b"1 2 3 4", Malformed::Fields { fields: 4 }),
        (b"1.5 2 3", Malformed::Number { field: "time" }),
        (b"1 -2 3", Malformed::Number { field: "id" }),
        (
            b"1 2 18446744073709551616",
            Malformed::Number { field: "size" },
        ),
        (b"1 2 \xff", Malformed::NotText),
        (long.as_bytes(), Malformed::TooLong),
    ] {
        assert_eq!(parse(line), Err(error), "{line:?}");
    }
}

proptest! {
    #[test]
    fn a_printed_request_reads_back(time: u64, id: u64, size: u64) {
        let line = format!("{time} {id} {size}");
        prop_assert_eq!(parse(line.as_bytes()), Ok(Request { time, id, size }));
    }

    #[test]
    fn any_bytes_are_a_request_or_an_error(line: Vec<u8>) {
        if let Ok(Request { time, id, size }) = parse(&line) {
            prop_assert_eq!(parse(format!("{time} {id} {size}").as_bytes()), parse(&line));
        }
    }
}
