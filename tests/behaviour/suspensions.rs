//! What is left of a future that is dropped where it waits? Nothing, at each of its suspensions.
//!
//! A table of what awaits others; what waits by itself is dropped everywhere by `conservation`, and I/O by
//! the tests of the reactor. Each future has jobs that hold a value and a permit over their awaits. It is
//! dropped at its first suspension, then, made anew, at its second, and so on until it ends before that.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use lone::stream::{StreamExt, generate, iter};
use lone::{AsyncClose, Builder, JoinSet, Jump, ReturnWhen, Semaphore, spawn, yield_now};

type Waiting = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// Fewer permits than jobs, so that they wait for each other too.
const PERMITS: usize = 2;

#[derive(Clone)]
struct World(Rc<(Semaphore, Cell<usize>)>);

struct Alive(World);

impl Drop for Alive {
    fn drop(&mut self) {
        let alive = &self.0.0.1;
        alive.set(alive.get() - 1);
    }
}

impl World {
    fn alive(&self) -> Alive {
        self.0.1.set(self.0.1.get() + 1);
        Alive(self.clone())
    }

    async fn job(self) -> Result<Alive, Alive> {
        let alive = self.alive();
        let _permit = self.0.0.acquire().await;
        yield_now().await;
        yield_now().await;
        Ok(alive)
    }

    fn jobs(&self) -> [impl Future<Output = Result<Alive, Alive>> + use<>; 3] {
        [(); 3].map(|()| self.clone().job())
    }

    fn tasks(&self) -> [lone::JoinHandle<Result<Alive, Alive>>; 3] {
        self.jobs().map(spawn)
    }
}

impl AsyncClose for World {
    type Error = &'static str;

    async fn close(self) -> Result<(), &'static str> {
        drop(self.job().await);
        Ok(())
    }
}

/// Polls a future until it has been pending so often, and drops it there. Whether it had ended before.
async fn drop_at(suspension: usize, future: Waiting) -> bool {
    let (mut future, mut polls) = (Some(future), 0);
    poll_fn(|cx| {
        let polled = future.as_mut().expect("it is polled until then").as_mut().poll(cx);
        polls += 1;
        match polled {
            Poll::Pending if polls <= suspension => Poll::Pending,
            polled => Poll::Ready({
                future = None;
                polled.is_ready()
            }),
        }
    })
    .await
}

/// Returns how many suspensions there were.
fn drop_at_each(name: &str, make: fn(World) -> Waiting) -> usize {
    for suspension in 0..200 {
        let world = World(Rc::new((Semaphore::new(PERMITS), Cell::new(0))));
        let mut runtime = Builder::new().jump(Jump::AfterQuiet(Duration::ZERO)).build();
        let runtime = runtime.as_mut().expect("descriptors are free");
        let ended = runtime.block_on(drop_at(suspension, make(world.clone())));
        // Tasks that go on by themselves, and what is being closed.
        runtime.block_on(async {
            for _ in 0..50 {
                yield_now().await;
            }
        });
        let (semaphore, alive) = &*world.0;
        let at = format!("{name}, dropped at its suspension {suspension}");
        assert_eq!(alive.get(), 0, "a value is left behind by {at}");
        assert_eq!(semaphore.statistics().waiters, 0, "somebody waits still after {at}");
        assert_eq!(semaphore.available(), PERMITS, "a permit is lost by {at}");
        assert_eq!(runtime.statistics().tasks, 0, "a task is left behind by {at}");
        if ended {
            return suspension;
        }
    }
    panic!("{name} does not end");
}

macro_rules! table {
    ($($name:literal: |$world:ident| $body:expr;)+) => {
        [$(($name, (|$world| Box::pin(async move { let _ = $body; })) as fn(World) -> Waiting)),+]
    };
}

#[test]
fn whatever_awaits_others_leaves_nothing_behind_at_any_of_its_suspensions() {
    let table = table! {
        "a gather": |world| lone::gather(world.jobs()).await;
        "a try_gather": |world| lone::try_gather(world.jobs()).await;
        "a try_gather with cleanups":
            |world| lone::try_gather(world.jobs()).attaching_cleanup_errors().await;
        "a join!": |world| { let [a, b, c] = world.jobs(); lone::join!(a, b, c) };
        "a try_join!": |world| { let [a, b, c] = world.jobs(); lone::try_join!(a, b, c) };
        "a select!": |world| {
            let [a, b, _] = world.jobs();
            lone::select! { _ = a => {}, _ = b => {} }
        };
        "a race": |world| lone::race(world.jobs()).await;
        "a race_ok": |world| lone::race_ok(world.jobs()).await;
        "a race_tasks": |world| lone::race_tasks(world.tasks()).await;
        "a race_staggered":
            |world| lone::race_staggered(Duration::from_millis(1), world.jobs()).await;
        "an as_completed": |world| {
            let mut completed = pin!(lone::as_completed(world.jobs()));
            while completed.next().await.is_some() {}
        };
        "an as_completed with a limit": |world| {
            let mut completed = pin!(lone::as_completed_bounded(2, world.jobs()));
            while completed.next().await.is_some() {}
        };
        "a join set": |world| {
            let mut set = JoinSet::new();
            for job in world.jobs() {
                set.spawn(job);
            }
            drop(set.join_next().await);
            set.join_all().await
        };
        "a wait": |world| lone::wait(world.tasks(), ReturnWhen::AllCompleted).await;
        "a cancel_all": |world| lone::cancel_all(world.tasks()).await;
        "a shield": |world| lone::shield(world.job()).await;
        "a timeout": |world| lone::timeout(Duration::from_secs(1), world.job()).await;
        "a using": |world| {
            let other = world.clone();
            lone::using(world, async |_| drop(other.job().await)).await.is_ok()
        };
        "a scope": |world| lone::Scope::new().run(world.job()).await;
        "a timeout scope":
            |world| lone::timeout_scope(Duration::from_secs(1)).run(world.job()).await;
        "a task group": |world| {
            lone::TaskGroup::<()>::run(async |group| {
                for job in world.jobs() {
                    group.spawn(async move { job.await.map_err(drop) });
                }
                world.job().await.map_err(drop)
            })
            .await
            .is_ok()
        };
        "a stream, then": |world| {
            let items = iter(0..3).then(|_| world.clone().job());
            items.collect::<Vec<_>>().await
        };
        "a stream, buffered": |world| iter(world.jobs()).buffered(2).collect::<Vec<_>>().await;
        "a stream, buffer_unordered":
            |world| iter(world.jobs()).buffer_unordered(2).collect::<Vec<_>>().await;
        "a stream, zipped, in chunks": |world| {
            let (left, right) = (world.clone(), world);
            let left = iter(0..3).then(move |_| left.clone().job());
            let right = iter(0..3).then(move |_| right.clone().job());
            left.zip(right).chunks(2).collect::<Vec<_>>().await
        };
        "a generator": |world| {
            let items = generate(async move |y| {
                for _ in 0..3 {
                    y.give(world.clone().job().await).await;
                }
            });
            items.collect::<Vec<_>>().await
        };
    };
    for (name, make) in table {
        let suspensions = drop_at_each(name, make);
        assert!(suspensions >= 1, "{name} has not waited at all");
    }
}
