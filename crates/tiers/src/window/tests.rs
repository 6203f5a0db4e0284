use super::*;
use crate::budget::Budget;

/// Smaller than the longest body here, so that spools wrap around.
const RING: u64 = 3001;

fn window(max: usize) -> Window {
    Window::new(max, Budget::new(1 << 20).account())
}

fn memory(piece: Piece) -> Bytes {
    match piece {
        Piece::Memory(bytes) => bytes,
        other => panic!("expected bytes in memory, got {other:?}"),
    }
}

#[test]
fn an_open_window_keeps_everything_for_readers_to_come() {
    let mut window = window(1 << 16);
    window.push(Bytes::from_static(b"abc"));
    let first = window.join().unwrap();
    assert_eq!(memory(window.next(first)), "abc");
    assert!(matches!(window.next(first), Piece::CaughtUp));
    window.push(Bytes::from_static(b"def"));
    let second = window.join().unwrap();
    assert_eq!(memory(window.next(second)), "abc");
    assert_eq!(memory(window.next(second)), "def");
    assert_eq!(memory(window.next(first)), "def");
}

#[test]
fn a_closed_window_keeps_what_its_slowest_reader_needs() {
    let mut window = window(1000);
    let (fast, slow) = (window.join().unwrap(), window.join().unwrap());
    for _ in 0..20 {
        window.push(Bytes::from(vec![1; 100]));
        assert_eq!(memory(window.next(fast)).len(), 100);
    }
    assert!(!window.is_open());
    assert!(window.join().is_none());
    assert_eq!(window.start, 0, "the slow reader has read nothing");
    window.leave(slow);
    assert_eq!(window.start, window.end(), "nobody needs anything");
    assert_eq!(window.held, 0);
}

/// What the slow reader gets next; `None` when it has caught up.
fn read(window: &mut Window, reader: u64) -> Option<Bytes> {
    match window.next(reader) {
        Piece::Memory(bytes) => Some(bytes),
        Piece::Spooled(spool, range) => {
            let bytes = spool.read(&range).unwrap();
            assert!(window.confirm(reader, bytes.len()));
            Some(bytes)
        }
        Piece::CaughtUp => None,
        Piece::Lost => panic!("lost"),
    }
}

fn spool_excess(window: &mut Window) {
    if let Some(excess) = window.excess(RING) {
        let (at, last) = excess.last().unwrap();
        let end = at + last.len() as u64;
        let old = window.spool().cloned();
        let spool = Spool::append(old, &std::env::temp_dir(), &excess, RING);
        window.spooled(end, Some(spool.unwrap()));
    }
}

#[test]
fn excess_goes_to_a_spool_and_comes_back_in_order() {
    let mut window = window(1000);
    let (fast, slow) = (window.join().unwrap(), window.join().unwrap());
    let (mut written, mut got) = (Vec::new(), Vec::new());
    for byte in 0..200_u8 {
        let chunk = vec![byte; 100];
        written.extend_from_slice(&chunk);
        window.push(chunk.into());
        memory(window.next(fast));
        spool_excess(&mut window);
        assert!(window.held <= 1000 + 164, "{} bytes held", window.held);
        if window.lag() > 2500 {
            got.extend_from_slice(&read(&mut window, slow).unwrap());
        }
    }
    while let Some(piece) = read(&mut window, slow) {
        got.extend_from_slice(&piece);
    }
    assert_eq!(got, written);
}

#[test]
fn a_reader_whose_bytes_were_overwritten_is_told() {
    let mut window = window(1000);
    let (fast, slow) = (window.join().unwrap(), window.join().unwrap());
    let mut before = None;
    for byte in 0..60_u8 {
        window.push(vec![byte; 100].into());
        memory(window.next(fast));
        spool_excess(&mut window);
        if window.lag() == 3000 {
            before = Some(window.next(slow));
        }
    }
    assert!(matches!(window.next(slow), Piece::Lost));
    // It was already reading when the ring came round.
    let Some(Piece::Spooled(spool, range)) = before else {
        panic!("{before:?}")
    };
    let bytes = spool.read(&range).unwrap();
    assert!(!window.confirm(slow, bytes.len()));
}

#[test]
fn who_is_far_behind_gets_several_chunks_at_once() {
    let mut window = window(1 << 20);
    let reader = window.join().unwrap();
    for byte in 0..8_u8 {
        window.push(vec![byte; 60_000].into());
    }
    let piece = memory(window.next(reader));
    assert_eq!(piece.len(), 480_000);
    assert!(
        piece
            .chunks(60_000)
            .zip(0..)
            .all(|(chunk, byte)| chunk == vec![byte; 60_000])
    );
    assert!(matches!(window.next(reader), Piece::CaughtUp));
}

#[test]
fn a_reader_behind_what_could_not_be_spooled_is_told() {
    let mut window = window(100);
    let slow = window.join().unwrap();
    window.push(Bytes::from(vec![0; 200]));
    window.spooled(200, None);
    assert!(matches!(window.next(slow), Piece::Lost));
}

#[test]
fn an_exhausted_budget_closes_the_window() {
    let budget = Budget::new(500);
    let mut first = Window::new(1 << 20, budget.account());
    first.push(Bytes::from(vec![0; 400]));
    let mut second = Window::new(1 << 20, budget.account());
    let reader = second.join().unwrap();
    second.push(Bytes::from(vec![0; 400]));
    assert!(!second.is_open() && first.is_open());
    assert_eq!(
        memory(second.next(reader)).len(),
        400,
        "its own reader goes on"
    );
    drop((first, second));
    assert_eq!(budget.used(), 0);
}
