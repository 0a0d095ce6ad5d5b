//! The output goes back to the thread that asked, so it has to be `Send`.

fn main() {
    let executor = lone_executor::Executor::new(lone_executor::ThreadPark::new()).unwrap();
    let _ = executor.remote().spawn(|| async { std::rc::Rc::new(7) });
}
