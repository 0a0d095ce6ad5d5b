//! Groups: nobody is left, no error is lost, children borrow.

use std::cell::Cell;

use lone_sync::TaskGroup;

use crate::help::executor;

// SEM-173: children borrow
#[test]
fn group_whose_children_borrow_ends_when_all_have_ended() {
    let sum = Cell::new(0);
    let ran = executor().block_on(TaskGroup::<&str>::run(async |group| {
        for n in 0..3 {
            let sum = &sum;
            drop(group.spawn(async move {
                for _ in 0..n {
                    lone_executor::yield_now().await;
                }
                sum.set(sum.get() + n);
                Ok::<_, &str>(())
            }));
        }
        Ok::<_, &str>("body")
    }));
    assert_eq!(ran.expect("nobody fails"), Some("body"));
    assert_eq!(sum.get(), 3);
}
