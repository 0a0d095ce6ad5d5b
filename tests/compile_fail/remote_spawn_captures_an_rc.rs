//! The closure goes to the loop's thread: the future may hold an `Rc`, the closure may not.

fn main() {
    let executor = lone_executor::Executor::new(lone_executor::ThreadPark::new()).unwrap();
    let shared = std::rc::Rc::new(7);
    let _ = executor.remote().spawn(move || async move { *shared });
}
