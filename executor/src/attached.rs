//! What else ends with a loop? What other crates have attached to it: a pool of threads, say.
//!
//! The executor does not know what it is. It keeps one of each type, and tells it of the loop's end.
//!
//! Invariants:
//! - **Told once**, when no task is left and nothing gets in any more, and while the loop is still the
//!   one that runs on its thread. A panic meanwhile is reported, and the others are told all the same.
//! - **Nothing is attached to a loop that has ended.**
//!
//! Cost: nothing while nothing is attached. It does not decide what is attached, or when.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::core::Phase;
use crate::panicked::Panic;
use crate::report;
use crate::waker::running;

/// Something that ends with a loop.
pub trait Attached: Any {
    /// The loop has ended: no task is left, and nothing gets in any more.
    fn loop_has_ended(&self);
}

/// The `T` of the loop that runs on this thread; `make` makes it where there is none yet.
///
/// `None`: that loop has ended.
///
/// # Panics
///
/// If no loop is running on this thread.
#[track_caller]
pub fn attached<T: Attached>(make: impl FnOnce() -> T) -> Option<Rc<T>> {
    let Some(core) = running(|core| core.to_rc()) else {
        panic!("nothing can be attached where no loop is running on this thread");
    };
    if core.phase.get() == Phase::Closed {
        return None;
    }
    let found = core.attachments.find();
    Some(found.unwrap_or_else(|| {
        let made = Rc::new(make());
        core.attachments.add(made.clone());
        made
    }))
}

/// The `T` of the loop that runs on this thread, if there is one.
#[must_use]
pub fn find_attached<T: Attached>() -> Option<Rc<T>> {
    running(|core| core.attachments.find()).flatten()
}

/// What is attached to one loop.
#[derive(Default)]
pub(crate) struct Attachments(RefCell<Vec<Rc<dyn Attached>>>);

impl Attachments {
    fn find<T: Attached>(&self) -> Option<Rc<T>> {
        let things = self.0.borrow();
        things.iter().find_map(|thing| {
            let thing: Rc<dyn Any> = thing.clone();
            thing.downcast().ok()
        })
    }

    pub(crate) fn add(&self, thing: Rc<dyn Attached>) {
        self.0.borrow_mut().push(thing);
    }

    /// The loop has ended: tells all.
    pub(crate) fn end(&self) {
        for thing in self.0.take() {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| thing.loop_has_ended())) {
                let whose = "what was attached to a loop that has ended".to_owned();
                report::unread_panic(&Panic::new(whose, payload));
            }
        }
    }
}
