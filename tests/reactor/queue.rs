//! Queues under deadlines: what coincides with them is neither lost nor given twice.

use std::rc::Rc;
use std::time::Duration;

use lone::{Queue, sleep, spawn, timeout};

const MS: Duration = Duration::from_millis(1);

// SEM-274, C-45: every put comes at the very deadline of a get: registered before it, and after it.
#[lone::test(start_paused)]
async fn gets_with_deadlines_that_coincide_with_the_puts_receive_all_in_order() {
    for producer_first in [true, false] {
        let queue = Rc::new(Queue::unbounded());
        let theirs = queue.clone();
        let producer = spawn(async move {
            for item in 0..1000 {
                if producer_first {
                    sleep(MS).await;
                } else {
                    // Its timer is set in the turn after the consumer's.
                    lone::yield_now().await;
                    lone::yield_now().await;
                    lone::time::sleep_until(lone::time::Instant::now() + MS).await;
                }
                theirs.put(item).await.expect("it is open");
            }
        });
        let (mut got, mut late) = (Vec::new(), 0);
        if producer_first {
            lone::yield_now().await; // so that its timer is the first of each moment
        }
        while got.len() < 1000 {
            match timeout(MS, queue.get()).await {
                Ok(item) => got.push(item.expect("it is open")),
                Err(_elapsed) => late += 1,
            }
        }
        producer.await.expect("it ends well");
        assert_eq!(got, (0..1000).collect::<Vec<_>>());
        let now = queue.statistics();
        assert_eq!((now.len, now.unclaimed, now.getters), (0, 0, 0), "{late} were late");
    }
}
