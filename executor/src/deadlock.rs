//! Who waits for what, and who has it, when nobody can be woken any more? The report of a deadlock.

use std::fmt;

use crate::everybody::{Everybody, Waiting};

/// Everybody who waits in a loop in which nothing can happen any more.
///
/// It is certain: nobody is ready, no timer is set, no task waits for a descriptor, no
/// [`Remote`](crate::Remote) is left, and nobody outside of lone holds a clone of a waker.
///
/// # Examples
///
/// ```
/// let ran = lone::try_run(async {
///     let endless = lone::spawn(std::future::pending::<()>()).named("endless");
///     endless.await.expect("it neither panics nor is cancelled");
/// });
/// let Err(lone::RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
/// assert_eq!(report.waiting().len(), 2);
/// assert!(report.to_string().contains("main awaits the end of Task-1 `endless`"));
/// ```
#[derive(Clone, Debug)]
pub struct Deadlock {
    everybody: Everybody,
}

impl Deadlock {
    pub(crate) fn new(everybody: Everybody) -> Deadlock {
        Deadlock { everybody }
    }

    /// Main, if it waits, and then the tasks in the order of their numbers.
    #[must_use]
    pub fn waiting(&self) -> &[Waiting] {
        self.everybody.list()
    }

    /// The first cycle of those who await one another, if there is one: each awaits the end of the
    /// next, or a lock that the next holds, and the last one the first.
    ///
    /// Main is in it only where it holds a lock. Somebody who waits for a lock of his own is a cycle
    /// by himself. Who awaits several things at once is in a cycle by any of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// let ran = lone::try_run(async {
    ///     let account = Rc::new(lone::Mutex::new(100));
    ///     let theirs = account.clone();
    ///     let _guard = account.lock().await;
    ///     let task = lone::spawn(async move { *theirs.lock().await += 1 }).named("deposit");
    ///     task.await.expect("it neither panics nor is cancelled"); // it waits for us
    /// });
    /// let Err(lone::RunError::Deadlock(report)) = ran else { panic!("it is a deadlock") };
    /// let cycle = report.cycle().expect("main and the task wait for one another");
    /// assert_eq!(cycle.len(), 2);
    /// assert_eq!((cycle[0].task, cycle[1].name.as_deref()), (None, Some("deposit")));
    /// assert!(report.to_string().contains("awaits a lock at "));
    /// assert!(report.to_string().contains(", held by main since "));
    /// ```
    #[must_use]
    pub fn cycle(&self) -> Option<Vec<&Waiting>> {
        self.everybody.cycle()
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: everybody waits, and nothing can wake anybody")?;
        self.everybody.write_all(f)
    }
}
