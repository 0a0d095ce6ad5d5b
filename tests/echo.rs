//! Does a server on lone lose anything, with thousands of connections, and with too few descriptors?
//!
//! Both the server and the load are the programs of `examples/`. The clock is the real one, and the
//! sockets are real ones; nothing here depends on how fast they are.
#![expect(clippy::print_stdout, reason = "what was measured; and how one process tells the other")]

#[path = "../examples/echo_load.rs"]
pub mod echo_load;
#[path = "../examples/echo_server.rs"]
pub mod echo_server;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use lone::net::TcpListener;
use lone::{sleep, spawn, timeout};

/// How long all of it may take: a lost wake shows as this, not as a test that hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// Serves until so many connections have ended; returns how many messages it answered.
async fn serve_connections(connections: usize, at: impl FnOnce(SocketAddr)) -> io::Result<u64> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    at(listener.local_addr()?);
    let served = Rc::new(echo_server::Served::default());
    let server = spawn(echo_server::serve(listener, served.clone()));
    let all_have_ended = async {
        while served.ended.get() < connections as u64 {
            assert!(!server.is_finished(), "the accept loop has ended");
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, all_have_ended).await?;
    server.cancel("all connections have ended");
    assert!(server.await.is_err_and(|error| error.is_cancelled()), "it accepted to the end");
    Ok(served.messages.get())
}

fn load(address: SocketAddr, connections: usize, messages: usize) -> echo_load::Outcome {
    let options = echo_load::Options { address, connections, messages, size: 64, limit: PATIENCE };
    lone::run(echo_load::program(options))
}

#[track_caller]
fn assert_nothing_lost(outcome: &echo_load::Outcome, connections: usize, messages: usize) {
    println!("{outcome}");
    assert!(outcome.is_good(), "{outcome}");
    assert_eq!(outcome.connected, connections, "{outcome}");
    assert_eq!(outcome.echoed, connections * messages, "{outcome}");
}

#[test]
fn five_thousand_connections_lose_nothing() {
    const MESSAGES: usize = 100;
    // Both ends of each connection are in this process.
    let connections = most_connections(5000);
    let (tell, told) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        lone::run(serve_connections(connections, |address| {
            tell.send(address).expect("the test waits for it");
        }))
    });
    let address = told.recv().expect("the server listens");
    let outcome = load(address, connections, MESSAGES);
    assert_nothing_lost(&outcome, connections, MESSAGES);
    let served = server.join().expect("the server does not panic").expect("nor does it fail");
    assert!(served >= (connections * MESSAGES) as u64, "{served} messages were answered");
}

/// `wanted`, or as many connections as this process may have both ends of.
#[cfg(unix)]
fn most_connections(wanted: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// For the other tests of this binary, and the loops.
    const SPARE: usize = 500;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = (2 * wanted + SPARE) as u64;
    if current.is_none_or(|current| current >= needed) {
        return wanted;
    }
    let raised = maximum.map_or(needed, |maximum| maximum.min(needed));
    let limit = Rlimit { current: Some(raised), maximum };
    setrlimit(Resource::Nofile, limit).expect("the soft limit may be raised to the hard one");
    let connections = wanted.min((raised as usize).saturating_sub(SPARE) / 2);
    if connections < wanted {
        println!("{raised} descriptors are allowed: {connections} connections, not {wanted}");
    }
    assert!(connections > 0, "{raised} descriptors are too few for any");
    connections
}

#[cfg(not(unix))]
fn most_connections(wanted: usize) -> usize {
    wanted
}

/// A server in a process of its own, for its descriptor limit is the process's.
#[cfg(unix)]
mod few_descriptors {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::{Command, Stdio};

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::{assert_nothing_lost, load, serve_connections};

    const DESCRIPTORS: u64 = 64;
    const CONNECTIONS: usize = 200;
    const MESSAGES: usize = 20;
    /// Set in the server's process: this binary again, with this one test.
    const ROLE: &str = "LONE_TEST_ECHO_SERVER";
    const LISTENING: &str = "listening on ";

    // SEM-358: an accept that fails for want of descriptors is reported, and tried again later
    #[test]
    fn server_out_of_descriptors_serves_all_in_the_end() {
        if std::env::var_os(ROLE).is_some() {
            return serve_with_few_descriptors();
        }
        let this = std::env::current_exe().expect("a test knows its binary");
        let name = "few_descriptors::server_out_of_descriptors_serves_all_in_the_end";
        let mut server = Command::new(this)
            .args(["--exact", name, "--nocapture"])
            .env(ROLE, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this binary runs");

        // Kept to the end: a server whose output nobody can read fails.
        let mut stdout = BufReader::new(server.stdout.take().expect("it is piped")).lines();
        let address = stdout
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| Some(line.strip_prefix(LISTENING)?.parse().expect("an address")))
            .expect("the server says where it listens");
        let outcome = load(address, CONNECTIONS, MESSAGES);

        let mut said = String::new();
        let mut stderr = server.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut said).expect("it says nothing but text");
        let status = server.wait().expect("it is a child of this process");
        assert_nothing_lost(&outcome, CONNECTIONS, MESSAGES);
        assert!(status.success(), "the server has failed:\n{said}");
        assert!(said.contains("cannot accept: "), "it ran out of descriptors:\n{said}");
        assert!(said.contains("trying again in 5ms"), "and waited:\n{said}");
    }

    fn serve_with_few_descriptors() {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let limit = Rlimit { current: Some(DESCRIPTORS), maximum };
        setrlimit(Resource::Nofile, limit).expect("the soft limit may be lowered");
        lone::run(serve_connections(CONNECTIONS, |address| {
            // A line of its own, whatever the test harness has said before.
            println!("\n{LISTENING}{address}");
            std::io::stdout().flush().expect("the parent reads it");
        }))
        .expect("the server serves all");
    }
}
