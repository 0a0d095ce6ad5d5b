//! How does lone behave, seen from outside? One binary, one module a subject.
//!
//! Whole traces are asserted where scheduling is the subject. No test sleeps: one that waits for
//! another thread waits for a message or a wake, and fails when none comes.

mod help;

mod as_completed;
mod barrier;
mod bridge;
mod broadcast;
mod budget;
mod cancel;
mod children;
mod cleanup;
mod condvar;
mod conservation;
mod deadlock;
mod debug;
mod drain;
mod event;
mod explore;
mod gather;
mod grades;
mod guest;
mod introspection;
mod join_set;
mod lock_deadlock;
mod mutex;
mod once_cell;
mod oneshot;
mod panic;
mod queue;
mod queue_orders;
mod race;
mod race_ok;
mod race_tasks;
mod remote;
mod reporting;
mod run;
mod rw_lock;
mod scope;
mod seed;
mod select;
mod semaphore;
mod shield;
mod shutdown;
mod stall;
mod statistics;
mod stream;
mod suspensions;
mod task;
mod task_group;
mod to_thread;
mod try_join;
mod wait;
mod waiting;
mod wake;
mod watch;
