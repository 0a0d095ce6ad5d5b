//! What do the tests of semaphore, event and queue share? A foreign waker with hooks, and chance.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use lone_executor::Executor;
use lone_tests::bounded_park::BoundedPark;

/// One turn; what was woken in it runs in the next one.
pub(crate) fn turn(executor: &mut Executor<BoundedPark>) {
    executor.turn(Some(Duration::ZERO)).expect("the park does not fail");
}

/// Polls with a waker.
pub(crate) fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(waker))
}

/// Polls with a waker that does nothing.
pub(crate) fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

type Hook = Option<Rc<dyn Fn()>>;

/// What a [`hooked`] waker does when it is cloned, woken and dropped.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) clone: Hook,
    pub(crate) wake: Hook,
    pub(crate) drop: Hook,
}

thread_local! {
    static HOOKS: RefCell<Hooks> = const {
        RefCell::new(Hooks { clone: None, wake: None, drop: None })
    };
}

/// A foreign waker that runs the hooks of this thread, each only once: it is taken out before.
pub(crate) fn hooked(hooks: Hooks) -> Waker {
    HOOKS.set(hooks);
    // SAFETY: no function of the table reads its data pointer, and each may run on any thread: they
    // use a thread-local only.
    unsafe { Waker::from_raw(RAW) }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |_| {
        run(|hooks| hooks.clone.take());
        RAW
    },
    |_| run(|hooks| hooks.wake.take()),
    |_| run(|hooks| hooks.wake.take()),
    |_| run(|hooks| hooks.drop.take()),
);

const RAW: RawWaker = RawWaker::new(std::ptr::null(), &TABLE);

fn run(which: impl FnOnce(&mut Hooks) -> Hook) {
    let hook = HOOKS.with_borrow_mut(which);
    if let Some(hook) = hook {
        hook();
    }
}

/// The same numbers for the same seed (xorshift).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % end
    }
}
