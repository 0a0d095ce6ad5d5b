//! Whatever is nested in whatever, and whenever it is dropped: is everything closed, once, in order?
//!
//! ```text
//!   proptest ──► Tree of usings, timeouts, scopes, races, gathers, tasks ──► run on a virtual clock
//!                                                                              │ events
//!   every resource: opened ─► begins ─► closed, once each    ◄─────────────────┤
//!   inner ones closed before outer ones begin                ◄─────────────────┤
//!   a scope reports after all that is within it has closed   ◄─────────────────┤
//!   nothing is left: no task, slot or timer                  ◄─────────────────┘
//! ```
//!
//! What nobody waits for by rule is left out: a task that nobody owns is in no scope, and the loser of
//! a race or a `select!` is awaited by the scope around, not by a `using` in between.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use lone::{
    AsyncClose, JoinHandle, Jump, Scope, TaskGroup, finally, gather, race, shield, sleep, spawn,
    timeout, timeout_scope, using, yield_now,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::help::{Watchdog, ms};

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Clone, Debug)]
enum Tree {
    Yield,
    Sleep(u64),
    Pending,
    Panic,
    /// A resource that takes so long to close, and does so by a tree of its own.
    Using {
        takes: u64,
        close: Box<Tree>,
        body: Box<Tree>,
    },
    Timeout {
        limit: u64,
        movable: bool,
        body: Box<Tree>,
    },
    Scope {
        cancel_after: u64,
        body: Box<Tree>,
    },
    Sequence(Vec<Tree>),
    Gather(Vec<Tree>),
    Group(Vec<Tree>),
    Race(Vec<Tree>),
    /// That of another crate.
    Select(Box<Tree>, Box<Tree>),
    /// Awaited; perhaps cancelled after a while, perhaps when its handle is dropped.
    Task {
        cancel_after: Option<u64>,
        owned: bool,
        body: Box<Tree>,
    },
    Shield(Box<Tree>),
    /// Polled so often, then dropped.
    Dropped {
        polls: u32,
        body: Box<Tree>,
    },
}

fn any_leaf() -> impl Strategy<Value = Tree> {
    prop_oneof![
        3 => Just(Tree::Yield),
        4 => (0..20_u64).prop_map(Tree::Sleep),
        3 => Just(Tree::Pending),
        1 => Just(Tree::Panic),
    ]
}

/// A close ends by itself: the loop waits for it.
fn any_close() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![Just(Tree::Yield), (0..9_u64).prop_map(Tree::Sleep)];
    leaf.prop_recursive(2, 6, 2, |tree| {
        prop_oneof![
            (0..9_u64, tree.clone()).prop_map(|(takes, body)| {
                let close = Box::new(Tree::Yield);
                Tree::Using { takes, close, body: Box::new(body) }
            }),
            (0..9_u64, tree.clone()).prop_map(|(limit, body)| {
                Tree::Timeout { limit, movable: false, body: Box::new(body) }
            }),
            vec(tree, 1..3).prop_map(Tree::Race),
        ]
    })
}

fn any_tree() -> impl Strategy<Value = Tree> {
    any_leaf().prop_recursive(7, 40, 3, |tree| {
        let boxed = tree.clone().prop_map(Box::new);
        prop_oneof![
            8 => (0..20_u64, any_close(), boxed.clone()).prop_map(|(takes, close, body)| {
                Tree::Using { takes, close: Box::new(close), body }
            }),
            4 => (0..30_u64, any::<bool>(), boxed.clone())
                .prop_map(|(limit, movable, body)| Tree::Timeout { limit, movable, body }),
            3 => (0..30_u64, boxed.clone())
                .prop_map(|(cancel_after, body)| Tree::Scope { cancel_after, body }),
            2 => vec(tree.clone(), 1..4).prop_map(Tree::Sequence),
            2 => vec(tree.clone(), 1..4).prop_map(Tree::Gather),
            1 => vec(tree.clone(), 1..4).prop_map(Tree::Group),
            2 => vec(tree.clone(), 1..4).prop_map(Tree::Race),
            1 => (boxed.clone(), boxed.clone()).prop_map(|(a, b)| Tree::Select(a, b)),
            3 => (proptest::option::of(0..30_u64), any::<bool>(), boxed.clone()).prop_map(
                |(cancel_after, owned, body)| Tree::Task { cancel_after, owned, body }
            ),
            1 => boxed.clone().prop_map(Tree::Shield),
            2 => (0..6_u32, boxed).prop_map(|(polls, body)| Tree::Dropped { polls, body }),
        ]
    })
}

// ----- what happens ---------------------------------------------------------------------------------

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Opened(usize),
    Begins(usize),
    Closed(usize),
    Lost(usize),
    /// A scope, or the join of a task, has returned.
    Reports(usize),
}

#[derive(Default)]
struct World {
    events: RefCell<Vec<Event>>,
    made: Cell<usize>,
    /// By resource: where it stands.
    places: RefCell<Vec<(usize, Place)>>,
}

impl World {
    fn say(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }

    fn number(&self) -> usize {
        self.made.set(self.made.get() + 1);
        self.made.get()
    }
}

/// What is around, as far as it has to wait.
#[derive(Clone, Debug, Default)]
struct Place {
    scopes: Vec<usize>,
    resources: Vec<usize>,
}

impl Place {
    fn in_scope(&self, scope: usize) -> Place {
        let mut place = self.clone();
        place.scopes.push(scope);
        place
    }

    fn in_resource(&self, resource: usize) -> Place {
        let mut place = self.clone();
        place.resources.push(resource);
        place
    }

    /// The scopes wait, the resources do not.
    fn in_race(&self) -> Place {
        Place { scopes: self.scopes.clone(), resources: Vec::new() }
    }
}

struct Resource {
    world: Rc<World>,
    number: usize,
    takes: u64,
    /// What its close does besides.
    close: Tree,
    open: bool,
}

impl Resource {
    fn new(world: &Rc<World>, place: &Place, takes: u64, close: Tree) -> Resource {
        let number = world.number();
        world.places.borrow_mut().push((number, place.clone()));
        world.say(Event::Opened(number));
        Resource { world: world.clone(), number, takes, close, open: true }
    }
}

impl Drop for Resource {
    fn drop(&mut self) {
        if self.open {
            self.world.say(Event::Lost(self.number));
        }
    }
}

impl AsyncClose for Resource {
    type Error = Infallible;

    async fn close(mut self) -> Result<(), Infallible> {
        self.world.say(Event::Begins(self.number));
        // Where it runs decides who awaits what it leaves.
        grow(self.world.clone(), self.close.clone(), Place::default()).await;
        sleep(ms(self.takes)).await;
        self.open = false;
        self.world.say(Event::Closed(self.number));
        Ok(())
    }
}

/// Polls so often, then drops what it polls.
struct DroppedAfter {
    polls: u32,
    body: Option<Boxed>,
}

impl Future for DroppedAfter {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.polls == 0 {
            self.body = None;
        }
        let Some(body) = self.body.as_mut() else { return Poll::Ready(()) };
        let polled = body.as_mut().poll(cx);
        self.polls -= 1;
        if polled.is_pending() && self.polls == 0 {
            // Not within that poll: whoever drops it does so in one of its own.
            cx.waker().wake_by_ref();
        }
        polled
    }
}

/// Joins a task, and cancels it after a while.
async fn join(mut task: impl AsMut<JoinHandle<()>> + Unpin, cancel_after: Option<u64>) {
    let mut cancel = cancel_after.map(|after| Box::pin(sleep(ms(after))));
    poll_fn(|cx| {
        let handle = task.as_mut();
        if cancel.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready()) {
            cancel = None;
            handle.cancel("after a while");
        }
        handle.poll_finished(cx)
    })
    .await;
}

/// A handle, owning or not, to be polled as one.
struct Handle(JoinHandle<()>);

impl AsMut<JoinHandle<()>> for Handle {
    fn as_mut(&mut self) -> &mut JoinHandle<()> {
        &mut self.0
    }
}

/// What a tree does.
fn grow(world: Rc<World>, tree: Tree, place: Place) -> Boxed {
    let scope = world.number();
    let inside = place.in_scope(scope);
    let all = |trees: Vec<Tree>, place: &Place| -> Vec<Boxed> {
        trees.into_iter().map(|tree| grow(world.clone(), tree, place.clone())).collect()
    };
    match tree {
        Tree::Yield => Box::pin(yield_now()),
        Tree::Sleep(time) => Box::pin(async move { sleep(ms(time)).await }),
        Tree::Pending => Box::pin(pending()),
        Tree::Panic => Box::pin(async {
            yield_now().await;
            // Without a word from the panic hook.
            resume_unwind(Box::new("a tree"));
        }),
        Tree::Using { takes, close, body } => {
            let resource = Resource::new(&world, &place, takes, *close);
            let body = grow(world, *body, place.in_resource(resource.number));
            let used = using(resource, async move |_| body.await);
            Box::pin(async move { assert!(used.await.is_ok()) })
        }
        Tree::Timeout { limit, movable, body } => {
            let body = grow(world.clone(), *body, inside);
            Box::pin(async move {
                if movable {
                    drop(timeout_scope(ms(limit)).run(body).await);
                } else {
                    drop(timeout(ms(limit), body).await);
                }
                world.say(Event::Reports(scope));
            })
        }
        Tree::Scope { cancel_after, body } => {
            let (cancelled, body) = (Scope::new(), grow(world.clone(), *body, inside));
            Box::pin(async move {
                let cancel = cancelled.clone();
                drop(spawn(async move {
                    sleep(ms(cancel_after)).await;
                    cancel.cancel("after a while");
                }));
                drop(cancelled.run(body).await);
                world.say(Event::Reports(scope));
            })
        }
        Tree::Sequence(trees) => {
            let parts = all(trees, &place);
            Box::pin(async move {
                for part in parts {
                    part.await;
                }
            })
        }
        Tree::Gather(trees) => {
            let children = all(trees, &place);
            Box::pin(async move { drop(gather(children).await) })
        }
        Tree::Group(trees) => {
            let children = all(trees, &inside);
            Box::pin(async move {
                let group = TaskGroup::<&str>::run(async |group| {
                    for child in children {
                        drop(group.spawn(async move {
                            child.await;
                            Ok::<_, &str>(())
                        }));
                    }
                    Ok::<_, &str>(())
                });
                drop(group.await);
                world.say(Event::Reports(scope));
            })
        }
        Tree::Race(trees) => {
            let arms = all(trees, &place.in_race());
            Box::pin(race(arms))
        }
        Tree::Select(a, b) => {
            let a = grow(world.clone(), *a, place.in_race());
            let b = grow(world, *b, place.in_race());
            Box::pin(async move { drop(futures_util::future::select(a, b).await) })
        }
        Tree::Task { cancel_after, owned: true, body } => {
            let task = spawn(grow(world.clone(), *body, inside));
            let mut owner = task.cancel_on_drop();
            Box::pin(async move {
                let mut cancel = cancel_after.map(|after| Box::pin(sleep(ms(after))));
                let joined = poll_fn(|cx| {
                    if cancel.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready()) {
                        cancel = None;
                        owner.handle().cancel("after a while");
                    }
                    Pin::new(&mut owner).poll(cx)
                });
                drop(joined.await);
                world.say(Event::Reports(scope));
            })
        }
        Tree::Task { cancel_after, owned: false, body } => {
            let place = Place::default().in_scope(scope);
            let task = Handle(spawn(grow(world.clone(), *body, place)));
            Box::pin(async move {
                join(task, cancel_after).await;
                world.say(Event::Reports(scope));
            })
        }
        Tree::Shield(body) => {
            let place = Place::default().in_scope(scope);
            let work = shield(grow(world.clone(), *body, place));
            Box::pin(async move {
                drop(work.await);
                world.say(Event::Reports(scope));
            })
        }
        Tree::Dropped { polls, body } => {
            let body = Some(grow(world, *body, place.in_race()));
            Box::pin(DroppedAfter { polls, body })
        }
    }
}

// ----- and what has to be true of it ----------------------------------------------------------------

/// Runs `tree` as a task, and ends the loop after so long.
fn run(tree: &Tree, end_after: u64) -> Rc<World> {
    let world = Rc::new(World::default());
    let mut runtime =
        lone::Builder::new().jump(Jump::HoldOnIo).build().expect("descriptors are free");
    runtime.block_on(async {
        let root = spawn(grow(world.clone(), tree.clone(), Place::default()));
        sleep(ms(end_after)).await;
        drop(root);
    });
    runtime.shutdown();
    let statistics = runtime.statistics();
    assert_eq!((statistics.tasks, statistics.timers), (0, 0), "nothing is left");
    world
}

fn check(world: &World) {
    let events = world.events.borrow();
    let at = |event| {
        let mut places = events.iter().enumerate().filter(|(_, e)| **e == event);
        let first = places.next().map(|(at, _)| at);
        assert!(places.next().is_none(), "{event:?} comes once");
        first
    };
    for (resource, place) in world.places.borrow().iter() {
        assert_eq!(at(Event::Lost(*resource)), None, "{resource} is closed, not dropped");
        let opened = at(Event::Opened(*resource)).expect("it was opened");
        let closed = at(Event::Closed(*resource)).unwrap_or_else(|| panic!("{resource} is closed"));
        assert!(at(Event::Begins(*resource)).is_some_and(|begins| begins < closed));
        for outer in &place.resources {
            let begins = at(Event::Begins(*outer)).expect("it is closed");
            assert!(closed < begins, "{resource} is closed before {outer} begins to be");
        }
        for scope in &place.scopes {
            if let Some(reports) = at(Event::Reports(*scope)) {
                assert!(opened < reports && closed < reports, "scope {scope} waits for {resource}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    // F4, F5, F6: see the picture at the top.
    #[test]
    fn trees_of_scopes_close_everything_once_in_order_and_before_they_report(
        tree in any_tree(),
        end_after in 0..60_u64,
    ) {
        let _watchdog = Watchdog::new();
        check(&run(&tree, end_after));
    }
}

/// What it is called, and how it is made.
type Shape = (&'static str, fn(&Rc<World>) -> Boxed);

/// Every shape that holds a resource while it waits.
fn shapes() -> Vec<Shape> {
    fn hold(world: &Rc<World>, close: u64) -> Boxed {
        let body = Tree::Sequence(vec![Tree::Yield, Tree::Sleep(3), Tree::Yield]);
        let (close, body) = (Tree::Sleep(close), Box::new(body));
        let tree = Tree::Using { takes: 2, close: Box::new(close), body };
        grow(world.clone(), tree, Place::default())
    }

    fn nested(world: &Rc<World>, wrap: impl FnOnce(Box<Tree>) -> Tree) -> Boxed {
        let leaf = Box::new(Tree::Sequence(vec![Tree::Yield, Tree::Sleep(3), Tree::Yield]));
        let using = |body| Box::new(Tree::Using { takes: 2, close: Box::new(Tree::Yield), body });
        let tree = Tree::Using {
            takes: 1,
            close: Box::new(Tree::Yield),
            body: { Box::new(wrap(using(using(leaf)))) },
        };
        grow(world.clone(), tree, Place::default())
    }

    vec![
        ("using", |world| hold(world, 2)),
        ("using in using", |world| nested(world, |body| *body)),
        ("finally", |world| {
            let cleanup = hold(world, 1);
            Box::pin(finally(hold(world, 2), cleanup))
        }),
        ("timeout", |world| nested(world, |body| Tree::Timeout { limit: 4, movable: false, body })),
        ("a timeout that is late", |world| {
            nested(world, |body| Tree::Timeout { limit: 40, movable: false, body })
        }),
        ("timeout_scope", |world| {
            nested(world, |body| Tree::Timeout { limit: 4, movable: true, body })
        }),
        ("scope", |world| nested(world, |body| Tree::Scope { cancel_after: 4, body })),
        ("gather", |world| nested(world, |body| Tree::Gather(vec![*body.clone(), *body]))),
        ("group", |world| nested(world, |body| Tree::Group(vec![*body.clone(), *body]))),
        ("race", |world| nested(world, |body| Tree::Race(vec![*body, Tree::Sleep(4)]))),
        ("select", |world| nested(world, |body| Tree::Select(body, Box::new(Tree::Sleep(4))))),
        ("cancel_on_drop", |world| {
            nested(world, |body| Tree::Task { cancel_after: Some(4), owned: true, body })
        }),
        ("a handle", |world| {
            nested(world, |body| Tree::Task { cancel_after: Some(4), owned: false, body })
        }),
        ("shield", |world| nested(world, Tree::Shield)),
        ("timeouts three deep", |world| {
            nested(world, |body| {
                let timeout = |limit, body| Tree::Timeout { limit, movable: false, body };
                timeout(6, Box::new(timeout(5, Box::new(timeout(4, body)))))
            })
        }),
    ]
}

// F4, F6: dropped after any number of polls: closed once, and the scope around awaits it.
#[test]
fn futures_dropped_at_any_suspension_close_everything_once() {
    let _watchdog = Watchdog::new();
    for (name, make) in shapes() {
        let mut ended_by_itself = false;
        for polls in 0..100 {
            let world = Rc::new(World::default());
            let mut runtime =
                lone::Builder::new().start_paused(true).build().expect("descriptors are free");
            ended_by_itself = runtime.block_on(async {
                let scope = world.number();
                let whole = Rc::new(Cell::new(false));
                let body = {
                    let (future, whole) = (make(&world), whole.clone());
                    let body: Boxed = Box::pin(async move {
                        future.await;
                        whole.set(true);
                    });
                    DroppedAfter { polls, body: Some(body) }
                };
                assert_eq!(Scope::new().run(body).await, Ok(()));
                world.say(Event::Reports(scope));
                if !matches!(name, "a handle" | "shield") {
                    let places = world.places.borrow();
                    let events = world.events.borrow();
                    for (resource, _) in places.iter() {
                        let closed = events.contains(&Event::Closed(*resource));
                        assert!(closed, "{name}, {polls} polls: the scope awaits {resource}");
                    }
                }
                whole.get()
            });
            runtime.shutdown();
            check(&world);
            assert_eq!(runtime.statistics().tasks, 0, "{name}, {polls} polls");
            if ended_by_itself {
                break;
            }
        }
        assert!(ended_by_itself, "{name} ends within 100 polls");
    }
}
