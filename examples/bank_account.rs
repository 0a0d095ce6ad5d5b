//! An account that two people withdraw from: the bug that only some orders show.
//!
//! There are 100 on the account, and nobody may take more than there is. A withdrawal looks at the
//! balance, asks the bank, which takes a moment, and then takes the money. Alice goes first; Bob has
//! to walk to the machine. Run it a thousand times: it goes well a thousand times.
//!
//! What to look for:
//! - One thread and no `unsafe` do not make a program free of races. Between two awaits nobody else
//!   runs; *at* an await everybody may. What was true before `.await` has to be looked at again after
//!   it, or kept true by a lock.
//! - An ordinary test sees one order of tasks: that of the queue. It is not promised that the bank's
//!   answer is faster than Bob. [`lone::test::Explore`] runs the program in *every* order in which tasks
//!   that are ready could run, and finds the one in which both look before either takes.
//! - It shows who was polled, step by step, and which line replays that very order.
//! - A lock around the whole withdrawal mends it, and "mended" is not a hope: all orders were tried.
//!   (A semaphore with one permit is a lock. Borrowing a `RefCell` over the await would not do: that
//!   panics in the task that comes second.)
//!
//! Run it: `cargo run --example bank_account`.
//!
//! The same in asyncio, where nothing tries the other orders:
//!
//! ```python
//! import asyncio
//!
//! balance = 100
//!
//! async def withdraw(amount):
//!     global balance
//!     if balance >= amount:          # check …
//!         await asyncio.sleep(0)     # … somebody else may run …
//!         balance -= amount          # … then act
//!
//! async def bob():
//!     for _ in range(2):
//!         await asyncio.sleep(0)
//!     await withdraw(80)
//!
//! async def main():
//!     await asyncio.gather(withdraw(80), bob())
//!     assert balance >= 0
//!
//! asyncio.run(main())
//! ```
#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::cell::Cell;
use std::rc::Rc;

use lone::test::{Explore, Explored, Failure};
use lone::{Semaphore, gather, spawn, yield_now};

/// What was found.
#[derive(Debug)]
pub struct Outcome {
    /// The order in which the account without a lock is overdrawn.
    pub failure: Failure,
    /// What trying the one with a lock has come to.
    pub with_a_lock: Explored,
}

struct Account {
    balance: Cell<i64>,
    /// Whoever has its one permit has the account for itself.
    lock: Semaphore,
}

impl Account {
    fn new(balance: i64) -> Account {
        Account { balance: Cell::new(balance), lock: Semaphore::new(1) }
    }

    /// Takes the money if there is enough of it.
    async fn withdraw(&self, amount: i64) {
        // Check …
        if self.balance.get() < amount {
            return;
        }
        the_bank_agrees().await;
        // … then act: on what was seen before the await, and may be no longer so.
        self.balance.set(self.balance.get() - amount);
    }

    /// The same, with nobody else in between.
    async fn withdraw_alone(&self, amount: i64) {
        let _turn = self.lock.acquire().await;
        self.withdraw(amount).await;
        // Here the permit is dropped, and goes to the next one in line.
    }
}

/// A question to the bank, and its answer: the others may run meanwhile.
async fn the_bank_agrees() {
    yield_now().await;
}

/// How long that takes nobody knows; in the order of the queue, longer than a withdrawal.
async fn walk_to_the_machine() {
    yield_now().await;
    yield_now().await;
}

/// Alice and Bob withdraw 80 each. An `Err` if that leaves less than nothing.
pub async fn program(with_a_lock: bool) -> Result<(), String> {
    // Each run makes all of its state anew, so that it depends on the order of the tasks alone.
    let account = Rc::new(Account::new(100));
    let withdraw = move |account: Rc<Account>| async move {
        if with_a_lock {
            account.withdraw_alone(80).await;
        } else {
            account.withdraw(80).await;
        }
    };
    let alice = spawn(withdraw(account.clone())).named("alice");
    let bob = spawn({
        let account = account.clone();
        async move {
            walk_to_the_machine().await;
            withdraw(account).await;
        }
    })
    .named("bob");
    for end in gather([alice, bob]).await {
        end.expect("a withdrawal neither panics nor is cancelled");
    }
    match account.balance.get() {
        balance if balance < 0 => Err(format!("the account is overdrawn: {balance}")),
        _ => Ok(()),
    }
}

/// Looks for an order in which the account is overdrawn, without a lock and with one.
pub fn explore() -> Outcome {
    for _ in 0..1000 {
        lone::run(program(false)).expect("in the order of the queue Bob comes too late");
    }
    println!("a thousand runs went well, all in the same order; and now in all orders:\n");

    let found = Explore::new().try_run(|| program(false));
    let failure = found.expect_err("there is an order in which both look before either takes");
    println!("{failure}\n");

    let with_a_lock = lone::test::explore(|| program(true));
    let (orders, all) = (with_a_lock.schedules, with_a_lock.exhaustive);
    println!("with a lock {orders} orders went well; that is all there are: {all}");
    Outcome { failure, with_a_lock }
}

/// Runs the example.
pub fn main() {
    env_logger::init_from_env(env_logger::Env::new().default_filter_or("warn"));
    let it = explore();
    assert!(it.with_a_lock.exhaustive, "there are few orders");
}
