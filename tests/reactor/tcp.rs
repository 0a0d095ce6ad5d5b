//! TCP: every byte arrives, in order, once; whoever waits is woken; what is dropped is gone.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use lone::net::{TcpListener, TcpStream};
use lone::{Runtime, join, sleep, spawn, timeout, yield_now};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use rustix::process::{Resource, Rlimit, WaitOptions, getrlimit, setrlimit, waitpid};

use crate::help::{
    ANY, Counter, PATIENCE, Random, Trace, Watchdog, ms, outside_pair, pair, paused, poll_once,
    poll_with, run, run_in_own_process, run_paused, run_until_idle, runtime, secs, std_pair, turn,
};

/// Lets the others run, and the loop look at its sockets.
async fn a_while() {
    sleep(Duration::from_nanos(1)).await;
}

// ----- connect and accept --------------------------------------------------------------------------

// SEM-338: what was written is read, in order, and the end is a read of nothing.
#[test]
fn message_is_echoed_and_a_close_is_read_as_the_end() {
    run_paused(async {
        let listener = TcpListener::bind(ANY).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let server = spawn(async move {
            let (stream, peer) = listener.accept().await.expect("somebody connects");
            assert_eq!(stream.peer_addr().expect("it is connected"), peer);
            let mut buffer = [0; 1024];
            loop {
                let n = stream.read(&mut buffer).await.expect("no error");
                if n == 0 {
                    return;
                }
                stream.write_all(&buffer[..n]).await.expect("the peer reads");
            }
        });
        let client = TcpStream::connect(address).await.expect("somebody listens");
        assert_eq!(client.peer_addr().expect("it is connected"), address);
        for message in ["one", "two", "three"] {
            client.write_all(message.as_bytes()).await.expect("the peer reads");
            let mut answer = vec![0; message.len()];
            client.read_exact(&mut answer).await.expect("it is echoed");
            assert_eq!(answer, message.as_bytes());
        }
        drop(client);
        server.await.expect("it ends well");
    });
}

// SEM-338: the other side can still answer.
#[test]
fn stream_closed_for_writing_can_still_be_read() {
    run_paused(async {
        let (client, server) = pair().await;
        client.write_all(b"question").await.expect("the peer reads");
        client.shutdown(Shutdown::Write).expect("it is connected");
        let mut question = Vec::new();
        (&server).read_to_end(&mut question).await.expect("no error");
        assert_eq!(question, b"question");
        assert_eq!(server.read(&mut [0; 8]).await.expect("no error"), 0, "and again");
        server.write_all(b"answer").await.expect("the peer reads");
        drop(server);
        let mut answer = Vec::new();
        (&client).read_to_end(&mut answer).await.expect("no error");
        assert_eq!(answer, b"answer");
    });
}

// SEM-338: and does not wait for any.
#[test]
fn read_into_nothing_and_write_of_nothing_return_at_once() {
    run_paused(async {
        let (client, server) = pair().await;
        // Nothing is there, and that is known.
        assert!(poll_once(&mut client.read(&mut [0])).await.is_pending());
        assert_eq!(client.read(&mut []).await.expect("no error"), 0);
        assert_eq!(client.write(&[]).await.expect("no error"), 0);
        client.read_exact(&mut []).await.expect("no error");
        client.write_all(&[]).await.expect("no error");
        server.write_all(b"x").await.expect("the peer reads");
        a_while().await;
        assert_eq!(client.read(&mut []).await.expect("no error"), 0);
        let mut one = [0];
        assert_eq!(client.read(&mut one).await.expect("no error"), 1, "it was not consumed");
    });
}

// SEM-338: what is there, and no more than asked for.
#[test]
fn read_returns_what_is_there_and_at_most_what_was_asked_for() {
    run_paused(async {
        let (client, server) = pair().await;
        client.write_all(b"abcdefg").await.expect("the peer reads");
        a_while().await;
        let mut buffer = [0; 5];
        assert_eq!(server.read(&mut buffer).await.expect("no error"), 5);
        assert_eq!(server.read(&mut buffer).await.expect("no error"), 2);
        assert_eq!(&buffer[..2], b"fg");
        assert!(timeout(ms(1), server.read(&mut buffer)).await.is_err());
    });
}

// SEM-340: the error says how far it came.
#[test]
fn read_exact_at_the_end_of_the_stream_says_how_much_was_missing() {
    run_paused(async {
        let (client, server) = pair().await;
        client.write_all(b"abc").await.expect("the peer reads");
        drop(client);
        let error = server.read_exact(&mut [0; 8]).await.expect_err("there are three");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "the peer has closed after 3 of 8 bytes");
        let error = server.read_exact(&mut [0; 8]).await.expect_err("there are none");
        assert_eq!(error.to_string(), "the peer has closed after 0 of 8 bytes");
    });
}

// SEM-360: the error names whom it could not reach.
#[test]
fn connect_refused_is_an_error_that_names_the_address() {
    run(async {
        // A port that is taken, by somebody who does not listen.
        let (held, _other) = std_pair();
        let address = held.local_addr().expect("it is connected");
        let error = TcpStream::connect(address).await.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let said = error.to_string();
        assert!(said.starts_with(&format!("cannot connect to {address}: ")), "{said}");
        let listener = TcpListener::bind(ANY).expect("a port is free");
        let taken = listener.local_addr().expect("it is bound");
        let error = TcpListener::bind(taken).expect_err("it is taken");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let said = error.to_string();
        assert!(said.starts_with(&format!("cannot listen at {taken}: ")), "{said}");
    });
}

// SEM-85: an attempt given up leaves nothing behind.
#[test]
fn connect_dropped_half_way_frees_its_source() {
    let mut runtime = runtime();
    runtime.block_on(async {
        let listener = TcpListener::bind(ANY).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let mut connecting = TcpStream::connect(address);
        assert!(poll_once(&mut connecting).await.is_pending());
        drop(connecting);
        TcpStream::connect(address).await.expect("the next one succeeds");
    });
    assert_eq!(runtime.statistics().sources, 0);
}

// SEM-344: accept takes a connection only where it gives it out.
#[test]
fn accept_dropped_half_way_loses_no_connection() {
    run_paused(async {
        let listener = TcpListener::bind(ANY).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let mut clients = Vec::new();
        for n in 0..20_u8 {
            let mut accept = listener.accept();
            assert!(poll_once(&mut accept).await.is_pending());
            let client = TcpStream::connect(address).await.expect("somebody listens");
            client.write_all(&[n]).await.expect("the peer reads");
            clients.push(client);
            // Woken for it, and dropped before it is polled.
            drop(accept);
            assert!(timeout(ms(1), std::future::pending::<()>()).await.is_err());
            let (stream, _) = listener.accept().await.expect("it is in the backlog");
            let mut which = [0];
            stream.read_exact(&mut which).await.expect("it was sent");
            assert_eq!(which, [n]);
        }
    });
}

// SEM-338: whoever is polled first gets the connection, and nobody hangs.
#[test]
fn connections_are_accepted_by_several_tasks_of_one_listener() {
    run_paused(async {
        let listener = Rc::new(TcpListener::bind(ANY).expect("a port is free"));
        let address = listener.local_addr().expect("it is bound");
        let accepted = Rc::new(Cell::new(0));
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let (listener, accepted) = (listener.clone(), accepted.clone());
                spawn(async move {
                    while accepted.get() < 30 {
                        if timeout(secs(1), listener.accept()).await.is_ok() {
                            accepted.set(accepted.get() + 1);
                        }
                    }
                })
            })
            .collect();
        let mut clients = Vec::new();
        for _ in 0..30 {
            clients.push(TcpStream::connect(address).await.expect("somebody listens"));
        }
        for task in tasks {
            task.await.expect("it ends well");
        }
        assert_eq!(accepted.get(), 30);
    });
}

// ----- many bytes ----------------------------------------------------------------------------------

/// The bytes of a stream, reproducible.
fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

const MUCH: usize = 8 << 20;

/// However much memory the system has for buffers, 8 MiB from `from` to `to` do not fit.
fn set_small_buffers(from: impl AsFd, to: impl AsFd) {
    set_socket_send_buffer_size(from, 100_000).expect("the system can");
    set_socket_recv_buffer_size(to, 100_000).expect("the system can");
}

async fn receive_all(stream: &TcpStream, chunk: usize) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::with_capacity(MUCH), vec![0; chunk]);
    loop {
        match stream.read(&mut buffer).await.expect("no error") {
            0 => return all,
            n => all.extend_from_slice(&buffer[..n]),
        }
    }
}

async fn send_all(stream: &TcpStream, all: &[u8]) {
    stream.write_all(all).await.expect("the peer reads");
    stream.shutdown(Shutdown::Write).expect("it is connected");
}

// SEM-338: in both directions at once, one task reading while another writes.
#[test]
fn megabytes_in_both_directions_at_once_arrive_whole() {
    run(async {
        let (client, server) = pair().await;
        let (up, down) = (bytes(1, MUCH), bytes(2, MUCH));
        let (got_down, got_up, (), ()) = join!(
            receive_all(&client, 10_000),
            receive_all(&server, 100_000),
            send_all(&client, &up),
            send_all(&server, &down)
        );
        assert!(got_up == up && got_down == down, "what arrived is not what was sent");
    });
}

// SEM-338: with a peer that knows nothing of loops, which begins to read late.
#[test]
fn megabytes_to_a_slow_peer_outside_wait_for_room_and_arrive_whole() {
    let mut runtime = runtime();
    let _watchdog = Watchdog::new();
    let (go, gone) = mpsc::channel();
    let (up, down) = (bytes(3, MUCH), bytes(4, MUCH));
    let (expected, answer) = (up.clone(), down.clone());
    runtime.block_on(async {
        let (here, mut there) = outside_pair();
        set_small_buffers(&here, &there);
        let thread = std::thread::spawn(move || {
            gone.recv_timeout(PATIENCE).expect("the loop runs out of room");
            let mut all = Vec::new();
            there.read_to_end(&mut all).expect("no error");
            assert!(all == expected, "what arrived is not what was sent");
            there.write_all(&answer).expect("the loop reads");
        });
        // Every buffer on the way fills, and then the writer waits.
        let mut sent = pin!(send_all(&here, &up));
        assert!(timeout(ms(20), &mut sent).await.is_err(), "8 MiB went into buffers");
        go.send(()).expect("the thread waits");
        sent.await;
        let got = receive_all(&here, 50_000).await;
        assert!(got == down, "what arrived is not what was sent");
        thread.join().expect("it ends well");
    });
    assert_eq!(runtime.statistics().sources, 0);
}

// SEM-344: reads and writes given up at random lose nothing and double nothing.
#[test]
fn reads_and_writes_dropped_half_way_lose_no_byte() {
    run(async {
        let (client, server) = pair().await;
        let all = bytes(5, 1 << 20);
        let sends = async {
            let (mut random, mut sent) = (Random(6), 0);
            while sent < all.len() {
                let part = &all[sent..all.len().min(sent + 1 + random.next() as usize % 60_000)];
                let limit = Duration::from_nanos(random.next() % 20_000);
                match random.next() % 3 {
                    0 => {
                        let written = timeout(limit, client.write(part)).await;
                        sent += written.map_or(0, |n| n.expect("a peer"));
                    }
                    1 => match poll_once(&mut client.write(part)).await {
                        Poll::Ready(n) => sent += n.expect("a peer"),
                        Poll::Pending => yield_now().await,
                    },
                    _ => sent += client.write(part).await.expect("a peer"),
                }
            }
            client.shutdown(Shutdown::Write).expect("it is connected");
        };
        let receives = async {
            let (mut random, mut got) = (Random(7), Vec::new());
            let mut buffer = vec![0; 40_000];
            loop {
                let part = &mut buffer[..1 + random.next() as usize % 39_999];
                let limit = Duration::from_nanos(random.next() % 20_000);
                let n = match random.next() % 3 {
                    0 => timeout(limit, server.read(part)).await.ok(),
                    1 => match poll_once(&mut server.read(part)).await {
                        Poll::Ready(n) => Some(n),
                        Poll::Pending => {
                            yield_now().await;
                            None
                        }
                    },
                    _ => Some(server.read(part).await),
                };
                match n.transpose().expect("no error") {
                    Some(0) => return got,
                    Some(n) => got.extend_from_slice(&buffer[..n]),
                    None => {}
                }
            }
        };
        let ((), got) = join!(sends, receives);
        assert!(got == all, "what arrived is not what was sent");
    });
}

// SEM-344: cancelled by its handle as well, and the next read gets it.
#[test]
fn reader_task_cancelled_leaves_the_bytes_to_the_next() {
    run_paused(async {
        let (client, server) = pair().await;
        let server = Rc::new(server);
        for n in 0..50_u8 {
            let reads = server.clone();
            let reader = spawn(async move { reads.read(&mut [0; 16]).await });
            yield_now().await;
            client.write_all(&[n]).await.expect("the peer reads");
            reader.cancel("enough");
            assert!(reader.await.is_err_and(|error| error.is_cancelled()));
            let mut byte = [0; 16];
            assert_eq!(server.read(&mut byte).await.expect("no error"), 1);
            assert_eq!(byte[0], n);
        }
    });
}

// SEM-407: a peer that always has something does not keep the loop.
#[test]
fn reader_that_always_finds_something_gives_way() {
    run_paused(async {
        let (client, server) = pair().await;
        client.write_all(&[0; 10_000]).await.expect("there is room");
        a_while().await;
        let mut turns_of_the_other = 0;
        let reads = async {
            for _ in 0..10_000 {
                server.read_exact(&mut [0]).await.expect("it was sent");
            }
        };
        let mut reads = pin!(reads);
        while poll_once(&mut reads).await.is_pending() {
            turns_of_the_other += 1;
            assert!(turns_of_the_other < 10_000);
            yield_now().await;
        }
        assert!(turns_of_the_other >= 10_000 / 128 - 1, "{turns_of_the_other}");
    });
}

// ----- several waiters -----------------------------------------------------------------------------

// SEM-338: both are woken by one byte; one gets it, and the other goes on waiting.
#[test]
fn tasks_reading_one_stream_are_all_woken() {
    run_paused(async {
        let (client, server) = pair().await;
        let (server, trace) = (Rc::new(server), Trace::default());
        let tasks: Vec<_> = (0..3)
            .map(|n| {
                let (server, trace) = (server.clone(), trace.clone());
                spawn(async move {
                    let mut byte = [0];
                    while server.read(&mut byte).await.expect("no error") > 0 {
                        trace.say(format!("{n} got {}", byte[0]));
                    }
                    trace.say(format!("{n} ends"));
                })
            })
            .collect();
        for n in 0..3 {
            a_while().await;
            client.write_all(&[n]).await.expect("the peer reads");
        }
        a_while().await;
        let got = trace.take();
        assert_eq!(got.matches("got").count(), 3, "{got}");
        drop(client);
        for task in tasks {
            task.await.expect("it ends well");
        }
        assert_eq!(trace.take().matches("ends").count(), 3);
    });
}

// SEM-48: also if one task waits twice, by wakers of different kinds.
#[test]
fn readers_within_one_task_are_all_woken() {
    run_paused(async {
        let (client, server) = pair().await;
        let read_one = async || {
            let mut byte = [0];
            server.read_exact(&mut byte).await.map(|()| byte[0])
        };
        let reads = async {
            let mut unordered: FuturesUnordered<_> = (0..4).map(|_| read_one()).collect();
            let mut sum = 0;
            while let Some(byte) = unordered.next().await {
                sum += u32::from(byte.expect("it was sent"));
            }
            sum
        };
        let writes = async {
            for n in 1..=6 {
                a_while().await;
                client.write_all(&[n]).await.expect("the peer reads");
            }
        };
        let (a, b, sum, ()) = join!(read_one(), read_one(), reads, writes);
        let both = u32::from(a.expect("it was sent")) + u32::from(b.expect("it was sent"));
        assert_eq!(both + sum, 21);
    });
}

// SEM-48: one waiter goes, and the other of the same task stays.
#[test]
fn reader_dropped_beside_another_of_its_task_leaves_that_woken() {
    run_paused(async {
        let (client, server) = pair().await;
        let (mut a, mut b) = ([0], [0]);
        let (mut first, mut second) = (server.read(&mut a), server.read(&mut b));
        assert!(poll_once(&mut first).await.is_pending());
        assert!(poll_once(&mut second).await.is_pending());
        drop(first);
        let writes = async {
            a_while().await;
            client.write_all(&[7]).await.expect("the peer reads");
        };
        let (read, ()) = join!(second, writes);
        assert_eq!((read.expect("no error"), b), (1, [7]));
    });
}

// SEM-48: who waits for room does not take the place of who waits for bytes.
#[test]
fn reader_and_writer_of_one_stream_wait_side_by_side() {
    run_paused(async {
        let (client, server) = pair().await;
        set_small_buffers(&client, &server);
        let client = Rc::new(client);
        let writes = client.clone();
        let writer = spawn(async move { writes.write_all(&[1; MUCH]).await });
        let reads = client.clone();
        let reader = spawn(async move { reads.read_exact(&mut [0; 4]).await });
        sleep(ms(1)).await;
        assert!(!writer.is_finished() && !reader.is_finished());
        server.write_all(b"stop").await.expect("the peer reads");
        reader.await.expect("it ends well").expect("it was sent");
        assert!(!writer.is_finished());
        server.read_exact(&mut vec![0; MUCH]).await.expect("it was sent");
        writer.await.expect("it ends well").expect("there was room");
    });
}

// SEM-48: of several polls the last waker counts, and one is enough.
#[test]
fn read_polled_with_a_second_waker_wakes_that_one() {
    run_paused(async {
        let (client, server) = pair().await;
        let mut buffer = [0];
        let mut read = server.read(&mut buffer);
        let counters: Vec<_> = (0..3).map(|_| Counter::new()).collect();
        for (_, waker) in &counters {
            assert!(poll_with(&mut read, waker).is_pending());
        }
        client.write_all(&[1]).await.expect("the peer reads");
        a_while().await;
        assert_eq!(counters[2].0.wakes(), 1);
        assert!(poll_with(&mut read, &counters[0].1).is_ready());
    });
}

// SEM-85: reads that were given up are not remembered.
#[test]
fn read_dropped_half_way_leaves_no_waker_behind() {
    run_paused(async {
        let (client, server) = pair().await;
        let (counter, waker) = Counter::new();
        for _ in 0..10 {
            let mut buffer = [0];
            assert!(poll_with(&mut server.read(&mut buffer), &waker).is_pending());
            assert!(poll_with(&mut server.read_exact(&mut buffer), &waker).is_pending());
        }
        let listener = TcpListener::bind(ANY).expect("a port is free");
        assert!(poll_with(&mut listener.accept(), &waker).is_pending());
        drop(waker);
        assert_eq!(std::sync::Arc::strong_count(&counter), 1, "nobody has kept it");
        client.write_all(&[1]).await.expect("the peer reads");
        a_while().await;
        assert_eq!(counter.wakes(), 0);
    });
}

// ----- futures-io ----------------------------------------------------------------------------------

// SEM-338: through the traits, by value and by reference.
#[test]
fn stream_is_used_through_the_traits_of_futures_io() {
    run(async {
        let (client, mut server) = pair().await;
        let echo = spawn(async move {
            let (mut reader, mut writer) = (&mut server).split();
            futures_util::io::copy(&mut reader, &mut writer).await.expect("no error");
            writer.close().await.expect("it is connected");
        });
        let sent = bytes(8, 300_000);
        let writes = async {
            let mut writer = &client;
            let parts: Vec<io::IoSlice<'_>> =
                sent[..1000].chunks(100).map(io::IoSlice::new).collect();
            let n = writer.write_vectored(&parts).await.expect("the peer reads");
            writer.write_all(&sent[n..]).await.expect("the peer reads");
            writer.flush().await.expect("the peer reads");
            writer.close().await.expect("it is connected");
        };
        let reads = async {
            let (mut a, mut b) = ([0; 10], [0; 10]);
            let mut buffers = [io::IoSliceMut::new(&mut a), io::IoSliceMut::new(&mut b)];
            let n = (&client).read_vectored(&mut buffers).await.expect("no error");
            let mut all = [a, b].concat();
            all.truncate(n);
            (&client).read_to_end(&mut all).await.expect("no error");
            all
        };
        let ((), got) = join!(writes, reads);
        assert!(got == sent, "what arrived is not what was sent");
        echo.await.expect("it ends well");
    });
}

// ----- other loops and threads ---------------------------------------------------------------------

/// A stream of `runtime`, and its other end outside.
fn stream_of(runtime: &mut Runtime) -> (TcpStream, std::net::TcpStream) {
    runtime.block_on(async { outside_pair() })
}

fn assert_closed(mut there: std::net::TcpStream) {
    assert_eq!(there.read(&mut [0]).expect("it was closed in order"), 0);
}

// F20: given back to std, it goes anywhere.
#[test]
fn stream_handed_over_through_std_works_on_a_loop_in_another_thread() {
    let mut here = runtime();
    let (a, b) = here.block_on(async {
        let (a, b) = pair().await;
        // It has been used, and has something to read.
        a.write_all(b"before").await.expect("the peer reads");
        a_while().await;
        assert!(poll_once(&mut a.read(&mut [0])).await.is_pending());
        (a, b.into_std().expect("it is ours"))
    });
    assert_eq!(here.statistics().sources, 1);
    let thread = std::thread::spawn(move || {
        run(async {
            let b = TcpStream::from_std(b).expect("a loop runs");
            b.read_exact(&mut [0; 6]).await.expect("it was sent");
            b.write_all(b"after").await.expect("the peer reads");
        });
    });
    here.block_on(a.read_exact(&mut [0; 5])).expect("it was sent");
    thread.join().expect("it ends well");
    drop(a);
    turn(&mut here);
    assert_eq!(here.statistics().sources, 0);
}

// F20: to another loop of the same thread, a listener as well.
#[test]
fn listener_handed_over_through_std_works_on_another_loop() {
    let (mut a, mut b) = (runtime(), runtime());
    let listener = a.block_on(async { TcpListener::bind(ANY).expect("a port is free") });
    let address = listener.local_addr().expect("it is bound");
    let listener = listener.into_std().expect("it is ours");
    turn(&mut a);
    assert_eq!(a.statistics().sources, 0);
    b.block_on(async {
        let listener = TcpListener::from_std(listener).expect("a loop runs");
        let (client, accepted) = join!(TcpStream::connect(address), listener.accept());
        assert!(client.is_ok() && accepted.is_ok());
    });
    assert_eq!(b.statistics().sources, 0);
}

// F20: an error, not a hang, and it says what to do.
#[test]
fn stream_polled_on_another_thread_is_an_error_that_says_so() {
    let mut runtime = runtime();
    let (stream, _there) = stream_of(&mut runtime);
    let listener = runtime.block_on(async { TcpListener::bind(ANY).expect("a port is free") });
    let says_so = |error: io::Error| {
        assert!(error.to_string().contains("belongs to another loop"), "{error}");
        assert!(error.to_string().contains("into_std() there and from_std() here"), "{error}");
    };
    std::thread::scope(|scope| {
        let on_a_loop = scope.spawn(|| {
            run(async {
                says_so(stream.read(&mut [0]).await.expect_err("not here"));
                says_so(stream.write_all(&[0]).await.expect_err("not here"));
                says_so(listener.accept().await.expect_err("not here"));
            });
        });
        on_a_loop.join().expect("it ends well");
        let without_a_loop = scope.spawn(|| {
            let mut cx = Context::from_waker(Waker::noop());
            match stream.poll_read(&mut cx, &mut [0]) {
                Poll::Ready(Err(error)) => says_so(error),
                other => panic!("not here: {other:?}"),
            }
            // What needs no loop works anywhere.
            stream.peer_addr().expect("it is connected");
            stream.set_nodelay(true).expect("it is connected");
            assert!(stream.nodelay().expect("it is connected"));
            stream.shutdown(Shutdown::Both).expect("it is connected");
        });
        without_a_loop.join().expect("it ends well");
    });
}

// F20: where no loop runs there is nothing to register with.
#[test]
fn socket_made_where_no_loop_runs_is_an_error_that_says_what_to_do() {
    let error = TcpListener::bind(ANY).expect_err("no loop runs");
    assert!(error.to_string().contains("make it inside lone::run"), "{error}");
    let (here, _there) = std_pair();
    let error = TcpStream::from_std(here).expect_err("no loop runs");
    assert!(error.to_string().contains("make it inside lone::run"), "{error}");
}

// F20: deregistered, closed, and freed at the loop's next turn.
#[test]
fn stream_dropped_on_another_thread_is_closed_there_and_freed_at_the_loop() {
    let mut runtime = runtime();
    let (stream, there) = stream_of(&mut runtime);
    runtime.block_on(async { assert!(poll_once(&mut stream.read(&mut [0])).await.is_pending()) });
    std::thread::spawn(move || drop(stream)).join().expect("a drop does not panic");
    assert_closed(there);
    assert_eq!(runtime.statistics().sources, 1);
    turn(&mut runtime);
    assert_eq!(runtime.statistics().sources, 0);
}

// F20: while the loop waits for it, in the end for nothing.
#[test]
fn stream_dropped_on_another_thread_while_the_loop_parks_is_freed() {
    let _watchdog = Watchdog::new();
    let mut runtime = runtime();
    let (stream, there) = stream_of(&mut runtime);
    let thread = std::thread::spawn(move || drop(stream));
    while runtime.statistics().sources > 0 {
        runtime.turn(None).expect("the system lets us wait");
    }
    thread.join().expect("a drop does not panic");
    assert_closed(there);
}

// F20: the loop is gone, and with it what there was to free.
#[test]
fn handles_dropped_after_their_loop_are_closed() {
    let (stream, there) = {
        let mut runtime = runtime();
        let (stream, there) = stream_of(&mut runtime);
        let listener = runtime.block_on(async { TcpListener::bind(ANY).expect("a port is free") });
        drop(runtime);
        drop(listener);
        (stream, there)
    };
    let error = run(async { stream.read(&mut [0]).await.expect_err("its loop has ended") });
    assert!(error.to_string().contains("belongs to another loop"), "{error}");
    drop(stream);
    assert_closed(there);
}

// F19, F20: by the destructor of a thread-local, when the loop's own thread ends.
#[test]
fn handles_kept_in_a_thread_local_are_closed_when_the_thread_ends() {
    type Kept = (TcpStream, lone::time::Sleep, Option<Runtime>);
    thread_local!(static KEPT: RefCell<Option<Kept>> = const { RefCell::new(None) });
    for runtime_too in [false, true] {
        let thread = std::thread::spawn(move || {
            let mut runtime = runtime();
            let (stream, there) = stream_of(&mut runtime);
            let mut slept = sleep(secs(1000));
            runtime.block_on(async { assert!(poll_once(&mut slept).await.is_pending()) });
            KEPT.set(Some((stream, slept, runtime_too.then_some(runtime))));
            there
        });
        assert_closed(thread.join().expect("nothing panics at the end of the thread"));
    }
}

// F3: its token and slot have a new tenant.
#[test]
fn stream_dropped_after_its_loop_does_no_harm_to_the_next_loop() {
    let stale = {
        let mut runtime = runtime();
        stream_of(&mut runtime)
    };
    let mut runtime = runtime();
    let (stream, mut there) = stream_of(&mut runtime);
    runtime.block_on(async {
        drop(stale);
        let reads = async { stream.read_exact(&mut [0; 3]).await };
        let writes = async {
            a_while().await;
            there.write_all(b"abc").expect("somebody reads");
        };
        join!(reads, writes).0.expect("it was sent");
    });
    assert_eq!(runtime.statistics().sources, 1);
}

// ----- duplicates and forks ------------------------------------------------------------------------

/// That whatever `disturb` does is no event to the loop: each turn lasts as long as it may.
fn assert_undisturbed(runtime: &mut Runtime, mut disturb: impl FnMut()) {
    run_until_idle(runtime);
    let (before, begin) = (runtime.statistics().parks, std::time::Instant::now());
    for _ in 0..20 {
        disturb();
        assert_eq!(runtime.turn(Some(ms(1))).expect("the system lets us wait").ready, 0);
    }
    assert!(begin.elapsed() >= ms(20), "events came: {:?} for 20 ms", begin.elapsed());
    assert_eq!(runtime.statistics().parks - before, 20);
}

// F20: the registration goes with the handle, not with the last duplicate.
#[test]
fn stream_dropped_while_a_duplicate_lives_gets_no_events_any_more() {
    let mut runtime = runtime();
    let (stream, mut there) = stream_of(&mut runtime);
    let duplicate: OwnedFd = stream.as_fd().try_clone_to_owned().expect("descriptors are free");
    runtime.block_on(async {
        assert!(poll_once(&mut stream.read(&mut [0])).await.is_pending());
        drop(stream);
    });
    assert_eq!(runtime.statistics().sources, 0);
    assert_undisturbed(&mut runtime, || there.write_all(&[7]).expect("it is still open"));
    // On another thread it is no different.
    let (stream, mut there_too) = stream_of(&mut runtime);
    let duplicate_too = stream.as_fd().try_clone_to_owned().expect("descriptors are free");
    std::thread::spawn(move || drop(stream)).join().expect("a drop does not panic");
    assert_undisturbed(&mut runtime, || there_too.write_all(&[7]).expect("it is still open"));
    assert_eq!(runtime.statistics().sources, 0);
    // The duplicates work: registered anew, in the place of the first.
    for duplicate in [duplicate, duplicate_too] {
        runtime.block_on(async {
            let stream = TcpStream::from_std(duplicate.into()).expect("a loop runs");
            stream.read_exact(&mut [0; 20]).await.expect("it was sent");
        });
    }
}

// F20: a registration that is not there any more costs nothing, however often.
#[test]
fn streams_made_and_dropped_leave_neither_sources_nor_events() {
    let mut runtime = runtime();
    for n in 0..200 {
        let (stream, mut there) = stream_of(&mut runtime);
        there.write_all(&[1]).expect("somebody reads");
        match n % 3 {
            0 => drop(stream),
            1 => drop(stream.into_std()),
            _ => runtime.block_on(async move { drop(stream) }),
        }
    }
    turn(&mut runtime);
    assert_eq!(runtime.statistics().sources, 0);
    assert_undisturbed(&mut runtime, || {});
}

// F20: a child shares the epoll descriptor; what it drops is still the parent's.
#[test]
fn stream_dropped_by_a_forked_child_stays_registered_in_the_parent() {
    run_in_own_process("tcp::in_own_process_fork_and_drop_the_stream_in_the_child");
}

// The other half of the test above.
#[test]
#[ignore = "forks: run by the test above, in a process of its own"]
fn in_own_process_fork_and_drop_the_stream_in_the_child() {
    let mut runtime = runtime();
    let (stream, mut there) = stream_of(&mut runtime);
    let mut stream = Some(stream);
    let outcome = runtime.block_on(async {
        let mut buffer = [0; 4];
        // It waits already: whatever comes has to come through epoll.
        let read = stream.as_ref().map(|stream| stream.read(&mut buffer));
        assert!(poll_once(&mut read.expect("it is there")).await.is_pending());
        // SAFETY: no other thread of this process runs or holds a lock: the harness was started with
        // one test thread, and the test has made none; the child drops one value and exits.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            drop(stream.take());
            // SAFETY: it ends the child without running anything else of it.
            unsafe { libc::_exit(0) };
        }
        let pid = rustix::process::Pid::from_raw(pid).expect("the system has room for a child");
        let status = waitpid(Some(pid), WaitOptions::empty()).expect("it is our child");
        assert_eq!(status.and_then(|(_, status)| status.exit_status()), Some(0));
        there.write_all(b"news").expect("the parent reads");
        let stream = stream.as_ref().expect("the parent has kept it");
        timeout(PATIENCE, stream.read_exact(&mut buffer)).await
    });
    outcome.expect("the parent was told").expect("it was sent");
    drop(stream);
    assert_closed(there);
}

// ----- out of descriptors --------------------------------------------------------------------------

// SEM-358: the accept waits and goes on, and says so once.
#[test]
fn accept_without_free_descriptors_waits_and_goes_on() {
    run_in_own_process("tcp::in_own_process_accept_without_free_descriptors");
}

// The other half of the test above.
#[test]
#[ignore = "takes all descriptors: run by the test above, in a process of its own"]
fn in_own_process_accept_without_free_descriptors() {
    let mut runtime = paused();
    runtime.block_on(async {
        let listener = TcpListener::bind(ANY).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let client = std::net::TcpStream::connect(address).expect("somebody listens");
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(256), maximum: limit.maximum })
            .expect("a limit may be lowered");
        let mut taken = Vec::new();
        while let Ok(descriptor) = client.try_clone() {
            taken.push(descriptor);
            assert!(taken.len() <= 256);
        }
        let polls = Rc::new(Cell::new(0));
        let counted = polls.clone();
        let accept = spawn(async move {
            let mut accept = pin!(listener.accept());
            std::future::poll_fn(|cx| {
                counted.set(counted.get() + 1);
                accept.as_mut().poll(cx)
            })
            .await
        });
        // 5, 10, 20 … ms: a try each, up to one a second; not a busy loop.
        sleep(ms(4)).await;
        assert_eq!(polls.get(), 1);
        sleep(secs(10)).await;
        assert!((8..=20).contains(&polls.get()), "{} tries in 10 s", polls.get());
        assert!(!accept.is_finished());
        // The error is the caller's, if that is how it asks.
        drop(taken);
        let (stream, peer) = accept.await.expect("it ends well").expect("it was in the backlog");
        assert_eq!(peer, client.local_addr().expect("it is connected"));
        drop(stream);
    });
}

// ----- details -------------------------------------------------------------------------------------

// SEM-347: an error of the connection reaches whoever waits, and whoever comes later.
#[test]
fn stream_reset_by_its_peer_ends_reads_and_writes() {
    run(async {
        let (here, there) = outside_pair();
        let mut buffer = [0];
        let mut read = here.read(&mut buffer);
        assert!(poll_once(&mut read).await.is_pending());
        here.write_all(&[0; 16]).await.expect("there is room");
        // Closed with bytes unread: the system sends a reset.
        drop(there);
        assert_eq!(read.await.expect_err("it was reset").kind(), ErrorKind::ConnectionReset);
        assert!(here.write_all(&[0; 16]).await.is_err());
        assert!(here.read(&mut [0]).await.map_or(true, |n| n == 0));
    });
}

// SEM-352: closed by ourselves while we wait.
#[test]
fn stream_shut_down_by_another_task_ends_the_read() {
    run_paused(async {
        let (client, _server) = pair().await;
        let client = Rc::new(client);
        let reads = client.clone();
        let reader = spawn(async move { reads.read(&mut [0]).await });
        a_while().await;
        client.shutdown(Shutdown::Both).expect("it is connected");
        assert_eq!(reader.await.expect("it ends well").expect("no error"), 0);
    });
}

// SEM-338: a state by name.
#[test]
fn debug_output_shows_the_addresses() {
    run_paused(async {
        let (client, server) = pair().await;
        let address = client.local_addr().expect("it is connected");
        assert!(format!("{client:?}").contains(&format!("local: Some({address})")));
        assert!(format!("{server:?}").contains(&format!("peer: Some({address})")));
    });
}

// SEM-338: handles are plain data, for handlers of other crates.
const _: fn() = || {
    fn assert_send_sync<T: Send + Sync>() {}
    fn assert_unpin<T: Unpin>() {}
    assert_send_sync::<TcpStream>();
    assert_send_sync::<TcpListener>();
    assert_unpin::<TcpStream>();
    let _ = |stream: &TcpStream| {
        fn assert_send<T: Send>(_: T) {}
        assert_send(stream.read(&mut []));
        let _ = Pin::new(&stream.write(&[]));
    };
};
