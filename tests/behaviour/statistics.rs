//! What do the primitives tell of themselves that have no test of it among their own?

use lone_sync::{Event, Mutex, Queue};

use crate::waiting::poll;

// SEM-216: free, held, waited for, and handed over.
#[test]
fn statistics_of_a_mutex_tell_whether_it_is_held_and_who_waits() {
    let mutex = Mutex::new(());
    let tell = || (mutex.statistics().locked, mutex.statistics().waiters);
    assert_eq!(tell(), (false, 0));
    let guard = mutex.try_lock().expect("nobody holds it");
    assert_eq!(tell(), (true, 0));
    let (mut first, mut second) = (mutex.lock(), mutex.lock());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    assert_eq!(tell(), (true, 2));
    drop(guard);
    assert_eq!(tell(), (true, 1), "it is on its way to the first");
    drop((first, second));
    assert_eq!(tell(), (false, 0));
}

// SEM-256, SEM-258: set or not, and how many wait.
#[test]
fn statistics_of_an_event_tell_whether_it_is_set_and_how_many_wait() {
    let event = Event::new();
    let tell = || (event.statistics().set, event.statistics().waiters);
    let (mut first, mut second) = (event.wait(), event.wait());
    assert_eq!(tell(), (false, 0), "not yet polled");
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    assert_eq!(tell(), (false, 2));
    drop(second);
    assert_eq!(tell(), (false, 1));
    event.set();
    assert_eq!(tell(), (true, 0));
    event.clear();
    assert_eq!(tell(), (false, 0));
    assert!(poll(&mut first).is_ready(), "it was woken by the set");
}

// SEM-270, SEM-281: room, items handed over, in work, and who waits for what.
#[test]
fn statistics_of_a_queue_tell_its_items_its_room_and_who_waits() {
    let queue = Queue::bounded(1);
    let mut get = queue.get();
    assert!(poll(&mut get).is_pending());
    assert_eq!((queue.statistics().getters, queue.statistics().unfinished), (1, 0));
    queue.try_put('a').expect("somebody waits for it");
    let now = queue.statistics();
    assert_eq!((now.getters, now.unclaimed, now.unfinished), (0, 1, 1), "handed over");
    assert!(poll(&mut get).is_ready());
    queue.try_put('b').expect("there is room");
    let (mut put, mut join) = (queue.put('c'), queue.join());
    assert!(poll(&mut put).is_pending() && poll(&mut join).is_pending());
    let now = queue.statistics();
    assert_eq!((now.len, now.capacity, now.unclaimed, now.unfinished), (1, Some(1), 0, 2));
    assert_eq!((now.getters, now.putters, now.joiners, now.shut_down), (0, 1, 1, false));
    drop((put, join));
    queue.shutdown();
    let now = queue.statistics();
    assert_eq!((now.len, now.putters, now.joiners, now.shut_down), (1, 0, 0, true));
    assert_eq!(Queue::<()>::unbounded().statistics().capacity, None);
    assert!(format!("{queue:?}").starts_with("Queue { len: 1"), "{queue:?}");
}
