//! A handle reaches into its loop without a lock, so it stays on the loop's thread.

fn main() {
    let mut executor = lone_executor::Executor::new(lone_executor::ThreadPark::new()).unwrap();
    executor.block_on(async {
        let task = lone_executor::spawn(async { 7 });
        std::thread::spawn(move || task.cancel("from another thread"));
    });
}
