//! By how much does a single sleep overshoot? 100 us, 1 ms and 10 ms, one after the other on an idle loop.
//!
//! With what each peer does by default; so the kernel's timer slack (50 us) and the wake of an idle core are
//! in every figure.

use std::time::{Duration, Instant};

use crate::figures::Figures;
use crate::measure::{Effort, quantile};
use crate::peer::{Timers, in_task};

/// Microseconds: the median and the 99th percentile.
async fn overshoot<P: Timers>(duration: Duration, times: usize) -> [f64; 2] {
    let mut over = Vec::new();
    for _ in 0..times {
        let begin = Instant::now();
        P::sleep(duration).await;
        over.push(begin.elapsed().saturating_sub(duration).as_secs_f64() * 1e6);
    }
    [quantile(&mut over, 0.5), quantile(&mut over, 0.99)]
}

pub fn measure<P: Timers>(effort: Effort) -> Figures {
    in_task::<P, _>(async move {
        let times = effort.either(300, 60);
        let short = overshoot::<P>(Duration::from_micros(100), times).await;
        let middle = overshoot::<P>(Duration::from_millis(1), times).await;
        let long = overshoot::<P>(Duration::from_millis(10), times / 3).await;
        Figures::one("100us", short[0])
            .and("100us_p99", short[1])
            .and("1ms", middle[0])
            .and("1ms_p99", middle[1])
            .and("10ms", long[0])
            .and("10ms_p99", long[1])
    })
}
