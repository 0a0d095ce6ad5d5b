//! What do the modules of this binary share? Loops that cannot hang, traces, counting wakers, pairs.

use std::cell::RefCell;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::pin::Pin;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use lone::net::{TcpListener, TcpStream};
use lone::time::Instant;
use lone::{Builder, Jump, Runtime, Turn};

/// How long a test may take before it counts as hung (valgrind is slow).
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A port of this machine that the system chooses.
pub(crate) const ANY: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

pub(crate) const fn ns(n: u64) -> Duration {
    Duration::from_nanos(n)
}

pub(crate) const fn us(n: u64) -> Duration {
    Duration::from_micros(n)
}

pub(crate) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

// ----- loops that cannot hang ----------------------------------------------------------------------

/// While it lives, its test has [`PATIENCE`] to end; then the process is aborted, and says which.
pub(crate) struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    pub(crate) fn new() -> Watchdog {
        let (alive, gone) = mpsc::channel();
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        std::thread::spawn(move || {
            if gone.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                // Not `eprintln`: what that says is kept until the test has ended.
                let _ = writeln!(std::io::stderr(), "{test} has not ended within {PATIENCE:?}");
                std::process::abort();
            }
        });
        Watchdog { _alive: alive }
    }
}

/// Runs `main` on the real clock.
pub(crate) fn run<F: Future>(main: F) -> F::Output {
    let _watchdog = Watchdog::new();
    lone::run(main)
}

/// Runs `main` on a virtual clock that never jumps while a task waits for an outside peer: should
/// it take an inside peer for an outside one, the test hangs.
pub(crate) fn run_paused<F: Future>(main: F) -> F::Output {
    let _watchdog = Watchdog::new();
    Builder::new().jump(Jump::HoldOnIo).run(main)
}

/// A runtime on the real clock.
pub(crate) fn runtime() -> Runtime {
    Runtime::new().expect("descriptors are free")
}

/// A runtime on a virtual clock.
pub(crate) fn paused() -> Runtime {
    Builder::new().jump(Jump::HoldOnIo).build().expect("descriptors are free")
}

/// One turn that does not wait.
#[track_caller]
pub(crate) fn turn(runtime: &mut Runtime) -> Turn {
    runtime.turn(Some(Duration::ZERO)).expect("the system lets us look")
}

/// Takes turns, none of which waits, until nothing is ready; returns how many tasks are left.
#[track_caller]
pub(crate) fn run_until_idle(runtime: &mut Runtime) -> usize {
    for _ in 0..100_000 {
        let turn = turn(runtime);
        if turn.ready == 0 {
            return turn.tasks;
        }
    }
    panic!("the loop was still busy after 100,000 turns");
}

/// Keeps the thread busy until so much real time has passed: a task that does not give way.
pub(crate) fn spin(duration: Duration) {
    let begin = std::time::Instant::now();
    while begin.elapsed() < duration {
        std::hint::spin_loop();
    }
}

/// Runs an ignored test of this binary in a process of its own; it must pass.
#[track_caller]
pub(crate) fn run_in_own_process(test: &str) {
    run_in_own_process_with(test, []);
}

/// The same with more in its environment.
#[track_caller]
pub(crate) fn run_in_own_process_with<const N: usize>(test: &str, env: [(&str, &str); N]) {
    let _watchdog = Watchdog::new();
    let exe = std::env::current_exe().expect("this binary has a path");
    let output = Command::new(exe)
        .args(["--exact", test, "--ignored", "--test-threads=1", "--nocapture"])
        .env_remove("LONE_DEBUG")
        .envs(env)
        .output()
        .expect("this binary can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test}: {}\n{said}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
}

// ----- traces and wakers ---------------------------------------------------------------------------

/// What happened, in order; a clone writes to the same list.
#[derive(Clone, Default)]
pub(crate) struct Trace(Rc<RefCell<Vec<String>>>);

impl Trace {
    pub(crate) fn say(&self, what: impl Into<String>) {
        let what = what.into();
        self.0.borrow_mut().push(what);
    }

    /// All that was said, and begins anew.
    pub(crate) fn take(&self) -> String {
        self.0.take().join(" ")
    }
}

/// So many milliseconds have passed since `begin`, exactly.
#[track_caller]
pub(crate) fn elapsed_ms(begin: Instant) -> u64 {
    let nanos = begin.elapsed().as_nanos();
    assert_eq!(nanos % 1_000_000, 0, "a whole number of milliseconds");
    u64::try_from(nanos / 1_000_000).expect("a test does not last that long")
}

/// A waker of somebody else's, that counts.
#[derive(Default)]
pub(crate) struct Counter(AtomicUsize);

impl Counter {
    pub(crate) fn new() -> (Arc<Counter>, Waker) {
        let counter = Arc::new(Counter::default());
        (counter.clone(), Waker::from(counter))
    }

    /// How often it was woken.
    pub(crate) fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A waker that does something of the test's.
pub(crate) struct Call<F>(pub(crate) F);

impl<F: Fn() + Send + Sync + 'static> Wake for Call<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// Polls once, with this waker.
pub(crate) fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Polls once, with the waker of the task that runs, and leaves it at that.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// A flag that another thread sets, for one task that waits.
#[derive(Clone, Default)]
pub(crate) struct SharedFlag(Arc<(AtomicBool, std::sync::Mutex<Option<Waker>>)>);

impl SharedFlag {
    pub(crate) fn set(&self) {
        self.0.0.store(true, Ordering::SeqCst);
        let waker = self.0.1.lock().expect("nobody panics under it").take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) async fn wait(&self) {
        std::future::poll_fn(|cx| {
            let mut waiter = self.0.1.lock().expect("nobody panics under it");
            if self.0.0.load(Ordering::SeqCst) {
                return Poll::Ready(());
            }
            *waiter = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("something else than text")
}

// ----- sockets -------------------------------------------------------------------------------------

/// Both ends of a connection within the loop that runs.
pub(crate) async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(ANY).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (client, server) = lone::join!(TcpStream::connect(address), listener.accept());
    (client.expect("somebody listens"), server.expect("somebody connects").0)
}

/// A connection with this end in the loop that runs, and the other outside of it.
pub(crate) fn outside_pair() -> (TcpStream, std::net::TcpStream) {
    let (here, there) = std_pair();
    (TcpStream::from_std(here).expect("a loop runs"), there)
}

/// A connection that no loop knows of.
pub(crate) fn std_pair() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind(ANY).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let here = std::net::TcpStream::connect(address).expect("somebody listens");
    let (there, _) = listener.accept().expect("somebody connects");
    there.set_read_timeout(Some(PATIENCE)).expect("the system can");
    there.set_write_timeout(Some(PATIENCE)).expect("the system can");
    (here, there)
}

/// A reproducible source of numbers: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
