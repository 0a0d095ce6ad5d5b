//! Streams: generators with their `aclose`, adapters, and a queue as a stream.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::future::{pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::Poll;

use futures_util::future::FutureExt;
use futures_util::stream::{FusedStream, Stream};
use lone_executor::{JoinError, Settings, spawn, yield_now};
use lone_sync::stream::{Generator, StreamExt, aclose, generate, iter, merge, try_generate};
use lone_sync::{AsyncClose, Queue, finally, gather, using};

use crate::gather::{counted, message, yield_times};
use crate::help::{
    Flag, SayOnDrop, Trace, assert_one_report, executor, executor_with, poll_once, record_reports,
    take_reports,
};

/// Gives 0, 1, 2 and so on for ever, and tells when it goes on.
fn counter(trace: &Trace) -> Generator<'_, u32> {
    generate(async move |y| {
        for number in 0.. {
            trace.say(format!("gives-{number}"));
            y.give(number).await;
        }
    })
}

/// Gives 1 for ever, and says goodbye with awaits.
fn polite(trace: &Trace, name: &'static str) -> Generator<'static, u32> {
    let trace = trace.clone();
    generate(async move |y| {
        let farewell = trace.clone();
        let body = async {
            let _dropped = SayOnDrop(trace, "dropped");
            loop {
                y.give(1).await;
            }
        };
        finally(body, async move {
            yield_times(2).await;
            farewell.say(name);
        })
        .await;
    })
}

/// Fails, or panics, when it is closed.
struct Rude(bool);

impl AsyncClose for Rude {
    type Error = std::io::Error;

    async fn close(self) -> Result<(), std::io::Error> {
        yield_now().await;
        assert!(!self.0, "no farewell");
        Err(std::io::Error::other("the line is dead"))
    }
}

fn rude(panics: bool) -> Generator<'static, u32> {
    generate(async move |y| {
        let _ = using(Rude(panics), async |_| y.give(1).await).await;
    })
}

// ----- one at a time -------------------------------------------------------------------------------

// SEM-323, SEM-324: nothing before the first question, and then one item a question.
#[test]
fn generator_runs_only_while_an_item_is_asked_for() {
    executor().block_on(async {
        let trace = Trace::default();
        let mut numbers = counter(&trace);
        yield_times(3).await;
        assert_eq!(trace.take(), "");
        assert_eq!(numbers.next().await, Some(0));
        yield_times(3).await;
        assert_eq!(trace.take(), "gives-0");
        assert_eq!(numbers.next().await, Some(1));
        assert_eq!(trace.take(), "gives-1");
    });
}

// SEM-323: between two items others run where the body waits, and only there.
#[test]
fn others_run_while_the_body_of_a_generator_waits() {
    executor().block_on(async {
        let turns = Rc::new(Cell::new(0));
        let ticking = turns.clone();
        let _other = spawn(async move {
            loop {
                ticking.set(ticking.get() + 1);
                yield_now().await;
            }
        });
        let mut numbers = generate(async |y| {
            y.give(0).await;
            y.give(1).await;
            yield_times(3).await;
            y.give(2).await;
        });
        assert_eq!(numbers.next().await, Some(0));
        assert_eq!(numbers.next().await, Some(1));
        assert_eq!(turns.get(), 0);
        assert_eq!(numbers.next().await, Some(2));
        assert_eq!(turns.get(), 3);
        assert_eq!(numbers.next().await, None);
    });
}

#[test]
fn generator_that_has_ended_stays_ended() {
    executor().block_on(async {
        let mut numbers = generate(async |y| y.give(7).await);
        assert_eq!(format!("{numbers:?}").split(',').next(), Some("Generator(not begun"));
        assert!(!numbers.is_terminated());
        assert_eq!(numbers.next().await, Some(7));
        assert_eq!(numbers.size_hint(), (0, None));
        for _ in 0..3 {
            assert_eq!(numbers.next().await, None);
        }
        assert!(numbers.is_terminated());
        assert_eq!(numbers.size_hint(), (0, Some(0)));
        assert_eq!(format!("{numbers:?}").split(',').next(), Some("Generator(ended"));
    });
}

// SEM-333: `?` ends it with the error, after the items before it.
#[test]
fn error_in_the_body_comes_out_of_next_and_ends_the_generator() {
    executor().block_on(async {
        let mut numbers = try_generate(async |y| {
            for word in ["1", "x", "3"] {
                y.give(word.parse::<u32>().map_err(|_| word)?).await;
            }
            Ok(())
        });
        assert_eq!(numbers.try_next().await, Ok(Some(1)));
        assert_eq!(numbers.try_next().await, Err("x"));
        assert_eq!(numbers.try_next().await, Ok(None));
        assert!(numbers.is_terminated());
    });
}

// SEM-333: a panic passes through, once.
#[test]
fn panic_in_the_body_comes_out_of_next_and_ends_the_generator() {
    executor().block_on(async {
        let mut numbers = generate(async |y| {
            y.give(1).await;
            panic!("out of numbers");
        });
        assert_eq!(numbers.next().await, Some(1));
        let caught = AssertUnwindSafe(numbers.next()).catch_unwind().await;
        assert_eq!(message(&*caught.expect_err("it has panicked")), "out of numbers");
        assert_eq!(numbers.next().await, None);
        assert!(numbers.aclose().await.is_ok());
    });
}

// ----- giving --------------------------------------------------------------------------------------

#[test]
fn item_whose_give_was_dropped_is_given_all_the_same_and_the_next_one_waits_for_it() {
    executor().block_on(async {
        let mut numbers = generate(async |y| {
            assert!(y.give(1).now_or_never().is_none());
            y.give(2).await;
            drop(y.give(3)); // never polled
            assert!(y.give(4).now_or_never().is_none());
        });
        let all: Vec<u32> = (&mut numbers).collect().await;
        assert_eq!(all, [1, 2, 4]);
    });
}

// F2: the `give` is a child of a group in the body, and only its own wake has it polled.
#[test]
fn give_in_a_group_of_its_own_is_woken_by_the_next_question() {
    executor().block_on(async {
        let mut numbers = generate(async |y| {
            for number in 0..3 {
                gather([y.give(number)]).await;
            }
        });
        let first = numbers.next().await;
        // Taken up by another task.
        let rest = async move { numbers.collect::<Vec<u32>>().await };
        let rest = spawn(rest.boxed_local());
        assert_eq!((first, rest.await.ok()), (Some(0), Some(vec![1, 2])));
    });
}

// ----- aclose --------------------------------------------------------------------------------------

// SEM-325: the cleanup, awaits included, has run when `aclose` returns; twice is fine.
#[test]
fn aclose_of_a_generator_at_its_give_runs_its_cleanup_and_ends_it() {
    executor().block_on(async {
        let trace = Trace::default();
        let mut numbers = polite(&trace, "goodbye");
        assert_eq!(numbers.next().await, Some(1));
        numbers.aclose().await.expect("it closes well");
        assert_eq!(trace.take(), "dropped goodbye");
        assert_eq!(numbers.next().await, None);
        numbers.aclose().await.expect("it is closed");
        assert_eq!(numbers.next().await, None);
        assert_eq!(trace.take(), "");
    });
}

// SEM-325: nothing of one that was never asked runs.
#[test]
fn aclose_of_a_generator_that_has_not_begun_runs_nothing() {
    executor().block_on(async {
        let trace = Trace::default();
        let mut numbers = polite(&trace, "goodbye");
        numbers.aclose().now_or_never().expect("there is nothing to wait for").expect("or to fail");
        assert_eq!(numbers.next().await, None);
        assert_eq!(trace.take(), "");
    });
}

// SEM-326: what fails and what panics, both.
#[test]
fn error_and_panic_of_a_cleanup_come_out_of_aclose() {
    executor().block_on(async {
        for (panics, text) in [(false, "the line is dead"), (true, "no farewell")] {
            let mut numbers = rude(panics);
            assert_eq!(numbers.next().await, Some(1));
            let errors = numbers.aclose().await.expect_err("the cleanup has failed");
            assert_eq!(errors.len(), 1);
            assert!(errors.to_string().contains(text), "{errors}");
            assert!(numbers.aclose().await.is_ok(), "told once");
        }
    });
}

// SEM-325: the cleanup goes on where it was, and the second call awaits it.
#[test]
fn aclose_dropped_half_way_is_taken_up_by_the_next_one() {
    executor().block_on(async {
        let trace = Trace::default();
        let mut numbers = polite(&trace, "goodbye");
        assert_eq!(numbers.next().await, Some(1));
        assert!(numbers.aclose().now_or_never().is_none());
        assert_eq!(trace.take(), "dropped");
        assert_eq!(numbers.next().await, None);
        numbers.aclose().await.expect("it closes well");
        assert_eq!(trace.take(), "goodbye");
    });
}

// SEM-325, SEM-326: of all that is in a chain of adapters, one after the other.
#[test]
fn aclose_of_adapters_over_generators_awaits_what_all_of_them_leave() {
    executor().block_on(async {
        let trace = Trace::default();
        let both = polite(&trace, "first").map(|n| n + 1).merge(polite(&trace, "second"));
        let mut all = both.chain(rude(false)).skip(1);
        assert_eq!(all.next().await, Some(1));
        aclose(all).await.expect("the rude one has not begun");
        assert_eq!(trace.take(), "dropped dropped first second");
        let mut failing = rude(false).enumerate();
        assert_eq!(failing.next().await, Some((0, 1)));
        let errors = aclose(failing).await.expect_err("its cleanup fails");
        assert!(errors.to_string().contains("the line is dead"), "{errors}");
    });
}

// A scope of its own: what the body leaves on its way is awaited before its end is told.
#[test]
fn cleanup_that_a_body_leaves_on_its_way_is_awaited_before_the_end_is_told() {
    executor().block_on(async {
        let trace = Trace::default();
        let said = trace.clone();
        let mut numbers = generate(async |y| {
            let cleaned = finally(pending::<()>(), async move {
                yield_times(3).await;
                said.say("cleaned");
            });
            assert!(cleaned.now_or_never().is_none());
            y.give(1).await;
        });
        assert_eq!(numbers.next().await, Some(1));
        assert_eq!(trace.take(), "");
        assert_eq!(numbers.next().await, None);
        assert_eq!(trace.take(), "cleaned");
    });
}

// ----- dropped -------------------------------------------------------------------------------------

// SEM-328: at once, not some time later.
#[test]
fn generator_that_is_dropped_runs_its_destructors_at_once() {
    executor().block_on(async {
        let trace = Trace::default();
        let mut numbers = polite(&trace, "goodbye");
        while let Some(number) = numbers.next().await {
            if number == 1 {
                break;
            }
        }
        assert_eq!(trace.take(), "");
        drop(numbers);
        assert_eq!(trace.take(), "dropped");
    });
}

// SEM-329, F4: the task's joiner, and whoever called `block_on`, is told after the cleanup.
#[test]
fn cleanup_of_a_dropped_generator_is_awaited_by_the_scope_around() {
    let trace = Trace::default();
    let mut executor = executor();
    executor.block_on(async {
        let mut numbers = polite(&trace, "goodbye");
        let task = spawn(async move { numbers.next().await });
        assert_eq!(task.await.ok(), Some(Some(1)));
        assert_eq!(trace.take(), "dropped goodbye");
        let mut last = polite(&trace, "main's");
        assert_eq!(last.next().await, Some(1));
    });
    assert_eq!(trace.take(), "dropped main's");
}

// SEM-329: in debug mode who has forgotten it is named; nobody else is.
#[test]
fn generator_dropped_without_aclose_is_said_in_debug_mode_if_it_leaves_cleanups() {
    record_reports();
    let trace = Trace::default();
    let settings =
        Settings { debug: true, slow_poll: crate::help::PATIENCE, ..Settings::default() };
    let half_way = async |generator: &mut Generator<'_, u32>| {
        assert!(generator.next().await.is_some());
    };
    executor_with(settings).block_on(async {
        let mut closed = polite(&trace, "closed");
        half_way(&mut closed).await;
        closed.aclose().await.expect("it closes well");
        drop(closed);
        half_way(&mut counter(&trace)).await; // leaves nothing to be awaited
        drop(polite(&trace, "not begun"));
        assert_eq!(take_reports(), [""; 0]);
        half_way(&mut polite(&trace, "forgotten")).await;
        assert_one_report(&[
            "WARN lone::debug: a generator made at tests/behaviour/stream.rs:",
            "was dropped without aclose",
        ]);
    });
    assert!(trace.take().ends_with("forgotten"));
    executor().block_on(async { half_way(&mut polite(&trace, "unwatched")).await });
    assert_eq!(take_reports(), [""; 0], "out of debug mode nothing is said");
}

// SEM-330: one that main has left open is closed before the loop returns; its error is said.
#[test]
fn generator_open_when_main_ends_is_closed_and_its_error_is_reported() {
    record_reports();
    let trace = Trace::default();
    executor().block_on(async {
        let mut kept = polite(&trace, "goodbye");
        assert_eq!(kept.next().await, Some(1));
        drop(spawn(async move {
            let _kept = kept;
            pending::<()>().await;
        }));
        yield_now().await;
        let mut numbers = rude(false);
        assert_eq!(numbers.next().await, Some(1));
    });
    assert_eq!(trace.take(), "dropped goodbye");
    assert_one_report(&["the line is dead"]);
}

// SEM-331: stopped at its inner await; inner before outer, and the joiner after both.
#[test]
fn consumer_cancelled_inside_next_closes_the_generator_inner_to_outer() {
    executor().block_on(async {
        let trace = Trace::default();
        let (inner, outer) = (trace.clone(), trace.clone());
        let mut numbers = generate(async move |y| {
            let body = async {
                y.give(1).await;
                finally(pending::<()>(), async move {
                    yield_times(3).await;
                    inner.say("inner");
                })
                .await;
                y.give(2).await;
            };
            finally(body, async move { outer.say("outer") }).await;
        });
        let task = spawn(async move {
            assert_eq!(numbers.next().await, Some(1));
            numbers.next().await
        });
        yield_times(2).await;
        task.cancel("enough");
        assert!(matches!(task.await, Err(JoinError::Cancelled(_))));
        assert_eq!(trace.take(), "inner outer");
    });
}

// ----- drop at every suspension --------------------------------------------------------------------

/// Gives so many numbers, and waits a turn before each.
fn slow(count: u32) -> Generator<'static, u32> {
    generate(async move |y| {
        for number in 0..count {
            yield_now().await;
            y.give(number).await;
        }
    })
}

/// All items, where every `next` that has to wait is dropped and made anew.
async fn impatiently<S: Stream + Unpin>(mut stream: S) -> Vec<S::Item> {
    let mut items = Vec::new();
    let mut dropped = 0;
    loop {
        match stream.next().now_or_never() {
            Some(Some(item)) => items.push(item),
            Some(None) => break,
            None => {
                dropped += 1;
                assert!(dropped < 10_000, "it makes no progress");
                yield_now().await;
            }
        }
    }
    assert!(dropped > 0, "it has never waited");
    items
}

#[test]
fn next_dropped_at_every_suspension_loses_nothing() {
    executor().block_on(async {
        let numbers: Vec<u32> = (0..5).collect();
        let wait = async |number: u32| {
            yield_times(number as usize % 3).await;
            number
        };
        assert_eq!(impatiently(slow(5)).await, numbers);
        assert_eq!(impatiently(slow(5).map(|n| n)).await, numbers);
        assert_eq!(impatiently(Box::pin(slow(5).then(wait))).await, numbers);
        assert_eq!(impatiently(slow(9).filter(|n| n % 2 == 0)).await, [0, 2, 4, 6, 8]);
        assert_eq!(impatiently(slow(9).filter_map(|n| n.checked_sub(6))).await, [0, 1, 2]);
        assert_eq!(impatiently(slow(9).take(5)).await, numbers);
        assert_eq!(impatiently(slow(9).take_while(|&n| n < 5)).await, numbers);
        assert_eq!(impatiently(slow(5).skip(3)).await, [3, 4]);
        assert_eq!(impatiently(slow(2).enumerate()).await, [(0, 0), (1, 1)]);
        assert_eq!(impatiently(slow(5).chunks(2)).await, [vec![0, 1], vec![2, 3], vec![4]]);
        assert_eq!(impatiently(slow(2).chain(slow(1))).await, [0, 1, 0]);
        assert_eq!(impatiently(slow(5).peekable()).await, numbers);
        let late = slow(3).then(async |n| {
            yield_times(4).await;
            n
        });
        assert_eq!(impatiently(Box::pin(slow(4).zip(late))).await, [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(impatiently(slow(5).map(wait).buffered(3)).await, numbers);
        let all = |items: Vec<u32>| items.into_iter().collect::<BTreeSet<u32>>();
        let unordered = impatiently(slow(5).map(wait).buffer_unordered(3)).await;
        assert_eq!((unordered.len(), all(unordered)), (5, all(numbers)));
        let mut merged = impatiently(slow(3).merge(slow(4))).await;
        merged.sort_unstable();
        assert_eq!(merged, [0, 0, 1, 1, 2, 2, 3]);
        let mut merged = impatiently(merge([slow(1), slow(2), slow(3)])).await;
        merged.sort_unstable();
        assert_eq!(merged, [0, 0, 0, 1, 1, 2]);
    });
}

#[test]
fn peek_leaves_the_item_where_it_is_and_also_the_end() {
    executor().block_on(async {
        let mut numbers = slow(2).peekable();
        assert!(numbers.peek().now_or_never().is_none(), "dropped half way");
        assert_eq!(numbers.peek().await, Some(&0));
        assert_eq!(numbers.peek().now_or_never(), Some(Some(&0)));
        assert_eq!(numbers.next().await, Some(0));
        assert_eq!(numbers.next().await, Some(1));
        assert_eq!(numbers.peek().await, None);
        assert_eq!(numbers.next().await, None);
    });
}

#[test]
fn take_asks_for_no_more_than_it_gives() {
    executor().block_on(async {
        let trace = Trace::default();
        let mut numbers = counter(&trace);
        let some: Vec<u32> = (&mut numbers).take(2).collect().await;
        assert_eq!(some, [0, 1]);
        assert_eq!(trace.take(), "gives-0 gives-1");
        assert_eq!(numbers.next().await, Some(2));
    });
}

#[test]
fn loop_over_results_stops_at_the_first_error_and_may_go_on() {
    executor().block_on(async {
        let mut results = iter([Ok(1), Err("bad"), Ok(3)]);
        let mut sum = 0;
        let end = (&mut results)
            .try_for_each(async |n| {
                yield_now().await;
                sum += n;
                Ok(())
            })
            .await;
        assert_eq!((end, sum), (Err("bad"), 1));
        assert_eq!(results.next().await, Some(Ok(3)));
        let end = iter([Ok(1), Ok(2)]).try_for_each(async |n| if n < 2 { Ok(()) } else { Err(n) });
        assert_eq!(end.await, Err(2));
    });
}

// ----- merge ---------------------------------------------------------------------------------------

/// A stream that counts how often it is polled.
fn watched<S: Stream>(polls: Rc<Cell<usize>>, stream: S) -> impl Stream<Item = S::Item> {
    let mut stream = Box::pin(stream);
    futures_util::stream::poll_fn(move |cx| {
        polls.set(polls.get() + 1);
        stream.as_mut().poll_next(cx)
    })
}

#[test]
fn merge_polls_only_who_was_woken() {
    executor().block_on(async {
        let polls = Rc::new(Cell::new(0));
        let silent = watched(polls.clone(), futures_util::stream::pending::<u32>());
        let merged = silent.merge(slow(50)).take(50);
        let seen: Vec<u32> = merged.collect().await;
        assert_eq!((seen.len(), polls.get()), (50, 1));
    });
}

#[test]
fn streams_that_always_have_an_item_take_turns_in_a_merge() {
    executor().block_on(async {
        let ready = [0, 10, 20].map(|from| iter(from..from + 3));
        let seen: Vec<u32> = merge(ready).collect().await;
        assert_eq!(seen, [0, 10, 20, 1, 11, 21, 2, 12, 22]);
        let late = generate(async |y| {
            yield_now().await;
            y.give(99).await;
        });
        let mut both = iter(0..).merge(late);
        let mut before = 0;
        while both.next().await != Some(99) {
            before += 1;
        }
        assert!(before < 1000, "it was kept waiting for {before} items");
        assert!(!both.is_terminated());
    });
}

#[test]
fn merge_of_nothing_ends_at_once_and_one_whose_streams_have_ended_stays_ended() {
    let mut nothing = merge(Vec::<Generator<'static, u32>>::new());
    assert_eq!(nothing.next().now_or_never(), Some(None));
    executor().block_on(async {
        let mut merged = merge([slow(1), slow(0)]);
        assert_eq!(format!("{merged:?}"), "MergeAll(2 of 2 open)");
        assert_eq!(merged.next().await, Some(0));
        assert_eq!(merged.next().await, None);
        assert_eq!(merged.next().await, None);
        assert!(merged.is_terminated());
    });
}

// F2, F24: it moves to another task while one stands in the line and others wait.
#[test]
fn merge_that_moves_to_another_task_goes_on_there() {
    let seen = executor().block_on(async {
        let first = spawn(async {
            let mut merged = merge([slow(3).boxed(), iter(10..13).boxed(), slow(2).boxed()]);
            let first = merged.next().await;
            (first, merged)
        });
        let (first, merged) = first.await.expect("it ends well");
        let rest = spawn(async move { merged.collect::<Vec<u32>>().await });
        let mut seen = rest.await.expect("it ends well");
        seen.extend(first);
        seen.sort_unstable();
        seen
    });
    assert_eq!(seen, [0, 0, 1, 1, 2, 10, 11, 12]);
}

/// Of one type, whatever it was.
trait Boxed: Stream + Sized {
    fn boxed<'a>(self) -> std::pin::Pin<Box<dyn Stream<Item = Self::Item> + 'a>>
    where
        Self: 'a,
    {
        Box::pin(self)
    }
}

impl<S: Stream> Boxed for S {}

#[test]
fn stream_that_panics_in_a_merge_is_the_only_one_to_end() {
    executor().block_on(async {
        let bad = generate(async |y| {
            y.give(100).await;
            panic!("a bad sensor");
        });
        let mut merged = merge([slow(3), bad]);
        let mut seen = Vec::new();
        let mut panics = Vec::new();
        loop {
            match AssertUnwindSafe(merged.next()).catch_unwind().await {
                Ok(Some(number)) => seen.push(number),
                Ok(None) => break,
                Err(panic) => panics.push(message(&*panic)),
            }
        }
        assert_eq!(panics, ["a bad sensor"]);
        assert_eq!(seen, [100, 0, 1, 2]);
    });
}

// ----- buffered ------------------------------------------------------------------------------------

#[test]
fn buffered_futures_are_never_more_than_the_limit_and_come_in_order() {
    executor().block_on(async {
        let (inside, most) = (Cell::new(0), Cell::new(0));
        let job = async |yields: usize| {
            inside.set(inside.get() + 1);
            most.set(most.get().max(inside.get()));
            yield_times(yields).await;
            inside.set(inside.get() - 1);
            yields
        };
        let yields = [9, 1, 0, 4, 4, 0, 2];
        let ordered: Vec<usize> = iter(yields).map(job).buffered(3).collect().await;
        assert_eq!((&ordered[..], most.get()), (&yields[..], 3));
        most.set(0);
        let mut any: Vec<usize> = iter(yields).map(job).buffer_unordered(3).collect().await;
        assert_eq!((any[0], most.get()), (0, 3));
        any.sort_unstable();
        assert_eq!(any, [0, 0, 1, 2, 4, 4, 9]);
    });
}

// The outputs behind a slow one count: nobody runs ahead without end.
#[test]
fn outputs_held_behind_a_slow_one_count_for_the_limit() {
    executor().block_on(async {
        let begun = Rc::new(Cell::new(0));
        let flag = Flag::default();
        let job = |n: u32| {
            let (begun, flag) = (begun.clone(), flag.clone());
            async move {
                begun.set(begun.get() + 1);
                if n == 0 {
                    flag.wait().await;
                }
                n
            }
        };
        let mut outputs = iter(0..10).map(job).buffered(4);
        for _ in 0..5 {
            assert!(outputs.next().now_or_never().is_none());
        }
        assert_eq!(begun.get(), 4);
        assert_eq!(format!("{outputs:?}"), "Buffered(1 of at most 4 in flight, 3 held)");
        flag.set();
        assert_eq!(outputs.collect::<Vec<u32>>().await, (0..10).collect::<Vec<u32>>());
    });
}

#[test]
fn buffered_future_that_panics_leaves_the_others_and_a_gap() {
    executor().block_on(async {
        let job = async |n: u32| {
            yield_now().await;
            assert!(n != 1, "job 1 has failed");
            n
        };
        let mut outputs = iter(0..4).map(job).buffered(2);
        let mut seen = Vec::new();
        let mut panics = 0;
        loop {
            match AssertUnwindSafe(outputs.next()).catch_unwind().await {
                Ok(Some(number)) => seen.push(number),
                Ok(None) => break,
                Err(_) => panics += 1,
            }
        }
        assert_eq!((seen, panics), (vec![0, 2, 3], 1));
    });
}

#[test]
fn buffered_future_that_was_not_woken_is_not_polled() {
    executor().block_on(async {
        let polls = Rc::new(Cell::new(0));
        let waiting = counted(polls.clone(), pending::<usize>()).boxed_local();
        let jobs = std::iter::once(waiting)
            .chain((0..20).map(|n| yield_times(n % 3).map(move |()| n).boxed_local()));
        let seen: Vec<usize> = iter(jobs).buffer_unordered(4).take(20).collect().await;
        assert_eq!((seen.len(), polls.get()), (20, 1));
    });
}

#[test]
fn limits_and_sizes_of_zero_are_refused() {
    let said = |f: &dyn Fn()| {
        let caught = catch_unwind(AssertUnwindSafe(f));
        message(&*caught.expect_err("it is refused"))
    };
    let text = said(&|| drop(iter([ready(1)]).buffered(0)));
    assert!(text.contains("a limit of 0 would let no future begin"), "{text}");
    let text = said(&|| drop(iter([ready(1)]).buffer_unordered(0)));
    assert!(text.contains("a limit of 0 would let no future begin"), "{text}");
    let text = said(&|| drop(iter([1]).chunks(0)));
    assert!(text.contains("a chunk of 0 items would never be full"), "{text}");
}

// ----- the budget ----------------------------------------------------------------------------------

/// How many turns another task has had when `work` has ended.
fn turns_of_others(work: impl Future) -> usize {
    let turns = Rc::new(Cell::new(0));
    let ticking = turns.clone();
    executor().block_on(async move {
        let _other = spawn(async move {
            loop {
                ticking.set(ticking.get() + 1);
                yield_now().await;
            }
        });
        work.await;
    });
    turns.get()
}

// F11: whoever takes them all gives way; 128 items a poll, of streams of other crates too.
#[test]
fn stream_that_is_always_ready_does_not_keep_the_loop_to_itself() {
    let foreign = || futures_util::stream::repeat(1_u32);
    let ours = || {
        generate(async |y| {
            loop {
                y.give(1_u32).await;
            }
        })
    };
    let seven = 128 * 7;
    let fair = 6..=8;
    let turns = turns_of_others(iter(0..seven).for_each(async |_| {}));
    assert!(fair.contains(&turns), "iter: {turns}");
    let turns = turns_of_others(ours().take(seven).for_each(async |_| {}));
    assert!(fair.contains(&turns), "generate: {turns}");
    let turns = turns_of_others(foreign().take(seven).collect::<Vec<u32>>());
    assert!(fair.contains(&turns), "a foreign stream: {turns}");
    let turns = turns_of_others(foreign().take(seven).chunks(seven).next());
    assert!(fair.contains(&turns), "chunks: {turns}");
    let turns = turns_of_others(foreign().take(seven).filter(|_| false).next());
    assert!(fair.contains(&turns), "filter: {turns}");
    let turns = turns_of_others(foreign().skip(seven).next());
    assert!(fair.contains(&turns), "skip: {turns}");
    let turns = turns_of_others(foreign().merge(foreign()).take(seven).for_each(async |_| {}));
    assert!(fair.contains(&turns), "merge: {turns}");
    let turns =
        turns_of_others(foreign().map(ready).buffered(3).take(seven).for_each(async |_| {}));
    assert!(turns >= 6, "buffered: {turns}");
    let all = futures_util::StreamExt::for_each(ours().take(seven), |_| ready(()));
    let turns = turns_of_others(all);
    assert!(fair.contains(&turns), "taken by a foreign combinator: {turns}");
}

// F11: one operation is enough to make progress.
#[test]
fn budget_of_one_operation_is_enough_for_every_adapter() {
    let settings = Settings { budget: 1, ..Settings::default() };
    executor_with(settings).block_on(async {
        let all: Vec<u32> = slow(4).filter(|n| n % 2 == 1).map(|n| n + 1).collect().await;
        assert_eq!(all, [2, 4]);
        let all: Vec<u32> = iter(0..4).merge(iter(4..6)).collect().await;
        assert_eq!(all.len(), 6);
        let all: Vec<u32> = iter(0..4).map(ready).buffered(2).collect().await;
        assert_eq!(all, [0, 1, 2, 3]);
        let all: Vec<Vec<u32>> = iter(0..4).chunks(3).collect().await;
        assert_eq!(all, [vec![0, 1, 2], vec![3]]);
    });
}

// ----- a queue as a stream -------------------------------------------------------------------------

// SEM-283: what is left, and then the end.
#[test]
fn queue_as_a_stream_gives_what_is_left_at_the_shutdown_and_ends() {
    executor().block_on(async {
        let queue = Rc::new(Queue::bounded(2));
        let putting = queue.clone();
        let producer = spawn(async move {
            for item in 0..5 {
                putting.put(item).await.expect("it is open");
            }
            putting.shutdown();
        });
        let mut items = queue.stream();
        assert_eq!((&mut items).collect::<Vec<u32>>().await, [0, 1, 2, 3, 4]);
        assert!(items.is_terminated());
        assert_eq!(items.next().await, None);
        assert!(producer.await.is_ok());
    });
}

#[test]
fn item_handed_to_a_stream_stays_with_it_and_goes_back_when_that_is_dropped() {
    executor().block_on(async {
        let queue = Queue::unbounded();
        let mut first = queue.stream();
        assert!(first.next().now_or_never().is_none());
        queue.try_put(1).expect("it is open");
        queue.try_put(2).expect("it is open");
        assert_eq!(queue.try_get(), Ok(2), "the other one is handed over");
        assert_eq!(first.next().await, Some(1), "the `next` was dropped, the stream was not");
        assert!(first.next().now_or_never().is_none());
        queue.try_put(3).expect("it is open");
        drop(first);
        assert_eq!(queue.try_get(), Ok(3));
        assert_eq!(queue.waiting_getters(), 0);
    });
}

#[test]
fn streams_of_one_queue_share_its_items_first_come_first_served() {
    executor().block_on(async {
        let queue = Queue::unbounded();
        let (mut a, mut b) = (queue.stream(), queue.stream());
        assert!(a.next().now_or_never().is_none());
        assert!(b.next().now_or_never().is_none());
        for item in 1..=3 {
            queue.try_put(item).expect("it is open");
        }
        assert_eq!(b.next().now_or_never(), Some(Some(2)));
        assert_eq!(b.next().now_or_never(), Some(Some(3)));
        assert_eq!(a.next().now_or_never(), Some(Some(1)));
    });
}

// ----- with others ---------------------------------------------------------------------------------

// F2: under wakers of another crate, and with its combinators.
#[test]
fn generators_and_merges_work_in_combinators_of_another_crate() {
    executor().block_on(async {
        let both = futures_util::stream::select(merge([slow(2), slow(3)]), slow(4));
        let mut seen = futures_util::StreamExt::collect::<Vec<u32>>(both).await;
        seen.sort_unstable();
        assert_eq!(seen, [0, 0, 0, 1, 1, 1, 2, 2, 3]);
        let mut numbers = slow(1);
        let (polled, wakes) = poll_once(&mut numbers.next());
        assert!(polled.is_pending());
        yield_times(2).await;
        assert_eq!(wakes.wakes(), 1);
        assert_eq!(poll_once(&mut numbers.next()).0, Poll::Ready(Some(0)));
    });
}

#[test]
fn body_may_borrow_what_is_around_it() {
    executor().block_on(async {
        let mut given = 0;
        let words = vec!["a".to_owned(), "b".to_owned()];
        let mut lent = generate(async |y| {
            for word in &words {
                given += 1;
                y.give(word.as_str()).await;
            }
        });
        assert_eq!(lent.next().await, Some("a"));
        drop(lent);
        assert_eq!(given, 1);
    });
}

// A close that cannot fail, in a generator of results, after its error.
#[test]
fn error_of_a_body_comes_after_its_own_cleanup() {
    struct Line(Trace);

    impl AsyncClose for Line {
        type Error = Infallible;

        async fn close(self) -> Result<(), Infallible> {
            yield_times(2).await;
            self.0.say("closed");
            Ok(())
        }
    }

    executor().block_on(async {
        let trace = Trace::default();
        let mut numbers = try_generate(async |y| {
            let line = Line(trace.clone());
            let used = using(line, async |_| {
                y.give(1).await;
                Err("cut off")
            });
            used.await.expect("it closes well")
        });
        assert_eq!(numbers.next().await, Some(Ok(1)));
        assert_eq!(numbers.next().await, Some(Err("cut off")));
        assert_eq!(trace.take(), "closed");
        numbers.aclose().await.expect("it has ended");
    });
}

#[test]
fn poll_fn_in_a_body_sees_the_wakers_of_whoever_asks() {
    executor().block_on(async {
        let mut numbers = generate(async |y| {
            let mut polls = 0;
            poll_fn(|cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            y.give(polls).await;
        });
        assert_eq!(numbers.next().await, Some(3));
    });
}
