//! What does an item cost on its way from task to task?
//!
//! `pingpong`: two tasks over two channels of capacity 1, a round trip. `mpsc1`, `mpsc8`: one or eight
//! producers into one channel of capacity 64, an item. `queue_free`: one task puts and gets, and nobody
//! ever waits, a pair.

use std::hint::black_box;

use crate::figures::Figures;
use crate::measure::{Effort, each_of};
use crate::peer::{Peer, in_task};

pub const ITEMS: u64 = 16_000;

pub async fn pingpong<P: Peer>() {
    let (mut there, mut arrived) = P::channel(1);
    let (mut back, mut returned) = P::channel(1);
    let echo = P::spawn(async move {
        for _ in 0..ITEMS {
            let item = P::receive(&mut arrived).await;
            P::send(&mut back, item).await;
        }
    });
    for item in 0..ITEMS {
        P::send(&mut there, item).await;
        black_box(P::receive(&mut returned).await);
    }
    echo.await;
}

pub async fn mpsc<P: Peer>(producers: u64) {
    let (sender, mut receiver) = P::channel(64);
    let produce = || {
        let mut sender = sender.clone();
        async move {
            for item in 0..ITEMS / producers {
                P::send(&mut sender, item).await;
            }
        }
    };
    let tasks: Vec<_> = (0..producers).map(|_| P::spawn(produce())).collect();
    let consume = P::spawn(async move {
        for _ in 0..ITEMS {
            black_box(P::receive(&mut receiver).await);
        }
    });
    for task in tasks {
        task.await;
    }
    consume.await;
}

pub async fn queue_free<P: Peer>() {
    let (mut sender, mut receiver) = P::channel(64);
    for item in 0..ITEMS {
        P::send(&mut sender, item).await;
        black_box(P::receive(&mut receiver).await);
    }
}

pub fn measure_pingpong<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, ITEMS, pingpong::<P>)))
}

pub fn mpsc1<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, ITEMS, || mpsc::<P>(1))))
}

pub fn mpsc8<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, ITEMS, || mpsc::<P>(8))))
}

pub fn measure_queue_free<P: Peer>(effort: Effort) -> Figures {
    Figures::one("ns", in_task::<P, _>(each_of(effort, ITEMS, queue_free::<P>)))
}
