//! How much larger does a table become when it is full? Twice as large while it is small, then by an eighth.
//!
//! A vector that doubles is half empty on the average after its last growth, and for a moment is there
//! twice; with a hundred thousand waiting tasks that was a third of their memory (bench `mem_event`). An
//! eighth moves each entry eight times instead of once, and the large blocks that it moves are remapped
//! rather than copied.

/// Up to so many it doubles.
const SMALL: usize = 1024;

/// For how many more a table with `len` entries is to reserve, exactly.
pub(crate) const fn growth(len: usize) -> usize {
    match len {
        0..4 => 4,
        4..SMALL => len,
        _ => len / 8,
    }
}
