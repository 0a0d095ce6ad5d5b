//! A stop watch of CPU time that several tasks share.

use std::cell::Cell;

use crate::measure::cpu_now;

#[derive(Default)]
pub struct Clock {
    begin: Cell<u64>,
    end: Cell<u64>,
}

impl Clock {
    pub fn start(&self) {
        self.begin.set(cpu_now());
    }

    pub fn stop(&self) {
        self.end.set(cpu_now());
    }

    /// From the last start to the last stop, in nanoseconds.
    pub fn cpu(&self) -> u64 {
        self.end.get() - self.begin.get()
    }
}
