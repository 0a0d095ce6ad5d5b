//! What is the least that makes an executor?
//!
//! ```text
//!     spawn ── push back ──┐          ┌── push back, unless queued ── wake (from anywhere)
//!                          ▼          ▼
//!     ready queue   [ main ][ 2 ][ 3 ]
//!                      │
//!                      │ pop front, take the future out of the table, poll it
//!                      │
//!                      ├── Pending: back into the table
//!                      └── Ready: drop the future, keep the output, wake the joiner
//! ```
//!
//! A table of futures, a queue of the numbers of those that want to be polled, and a waker that
//! puts a number into the queue. This file is a chapter of the book, and it is the oracle of the
//! tests: the same script has to run in the same order here and in the real executor. So each
//! choice is the obvious one, however slow.
//!
//! Invariants:
//! - **Once**: a number is in the queue at most once; many wakes before a poll are one poll.
//! - **Back**: who is spawned, or woken, goes to the back; only main, when it starts, to the front.
//! - **Later**: neither `spawn` nor `wake` polls; a wake of the task that runs is kept for later.
//! - **Batch**: a turn polls what was ready when it began, and nothing that becomes ready in it.
//! - **Dropped first**: a future is dropped before its joiner is woken.
//! - **No borrow**: nothing of ours is borrowed or locked while the code of a task runs.
//!
//! Cost: `wake` searches the whole queue, O(ready); a poll searches the table, O(log tasks); a
//! spawn allocates three times, and when table or queue grow.
//!
//! What it leaves out: timers and I/O, so that nothing happens between two turns and there is
//! nothing to sleep for (where the real executor parks, this one panics); cancelling; catching
//! panics (one in a task goes through `run`); budgets; shutdown (tasks that main leaves behind
//! stay, frozen, until the executor is dropped; one that holds the executor keeps it for ever).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

/// The number of a task: never used twice, so a late wake cannot hit a stranger.
type Id = u64;

/// An executor that is easier to believe than to use.
///
/// A clone is another handle to the same executor: tasks take one with them to spawn more.
#[derive(Clone, Default)]
pub struct Naive {
    shared: Rc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Every task that is neither finished nor being polled.
    tasks: RefCell<BTreeMap<Id, Task>>,
    ready: Arc<Ready>,
    last_id: Cell<Id>,
    /// Borrowed during a turn: a turn inside it would find the running task missing.
    turning: RefCell<()>,
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    waker: Waker,
}

/// The ready queue. A waker may go to any thread: hence the lock, the only one here.
#[derive(Default)]
struct Ready(Mutex<VecDeque<Id>>);

impl Ready {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Id>> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

/// What a waker points to: whom to queue, and where.
struct TaskWaker {
    id: Id,
    ready: Arc<Ready>,
}

impl Wake for TaskWaker {
    // [6] wake: no poll, only a place in the queue, and only one.
    fn wake(self: Arc<Self>) {
        let mut queue = self.ready.queue();
        if !queue.contains(&self.id) {
            queue.push_back(self.id);
        }
    }
}

impl Naive {
    /// An executor without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a task at the back of the queue; nothing is polled in here.
    ///
    /// Dropping the handle lets the task run on.
    pub fn spawn<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        // [1] spawn
        let join = Rc::new(RefCell::new(Join::Running(None)));
        let handle = JoinHandle(Rc::clone(&join));
        let future = Box::pin(async move {
            // [7] complete: `await` owns the future, and drops it before the next line.
            let output = future.await;
            // [8] join: `replace` has ended its borrow before the joiner is woken.
            let before = join.replace(Join::Done(output));
            if let Join::Running(Some(joiner)) = before {
                joiner.wake();
            }
        });
        let (id, waker) = self.next_waker();
        let task = Task { future, waker };
        self.shared.tasks.borrow_mut().insert(id, task);
        // [2] enqueue
        self.shared.ready.queue().push_back(id);
        handle
    }

    /// Runs `main` and every task until `main` is done, and returns its output at once.
    ///
    /// `main` goes to the front of the queue, once; from then on it is a task like any other, but
    /// may borrow from the caller. The other tasks stay where they are: a later `run` goes on.
    ///
    /// # Panics
    /// If nothing is ready and `main` is not done, and if called from inside a task.
    #[track_caller]
    pub fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let mut main = pin!(main);
        let (main_id, waker) = self.next_waker();
        self.shared.ready.queue().push_front(main_id);
        loop {
            let mut result = Poll::Pending;
            let polled = self.batch(|id| {
                if id == main_id {
                    result = main.as_mut().poll(&mut Context::from_waker(&waker));
                } else {
                    self.poll(id);
                }
                result.is_pending()
            });
            if let Poll::Ready(output) = result {
                return output;
            }
            let tasks = self.tasks();
            assert!(polled > 0, "nobody can wake main; {tasks} tasks wait too");
        }
    }

    /// Takes turns until nothing is ready; returns how many tasks are left, all waiting.
    ///
    /// # Panics
    /// If called from inside a task.
    #[track_caller]
    pub fn run_until_idle(&self) -> usize {
        while self.turn() > 0 {}
        self.tasks()
    }

    /// Takes one turn: polls what is ready now, each once; returns how many there were.
    ///
    /// # Panics
    /// If called from inside a task.
    #[track_caller]
    pub fn turn(&self) -> usize {
        self.batch(|id| {
            self.poll(id);
            true
        })
    }

    /// The number of unfinished tasks, without `main` and without the one that asks.
    pub fn tasks(&self) -> usize {
        self.shared.tasks.borrow().len()
    }

    /// Beat b, one batch: as many from the front of the queue as there are when it begins, or fewer
    /// if `poll` says that this is enough.
    #[track_caller]
    fn batch(&self, mut poll: impl FnMut(Id) -> bool) -> usize {
        let Ok(_turning) = self.shared.turning.try_borrow_mut() else {
            panic!("a task runs the executor that runs it: let it await a handle instead");
        };
        let length = self.shared.ready.queue().len();
        for _ in 0..length {
            // [3] dequeue: before the poll, so that a wake during it is not lost.
            let id = self.shared.ready.queue().pop_front();
            if !poll(id.expect("only a turn takes from the queue")) {
                break;
            }
        }
        length
    }

    /// Polls one task, which is out of the table meanwhile: it may spawn.
    fn poll(&self, id: Id) {
        let task = self.shared.tasks.borrow_mut().remove(&id);
        // A waker may outlive its task and queue its number: nobody is there.
        let Some(mut task) = task else { return };
        // [4] poll
        let mut cx = Context::from_waker(&task.waker);
        let result = task.future.as_mut().poll(&mut cx);
        if result.is_pending() {
            // [5] await: back into the table; who keeps the waker will queue the number.
            self.shared.tasks.borrow_mut().insert(id, task);
        }
        // [9] reap: what is left of a finished task is dropped here.
    }

    fn next_waker(&self) -> (Id, Waker) {
        let id = self.shared.last_id.get() + 1;
        self.shared.last_id.set(id);
        let ready = Arc::clone(&self.shared.ready);
        (id, Waker::from(Arc::new(TaskWaker { id, ready })))
    }
}

impl fmt::Debug for Naive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ready = self.shared.ready.queue().clone();
        write!(f, "Naive(ready {ready:?}, {} tasks)", self.tasks())
    }
}

/// Waits for the output of a task: a future; dropped, it lets the task run on.
///
/// # Panics
/// If polled after it has given the output.
pub struct JoinHandle<T>(Rc<RefCell<Join<T>>>);

/// What a task and its handle share.
enum Join<T> {
    /// With the waker of the joiner, if the handle has been polled.
    Running(Option<Waker>),
    Done(T),
    Taken,
}

impl<T> JoinHandle<T> {
    /// Whether the task is done, be its output taken or not.
    pub fn is_finished(&self) -> bool {
        !matches!(*self.0.borrow(), Join::Running(_))
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.0.replace(Join::Taken) {
            Join::Done(output) => Poll::Ready(output),
            // Only the newest waker is kept; the one before it is dropped outside of the borrow.
            Join::Running(_older) => {
                let joiner = Some(cx.waker().clone());
                self.0.replace(Join::Running(joiner));
                Poll::Pending
            }
            Join::Taken => panic!("the output has been taken: await a handle once"),
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self.0.borrow() {
            Join::Running(_) => "JoinHandle(Running)",
            Join::Done(_) => "JoinHandle(Done)",
            Join::Taken => "JoinHandle(Taken)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    /// What happened, in order; a clone writes to the same list.
    #[derive(Clone, Default)]
    struct Trace(Rc<RefCell<Vec<String>>>);

    impl Trace {
        fn say(&self, what: impl Into<String>) {
            self.0.borrow_mut().push(what.into());
        }

        fn take(&self) -> String {
            self.0.take().join(" ")
        }
    }

    /// Says what the executor looks like when this is dropped.
    struct SayOnDrop(Trace, Naive);

    impl Drop for SayOnDrop {
        fn drop(&mut self) {
            self.0.say(format!("dropped at {:?}", self.1));
        }
    }

    /// Wakes its task `wakes` times in one poll, and is ready at the next.
    async fn yield_waking(wakes: u32) {
        let mut polled = false;
        poll_fn(|cx| {
            if polled {
                return Poll::Ready(());
            }
            polled = true;
            (0..wakes).for_each(|_| cx.waker().wake_by_ref());
            Poll::Pending
        })
        .await;
    }

    /// Leaves the waker of its task in `place` and waits for ever.
    async fn leave_waker(place: Rc<RefCell<Option<Waker>>>) {
        poll_fn(|cx| {
            place.replace(Some(cx.waker().clone()));
            Poll::<()>::Pending
        })
        .await;
    }

    /// Says `name` and a number at each of three polls.
    async fn thrice(trace: Trace, name: &'static str) {
        for step in 1..=3 {
            trace.say(format!("{name}{step}"));
            yield_waking(1).await;
        }
    }

    #[test]
    fn tasks_that_yield_take_turns_in_spawn_order() {
        let (naive, trace) = (Naive::new(), Trace::default());
        for name in ["a", "b", "c"] {
            naive.spawn(thrice(trace.clone(), name));
        }
        assert_eq!(naive.run_until_idle(), 0);
        assert_eq!(trace.take(), "a1 b1 c1 a2 b2 c2 a3 b3 c3");
    }

    #[test]
    fn turn_polls_only_what_was_ready_when_it_began() {
        let (naive, trace) = (Naive::new(), Trace::default());
        let (inner, inner_trace) = (naive.clone(), trace.clone());
        naive.spawn(async move {
            inner.spawn(thrice(inner_trace.clone(), "child"));
            thrice(inner_trace, "parent").await;
        });
        assert_eq!((naive.turn(), trace.take()), (1, "parent1".into()));
        assert_eq!((naive.turn(), trace.take()), (2, "child1 parent2".into()));
    }

    #[test]
    fn main_is_polled_first_and_tasks_in_spawn_order() {
        let (naive, trace) = (Naive::new(), Trace::default());
        naive.spawn(thrice(trace.clone(), "old"));
        let text = String::from("main borrows");
        let length = naive.run(async {
            trace.say("main1");
            let new = naive.spawn(thrice(trace.clone(), "new"));
            yield_waking(1).await;
            trace.say("main2");
            new.await;
            text.len()
        });
        assert_eq!(length, 12);
        assert_eq!(trace.take(), "main1 old1 new1 main2 old2 new2 old3 new3");
    }

    #[test]
    fn main_done_in_the_middle_of_a_batch_leaves_the_rest_unpolled() {
        let (naive, trace) = (Naive::new(), Trace::default());
        naive.spawn(thrice(trace.clone(), "left"));
        naive.run(async {});
        assert_eq!((trace.take(), naive.tasks()), (String::new(), 1));
        naive.run(yield_waking(1));
        assert_eq!(trace.take(), "left1");
    }

    #[test]
    fn many_wakes_during_a_poll_queue_the_task_once_at_the_back() {
        let (naive, trace) = (Naive::new(), Trace::default());
        let inner = trace.clone();
        naive.spawn(async move {
            inner.say("a1");
            yield_waking(5).await;
            inner.say("a2");
            yield_waking(0).await;
            inner.say("not reached");
        });
        naive.spawn(thrice(trace.clone(), "b"));
        assert_eq!(naive.run_until_idle(), 1);
        assert_eq!(trace.take(), "a1 b1 a2 b2 b3");
    }

    #[test]
    fn wakes_before_a_poll_and_from_another_thread_are_one_poll() {
        let (naive, place) = (Naive::new(), Rc::<RefCell<Option<Waker>>>::default());
        naive.spawn(leave_waker(Rc::clone(&place)));
        assert_eq!(naive.turn(), 1);
        let waker = place.take().expect("the task has left its waker");
        waker.wake_by_ref();
        let other = std::thread::spawn(move || waker.wake());
        other.join().expect("a wake does not panic");
        assert_eq!((naive.turn(), naive.turn()), (1, 0));
    }

    #[test]
    fn wake_after_completion_polls_nobody() {
        let (naive, place) = (Naive::new(), Rc::<RefCell<Option<Waker>>>::default());
        let inner = Rc::clone(&place);
        naive.spawn(poll_fn(move |cx| {
            inner.replace(Some(cx.waker().clone()));
            Poll::Ready(())
        }));
        assert_eq!(naive.run_until_idle(), 0);
        place.take().expect("the task has left its waker").wake();
        naive.spawn(async {});
        assert_eq!(naive.run_until_idle(), 0);
    }

    #[test]
    fn future_is_dropped_before_its_joiner_is_woken() {
        let (naive, trace) = (Naive::new(), Trace::default());
        let guard = SayOnDrop(trace.clone(), naive.clone());
        let inner = trace.clone();
        let handle = naive.spawn(poll_fn(move |_| {
            let _held_until_the_future_goes = &guard;
            inner.say("ready");
            Poll::Ready(7)
        }));
        assert_eq!(format!("{handle:?}"), "JoinHandle(Running)");
        let output = naive.run(async {
            let output = handle.await;
            trace.say("joined");
            output
        });
        assert_eq!(output, 7);
        // Main, the joiner, is not yet in the queue when the future goes.
        assert_eq!(trace.take(), "ready dropped at Naive(ready [], 0 tasks) joined");
    }

    #[test]
    fn handle_of_a_finished_task_is_ready_at_once() {
        let naive = Naive::new();
        let handle = naive.spawn(async { "kept" });
        assert_eq!(naive.run_until_idle(), 0);
        assert!(handle.is_finished());
        assert_eq!(naive.run(handle), "kept");
    }

    #[test]
    #[should_panic(expected = "nobody can wake main; 1 tasks wait too")]
    fn main_that_nobody_can_wake_panics() {
        let naive = Naive::new();
        let never = naive.spawn(std::future::pending::<()>());
        naive.run(never);
    }

    #[test]
    #[should_panic(expected = "let it await a handle instead")]
    fn turn_inside_a_turn_panics() {
        let naive = Naive::new();
        naive.run(async { naive.turn() });
    }
}
