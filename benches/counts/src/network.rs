//! What do a message and a connection cost their server?
//!
//! Who asks is on the same thread: blocking sockets, read only when the answer is there. So nobody waits
//! for another thread, each look takes in the same events, and the count is the same each time. What the
//! asking costs, a few calls of the system, is counted with it.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::rc::Rc;

use lone::net::{self, TcpListener};
use lone::{Event, spawn};

use crate::paths::run;

/// So many ask at a time.
const CLIENTS: usize = 64;

const MESSAGE: [u8; 64] = [7; 64];

/// Set when each client has been served once more.
#[derive(Default)]
struct Served {
    count: Cell<usize>,
    all: Event,
}

impl Served {
    fn one(&self) {
        self.count.set(self.count.get() + 1);
        if self.count.get() == CLIENTS {
            self.all.set();
        }
    }

    async fn all(&self) {
        self.all.wait().await;
        self.all.clear();
        self.count.set(0);
    }
}

/// Echoes until the other side closes, or for so many messages.
async fn echo(stream: net::TcpStream, served: Rc<Served>, messages: usize) {
    let mut message = MESSAGE;
    for _ in 0..messages {
        if stream.read(&mut message).await.expect("the client is there") == 0 {
            break;
        }
        stream.write_all(&message).await.expect("the client is there");
        served.one();
    }
}

/// Accepts whoever comes, and echoes so many messages of each.
async fn accept(listener: TcpListener, served: Rc<Served>, messages: usize) {
    loop {
        let (stream, _) = listener.accept().await.expect("there are descriptors");
        drop(spawn(echo(stream, served.clone(), messages)));
    }
}

/// All clients, each with a connection of its own.
fn connect(address: SocketAddr) -> Vec<TcpStream> {
    let client = |_| TcpStream::connect(address).expect("the listener has room for all of them");
    (0..CLIENTS).map(client).collect()
}

/// Each asks, and hears the answer.
async fn ask(clients: &mut [TcpStream], served: &Served) {
    for client in &mut *clients {
        client.write_all(&MESSAGE).expect("the server is there");
    }
    served.all().await;
    for client in clients {
        client.read_exact(&mut [0; MESSAGE.len()]).expect("it has been answered");
    }
}

/// A listener that echoes so many messages of each connection.
fn serve(messages: usize) -> (SocketAddr, Rc<Served>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are ports");
    let address = listener.local_addr().expect("it is bound");
    let served = Rc::new(Served::default());
    drop(spawn(accept(listener, served.clone(), messages)));
    (address, served)
}

/// So many messages, over connections that stay.
pub(crate) fn messages(units: usize) {
    run(async {
        let (address, served) = serve(usize::MAX);
        let mut clients = connect(address);
        for _ in 0..units / CLIENTS {
            ask(&mut clients, &served).await;
        }
    });
}

/// So many connections of one message each.
pub(crate) fn connections(units: usize) {
    run(async {
        let (address, served) = serve(1);
        for _ in 0..units / CLIENTS {
            ask(&mut connect(address), &served).await;
        }
    });
}
