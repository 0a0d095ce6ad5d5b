//! A loop and its tasks belong to one thread.

fn main() {
    let mut executor = lone_executor::Executor::new(lone_executor::ThreadPark::new()).unwrap();
    std::thread::spawn(move || executor.block_on(async {}));
}
