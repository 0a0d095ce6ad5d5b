//! Do the lecture programs show what they are to show? Under a virtual clock, to the millisecond.

#[path = "../examples/bank_account.rs"]
pub mod bank_account;
#[path = "../examples/chat_server.rs"]
pub mod chat_server;
#[path = "../examples/crawler_discovery.rs"]
pub mod crawler_discovery;
#[path = "../examples/dining_philosophers.rs"]
pub mod dining_philosophers;
#[path = "../examples/exercise_1_crawler.rs"]
pub mod exercise_1_crawler;
#[path = "../examples/exercise_2_group.rs"]
pub mod exercise_2_group;
#[path = "../examples/exercise_3_gate.rs"]
pub mod exercise_3_gate;
#[path = "../examples/exercise_4_to_thread.rs"]
pub mod exercise_4_to_thread;
#[path = "../examples/lecture_21_tasks.rs"]
pub mod lecture_21_tasks;
#[path = "../examples/lecture_24_1_semaphore.rs"]
pub mod lecture_24_1_semaphore;
#[path = "../examples/lecture_24_2_race.rs"]
pub mod lecture_24_2_race;
#[path = "../examples/lecture_24_3_retry.rs"]
pub mod lecture_24_3_retry;
#[path = "../examples/lecture_24_4_queue.rs"]
pub mod lecture_24_4_queue;
#[path = "../examples/lecture_35_ingest.rs"]
pub mod lecture_35_ingest;
#[path = "../examples/lecture_generator.rs"]
pub mod lecture_generator;
#[path = "../examples/retry.rs"]
pub mod retry;

use std::future::Future;
use std::time::Duration;

fn run<F: Future>(program: F) -> F::Output {
    lone::Builder::new().start_paused(true).run(program)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

// SEM-89: results come in argument order, whatever the order of the ends
// SEM-91: N sleeps together take as long as the longest
#[test]
fn gather_of_three_sleeps_takes_the_longest_and_keeps_the_order() {
    let it = run(lecture_21_tasks::program());
    assert_eq!(it.gathered, ms(1000));
    assert_eq!(it.ended, ["B", "C", "A"]);
    assert_eq!(it.results, ["A", "B", "C"]);
}

// SEM-24: a spawned task is not polled inside `spawn`
#[test]
fn spawned_task_begins_when_its_spawner_awaits_and_goes_on_meanwhile() {
    let it = run(lecture_21_tasks::program());
    assert!(!it.spawn_ran_it);
    assert_eq!(it.beats, 4, "one every 100 ms, in 450 ms");
}

// SEM-109: when the time is over, a wait cancels nobody and fails nowhere: done and pending
#[test]
fn wait_out_of_time_leaves_the_pending_running() {
    let it = run(lecture_21_tasks::program());
    assert_eq!(it.waited, ms(500));
    assert_eq!(it.done, ["D", "E"]);
    assert_eq!(it.pending, ["slow"]);
}

// SEM-53: nothing of a task runs inside `cancel`; it is stopped at its next turn
#[test]
fn cancel_runs_the_guard_at_the_next_turn_and_tells_the_reason() {
    let it = run(lecture_21_tasks::program());
    assert!(!it.cancel_ran_guard);
    assert!(it.cleaned_up);
    assert_eq!(it.reason, "nobody wants the result");
    assert_eq!(it.took, ms(1000 + 450 + 500), "the cancel takes no time");
}

// SEM-219: 9 jobs of 0.3 s over 3 permits end at 0.9 s, never more than 3 inside
#[test]
fn nine_sessions_over_three_permits_end_in_three_batches() {
    let it = run(lecture_24_1_semaphore::program());
    assert_eq!(it.took, ms(900));
    assert_eq!(it.most_inside, 3);
    let batches: Vec<Duration> = [300, 600, 900].into_iter().flat_map(|at| [ms(at); 3]).collect();
    assert_eq!(it.ends, batches, "in the order in which they came");
}

// SEM-106: a wait for the first returns as soon as one has ended, and cancels nobody
// SEM-114: cancel and drain cancels all, waits for all, and returns their outcomes
#[test]
fn losers_of_a_race_of_tasks_have_ended_when_cancel_all_returns() {
    let it = run(lecture_24_2_race::program());
    assert_eq!(it.winner, "us");
    assert_eq!(it.won_after, ms(100));
    assert!(it.given_up_by_wait.is_empty(), "the wait cancels nobody");
    assert_eq!(it.given_up_by_cancel, ["eu", "asia"]);
    assert_eq!(it.drained_after, ms(100), "the drain takes no time");
    assert_eq!(it.errors, ["cancelled: another region was faster"; 2]);
}

// SEM-413: the first arm wins; the losers are dropped before race returns
#[test]
fn losers_of_a_race_are_dropped_when_it_returns() {
    let it = run(lecture_24_2_race::program());
    assert_eq!(it.race_winner, "us");
    assert_eq!(it.race_took, ms(100));
    assert_eq!(it.given_up_by_race, ["eu", "asia"]);
}

// SEM-137: each attempt gets a fresh future and a fresh deadline; the callers do not disturb each other
#[test]
fn three_callers_retry_side_by_side() {
    let it = run(lecture_24_3_retry::program());
    let calls: Vec<_> = it.calls.iter().map(|c| (c.name, c.attempts, c.answered, c.took)).collect();
    assert_eq!(
        calls,
        [
            ("steady", 1, true, ms(200)),
            ("flaky", 3, true, ms(500 + 500 + 200)),
            ("dead", 3, false, ms(500 + 500 + 500)),
        ]
    );
    assert_eq!(it.took, ms(1500));
}

// SEM-271: the lecture's producer, two consumers and five places process all ten
// SEM-290: a sentinel that each consumer puts back stops all of them
#[test]
fn sentinel_stops_both_consumers_and_stays_behind() {
    let way = run(lecture_24_4_queue::program()).sentinel;
    assert_eq!(way.used, [[1, 3, 5, 7, 9], [2, 4, 6, 8, 10]]);
    assert_eq!(way.took, ms(10 * 50 + 80));
    assert_eq!(way.left, 1, "the sentinel itself");
}

// SEM-283: after shutdown gets deliver what is left, then fail, for everybody
#[test]
fn shutdown_stops_both_consumers_and_leaves_nothing() {
    let way = run(lecture_24_4_queue::program()).shutdown;
    assert_eq!(way.used, [[1, 3, 5, 7, 9], [2, 4, 6, 8, 10]]);
    assert_eq!(way.took, ms(10 * 50 + 80));
    assert_eq!(way.left, 0);
}

// SEM-91: N sleeps together take as long as the longest, also 10,000 of them
#[test]
fn a_cycle_takes_as_long_for_ten_thousand_sensors_as_for_ten() {
    let runs = run(lecture_35_ingest::program()).runs;
    let sensors: Vec<usize> = runs.iter().map(|run| run.sensors).collect();
    assert_eq!(sensors, [10, 100, 10_000]);
    for run in runs {
        assert_eq!(run.cycles, [ms(100); 3], "{} sensors", run.sensors);
        assert_eq!(run.processed, 3 * run.sensors);
    }
}

// SEM-423, SEM-425: the stage is a thread's, has all batches, and its findings come back in order
// SEM-306: the clock goes on while it waits for a batch
#[test]
fn synchronous_stage_runs_on_a_thread_and_its_findings_come_back() {
    let runs = run(lecture_35_ingest::program()).runs;
    assert_eq!(runs.len(), 3);
    for run in runs {
        assert_ne!(run.stage_ran_on, std::thread::current().id());
        // Values 0 to 9, the same number of times each: the first with the last value is furthest.
        let means: Vec<f64> = run.findings.iter().map(|finding| finding.mean).collect();
        assert_eq!(means, [4.5; 3], "{} sensors", run.sensors);
        for finding in run.findings {
            assert!([0, 9].contains(&(finding.furthest % 10)), "{finding:?}");
        }
    }
}

// SEM-294, SEM-298, SEM-299, SEM-300: on the real clock, for the work takes real time
#[test]
fn heart_beats_while_threads_read_and_stands_still_while_a_task_does() {
    let it = lone::run(exercise_4_to_thread::program()).expect("the files are there");
    assert_eq!(it.beats_in_task, 0);
    assert!(it.beats_beside_threads >= 1, "of 5: {}", it.beats_beside_threads);
    assert_eq!(it.bytes[0], it.bytes[1]);
    assert!(it.pieces_after_timeout <= 1, "it notices after the piece that it is at");
    assert!(!it.half_written);
}

// SEM-22, C-105: five left forks are a deadlock, caught and named
// SEM-205: in order, everybody eats
#[test]
fn philosophers_who_all_take_the_left_fork_are_a_cycle_and_by_number_they_all_eat() {
    let it = dining_philosophers::program();
    let names = ["Plato", "Hypatia", "Kant", "Arendt", "Confucius"];
    assert_eq!(it.cycle, names);
    let report = it.deadlock.to_string();
    for (seat, name) in names.iter().enumerate() {
        let (task, next) = (seat + 1, (seat + 1) % 5);
        let line = report.lines().find(|line| line.starts_with(&format!("  Task-{task} `{name}`")));
        let line = line.expect("each has a line");
        let held = format!(", held by Task-{} `{}` since ", next + 1, names[next]);
        assert!(line.contains(" awaits a lock at ") && line.contains(&held), "{line}");
    }
    assert_eq!(it.meals, names.map(|name| (name, 3)));
    assert_eq!(it.took, ms(560), "two eat at a time, where the circle lets them");
}

// SEM-429: without a lock one order is found that overdraws the account, with one none
#[test]
fn account_is_overdrawn_in_some_order_without_a_lock_and_in_none_with_one() {
    let it = bank_account::explore();
    let said = it.failure.to_string();
    assert!(said.contains("the account is overdrawn: -60"), "{said}");
    assert!(said.contains("Task-2 `bob`"), "{said}");
    assert!(it.with_a_lock.exhaustive && it.with_a_lock.schedules > 1);
}

// SEM-250, SEM-253: the last service that is up sets the event: all who wait go on, and later ones pass
#[test]
fn workers_wait_at_the_gate_until_all_services_are_up() {
    let it = run(exercise_3_gate::program()).good;
    assert_eq!(it.up, [("cache", ms(10)), ("broker", ms(20)), ("database", ms(30))]);
    assert_eq!(it.began, [ms(30), ms(30), ms(30), ms(30), ms(30), ms(45)]);
    assert_eq!(it.late_waited, Some(ms(0)));
    assert_eq!(it.closed, ["cache", "broker", "database"].map(|name| (name, ms(65))));
    assert_eq!((it.failed, it.took), (None, ms(65)));
}

// SEM-323: readings of three sensors, as they come
// SEM-325: the loop is left, and each sensor has said goodbye when its `aclose` returns
#[test]
fn sensors_read_together_are_closed_one_after_the_other_when_the_loop_is_left() {
    let it = run(lecture_generator::program());
    assert_eq!(
        it.readings,
        [
            ("inlet", 1, ms(10)),
            ("outlet", 1, ms(15)),
            ("inlet", 2, ms(20)),
            // At the same moment: who began to wait first.
            ("outlet", 2, ms(30)),
            ("inlet", 3, ms(30)),
            ("room", 1, ms(40)),
            ("inlet", 4, ms(40)),
        ]
    );
    assert_eq!(it.closed, [("inlet", ms(45)), ("outlet", ms(50)), ("room", ms(55))]);
    assert_eq!(it.took, ms(55));
}

// SEM-93, SEM-127: a start that takes too long is closed, then what is up is, and only then the error
// comes; nobody has passed the gate
#[test]
fn start_that_takes_too_long_closes_all_services_before_it_is_given_up() {
    let it = run(exercise_3_gate::program()).bad;
    assert_eq!(it.up, [("cache", ms(10)), ("broker", ms(20))]);
    assert_eq!((it.began, it.late_waited), (vec![], None));
    assert_eq!(it.closed, [("database", ms(45)), ("cache", ms(50)), ("broker", ms(50))]);
    assert_eq!((it.failed, it.took), (Some("database"), ms(50)));
}

// SEM-137, SEM-127, SEM-148: each attempt has a limit of its own and is closed before the next one; the
// one for the whole ends an attempt as well
#[test]
fn retries_end_at_the_moments_that_their_pauses_add_up_to() {
    use retry::GaveUp;

    let calls = run(retry::program());
    let attempts: Vec<_> = calls.iter().map(|call| (call.name, call.attempts)).collect();
    assert_eq!(attempts, [("steady", 1), ("flaky", 3), ("wrong", 1), ("busy", 4), ("dead", 4)]);
    for call in &calls {
        assert_eq!(call.closed, call.attempts, "each attempt is closed: {call:?}");
        assert_eq!(call.pauses.len() as u32, call.attempts - 1, "none after the last: {call:?}");
        assert_eq!(call.took, retry::expected(call), "{call:?}");
        for (pause, most) in call.pauses.iter().zip([40, 80, 120]) {
            assert!((ms(most) / 2..=ms(most)).contains(pause), "{call:?}");
        }
    }
    let outcomes: Vec<_> = calls.into_iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes[..2], [Ok("answer"), Ok("answer")]);
    assert_eq!(outcomes[2], Err(GaveUp::Fatal("a wrong request")));
    assert_eq!(outcomes[3], Err(GaveUp::Attempts("refused".to_owned())));
    assert!(matches!(outcomes[4], Err(GaveUp::Deadline(_))));
}

// SEM-393: the same seeds, the same pauses
#[test]
fn retries_with_the_same_seeds_make_the_same_pauses() {
    let pauses =
        || -> Vec<_> { run(retry::program()).into_iter().map(|call| call.pauses).collect() };
    let once = pauses();
    assert_eq!(once, pauses());
    assert_ne!(once[1][0], once[3][0], "each caller has a seed of its own");
}

// SEM-177: the siblings are stopped at their awaits and clean up with awaits; then the error is there
#[test]
fn group_of_downloads_fails_when_its_children_have_cleaned_up() {
    let it = run(exercise_2_group::program());
    assert_eq!(it.failed_after, ms(150), "0.1 s until one breaks, 0.05 s for the slowest cleanup");
    let happened: Vec<(u128, &str)> =
        it.happened.iter().map(|(at, what)| (at.as_millis(), what.trim())).collect();
    let [_title, begins @ .., (100, "image: the connection breaks"), (150, ended)] = &happened[..]
    else {
        panic!("nobody is complete: {happened:?}");
    };
    assert_eq!(begins, [(0, "page: begins"), (0, "image: begins"), (0, "font: begins")]);
    assert_eq!(*ended, format!("the group has ended: {}", it.error));
    assert!(it.error.ends_with("\n  - image: the connection was reset"), "{}", it.error);
}

// SEM-186, SEM-201: the error of an inner group is a branch of the outer one
#[test]
fn group_within_a_group_fails_with_a_tree() {
    let it = run(exercise_2_group::program());
    assert_eq!(it.nested_failed_after, ms(100 + 30 + 50), "the inner cleans up, then the outer");
    let resets = ["image 2: the connection was reset", "image 3: the connection was reset"];
    assert_eq!(it.nested_leaves, resets);
    let lines: Vec<&str> = it.nested_error.lines().collect();
    assert!(lines[0].starts_with("1 failure in the task group at "), "{lines:?}");
    assert!(lines[1].starts_with("  - 2 failures in the task group at "), "{lines:?}");
    assert_eq!(lines[2..], resets.map(|reset| format!("      - {reset}")));
}

// SEM-219, SEM-127: five at once, each page in the moment in which it is complete; one that hangs costs
// nobody else more than its place
#[test]
fn crawler_fetches_five_pages_at_once_and_tells_of_each_when_it_is_complete() {
    let it = run(exercise_1_crawler::program()).expect("the server is there");
    assert_eq!((it.most_at_once, it.took), (5, ms(60)));
    let mut pages: Vec<_> = it.pages.iter().map(|page| (page.at, page.path)).collect();
    assert!(pages.is_sorted_by_key(|(at, _)| *at));
    // The system says in which order those of one moment are.
    pages.sort_unstable();
    let at = |millis, paths: &[&'static str]| -> Vec<_> {
        paths.iter().map(|path| (ms(millis), *path)).collect()
    };
    let expected = [
        at(10, &["/about"]),
        at(20, &["/"]),
        at(30, &["/contact", "/missing", "/news"]),
        at(40, &["/images", "/shop/cart", "/shop/help"]),
        at(50, &["/blog/first"]),
        at(60, &["/blog", "/hangs", "/shop"]),
    ];
    assert_eq!(pages, expected.concat());
    for page in it.pages {
        match (page.path, page.answer) {
            ("/missing", answer) => assert_eq!(answer.expect("it is an answer"), (404, 0)),
            ("/hangs", answer) => {
                let error = answer.expect_err("it never comes");
                assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
            }
            (path, answer) => {
                let length = path.len() * format!("<h1>{path}</h1>\n").len();
                assert_eq!(answer.expect("it is there"), (200, length));
            }
        }
    }
}

// SEM-281: `join` returns when no page is left and none is in hand, that could name others
#[test]
fn crawl_ends_when_nothing_is_left_to_discover() {
    let it = run(crawler_discovery::program()).whole;
    assert_eq!((it.seen, it.fetched.len(), it.took), (12, 11, ms(40)));
    assert_eq!((it.failed, it.left), (vec!["/old"], vec![]));
    assert_eq!(it.by_worker.iter().sum::<usize>(), 11);
    assert!(it.by_worker.iter().all(|fetched| *fetched >= 2), "{:?}", it.by_worker);
}

// SEM-284, SEM-288: out of time, the pages in hand are ended, and the others are given back
#[test]
fn crawl_out_of_time_ends_the_pages_in_hand_and_says_what_is_left() {
    let it = run(crawler_discovery::program()).stopped;
    assert_eq!(it.took, ms(30), "stopped at 25 ms, with pages in hand until 30");
    assert_eq!((it.fetched.len(), it.failed.len(), it.left.len()), (8, 0, 4));
    assert_eq!(it.seen, 12, "nothing is lost");
}

// SEM-343, SEM-350: one who does not read is cut off, and costs the others nothing; lines stay whole
#[test]
fn chat_goes_on_when_one_client_does_not_read() {
    let it = run(chat_server::self_test()).expect("all are here");
    assert_eq!(
        it.ada,
        [
            "! a line is longer than 8192 bytes",
            "* bob has come",
            "bob: fine",
            "* cem has come",
            "* cem has left: too slow",
        ]
    );
    assert_eq!(
        it.bob,
        [
            "ada: hello",
            "ada: how are you?",
            "* cem has come",
            "* cem has left: too slow",
            "ada: goodbye",
            "* ada has left",
        ]
    );
    assert!(it.bulk > 64, "cem was {} lines behind", it.bulk);
    assert_eq!(it.bulk_heard, it.bulk, "each once");
}
