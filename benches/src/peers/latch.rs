//! An event for runtimes that have none: a flag, and the crate event-listener for those who wait.

use std::cell::Cell;

use event_listener::Event;

#[derive(Default)]
pub struct Latch {
    set: Cell<bool>,
    event: Event,
}

impl Latch {
    pub fn set(&self) {
        self.set.set(true);
        self.event.notify(usize::MAX);
    }

    pub async fn wait(&self) {
        // One thread, so nobody sets the flag between the test and the listening.
        if !self.set.get() {
            self.event.listen().await;
        }
    }

    pub async fn set_and_wait(&self) {
        self.set();
        self.wait().await;
        self.set.set(false);
    }
}
