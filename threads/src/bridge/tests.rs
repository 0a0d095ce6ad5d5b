//! Is anything lost, doubled or out of order, whatever comes in whatever order? Random schedules of
//! polls, drops and tries, beside two invariants.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Get, GetError, LoopGet, LoopPut, Put, PutError, TryGetError, TryPutError, channel};

/// A reproducible source of numbers: SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}

/// What went in and came out, and who waits with what.
struct World<'a> {
    put: &'a LoopPut<u32>,
    get: &'a LoopGet<u32>,
    putting: VecDeque<(u32, Put<'a, u32>)>,
    getting: VecDeque<Get<'a, u32>>,
    next: u32,
    put_in: usize,
    got: Vec<u32>,
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

impl World<'_> {
    fn step(&mut self, random: &mut Random) {
        match random.below(8) {
            0 => {
                let item = self.next();
                self.putting.push_back((item, self.put.put(item)));
            }
            1 => self.getting.push_back(self.get.get()),
            2 | 3 if !self.putting.is_empty() => {
                let at = random.below(self.putting.len());
                match poll(&mut self.putting[at].1) {
                    Poll::Ready(Ok(())) => {
                        self.put_in += 1;
                        self.putting.remove(at);
                    }
                    Poll::Ready(Err(PutError(_))) => panic!("both sides live"),
                    Poll::Pending => {}
                }
            }
            4 | 5 if !self.getting.is_empty() => {
                let at = random.below(self.getting.len());
                match poll(&mut self.getting[at]) {
                    Poll::Ready(Ok(item)) => {
                        self.got.push(item);
                        self.getting.remove(at);
                    }
                    Poll::Ready(Err(GetError)) => panic!("both sides live"),
                    Poll::Pending => {}
                }
            }
            6 if random.below(2) == 0 && !self.putting.is_empty() => {
                let at = random.below(self.putting.len());
                self.putting.remove(at);
            }
            6 if !self.getting.is_empty() => {
                let at = random.below(self.getting.len());
                self.getting.remove(at);
            }
            7 if random.below(2) == 0 => {
                let item = self.next();
                match self.put.try_put(item) {
                    Ok(()) => self.put_in += 1,
                    Err(TryPutError::Full(back)) => assert_eq!(back, item),
                    Err(TryPutError::Closed(_)) => panic!("both sides live"),
                }
            }
            7 => match self.get.try_get() {
                Ok(item) => self.got.push(item),
                Err(TryGetError::Empty) => {}
                Err(TryGetError::Closed) => panic!("both sides live"),
            },
            _ => {}
        }
    }

    fn next(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Polls all until nobody moves any more.
    fn settle(&mut self) {
        loop {
            let before = (self.putting.len(), self.getting.len());
            let (put_in, got) = (&mut self.put_in, &mut self.got);
            self.putting.retain_mut(|(_, put)| {
                let ended = poll(put).is_ready();
                *put_in += usize::from(ended);
                !ended
            });
            self.getting.retain_mut(|get| match poll(get) {
                Poll::Ready(item) => {
                    got.push(item.expect("both sides live"));
                    false
                }
                Poll::Pending => true,
            });
            if before == (self.putting.len(), self.getting.len()) {
                return;
            }
        }
    }
}

#[test]
fn schedules_of_puts_gets_and_drops_conserve_items_and_leave_nobody_who_could_go_on() {
    for seed in 0..2000 {
        let mut random = Random(seed);
        let (put, get) = channel(1 + random.below(3));
        let (put, get) = (LoopPut::new(put), LoopGet::new(get));
        let (putting, getting) = (VecDeque::new(), VecDeque::new());
        let mut world =
            World { put: &put, get: &get, putting, getting, next: 0, put_in: 0, got: Vec::new() };
        for _ in 0..60 {
            world.step(&mut random);
            put.check();
        }
        world.settle();
        assert_eq!(world.put_in, world.got.len() + get.len(), "seed {seed}: items are conserved");
        let (putters, getters) = (world.putting.len(), world.getting.len());
        assert!(getters == 0 || get.is_empty() && putters == 0, "seed {seed}: a getter starves");
        let mut sorted = world.got.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), world.got.len(), "seed {seed}: nothing came twice");
    }
}

#[test]
fn items_come_out_in_the_order_in_which_they_went_in() {
    for seed in 0..500 {
        let mut random = Random(seed);
        let (put, get) = channel(1 + random.below(3));
        let (put, get) = (LoopPut::new(put), LoopGet::new(get));
        let (mut put_in, mut got) = (Vec::new(), Vec::new());
        for n in 0..100 {
            if random.below(2) == 0 {
                if put.try_put(n).is_ok() {
                    put_in.push(n);
                }
            } else {
                got.extend(get.try_get());
            }
        }
        got.extend(std::iter::from_fn(|| get.try_get().ok()));
        assert_eq!(got, put_in, "seed {seed}");
    }
}
