use super::{Arc, BlockChecksums, Bytes, Error, ErrorKind, Result, VecDeque};

/// Blocks up to this size are held back until they are verified; larger ones stream through.
const HOLD_BACK_MAX: u64 = 1024 * 1024;

/// Checks a stream of bytes against [`BlockChecksums`] while it passes.
///
/// A block of up to 1 MiB comes out only after it was verified as a whole, so that a reader which
/// meets a bad block can still turn to another source. A larger block (of a body over 1 GiB)
/// streams through except for its last piece; a mismatch then ends the stream before the
/// body is complete. Either way memory is bounded by 1 MiB or one piece, and a corrupt body never ends
/// like a whole one.
#[derive(Debug)]
pub struct Verifier {
    sums: Arc<BlockChecksums>,
    position: u64,
    current: u32,
    held: VecDeque<Bytes>,
}

impl Verifier {
    pub(super) fn new(sums: Arc<BlockChecksums>, start: u64) -> Self {
        debug_assert!(
            start.is_multiple_of(sums.block_size()),
            "reads start at a block"
        );
        Self {
            sums,
            position: start,
            current: 0,
            held: VecDeque::new(),
        }
    }

    /// Takes the next bytes; appends to `verified` what may be passed on.
    ///
    /// Errors with `Corrupt` when a block does not match, or more bytes come than the body has.
    pub fn push(&mut self, mut bytes: Bytes, verified: &mut VecDeque<Bytes>) -> Result<()> {
        while !bytes.is_empty() {
            let index = self.position / self.sums.block_size();
            let Some(expected) = self.sums.block(index) else {
                return Err(corrupt(format!("more than {} bytes", self.sums.len())));
            };
            let end = index * self.sums.block_size() + self.sums.span(index);
            let room = usize::try_from(end - self.position).unwrap_or(usize::MAX);
            let piece = bytes.split_to(room.min(bytes.len()));
            self.current = crc32c::crc32c_append(self.current, &piece);
            self.position += piece.len() as u64;
            if self.sums.block_size() > HOLD_BACK_MAX {
                verified.append(&mut self.held);
            }
            self.held.push_back(piece);
            if self.position == end {
                if self.current != expected {
                    return Err(corrupt(format!(
                        "block {index} has another CRC-32C than stored"
                    )));
                }
                self.current = 0;
                verified.append(&mut self.held);
            }
        }
        Ok(())
    }

    /// The offset of the next byte expected.
    pub fn position(&self) -> u64 {
        self.position
    }
}

fn corrupt(message: String) -> Error {
    Error::new(ErrorKind::Corrupt, "body.verify", message)
}
