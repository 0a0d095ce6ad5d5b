//! Before the thread sleeps: does somebody on another thread answer at once? Then it is not to sleep at all.
//!
//! ```text
//!   nobody is ready, and somebody elsewhere may wake one: looks into the inbox for a microsecond
//!        something has come ──► no sleep; lingers the next time, too
//!        nothing            ──► sleeps; and leaves out the next 1, 3, 7 … 1023 times
//! ```
//!
//! To fall asleep and be woken takes several microseconds and two system calls, one of them the waker's; a
//! thread that is awake answers in less than one (bench `xt_spin`). One that shares the core cannot
//! answer as long as it is looked for, so what was in vain is soon not tried again (bench `xt_same`).
//!
//! Invariant: **a delay and nothing else**: whether there is something the inbox says as ever.

use std::hint::spin_loop;

/// How many looks make a microsecond, or two.
const LOOKS: u32 = 48;

/// The most times that are left out: a thousandth of the waits may be in vain.
const MOST_LEFT_OUT: u32 = 1023;

/// Whether to linger, as the last times have shown.
#[derive(Debug, Default)]
pub(crate) struct Linger {
    /// How many times are still to be left out.
    left_out: u32,
    /// How many were, after the last that was in vain.
    last: u32,
}

impl Linger {
    /// Waits for what `is_there` tells of, if that is worth while.
    pub(crate) fn wait(&mut self, is_there: impl Fn() -> bool) {
        if self.left_out > 0 {
            self.left_out -= 1;
            return;
        }
        for _ in 0..LOOKS {
            if is_there() {
                self.last = 0;
                return;
            }
            spin_loop();
        }
        self.last = (2 * self.last + 1).min(MOST_LEFT_OUT);
        self.left_out = self.last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn lingers_as_long_as_it_pays_and_ever_more_seldom_where_it_does_not() {
        let (mut linger, looks) = (Linger::default(), Cell::new(0));
        let mut looks_of = |comes: bool| {
            looks.set(0);
            linger.wait(|| {
                looks.set(looks.get() + 1);
                comes
            });
            looks.get()
        };
        assert_eq!([true, true].map(&mut looks_of), [1, 1]);
        assert_eq!([false; 6].map(&mut looks_of), [LOOKS, 0, LOOKS, 0, 0, 0]);
        assert_eq!(looks_of(true), 1, "it pays again");
        assert_eq!([false; 3].map(&mut looks_of), [LOOKS, 0, LOOKS]);
        let in_vain = (0..100_000).filter(|_| looks_of(false) > 0).count();
        assert!(in_vain < 110, "{in_vain} of 100,000");
    }
}
