//! Whatever comes first, and a body for each: `select!`.

use std::cell::{Cell, RefCell};
use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::FutureExt;
use lone_executor::{RunError, Settings, budget, random_below, spawn, yield_now};
use lone_sync::{Event, Queue, Semaphore, join, select};

use crate::gather::{counted, message, poll_times, yield_times};
use crate::help::{SayOnDrop, Trace, executor, executor_with, hold_for_ever, run_until_idle};
use crate::waiting::Chance;

/// Runs `main` to its end on a loop of its own.
fn run<F: Future>(main: F) -> F::Output {
    executor().block_on(main)
}

/// An arm that says when it is dropped, and returns its name after so many turns.
async fn arm(trace: Trace, name: &'static str, yields: usize) -> &'static str {
    let _guard = SayOnDrop(trace, name);
    yield_times(yields).await;
    name
}

// ----- who wins ------------------------------------------------------------------------------------

// SEM-413: the first that is ready wins; all futures are gone, in order, before its body begins.
#[test]
fn select_with_one_arm_ready_drops_the_others_before_its_body_runs() {
    let trace = Trace::default();
    let length = run(async {
        let t = || trace.clone();
        select! {
            name = arm(t(), "a", 5) => name.len(),
            name = arm(t(), "b", 2) => {
                trace.say(format!("{name} won"));
                name.len() + 1
            }
            () = hold_for_ever(SayOnDrop(t(), "c")) => unreachable!("it never ends"),
        }
    });
    assert_eq!((length, trace.take().as_str()), (2, "b a c b won"));
}

// SEM-414: ready in the same poll, the first written wins; those after it are never polled.
#[test]
fn select_with_several_arms_ready_lets_the_first_written_win() {
    let polls: [Rc<Cell<usize>>; 3] = Default::default();
    let [a, b, c] = polls.clone();
    let winner = run(async {
        select! {
            () = counted(a, pending()) => "a",
            () = counted(b, ready(())) => "b",
            () = counted(c, ready(())) => "c",
        }
    });
    assert_eq!((winner, polls.map(|polls| polls.get())), ("b", [1, 1, 0]));
}

// SEM-414: time after time: the arm after one that is always ready is starved, as the docs say.
#[test]
fn select_over_two_arms_that_are_always_ready_never_comes_to_the_second() {
    run(async {
        for _ in 0..1000 {
            select! {
                () = ready(()) => {}
                () = ready(()) => panic!("the first written wins"),
            }
        }
    });
}

/// Which of three arms that are ready wins, a hundred times.
fn winners_at_random(seed: Option<u64>) -> Vec<usize> {
    executor_with(Settings { seed, ..Settings::default() }).block_on(async {
        let mut winners = Vec::new();
        for _ in 0..100 {
            winners.push(select! { random;
                () = ready(()) => 0,
                () = ready(()) => 1,
                () = ready(()) => 2,
            });
        }
        winners
    })
}

// SEM-414: at random each arm has its share, and every run of a seed, or without one, is the same.
#[test]
fn select_at_random_begins_with_each_arm_and_alike_in_every_run() {
    for seed in [None, Some(7)] {
        let winners = winners_at_random(seed);
        for arm in 0..3 {
            let share = winners.iter().filter(|&&winner| winner == arm).count();
            assert!((20..50).contains(&share), "arm {arm} has won {share} of 100 times");
        }
        assert_eq!(winners, winners_at_random(seed));
    }
    assert_ne!(winners_at_random(Some(7)), winners_at_random(Some(8)));
}

// SEM-414: from the one that was drawn it goes round: all are polled, each once a poll.
#[test]
fn select_at_random_polls_every_arm_in_every_poll_and_goes_round() {
    let mut begun_with = [0; 4];
    for draw in 0..64 {
        let trace = Trace::default();
        let says = |name: &'static str| {
            let trace = trace.clone();
            async move {
                trace.say(name);
                pending::<()>().await;
            }
        };
        let mut executor = executor();
        executor.block_on(async {
            (0..draw).for_each(|_| _ = random_below(1));
            let selected = async {
                select! { random;
                    () = says("0") => {}
                    () = says("1") => {}
                    () = says("2") => {}
                    () = says("3") => {}
                }
            };
            assert!(poll_times(&mut pin!(selected), 2).await.is_none());
        });
        let order = trace.take();
        let first: usize = order[..1].parse().expect("a digit");
        let round = (0..4).map(|n| ((first + n) % 4).to_string()).collect::<Vec<_>>();
        assert_eq!(order, round.join(" "));
        begun_with[first] += 1;
    }
    assert!(begun_with.iter().all(|&times| times > 4), "{begun_with:?}");
}

// ----- arms that are off ---------------------------------------------------------------------------

// SEM-419: the condition first, of every arm; then the futures of those that are on, no others.
#[test]
fn select_with_a_condition_that_does_not_hold_does_not_even_make_that_future() {
    let trace = Trace::default();
    let condition = |name: &'static str, on: bool| {
        trace.say(format!("{name}?"));
        on
    };
    let future = |name: &'static str| {
        trace.say(name);
        ready(name)
    };
    let winner = run(async {
        select! {
            name = future("a"), if condition("a", false) => name,
            () = { trace.say("b"); pending() } => "b",
            name = future("c"), if condition("c", true) => name,
            name = future("d") => name,
        }
    });
    assert_eq!((winner, trace.take().as_str()), ("c", "a? c? b c d"));
}

// SEM-419: conditions may look at what the futures are about to borrow.
#[test]
fn select_with_a_condition_on_what_another_arm_borrows_compiles_and_holds() {
    run(async {
        let mut buffer = vec![1, 2];
        let append = async |to: &mut Vec<i32>| {
            yield_now().await;
            to.push(3);
        };
        let ended = select! {
            () = append(&mut buffer) => "appended",
            () = ready(()), if buffer.is_empty() => "empty",
        };
        assert_eq!((ended, buffer), ("appended", vec![1, 2, 3]));
    });
}

// SEM-419: all off: the else; and it is the value.
#[test]
fn select_with_all_arms_off_runs_the_else() {
    run(async {
        for on in [false, true] {
            let value = select! {
                n = ready(1), if on => n,
                n = ready(2), if on => n,
                else => 0,
            };
            assert_eq!(value, i32::from(on));
        }
    });
}

// SEM-419: without an else it says what is missing, and where.
#[test]
fn select_with_all_arms_off_and_no_else_panics_and_says_so() {
    let selected = async {
        select! { () = ready(()), if false => {} }
    };
    let panic = run(AssertUnwindSafe(selected).catch_unwind());
    let said = message(&*panic.expect_err("there is nothing to do"));
    assert!(said.contains("all arms of a select! are off") && said.contains("else"), "{said}");
}

// SEM-419: an output that does not match turns its arm off: it is dropped with its future, at once,
// and the others go on.
#[test]
fn select_with_an_output_that_does_not_match_goes_on_without_that_arm() {
    let (mut executor, trace) = (executor(), Trace::default());
    let polls: Rc<Cell<usize>> = Rc::default();
    let (t, first) = (trace.clone(), polls.clone());
    let winner = executor.block_on(async move {
        let fails = counted(first, async {
            let _guard = SayOnDrop(t.clone(), "future");
            yield_now().await;
            Err::<(), _>(SayOnDrop(t.clone(), "output"))
        });
        select! {
            Ok(()) = fails => "first",
            name = arm(t.clone(), "second", 3) => {
                t.say("body");
                name
            }
        }
    });
    assert_eq!((winner, polls.get()), ("second", 2));
    assert_eq!(trace.take(), "future output second body");
}

// SEM-419: outputs that do not match can leave no arm on: that is the else too.
#[test]
fn select_with_no_output_that_matches_runs_the_else_when_the_last_has_failed() {
    let trace = Trace::default();
    run(async {
        let none = async |name: &'static str, yields| -> Option<u8> {
            yield_times(yields).await;
            trace.say(name);
            None
        };
        select! {
            Some(_) = none("slow", 3) => unreachable!(),
            Some(1 | 2) = none("fast", 1) => unreachable!(),
            else => trace.say("else"),
        }
    });
    assert_eq!(trace.take(), "fast slow else");
}

// ----- patterns and bodies -------------------------------------------------------------------------

#[derive(Debug, PartialEq)]
enum Command {
    Add { item: String, times: usize },
    Say(String),
    Stop,
}

// SEM-413: patterns bind by value, by reference and by name, as in a match.
#[test]
fn select_binds_whatever_a_pattern_of_a_match_binds() {
    let text = || String::from("text");
    run(async {
        let bound = select! {
            Command::Add { mut item, times: times @ 1..=3 } = ready(
                Command::Add { item: text(), times: 2 },
            ) => {
                item.push('!');
                item.repeat(times)
            }
            Command::Say(ref said) = ready(Command::Stop) => said.clone(),
        };
        assert_eq!(bound, "text!text!");
        let [first, .., last] = select! { all @ [..] = ready([1, 2, 3]) => all };
        assert_eq!((first, last), (1, 3));
        let either = select! { Ok(word) | Err(word) = ready(Err::<String, _>(text())) => word };
        assert_eq!(either, "text");
        let number = select! { &number = ready(&7) => number };
        assert_eq!(number, 7);
        let changed = select! {
            Some(ref mut item) = ready(Some(text())) => std::mem::take(item),
        };
        assert_eq!(changed, "text");
    });
}

/// What bodies do to the code around them: the next of the commands decides.
async fn follow(commands: &Queue<Command>) -> Result<usize, String> {
    let mut added = 0;
    'commands: loop {
        for _ in 0..2 {
            select! {
                command = commands.get() => match command.map_err(|closed| closed.to_string())? {
                    Command::Add { times: 0, .. } => continue 'commands,
                    Command::Add { times, .. } => {
                        yield_times(times).await;
                        added += times;
                    }
                    Command::Say(word) => return Err(word),
                    Command::Stop => break 'commands,
                },
            }
        }
    }
    Ok(added)
}

// SEM-413: a body is part of the code around it.
#[test]
fn select_bodies_break_continue_return_await_and_fail_where_they_stand() {
    let add = |times| Command::Add { item: String::new(), times };
    let outcome = |commands: Vec<Command>| {
        run(async {
            let queue = Queue::unbounded();
            commands.into_iter().for_each(|command| queue.try_put(command).expect("there is room"));
            queue.shutdown();
            follow(&queue).await
        })
    };
    assert_eq!(outcome(vec![add(2), add(0), add(3), Command::Stop]), Ok(5));
    assert_eq!(outcome(vec![add(1), Command::Say("enough".into())]), Err("enough".into()));
    assert!(outcome(vec![add(1)]).is_err(), "the queue is shut down");
}

/// Something with a destructor that is borrowed.
struct Guard<'a>(#[expect(dead_code, reason = "the borrow counts")] &'a mut Vec<u32>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {}
}

// SEM-413: the losers and their outputs are gone: a body has what they had borrowed.
#[test]
fn select_bodies_change_what_the_losing_futures_had_borrowed() {
    run(async {
        let mut items = vec![1];
        for _ in 0..2 {
            select! {
                _guard = async {
                    let guard = Guard(&mut items);
                    pending::<()>().await;
                    guard
                } => unreachable!("it waits for ever"),
                () = yield_now() => items.push(2),
            }
        }
        assert_eq!(items, [1, 2, 2]);
    });
}

// SEM-413: what an expression has made in passing lives as long as the future, as with `.await`.
#[test]
fn select_keeps_the_temporaries_of_a_future_until_one_has_won() {
    async fn length(text: &str) -> usize {
        yield_now().await;
        text.len()
    }
    let name = "lone";
    assert_eq!(
        run(async {
            select! { n = length(&format!("{name}!")) => n }
        }),
        5
    );
}

// SEM-413: names of ours are invisible, and those of the user's mean what they mean outside.
#[test]
fn select_in_code_that_has_our_names_means_theirs() {
    run(async {
        let (output, selected, enabled, matches) = (1, 2, 3, 4);
        let sum = select! {
            result = async { output + selected }, if enabled == 3 => result + matches + output,
            rest = ready(0) => rest,
        };
        assert_eq!(sum, 8);
    });
}

// SEM-413: it nests, in a future and in a body, as an expression and as a statement; no most arms.
#[test]
fn select_nests_and_takes_twenty_arms() {
    run(async {
        let mut log = Vec::new();
        select! {
            n = async { select! { n = ready(1) => n + 1, () = pending() => 0 } } => select! {
                () = pending() => log.push(0),
                m = ready(10) => log.push(n + m),
            },
            () = pending() => {}
        }
        assert_eq!(log, [12]);
        macro_rules! twenty {
            ($($n:literal)+) => {
                select! { $(() = pending() => $n,)+ n = ready(20) => n, else => 0 }
            };
        }
        assert_eq!(twenty!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19), 20);
    });
}

// F16: it is `Send` where its futures and what a body holds while it waits are.
#[test]
fn select_in_a_future_leaves_that_send() {
    fn assert_send<F: Future + Send>(future: F) -> F {
        future
    }
    let future = assert_send(async {
        select! {
            n = async { yield_now().await; 1 } => {
                yield_now().await;
                n
            }
            n = pending(), if true => n,
        }
    });
    assert_eq!(run(future), 1);
}

// ----- what the losers leave -----------------------------------------------------------------------

// SEM-417: futures that are borrowed live on, and go on where they were.
#[test]
fn select_over_borrowed_futures_leaves_them_to_their_owner() {
    run(async {
        let polls: Rc<Cell<usize>> = Rc::default();
        let mut slow = pin!(counted(polls.clone(), async {
            yield_times(4).await;
            "slow"
        }));
        let mut ticks = 0;
        let name = loop {
            select! {
                name = &mut slow => break name,
                () = yield_now() => ticks += 1,
            }
        };
        assert_eq!((name, ticks, polls.get()), ("slow", 2, 5));
    });
}

// SEM-418: an arm panics: the others are dropped, and the panic goes on.
#[test]
fn select_with_an_arm_that_panics_drops_the_others_and_panics() {
    let trace = Trace::default();
    let selected = async {
        select! {
            _ = arm(trace.clone(), "a", 5) => {}
            () = async { yield_now().await; panic!("on purpose") } => {}
            _ = arm(trace.clone(), "c", 5) => {}
        }
    };
    let panic = run(AssertUnwindSafe(selected).catch_unwind());
    assert_eq!(message(&*panic.expect_err("the second does")), "on purpose");
    assert_eq!(trace.take(), "a c");
}

// SEM-416: a loser that had been given its permit, or its item, in the same turn gives it on.
#[test]
fn select_lost_by_arms_that_had_been_granted_something_gives_that_on() {
    let mut executor = executor();
    let (stop, permits, items) =
        (Rc::new(Event::new()), Rc::new(Semaphore::new(0)), Rc::new(Queue::unbounded()));
    let (s, p, i) = (stop.clone(), permits.clone(), items.clone());
    let selecting = executor.spawn(async move {
        select! {
            () = s.wait() => {}
            _permit = p.acquire() => panic!("the first written wins"),
            _item = i.get() => panic!("the first written wins"),
        }
    });
    let (p, i) = (permits.clone(), items.clone());
    let mut next = executor.spawn(async move {
        drop(p.acquire().await);
        i.get().await
    });
    run_until_idle(&mut executor);
    assert_eq!((permits.waiters(), items.waiting_getters()), (2, 1));
    permits.add_permits(1);
    items.try_put(7).expect("there is room");
    stop.set();
    run_until_idle(&mut executor);
    assert!(selecting.is_finished());
    assert_eq!(next.try_join().expect("it was woken").expect("well"), Ok(7));
    assert_eq!((permits.available(), permits.waiters(), items.len()), (1, 0, 0));
}

// SEM-416: dropped at any of its suspensions, whatever it had been given is there for others.
#[test]
fn select_dropped_at_any_suspension_loses_neither_item_nor_permit() {
    for polls in 0..6 {
        for granted_before in 0..=polls {
            let (queue, permits) = (Queue::unbounded(), Semaphore::new(0));
            let trace = Trace::default();
            run(async {
                let taken = {
                    let mut selected = pin!(async {
                        select! {
                            _item = queue.get() => trace.say("item"),
                            _permit = permits.acquire() => trace.say("permit"),
                            () = hold_for_ever(SayOnDrop(trace.clone(), "dropped")) => {}
                        }
                        pending::<()>().await;
                    });
                    assert!(poll_times(&mut selected, granted_before).await.is_none());
                    queue.try_put(1).expect("there is room");
                    permits.add_permits(1);
                    assert!(poll_times(&mut selected, polls - granted_before).await.is_none());
                    let said = trace.take();
                    if said.is_empty() { 0 } else { 1 }
                };
                let at = format!("{polls} polls, granted before number {granted_before}");
                assert_eq!(taken, usize::from(polls > granted_before), "{at}");
                assert_eq!((queue.len(), permits.available()), (1 - taken, 1), "{at}");
                assert_eq!((queue.waiting_getters(), permits.waiters()), (0, 0), "{at}");
            });
        }
    }
}

// SEM-416: two queues, and patience that ends, in whatever order things happen: every item comes
// out, once.
#[test]
fn selects_in_a_loop_over_two_queues_lose_no_item_whatever_the_schedule() {
    for seed in 0..200 {
        let chance = Rc::new(RefCell::new(Chance::new(seed)));
        let queues = [(); 2].map(|()| Rc::new(Queue::bounded(2)));
        let got: [Rc<RefCell<Vec<u32>>>; 2] = Default::default();
        let mut executor = executor();
        for queue in &queues {
            let (queue, chance) = (queue.clone(), chance.clone());
            drop(executor.spawn(async move {
                for item in 0..20 {
                    let pause = chance.borrow_mut().below(3);
                    yield_times(pause).await;
                    queue.put(item).await.expect("it is open");
                }
                queue.shutdown();
            }));
        }
        for _ in 0..2 {
            let ([a, b], [from_a, from_b]) = (queues.clone(), got.clone());
            let chance = chance.clone();
            drop(executor.spawn(async move {
                loop {
                    let patience = chance.borrow_mut().below(3);
                    select! { random;
                        Ok(item) = a.get() => from_a.borrow_mut().push(item),
                        Ok(item) = b.get() => from_b.borrow_mut().push(item),
                        () = yield_times(patience), if patience > 0 => {}
                        else => break,
                    }
                }
            }));
        }
        assert_eq!(run_until_idle(&mut executor), 0, "seed {seed}");
        let all: Vec<u32> = (0..20).collect();
        let sorted = got.map(|got| {
            let mut got = got.take();
            got.sort_unstable();
            got
        });
        assert_eq!(sorted, [all.clone(), all], "seed {seed}");
    }
}

// ----- budgets, reports ----------------------------------------------------------------------------

// SEM-407: a loop over futures of other crates that are always ready gives way.
#[test]
fn select_over_what_is_always_ready_gives_way_after_128_times() {
    let (mut executor, trace) = (executor(), Trace::default());
    let times: Rc<Cell<usize>> = Rc::default();
    let counted = times.clone();
    drop(executor.spawn(async move {
        for _ in 0..300 {
            select! { () = ready(()) => counted.set(counted.get() + 1) }
        }
    }));
    let inner = trace.clone();
    drop(executor.spawn(async move {
        for _ in 0..4 {
            inner.say(times.get().to_string());
            yield_now().await;
        }
    }));
    run_until_idle(&mut executor);
    assert_eq!(trace.take(), "128 256 300 300");
}

// SEM-408, SEM-410: one operation a select, whatever its arms do; refused, it polls none of them;
// and waiting is free.
#[test]
fn select_takes_one_operation_and_polls_no_arm_when_it_is_refused() {
    let settings = Settings { budget: 2, ..Settings::default() };
    executor_with(settings).block_on(async {
        let permits = Semaphore::new(9);
        let polls: Rc<Cell<usize>> = Rc::default();
        let mut waits = Box::pin(async {
            select! { () = pending() => {} }
        });
        assert!((&mut waits).now_or_never().is_none());
        assert_eq!(budget::remaining(), Some(2), "waiting is free");
        for left in [1, 0] {
            select! { permit = permits.acquire() => permit.forget() }
            assert_eq!(budget::remaining(), Some(left));
        }
        let mut refused = Box::pin(async {
            select! { () = counted(polls.clone(), ready(())) => {} }
        });
        assert!((&mut refused).now_or_never().is_none());
        assert_eq!(polls.get(), 0);
        refused.await;
        assert_eq!((polls.get(), permits.available()), (1, 7));
    });
}

// SEM-410: an arm that uses up what it is given leaves those after it theirs.
#[test]
fn select_with_an_arm_that_never_waits_still_sees_the_arms_after_it() {
    let mut executor = executor();
    let (queue, stop) = (Queue::bounded(1), Event::new());
    let rounds = executor.block_on(async {
        let mut rounds = 0_usize;
        let busy = async {
            loop {
                queue.put(()).await.expect("it is open");
                queue.get().await.expect("it is open");
                rounds += 1;
                assert!(rounds < 10_000, "the other arm is starved");
                if rounds == 1000 {
                    stop.set();
                }
            }
        };
        select! {
            () = busy => {}
            () = stop.wait() => {}
        }
        rounds
    });
    assert!((1000..1128).contains(&rounds), "{rounds}");
}

// SEM-407: with the least of budgets selects within selects come to their end.
#[test]
fn select_within_selects_ends_with_a_budget_of_one() {
    let settings = Settings { budget: 1, ..Settings::default() };
    let permits = Semaphore::new(1);
    let innermost = executor_with(settings).block_on(async {
        select! {
            n = async { select! {
                n = async { select! { _permit = permits.acquire() => 3 } } => n,
            } } => n,
        }
    });
    assert_eq!((innermost, permits.available()), (3, 1));
}

// SEM-22: the leaves are asked, all of them, and then the select, which names its own line.
#[test]
fn select_over_what_can_never_come_tells_its_arms_and_its_line() {
    let (event, permits) = (Event::new(), Semaphore::new(0));
    let line = line!() + 2;
    let main = async {
        select! {
            () = event.wait() => {}
            _permit = permits.acquire() => {}
            () = event.wait(), if false => {}
        }
    };
    let Err(RunError::Deadlock(report)) = executor().try_block_on(main) else {
        panic!("nobody can set the event");
    };
    let awaits = &report.waiting()[0].awaits;
    let on: Vec<_> = awaits.iter().map(|awaited| awaited.on).collect();
    assert_eq!(on, ["an event", "a permit", "select!"]);
    assert_eq!((awaits[2].site.line(), awaits[2].site.file()), (line, file!()));
}

// SEM-22: a future that is borrowed, and not polled any more, has been given the permit that the body
// waits for: that is told (corner 104).
#[test]
fn select_body_that_waits_behind_its_own_borrowed_future_is_a_deadlock() {
    let permits = Semaphore::new(0);
    let main = async {
        let mut first = pin!(permits.acquire());
        select! {
            _permit = &mut first => unreachable!("there is none yet"),
            () = yield_now() => {
                permits.add_permits(1);
                drop(permits.acquire().await);
            }
        }
    };
    let Err(RunError::Deadlock(report)) = executor().try_block_on(main) else {
        panic!("nobody polls the first");
    };
    assert_eq!(report.waiting()[0].awaits[0].on, "a permit");
}

// SEM-413: woken through the task that awaits it, wherever it began.
#[test]
#[expect(clippy::async_yields_async, reason = "it is moved out to be awaited elsewhere")]
fn select_polled_by_another_task_is_woken_there() {
    let mut executor = executor();
    let stop = Rc::new(Event::new());
    let theirs = stop.clone();
    let mut task = executor.spawn(async move {
        let mut selecting = Box::pin(async move {
            select! { () = theirs.wait() => 1, n = pending() => n }
        });
        let begun = spawn(async move {
            assert!(poll_times(&mut selecting, 1).await.is_none());
            selecting
        });
        let selecting = begun.await.expect("it ends well");
        join!(selecting, yield_now()).0
    });
    run_until_idle(&mut executor);
    stop.set();
    run_until_idle(&mut executor);
    assert_eq!(task.try_join().expect("no wake was lost").expect("well"), 1);
}
