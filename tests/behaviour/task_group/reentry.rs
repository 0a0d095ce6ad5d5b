//! User code that calls back: destructors of children, and wakers of others that panic.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use lone_executor::yield_now;
use lone_sync::GroupHandle;

use super::{Group, WELL, yields};
use crate::help::{Flag, OnDrop, assert_one_report, executor, record_reports};

// SEM-49: destructors that spawn, cancel, drop handles and ask, at an end, a stop, a drop.
#[test]
fn destructors_of_children_may_do_anything_to_their_group() {
    fn busy(
        group: &Group<'static>,
        handles: &Rc<RefCell<Vec<GroupHandle<()>>>>,
    ) -> impl FnOnce() + use<> {
        let (group, handles) = (group.clone(), handles.clone());
        move || {
            let _len = (group.len(), group.is_empty(), format!("{group:?}"));
            let handle = group.spawn(async { WELL }).named("late");
            handle.cancel("at once");
            let before = handles.take();
            before.iter().for_each(|handle| {
                let _ended = handle.cancel("by a destructor");
            });
            drop(before);
            handles.borrow_mut().push(handle);
            group.cancel("by a destructor");
        }
    }
    for ending in 0..3 {
        let mut executor = executor();
        let handles: Rc<RefCell<Vec<GroupHandle<()>>>> = Rc::default();
        let kept = handles.clone();
        let mut group = Box::pin(Group::<'static>::run(async move |group| {
            for n in 0..4 {
                let guard = OnDrop::new(busy(&group, &kept));
                let handle = group.spawn(async move {
                    let _guard = guard;
                    yields(n).await;
                    if ending == 0 { WELL } else { pending().await }
                });
                kept.borrow_mut().push(handle);
            }
            yields(6).await;
            group.cancel("the body");
            if ending == 2 { pending().await } else { WELL }
        }));
        executor.block_on(async {
            if ending == 2 {
                for _ in 0..3 {
                    let _ = poll_fn(|cx| Poll::Ready(group.as_mut().poll(cx))).await;
                    yield_now().await;
                }
            } else {
                group.as_mut().await.expect("no error");
            }
        });
        drop(group);
        drop(handles);
        assert_eq!(executor.statistics().slots, 0);
    }
}

/// A waker that panics when it is told to.
#[derive(Default)]
struct Failing(AtomicBool);

impl std::task::Wake for Failing {
    fn wake(self: Arc<Self>) {
        assert!(!self.0.load(Ordering::SeqCst), "the waker fails");
    }
}

// F26: a foreign waker is user code. What it was called for is done all the same.
#[test]
fn foreign_waker_that_panics_harms_neither_group_nor_children() {
    record_reports();
    executor().block_on(async {
        let failing = Arc::new(Failing::default());
        let waker = Waker::from(failing.clone());
        let mut cx = Context::from_waker(&waker);
        let (place, flag) = (Rc::new(RefCell::new(None)), Flag::default());
        let (put, wait) = (place.clone(), flag.clone());
        let mut group = Box::pin(Group::<'static>::run(async move |group| {
            put.replace(Some(group.clone()));
            let joined = group.spawn(async move {
                wait.wait().await;
                Ok::<_, &str>("value")
            });
            Ok::<_, &str>(joined)
        }));
        for _ in 0..2 {
            assert!(group.as_mut().poll(&mut cx).is_pending());
        }
        failing.0.store(true, Ordering::SeqCst);
        let outside = place.take().expect("it was put there");
        // It wakes the group, so the foreign waker.
        let spawned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            drop(outside.spawn(async { WELL }));
        }));
        assert!(spawned.is_err(), "the panic is the caller's");
        flag.set();
        let joined = group.await.expect("nobody fails").expect("nobody cancels");
        assert_eq!(joined.await.expect("it ends well"), "value");
    });
}

// F26: the waker of whoever awaits a handle panics: that is not the child's failure.
#[test]
fn foreign_waker_of_a_joiner_that_panics_is_reported_and_the_child_has_ended_well() {
    record_reports();
    executor().block_on(async {
        let failing = Arc::new(Failing(AtomicBool::new(true)));
        let waker = Waker::from(failing);
        let mut cx = Context::from_waker(&waker);
        let ran = Group::run(async |group| {
            let mut child = group.spawn(async {
                yields(2).await;
                Ok::<_, &str>("value")
            });
            assert!(Pin::new(&mut child).poll(&mut cx).is_pending());
            yields(4).await;
            Ok::<_, &str>(child.await.expect("it has ended well"))
        });
        assert_eq!(ran.await.expect("nobody fails"), Some("value"));
    });
    assert_one_report(&["a waker that is not ours", "the waker fails"]);
}
