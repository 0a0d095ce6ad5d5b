//! How does a server come and go? It is this program once more, on a core of its own; it says its
//! port on a line, serves until it is killed, and does not outlive its parent.

use std::convert::Infallible;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use socket2::{Domain, Protocol, Socket, Type};

use super::cpu::{self, Cpu};
use super::{Peer, Workload};

/// After this many seconds a server ends, whatever happens.
const LIFE: u32 = 300;
const BACKLOG: i32 = 4096;

/// A server's process; dropped, it is killed.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    pub(super) cpu: Cpu,
}

impl Server {
    /// Starts `peer` on the second core, and puts this thread on the first.
    pub(super) fn start(workload: Workload, peer: Peer) -> io::Result<Server> {
        cpu::unpin()?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", workload.name(), peer.name()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().expect("it is piped");
        let cpu = Cpu::of(child.id());
        let mut server =
            Server { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), cpu: cpu? };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        server.address = line
            .trim()
            .parse()
            .map_err(|_| io::Error::other(format!("{peer:?} did not come up: `{line}`")))?;
        cpu::pin(0)?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Who has ended by himself needs no killing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn serve(workload: Workload, peer: Peer) -> io::Result<Infallible> {
    set_pdeathsig(Signal::SIGKILL)?;
    nix::unistd::alarm::set(LIFE);
    cpu::raise_descriptors()?;
    cpu::pin(1)?;
    peer.serve(workload)
}

/// A listener for those who take one over.
pub(super) fn listener() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from(socket);
    announce(listener.local_addr()?)?;
    Ok(listener)
}

/// Tells the parent where it listens.
pub(super) fn announce(address: SocketAddr) -> io::Result<()> {
    let mut output = io::stdout();
    writeln!(output, "{address}")?;
    output.flush()
}
