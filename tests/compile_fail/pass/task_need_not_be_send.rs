//! Tasks may hold what is not `Send`, main may borrow, and a remote may make an `Rc` over there.

use std::cell::RefCell;
use std::rc::Rc;

fn main() {
    let mut executor = lone_executor::Executor::new(lone_executor::ThreadPark::new()).unwrap();
    let remote = executor.remote();
    let thread = std::thread::spawn(move || drop(remote.spawn(|| async { *Rc::new(7) })));
    thread.join().unwrap();
    let lines = RefCell::new(Vec::new());
    executor.block_on(async {
        let shared = Rc::new(RefCell::new(0));
        let theirs = shared.clone();
        let task = lone_executor::spawn(async move {
            lone_executor::yield_now().await;
            *theirs.borrow_mut() += 1;
            theirs
        });
        lines.borrow_mut().push(Rc::strong_count(&task.await.unwrap()));
    });
    assert_eq!(*lines.borrow(), [2]);
}
