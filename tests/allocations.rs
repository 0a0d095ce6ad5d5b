//! What does the hot path allocate? Nothing: counted, not believed.
//!
//! The binary's allocator counts per thread, so that tests may run side by side. Every test warms up
//! first: vectors and free lists grow to the most that was ever needed, and stay.
//!
//! To add a test: warm up by doing the thing as often as it will be done, then
//! `assert_eq!(allocations_of(|| …), 0)` round doing it again.
//!
//! With feature `trace` every event is put into words, and words allocate: then there is no test here.

#![cfg(not(feature = "trace"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use lone_executor::{Executor, JoinHandle, spawn, yield_now};
use lone_tests::bounded_park::BoundedPark;

struct Counting;

thread_local! {
    /// Without a destructor, and made without an allocation: the allocator may use it at any time.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(allocations: usize, more: usize, less: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    // What one thread has allocated another may free.
    LIVE_BYTES.set(LIVE_BYTES.get().wrapping_add(more).wrapping_sub(less));
}

// SAFETY: every call is passed on to `System` as it is; counting touches plain thread-local cells, and
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: this function's contract is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        // SAFETY: as above; `block` came from `System`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        // SAFETY: as above; `block` came from `System`.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `f` allocates on this thread.
fn allocations_of<R>(f: impl FnOnce() -> R) -> usize {
    let before = ALLOCATIONS.get();
    let r = f();
    let allocations = ALLOCATIONS.get() - before;
    drop(r);
    allocations
}

fn executor() -> Executor<BoundedPark> {
    Executor::new(BoundedPark::new()).expect("a loop index is free")
}

/// One turn that does not wait.
fn turn(executor: &mut Executor<BoundedPark>) {
    executor.turn(Some(Duration::ZERO)).expect("the park works");
}

/// That the counter counts: otherwise every test here would pass.
#[test]
fn allocations_of_a_box_and_of_a_growing_vector_are_counted() {
    assert_eq!(allocations_of(|| Box::new(7)), 1);
    assert_eq!(allocations_of(|| Vec::<u8>::with_capacity(100)), 1);
    assert_eq!(allocations_of(|| 7), 0);
}

/// Spawns, joins and drops so many tasks at once.
async fn spawn_and_join(tasks: &mut Vec<JoinHandle<usize>>, count: usize) {
    for n in 0..count {
        tasks.push(spawn(async move { n }));
    }
    while let Some(task) = tasks.pop() {
        task.await.expect("it ends well");
    }
}

// F18: the block comes from a free list, the slot and the place in the queue are there.
#[test]
fn spawn_join_and_reap_once_warm_allocate_nothing() {
    let mut executor = executor();
    let mut tasks = Vec::with_capacity(100);
    executor.block_on(async {
        spawn_and_join(&mut tasks, 100).await;
        let before = ALLOCATIONS.get();
        for _ in 0..10 {
            spawn_and_join(&mut tasks, 100).await;
        }
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

/// A task whose future has `N` bytes that nobody else's has, so that its block's size is its own.
fn sized<const N: usize>() -> impl Future<Output = u8> {
    let bytes = [7_u8; N];
    async move {
        yield_now().await;
        bytes[N - 1]
    }
}

/// How often the first and the second spawn of a task of that size allocate.
fn cold_and_warm<const N: usize>(executor: &mut Executor<BoundedPark>) -> [usize; 2] {
    executor.block_on(async {
        let spawn_once = || {
            let mut task = None;
            let allocations = allocations_of(|| task = Some(spawn(sized::<N>())));
            (allocations, task)
        };
        let (cold, first) = spawn_once();
        first.expect("it was spawned").await.expect("it ends well");
        let (warm, second) = spawn_once();
        second.expect("it was spawned").await.expect("it ends well");
        [cold, warm]
    })
}

// F18, F27: one block a task, and none where one of its size is free; large ones are not kept.
#[test]
fn spawn_of_a_new_size_allocates_once_and_the_next_of_that_size_not_at_all() {
    // On a thread of its own: the free lists are a thread's.
    let thread = std::thread::spawn(|| {
        let mut executor = executor();
        let mut tasks = Vec::with_capacity(10);
        executor.block_on(spawn_and_join(&mut tasks, 10));
        assert_eq!(cold_and_warm::<200>(&mut executor), [1, 0]);
        assert_eq!(cold_and_warm::<600>(&mut executor), [1, 0]);
        assert_eq!(cold_and_warm::<4_000>(&mut executor), [1, 1], "above 1 KiB");
        let [cold, warm] = cold_and_warm::<40_000>(&mut executor);
        assert!(cold <= 2 && warm == 1, "boxed, and its cell is small: {cold} {warm}");
    });
    thread.join().expect("it ends well");
}

// F27: a finished task whose handle is kept does not hold a large future's memory.
#[test]
fn handle_kept_of_a_finished_task_does_not_keep_a_large_future_alive() {
    let mut executor = executor();
    executor.block_on(async {
        let before = LIVE_BYTES.get();
        let task = spawn(sized::<40_000>());
        assert!(LIVE_BYTES.get().wrapping_sub(before) >= 40_000);
        while !task.is_finished() {
            yield_now().await;
        }
        assert!(LIVE_BYTES.get().wrapping_sub(before) < 4_000);
        task.await.expect("it ends well");
    });
}

// SEM-46: a wake is a push onto a queue that is there, whoever was woken, once or often.
#[test]
fn wakes_on_the_loops_thread_allocate_nothing() {
    let mut executor = executor();
    let places: Vec<_> = (0..100).map(|_| std::rc::Rc::new(Cell::new(None))).collect();
    for place in &places {
        let place = place.clone();
        drop(executor.spawn(poll_fn(move |cx| {
            place.set(Some(cx.waker().clone()));
            Poll::<()>::Pending
        })));
    }
    turn(&mut executor);
    let wakers: Vec<Waker> = places.iter().filter_map(|place| place.take()).collect();
    assert_eq!(wakers.len(), 100);
    executor.block_on(async {
        let wake_all = || wakers.iter().for_each(Waker::wake_by_ref);
        // Twice: the queue of the next turn and the batch of this one may be two vectors.
        for _ in 0..2 {
            wake_all();
            yield_now().await;
        }
        let before = ALLOCATIONS.get();
        for _ in 0..10 {
            wake_all();
            wake_all();
            yield_now().await;
        }
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

// SEM-413: its futures lie in the task that awaits it.
#[test]
fn selects_allocate_nothing() {
    executor().block_on(async {
        let select = async || {
            let one = lone::select! {
                () = pending() => 0,
                n = async { yield_now().await; 1 } => n,
                n = pending(), if ALLOCATIONS.get() > 0 => n,
            };
            let two = lone::select! { random;
                () = yield_now() => 2,
                () = yield_now() => 2,
            };
            one + two
        };
        // The ready queue grows.
        assert_eq!(select().await, 3);
        let before = ALLOCATIONS.get();
        for _ in 0..100 {
            assert_eq!(select().await, 3);
        }
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

// SEM-47: one from outside goes into a vector that has grown once.
#[test]
fn wakes_of_a_loop_that_does_not_run_allocate_nothing_once_warm() {
    let mut executor = executor();
    let place = std::rc::Rc::new(Cell::new(None));
    let left = place.clone();
    drop(executor.spawn(poll_fn(move |cx| {
        left.set(Some(cx.waker().clone()));
        Poll::<()>::Pending
    })));
    let round = |executor: &mut Executor<BoundedPark>| {
        turn(executor);
        let waker = place.take();
        waker.inspect(|waker| (0..10).for_each(|_| waker.wake_by_ref()))
    };
    for _ in 0..3 {
        assert!(round(&mut executor).is_some());
    }
    for _ in 0..10 {
        assert_eq!(allocations_of(|| round(&mut executor)), 0);
    }
}

// SEM-51: a yield is a wake and a place in the next batch.
#[test]
fn yields_of_many_tasks_allocate_nothing() {
    let mut executor = executor();
    for _ in 0..100 {
        drop(executor.spawn(async {
            loop {
                yield_now().await;
            }
        }));
    }
    // Twice, as above.
    turn(&mut executor);
    turn(&mut executor);
    let allocations = allocations_of(|| (0..20).for_each(|_| turn(&mut executor)));
    assert_eq!(allocations, 0);
}

// SEM-28: neither waiting for a task nor reading its outcome.
#[test]
fn joins_before_and_after_the_end_allocate_nothing() {
    executor().block_on(async {
        let mut waits = Vec::with_capacity(2);
        for _ in 0..2 {
            let mut task = spawn(async {
                yield_now().await;
                7
            });
            let before = ALLOCATIONS.get();
            let early = poll_fn(|cx| Poll::Ready(Pin::new(&mut task).poll(cx).is_pending())).await;
            let outcome = task.await;
            waits.push((ALLOCATIONS.get() - before, early, outcome.is_ok()));
        }
        assert_eq!(waits[1], (0, true, true));
        let task = spawn(async { 7 });
        yield_now().await;
        let before = ALLOCATIONS.get();
        assert_eq!(task.await.expect("it ends well"), 7);
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

// F15: a waker is a number: copied by clone, forgotten by drop. The first clone of all makes room to count
// those of each task.
#[test]
fn clones_and_drops_of_a_waker_allocate_nothing() {
    executor().block_on(poll_fn(|cx| {
        assert_eq!(allocations_of(|| drop(cx.waker().clone())), 1);
        let allocations = allocations_of(|| {
            for _ in 0..1000 {
                let waker = cx.waker().clone();
                assert!(waker.will_wake(cx.waker()));
                drop(waker);
            }
        });
        assert_eq!(allocations, 0);
        Poll::Ready(())
    }));
}

// SEM-53: a cancel keeps its reason, and nothing else; a task that is dropped gives all back.
#[test]
fn tasks_cancelled_and_dropped_give_back_all_that_they_took() {
    let mut executor = executor();
    let round = |executor: &mut Executor<BoundedPark>| {
        let tasks: Vec<_> = (0..50).map(|_| executor.spawn(pending::<()>())).collect();
        turn(executor);
        for task in &tasks {
            task.cancel("enough");
        }
        turn(executor);
        turn(executor);
        assert_eq!(executor.statistics().tasks, 0);
    };
    round(&mut executor);
    let before = LIVE_BYTES.get();
    for _ in 0..10 {
        round(&mut executor);
    }
    assert_eq!(LIVE_BYTES.get().wrapping_sub(before), 0);
}

// SEM-204: neither a lock that is free nor, once as many have waited before, one that is waited for.
#[test]
fn locks_free_and_waited_for_once_warm_allocate_nothing() {
    let mut executor = executor();
    let mutex = std::rc::Rc::new(lone::Mutex::new(0_u64));
    executor.block_on(async {
        let before = ALLOCATIONS.get();
        // Within one poll's budget.
        for _ in 0..30 {
            *mutex.lock().await += 1;
            *mutex.clone().lock_owned().await += 1;
            assert!(mutex.try_lock().is_some());
        }
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
    for owned in [false, true].repeat(5) {
        let mutex = mutex.clone();
        drop(executor.spawn(async move {
            loop {
                if owned {
                    let mut guard = mutex.clone().lock_owned().await;
                    *guard += 1;
                    yield_now().await;
                } else {
                    let mut guard = mutex.lock().await;
                    *guard += 1;
                    yield_now().await;
                }
            }
        }));
    }
    (0..4).for_each(|_| turn(&mut executor));
    assert_eq!(mutex.waiters(), 9, "it is fought for");
    let allocations = allocations_of(|| (0..100).for_each(|_| turn(&mut executor)));
    assert_eq!(allocations, 0);
}

// SEM-221: neither permits that are free nor, once as many have waited before, those waited for.
#[test]
fn semaphores_free_and_waited_for_once_warm_allocate_nothing() {
    let mut executor = executor();
    let semaphore = std::rc::Rc::new(lone::Semaphore::new(2));
    executor.block_on(async {
        let before = ALLOCATIONS.get();
        // Within one poll's budget.
        for _ in 0..30 {
            drop(semaphore.acquire().await);
            drop(semaphore.acquire_many(2).await);
            drop(semaphore.clone().acquire_owned().await);
            assert!(semaphore.try_acquire().is_some());
        }
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
    for _ in 0..10 {
        let semaphore = semaphore.clone();
        drop(executor.spawn(async move {
            loop {
                let _permit = semaphore.acquire().await;
                yield_now().await;
            }
        }));
    }
    (0..4).for_each(|_| turn(&mut executor));
    assert_eq!(semaphore.statistics().waiters, 8, "it is fought for");
    let allocations = allocations_of(|| (0..100).for_each(|_| turn(&mut executor)));
    assert_eq!(allocations, 0);
}

// SEM-250: as many waited before.
#[test]
fn events_set_and_cleared_and_waited_for_once_warm_allocate_nothing() {
    let mut executor = executor();
    let event = std::rc::Rc::new(lone::Event::new());
    let passed = std::rc::Rc::new(Cell::new(0));
    for _ in 0..10 {
        let (event, passed) = (event.clone(), passed.clone());
        drop(executor.spawn(async move {
            loop {
                event.wait().await;
                passed.set(passed.get() + 1);
            }
        }));
    }
    let mut round = || {
        turn(&mut executor);
        event.set();
        event.clear();
    };
    (0..4).for_each(|_| round());
    let before = passed.get();
    assert_eq!(allocations_of(|| (0..100).for_each(|_| round())), 0);
    assert_eq!(passed.get() - before, 1000, "all of them wait each time");
}

/// What a hundred turns of three who put and three who get allocate, in a queue that is too small.
fn allocations_of_a_queue<O: lone::QueueOrder<u64> + 'static>(
    queue: lone::QueueOf<u64, O>,
) -> usize {
    let mut executor = executor();
    let queue = std::rc::Rc::new(queue);
    let got = std::rc::Rc::new(Cell::new(0));
    for _ in 0..3 {
        let (puts, gets, got) = (queue.clone(), queue.clone(), got.clone());
        drop(executor.spawn(async move {
            for item in 0.. {
                puts.put(item).await.expect("it is open");
            }
        }));
        drop(executor.spawn(async move {
            loop {
                gets.get().await.expect("it is open");
                got.set(got.get() + 1);
            }
        }));
    }
    (0..20).for_each(|_| turn(&mut executor));
    let before = got.get();
    let allocations = allocations_of(|| (0..100).for_each(|_| turn(&mut executor)));
    assert!(got.get() > before + 100, "items go through it: {} more", got.get() - before);
    allocations
}

// SEM-271: of all three orders, full and empty by turns.
#[test]
fn queues_waited_for_on_both_sides_once_warm_allocate_nothing() {
    assert_eq!(allocations_of_a_queue(lone::Queue::bounded(2)), 0);
    assert_eq!(allocations_of_a_queue(lone::PriorityQueue::bounded(2)), 0);
    assert_eq!(allocations_of_a_queue(lone::LifoQueue::bounded(2)), 0);
}

// Without waiting, and in a line behind the bucket.
#[test]
fn rate_limiters_once_warm_allocate_nothing() {
    lone::Builder::new().start_paused(true).run(async {
        let limiter = std::rc::Rc::new(lone::RateLimiter::per_second(100).burst(10));
        let before = ALLOCATIONS.get();
        for _ in 0..10 {
            limiter.acquire().await;
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "they are in the bucket");
        let tasks: Vec<_> = (0..5)
            .map(|_| {
                let limiter = limiter.clone();
                spawn(async move {
                    loop {
                        limiter.acquire().await;
                    }
                })
            })
            .collect();
        lone::sleep(Duration::from_secs(1)).await;
        let before = ALLOCATIONS.get();
        lone::sleep(Duration::from_secs(1)).await;
        assert_eq!(ALLOCATIONS.get() - before, 0, "a hundred have waited");
        assert!(limiter.statistics().waiters >= 4);
        drop(tasks);
    });
}

// SEM-323: a generator is two blocks; its items are in none.
#[test]
fn generators_allocate_two_blocks_and_nothing_for_an_item() {
    executor().block_on(async {
        let before = ALLOCATIONS.get();
        let mut numbers = lone::stream::generate(async |y| {
            for number in 0_u64.. {
                y.give(number).await;
            }
        });
        assert_eq!(numbers.next().await, Some(0));
        assert_eq!(ALLOCATIONS.get() - before, 2);
        let before = ALLOCATIONS.get();
        for number in 1..1000 {
            assert_eq!(numbers.next().await, Some(number));
        }
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

/// Spawns so many children that yield once, a hundred at a time.
async fn run_children(group: &lone::TaskGroup<'_, ()>, count: usize) {
    for n in 0..count {
        drop(group.spawn(async {
            yield_now().await;
            Ok::<(), ()>(())
        }));
        if n % 100 == 99 {
            while !group.is_empty() {
                yield_now().await;
            }
        }
    }
}

// SEM-194: a child is two blocks, its future and its outcome; its slot and its places are there.
#[test]
fn children_of_a_group_once_warm_allocate_two_blocks_each() {
    executor().block_on(async {
        let ran = lone::TaskGroup::run(async |group| {
            run_children(&group, 1000).await;
            let before = ALLOCATIONS.get();
            run_children(&group, 1000).await;
            assert_eq!(ALLOCATIONS.get() - before, 2000);
            Ok::<(), ()>(())
        });
        assert!(ran.await.is_ok());
    });
}

// SEM-194, C-93: a million short children leave no more behind than a few.
#[test]
fn group_of_a_million_short_children_takes_no_more_memory_than_one_of_a_few() {
    let mut executor = executor();
    let live = executor.block_on(async {
        let ran = lone::TaskGroup::run(async |group| {
            run_children(&group, 1000).await;
            let before = LIVE_BYTES.get();
            run_children(&group, 1_000_000).await;
            Ok::<usize, ()>(LIVE_BYTES.get().wrapping_sub(before))
        });
        ran.await.expect("nobody fails").expect("nobody cancels")
    });
    assert_eq!(live, 0);
}

// SEM-240: a notification moves its waiter from one line to another, which both have been as long.
#[test]
fn condvars_waited_for_and_notified_once_warm_allocate_nothing() {
    let mut executor = executor();
    let shared = std::rc::Rc::new((lone::Mutex::new(0_u64), lone::Condvar::new()));
    for place in 0..10 {
        let shared = shared.clone();
        drop(executor.spawn(async move {
            let (mutex, condvar) = &*shared;
            let mut guard = mutex.lock().await;
            loop {
                // Each its turn; all are notified, and all but one wait again.
                guard = condvar.wait_while(guard, |turns| *turns % 10 != place).await;
                *guard += 1;
                condvar.notify_all();
            }
        }));
    }
    (0..40).for_each(|_| turn(&mut executor));
    assert_eq!(shared.1.waiters() + shared.1.statistics().unclaimed, 10, "all of them wait");
    let allocations = allocations_of(|| (0..100).for_each(|_| turn(&mut executor)));
    assert_eq!(allocations, 0);
}

// SEM-261: neither waiting nor a trip, once there was one.
#[test]
fn barriers_once_tripped_allocate_nothing() {
    let mut executor = executor();
    let barrier = std::rc::Rc::new(lone::Barrier::new(10));
    for _ in 0..10 {
        let barrier = barrier.clone();
        drop(executor.spawn(async move {
            loop {
                barrier.wait().await.expect("nobody breaks it");
            }
        }));
    }
    (0..40).for_each(|_| turn(&mut executor));
    let trips = barrier.statistics().trips;
    let allocations = allocations_of(|| (0..100).for_each(|_| turn(&mut executor)));
    assert_eq!(allocations, 0);
    assert!(barrier.statistics().trips >= trips + 40, "it trips in every turn or two");
}

// F26: a cell keeps its value in place, and runs its future where that lies.
#[test]
fn values_made_once_allocate_a_line_where_somebody_waits_and_nothing_else() {
    let mut executor = executor();
    executor.block_on(async {
        let mut counts = Vec::with_capacity(2);
        for _ in 0..2 {
            let cell = lone::OnceCell::new();
            let makes = async || {
                yield_now().await;
                7
            };
            let before = ALLOCATIONS.get();
            let mut made = std::pin::pin!(cell.get_or_init(makes));
            let mut waits = std::pin::pin!(cell.get_or_init(makes));
            poll_fn(|cx| {
                let pending = made.as_mut().poll(cx).is_pending();
                assert_eq!(waits.as_mut().poll(cx).is_pending(), pending);
                if pending { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            counts.push(ALLOCATIONS.get() - before);
        }
        assert_eq!(counts[1], 1, "the line of a new cell");
        let set = lone::OnceCell::from(8);
        let before = ALLOCATIONS.get();
        for _ in 0..50 {
            assert_eq!(set.get_or_init(async || 9).await, &8);
        }
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

// F26: with guards of all kinds.
#[test]
fn rw_locks_once_warm_allocate_nothing() {
    let mut executor = executor();
    let lock = std::rc::Rc::new(lone::RwLock::new(0_u64));
    for place in 0..10 {
        let lock = lock.clone();
        drop(executor.spawn(async move {
            for turn in place.. {
                match turn % 4 {
                    0 => {
                        let guard = lock.write().await;
                        yield_now().await;
                        let guard = guard.downgrade();
                        yield_now().await;
                        drop(guard);
                    }
                    1 => {
                        let mut guard = lock.clone().write_owned().await;
                        *guard += 1;
                        yield_now().await;
                    }
                    2 => {
                        let _guard = lock.read().await;
                        yield_now().await;
                    }
                    _ => {
                        let _guard = lock.clone().read_owned().await;
                        yield_now().await;
                    }
                }
            }
        }));
    }
    (0..100).for_each(|_| turn(&mut executor));
    assert!(lock.waiters() > 0, "it is fought for");
    let allocations = allocations_of(|| (0..100).for_each(|_| turn(&mut executor)));
    assert_eq!(allocations, 0);
}

// F26: what the halves share, the line of a receiver that has to wait, and a broadcast's items.
#[test]
fn channels_allocate_what_they_share_and_what_they_send() {
    let mut executor = executor();
    executor.block_on(async {
        let (to_watch, mut watches) = lone::watch::channel(0);
        let (to_all, mut one) = lone::broadcast::channel(4);
        let mut other = to_all.subscribe();
        let mut counts = Vec::with_capacity(6);
        for n in 0..2 {
            let before = ALLOCATIONS.get();
            let (sender, receiver) = lone::oneshot::channel();
            sender.send(n).expect("it is there");
            assert_eq!(receiver.await, Ok(n));
            counts.push(ALLOCATIONS.get() - before);
            let mut changed = watches.changed();
            let mut received = one.recv();
            poll_fn(|cx| {
                assert!(Pin::new(&mut changed).poll(cx).is_pending());
                assert!(Pin::new(&mut received).poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            let before = ALLOCATIONS.get();
            to_watch.send(n).expect("it is there");
            changed.await.expect("it has changed");
            counts.push(ALLOCATIONS.get() - before);
            let before = ALLOCATIONS.get();
            to_all.send(n).expect("they are there");
            assert_eq!((received.await, other.recv().await), (Ok(n), Ok(n)));
            counts.push(ALLOCATIONS.get() - before);
        }
        assert_eq!(counts[3..], [1, 0, 1], "oneshot, watch, broadcast");
    });
}

// F31: the wheel's slab is there; neither setting nor moving nor taking back a timer adds to it.
#[test]
fn sleeps_and_timeouts_once_warm_allocate_nothing() {
    let round = async || {
        let mut slept = lone::sleep(Duration::from_secs(1));
        for n in 0..100 {
            poll_fn(|cx| {
                assert!(Pin::new(&mut slept).poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            slept.reset(lone::time::Instant::now() + Duration::from_secs(n));
        }
        for n in 0..100 {
            lone::sleep(Duration::from_millis(n)).await;
            assert_eq!(lone::timeout(Duration::from_secs(1), yield_now()).await, Ok(()));
            assert!(lone::timeout(Duration::from_millis(n), pending::<()>()).await.is_err());
        }
    };
    lone::Builder::new().start_paused(true).run(async {
        round().await;
        let before = ALLOCATIONS.get();
        round().await;
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

// F4: a scope that adopts nothing is plain data.
#[test]
fn scopes_without_a_cleanup_once_warm_allocate_nothing() {
    let scope = lone::Scope::new();
    let limits: Vec<_> = (0..200).map(|_| lone::timeout_scope(Duration::from_secs(1))).collect();
    let mut limits = limits.into_iter();
    lone::Builder::new().start_paused(true).run(async {
        let mut tasks = Vec::with_capacity(100);
        let mut round = async || {
            spawn_and_join(&mut tasks, 100).await;
            for limit in limits.by_ref().take(100) {
                assert_eq!(limit.run(yield_now()).await, Ok(()));
                let nested = lone::timeout(Duration::from_secs(1), yield_now());
                assert_eq!(lone::timeout(Duration::from_secs(2), nested).await, Ok(Ok(())));
            }
        };
        round().await;
        let before = ALLOCATIONS.get();
        round().await;
        let mut yields = std::pin::pin!(scope.run(async {
            for _ in 0..100 {
                yield_now().await;
            }
        }));
        assert_eq!(yields.as_mut().await, Ok(()));
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

// F4: tasks that end beside one that has adopted something pay nothing for that.
#[test]
fn tasks_that_end_while_a_cleanup_runs_allocate_nothing() {
    let mut executor = executor();
    let mut tasks = Vec::with_capacity(100);
    executor.block_on(async {
        let cleans_up = spawn(lone::finally(pending::<()>(), async {
            for _ in 0..10_000 {
                yield_now().await;
            }
        }));
        yield_now().await;
        cleans_up.cancel("enough");
        for _ in 0..3 {
            spawn_and_join(&mut tasks, 100).await;
        }
        let before = ALLOCATIONS.get();
        spawn_and_join(&mut tasks, 100).await;
        assert_eq!(ALLOCATIONS.get() - before, 0);
        assert!(!cleans_up.is_finished());
    });
}

// F6: a `using` whose body ends allocates its close, and that alone.
#[test]
fn finally_whose_body_ends_allocates_once() {
    executor().block_on(async {
        let mut counts = Vec::with_capacity(3);
        for _ in 0..3 {
            let before = ALLOCATIONS.get();
            lone::finally(yield_now(), yield_now()).await;
            counts.push(ALLOCATIONS.get() - before);
        }
        assert_eq!(counts[1..], [1, 1]);
    });
}

// SEM-338: a message is written, waited for and read without one.
#[test]
fn messages_over_tcp_once_warm_allocate_nothing() {
    lone::run(async {
        let address: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let listener = lone::net::TcpListener::bind(address).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (client, server) =
            lone::join!(lone::net::TcpStream::connect(address), listener.accept());
        let (client, server) =
            (client.expect("somebody listens"), server.expect("somebody connects").0);
        let round = async || {
            for n in 0..100 {
                let mut read = [0; 16];
                let asks = async {
                    yield_now().await;
                    client.write_all(&[n; 16]).await
                };
                let (answer, asked) = lone::join!(server.read_exact(&mut read), asks);
                asked.and(answer).expect("both are connected");
                assert_eq!(read, [n; 16]);
            }
        };
        round().await;
        let before = ALLOCATIONS.get();
        round().await;
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

// SEM-194: tasks that come and go use the places of those before.
#[test]
fn tasks_joined_by_a_set_once_warm_allocate_nothing() {
    lone::run(async {
        let mut set = lone::JoinSet::new();
        let mut round = async || {
            for n in 0..1000 {
                set.spawn(async move {
                    yield_now().await;
                    n
                });
                if set.len() == 10 {
                    assert!(set.join_next().await.is_some());
                }
            }
            while set.join_next().await.is_some() {}
        };
        round().await;
        let before = ALLOCATIONS.get();
        round().await;
        assert_eq!(ALLOCATIONS.get() - before, 0);
    });
}

/// Takes a thousand outputs; returns how often that allocates.
async fn take_a_thousand<F, I>(outputs: impl FnOnce() -> lone::AsCompleted<F, I>) -> usize
where
    F: Future,
    I: Iterator<Item = F>,
{
    let before = ALLOCATIONS.get();
    let mut outputs = outputs();
    for _ in 0..1000 {
        assert!(outputs.next().await.is_some());
    }
    assert!(outputs.next().await.is_none());
    ALLOCATIONS.get() - before
}

// F17, SEM-123: a few allocations for all of them, or for those that are in flight at once.
#[test]
fn outputs_as_they_come_allocate_nothing_for_each_input() {
    let inputs = || (0..1000).map(async |_| yield_now().await);
    lone::run(async {
        let all = || lone::as_completed(inputs());
        let ten = || lone::as_completed_bounded(10, inputs());
        let _warm = (take_a_thousand(all).await, take_a_thousand(ten).await);
        assert_eq!(take_a_thousand(all).await, 3);
        let bounded = take_a_thousand(ten).await;
        assert!(bounded <= 40, "{bounded} allocations for ten places");
    });
}

// SEM-93: at an error each child is dropped as a scope of its own; those with nothing to clean up cost
// no allocation.
#[test]
fn try_gathers_that_fail_allocate_no_more_for_many_children_than_for_few() {
    executor().block_on(async {
        let fails = async |children: usize| {
            let before = ALLOCATIONS.get();
            let outcome = lone_sync::try_gather((0..children).map(async |n| {
                yield_now().await;
                if n == 0 { Err("failed") } else { pending().await }
            }))
            .await;
            let outcome: Result<Vec<()>, _> = outcome;
            assert_eq!(outcome, Err("failed"));
            ALLOCATIONS.get() - before
        };
        fails(100).await;
        let (few, many) = (fails(10).await, fails(100).await);
        assert!(few == many && many <= 4, "{few} for 10, {many} for 100");
    });
}
