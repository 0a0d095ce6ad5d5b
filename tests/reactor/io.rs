//! Buffers: whatever the pieces in which bytes come, and wherever a future is dropped, no byte is lost.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use lone::io::{AsyncRead, AsyncWrite, BufReader, BufWriter, LineError, copy, copy_bidirectional};
use lone::net::{TcpListener, TcpStream};
use lone::{join, sleep, spawn, timeout, using};
use lone_tests::reports::{assert_one_report, record_reports, take_reports};

use crate::help::{ANY, Random, ms, pair, poll_once, run_paused};

// ----- streams that come in pieces -----------------------------------------------------------------

/// What a [`Pieces`] does when it is asked.
enum Piece {
    Bytes(Vec<u8>),
    /// Waits, and is woken at once.
    Wait,
    Fail(ErrorKind),
}

/// A reader that gives one piece after the other, and then has ended.
struct Pieces(VecDeque<Piece>);

impl Pieces {
    /// Each byte alone, with a wait before each, and before the end.
    fn one_by_one(bytes: &[u8]) -> Pieces {
        let pieces = bytes.iter().flat_map(|byte| [Piece::Wait, Piece::Bytes(vec![*byte])]);
        Pieces(pieces.chain([Piece::Wait]).collect())
    }

    fn at_random(mut bytes: &[u8], random: &mut Random) -> Pieces {
        let mut pieces = VecDeque::new();
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(up_to(random, bytes.len().min(9)));
            if now.is_empty() {
                pieces.push_back(Piece::Wait);
            } else {
                pieces.push_back(Piece::Bytes(now.to_vec()));
            }
            bytes = later;
        }
        Pieces(pieces)
    }
}

/// From 0 to `most`.
fn up_to(random: &mut Random, most: usize) -> usize {
    usize::try_from(random.next() % (most as u64 + 1)).expect("it is small")
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.0.pop_front() {
            None => Poll::Ready(Ok(0)),
            Some(Piece::Wait) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Piece::Fail(kind)) => Poll::Ready(Err(kind.into())),
            Some(Piece::Bytes(mut bytes)) => {
                let n = bytes.len().min(into.len());
                into[..n].copy_from_slice(&bytes[..n]);
                if n < bytes.len() {
                    self.0.push_front(Piece::Bytes(bytes.split_off(n)));
                }
                Poll::Ready(Ok(n))
            }
        }
    }
}

/// A writer that takes a few bytes at a time, and keeps them; every other time it waits first.
#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Taken>>);

#[derive(Default)]
struct Taken {
    bytes: Vec<u8>,
    random: Option<Random>,
    flushes: usize,
    closed: bool,
    waited: bool,
    broken: bool,
}

impl Sink {
    fn at_random(seed: u64) -> Sink {
        Sink(Rc::new(RefCell::new(Taken { random: Some(Random(seed)), ..Taken::default() })))
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.borrow().bytes.clone()
    }
}

impl AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut taken = self.0.borrow_mut();
        assert!(!taken.closed, "nothing is written after the close");
        if taken.broken {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        taken.waited = !taken.waited;
        if taken.waited {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let n = taken.random.as_mut().map_or(1, |random| 1 + up_to(random, 6)).min(bytes.len());
        taken.bytes.extend_from_slice(&bytes[..n]);
        Poll::Ready(Ok(n))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let again = std::mem::replace(&mut self.0.borrow_mut().closed, true);
        assert!(!again, "it is closed once");
        Poll::Ready(Ok(()))
    }
}

/// Awaits `$future`, made anew each time that it is dropped; `$drops` says after each poll whether it is.
macro_rules! dropping {
    ($drops:expr, $future:expr) => {
        loop {
            let mut future = $future;
            let done = loop {
                match poll_once(&mut future).await {
                    Poll::Ready(done) => break Some(done),
                    Poll::Pending if $drops => break None,
                    Poll::Pending => lone::yield_now().await,
                }
            };
            drop(future);
            if let Some(done) = done {
                break done;
            }
        }
    };
}

// ----- reads ---------------------------------------------------------------------------------------

// SEM-341: a line comes with its end, the last one without, and then nothing does.
#[test]
fn read_line_keeps_the_end_of_line_and_lines_do_not() {
    run_paused(async {
        let text = "one\n\r\ntwo\r\nlast\r";
        let mut reader = BufReader::new(text.as_bytes());
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let n = reader.read_line(&mut line).await.expect("they are short");
            assert_eq!(n, line.len());
            if n == 0 {
                break;
            }
            lines.push(line);
        }
        assert_eq!(lines, ["one\n", "\r\n", "two\r\n", "last\r"]);

        let mut reader = BufReader::new(text.as_bytes());
        let mut lines = reader.lines();
        let mut seen = Vec::new();
        while let Some(line) = lines.next().await {
            seen.push(line.expect("they are short"));
        }
        assert_eq!(seen, ["one", "", "two", "last\r"]);
        assert!(lines.next().await.is_none(), "and again");
    });
}

// SEM-344, SEM-342: whichever of the suspensions of three lines a read is dropped at, all come whole.
#[test]
fn line_read_that_is_dropped_at_any_set_of_its_suspensions_loses_no_byte() {
    let text = b"ab\n\ncd\ne";
    for mask in 0_u32..1 << (text.len() + 1) {
        let (by_line, by_lines, by_until) = run_paused(async {
            let mut drops = mask;
            let mut dropped = || {
                drops = drops.rotate_right(1);
                drops & 1 << 31 != 0
            };
            let mut reader = BufReader::new(Pieces::one_by_one(text));
            let mut by_line = String::new();
            while dropping!(dropped(), reader.read_line(&mut by_line)).expect("short") > 0 {}

            drops = mask;
            let mut dropped = || {
                drops = drops.rotate_right(1);
                drops & 1 << 31 != 0
            };
            let mut reader = BufReader::new(Pieces::one_by_one(text));
            let mut by_lines = Vec::new();
            // The stream of the lines is dropped as well.
            while let Some(line) = dropping!(dropped(), {
                let mut lines = reader.lines();
                Box::pin(async move { lines.next().await })
            }) {
                by_lines.push(line.expect("short"));
            }

            drops = mask;
            let mut dropped = || {
                drops = drops.rotate_right(1);
                drops & 1 << 31 != 0
            };
            let mut reader = BufReader::new(Pieces::one_by_one(text));
            let mut by_until = Vec::new();
            while dropping!(dropped(), reader.read_until(b'd', &mut by_until)).expect("short") > 0 {
            }
            (by_line, by_lines, by_until)
        });
        assert_eq!(by_line.as_bytes(), text, "{mask:b}");
        assert_eq!(by_lines, ["ab", "", "cd", "e"], "{mask:b}");
        assert_eq!(by_until, text, "{mask:b}");
    }
}

// SEM-344, SEM-338, SEM-340: reads of all kinds, dropped at random, in pieces at random.
#[test]
fn reads_of_all_kinds_dropped_at_random_give_the_stream_in_order() {
    for seed in 0..300 {
        run_paused(async {
            let mut random = Random(seed);
            let text: Vec<u8> = (0..200).map(|_| b"abc;\n"[up_to(&mut random, 4)]).collect();
            let pieces = Pieces::at_random(&text, &mut random);
            let capacity = 1 + up_to(&mut random, 20);
            let mut reader = BufReader::with_capacity(capacity, pieces);
            let mut seen = Vec::new();
            loop {
                let before = seen.len();
                let drops = &mut || random.next().is_multiple_of(2);
                match before % 4 {
                    0 => {
                        let mut line = String::new();
                        let read = dropping!(drops(), reader.read_line(&mut line));
                        assert_eq!(read.expect("short"), line.len());
                        seen.extend_from_slice(line.as_bytes());
                    }
                    1 => {
                        let read = dropping!(drops(), reader.read_until(b';', &mut seen));
                        assert_eq!(read.expect("short"), seen.len() - before);
                    }
                    2 => {
                        let shown = dropping!(drops(), {
                            let reader = &mut reader;
                            Box::pin(async move { reader.fill_buf().await.map(<[u8]>::to_vec) })
                        });
                        let shown = shown.expect("no error");
                        let n = shown.len().div_ceil(2);
                        seen.extend_from_slice(&shown[..n]);
                        reader.consume(n);
                    }
                    _ => {
                        let mut some = vec![0; 30];
                        match dropping!(drops(), reader.read_exact(&mut some)) {
                            Ok(()) => seen.extend_from_slice(&some),
                            Err(error) => {
                                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
                                let left = reader.buffer().len();
                                let said = format!("the stream has ended after {left} of 30 bytes");
                                assert_eq!(error.to_string(), said);
                                seen.extend_from_slice(reader.buffer());
                                reader.consume(left);
                            }
                        }
                    }
                }
                if seen.len() == before {
                    break;
                }
            }
            assert_eq!(seen, text, "seed {seed}");
        });
    }
}

/// What the lines of `text` are to come to, with a limit: `None` is too long.
fn model(text: &str, limit: usize) -> Vec<Option<String>> {
    text.lines().map(|line| (line.len() <= limit).then(|| line.to_owned())).collect()
}

// SEM-343: the limit is the same whatever the pieces, and the next line is the next one.
#[test]
fn line_above_the_limit_is_an_error_in_its_place_whatever_the_pieces() {
    for seed in 0..300 {
        run_paused(async {
            let mut random = Random(seed);
            let text: String =
                (0..150).map(|_| ["a", "b", "c", "d", "e", "\n"][up_to(&mut random, 5)]).collect();
            let limit = up_to(&mut random, 8);
            let pieces = Pieces::at_random(text.as_bytes(), &mut random);
            let mut reader = BufReader::with_capacity(4, pieces).with_limit(limit);
            let mut seen = Vec::new();
            while let Some(line) = dropping!(random.next().is_multiple_of(2), {
                let mut lines = reader.lines();
                Box::pin(async move { lines.next().await })
            }) {
                seen.push(match line {
                    Ok(line) => Some(line),
                    Err(LineError::TooLong { limit: said }) => {
                        assert_eq!(said, limit);
                        None
                    }
                    Err(other) => panic!("{other}"),
                });
            }
            assert_eq!(seen, model(&text, limit), "seed {seed}, limit {limit}");
        });
    }
}

// SEM-343: a line without end is told of at once, and never kept; `read_until` leaves all where it is.
#[test]
fn line_without_end_is_an_error_at_the_limit_and_takes_no_memory() {
    run_paused(async {
        // 8 MiB of a line, after which another one comes.
        let mut endless: VecDeque<Piece> =
            (0..1024).map(|_| Piece::Bytes(vec![b'x'; 8 * 1024])).collect();
        endless.push_back(Piece::Bytes(b"\nnext\n".to_vec()));
        let mut reader = BufReader::new(Pieces(endless)).with_limit(10_000);

        let mut bytes = Vec::new();
        let error = reader.read_until(b'\n', &mut bytes).await.expect_err("it is too long");
        assert!(matches!(error, LineError::TooLong { limit: 10_000 }));
        assert_eq!(error.to_string(), "a line is longer than 10000 bytes");
        assert_eq!((bytes.len(), reader.buffer().len()), (0, 2 * 8 * 1024), "nothing is taken");

        let mut line = String::new();
        let error = reader.read_line(&mut line).await.expect_err("it is too long");
        let error = io::Error::from(error);
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!((line.len(), reader.buffer().len()), (0, 0), "dropped as far as it has come");
        assert!(reader.get_ref().0.len() > 1000, "and the rest is not waited for");

        assert_eq!(reader.read_line(&mut line).await.expect("it is short"), 5);
        assert_eq!(line, "next\n");
    });
}

// SEM-341: the error has the bytes, and the next line is the next one.
#[test]
fn line_that_is_no_utf8_is_an_error_with_its_bytes() {
    run_paused(async {
        let mut reader = BufReader::new(&b"\xff\xfe\nok\n\xfd"[..]);
        let mut lines = reader.lines();
        let Some(Err(LineError::NotUtf8(error))) = lines.next().await else {
            panic!("it is no UTF-8");
        };
        assert_eq!(error.as_bytes(), b"\xff\xfe");
        assert_eq!(lines.next().await.transpose().expect("it is UTF-8").as_deref(), Some("ok"));
        let mut line = String::from("before");
        let error = reader.read_line(&mut line).await.expect_err("it is no UTF-8");
        assert!(matches!(error, LineError::NotUtf8(_)));
        assert_eq!(line, "before");
    });
}

// SEM-347: after an error of the stream there is no line more, and what had come is still there.
#[test]
fn error_of_the_stream_ends_the_lines_and_keeps_what_had_come() {
    run_paused(async {
        let pieces = [Piece::Bytes(b"a\nb".to_vec()), Piece::Fail(ErrorKind::ConnectionReset)];
        let mut reader = BufReader::new(Pieces(pieces.into()));
        let mut lines = reader.lines();
        assert_eq!(lines.next().await.transpose().expect("it is whole").as_deref(), Some("a"));
        let error = lines.next().await.transpose().expect_err("the peer is gone");
        assert_eq!(io::Error::from(error).kind(), ErrorKind::ConnectionReset);
        assert!(lines.next().await.is_none());
        assert_eq!(reader.buffer(), b"b");
    });
}

// SEM-344: lines in pieces, with a timeout round each read.
#[test]
fn timeouts_round_reads_of_a_connection_lose_nothing() {
    run_paused(async {
        let (client, server) = pair().await;
        let writing = spawn(async move {
            for piece in ["he", "llo\nwor", "ld\n", "and so", " on"] {
                sleep(ms(10)).await;
                client.write_all(piece.as_bytes()).await.expect("the peer reads");
            }
        });
        let mut reader = BufReader::new(server);
        let (mut lines, mut late) = (Vec::new(), 0);
        loop {
            let mut line = String::new();
            match timeout(ms(4), reader.read_line(&mut line)).await {
                Err(_elapsed) => late += 1,
                Ok(read) if read.as_ref().is_ok_and(|n| *n == 0) => break,
                Ok(read) => {
                    read.expect("no error");
                    lines.push(line);
                }
            }
        }
        writing.await.expect("it ends well");
        assert_eq!(lines, ["hello\n", "world\n", "and so on"]);
        assert!(late >= 10, "{late} were late");
    });
}

// F11: a line that never ends, from a stream that never waits, lets the others run.
#[test]
fn stream_that_never_waits_does_not_starve_the_others() {
    struct Endless;

    impl AsyncRead for Endless {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            into: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            into.fill(b'x');
            Poll::Ready(Ok(into.len()))
        }
    }

    run_paused(async {
        let mut reader = BufReader::new(Endless).with_limit(10);
        let mut line = String::new();
        assert!(reader.read_line(&mut line).await.is_err(), "it is too long");
        assert!(poll_once(&mut reader.read_line(&mut line)).await.is_pending(), "and has no end");
        lone::yield_now().await; // with a new budget
        let mut all = Vec::new();
        assert!(poll_once(&mut copy(&mut reader, &mut all)).await.is_pending());
        assert!(!all.is_empty());
    });
}

// ----- writes --------------------------------------------------------------------------------------

// SEM-350, SEM-348: each message goes out whole or not at all, wherever its write is dropped.
#[test]
fn message_whose_write_is_dropped_goes_out_whole_or_not_at_all() {
    for seed in 0..300 {
        let sink = Sink::at_random(seed);
        let mut expected = Vec::new();
        run_paused(async {
            let mut random = Random(!seed);
            let capacity = 1 + up_to(&mut random, 20);
            let mut writer = BufWriter::with_capacity(capacity, sink.clone());
            for n in 0..40_u8 {
                let message = vec![n; up_to(&mut random, 30)];
                let mut write = writer.write_all(&message);
                // Given up, or not, at each suspension.
                let written = loop {
                    match poll_once(&mut write).await {
                        Poll::Ready(written) => break Some(written),
                        Poll::Pending if random.next().is_multiple_of(4) => break None,
                        Poll::Pending => {}
                    }
                };
                if let Some(written) = written {
                    written.expect("the sink takes everything");
                    expected.extend_from_slice(&message);
                }
                if random.next().is_multiple_of(8) {
                    dropping!(random.next().is_multiple_of(2), writer.flush()).expect("no error");
                    assert_eq!(sink.bytes(), expected, "seed {seed}: all is sent");
                }
            }
            dropping!(random.next().is_multiple_of(2), writer.close()).expect("no error");
        });
        assert_eq!(sink.bytes(), expected, "seed {seed}");
        assert!(sink.0.borrow().closed);
    }
}

// SEM-348: a write waits only for room; one that is larger than the buffer is taken when that is empty.
#[test]
fn write_waits_for_room_and_no_longer() {
    run_paused(async {
        let sink = Sink::default();
        let mut writer = BufWriter::with_capacity(4, sink.clone());
        assert!(poll_once(&mut writer.write_all(b"larger than that")).await.is_ready());
        assert_eq!(sink.bytes(), b"", "nothing is sent before it has to be");
        let mut write = writer.write_all(b"ab");
        while poll_once(&mut write).await.is_pending() {}
        assert_eq!(sink.bytes(), b"larger than th");
        assert_eq!(writer.buffer(), b"atab");
        writer.flush().await.expect("no error");
        assert_eq!(sink.bytes(), b"larger than thatab");
        assert_eq!(sink.0.borrow().flushes, 1);
    });
}

// SEM-351: all is sent, then it is closed, once; what is written later is an error.
#[test]
fn write_after_close_is_an_error() {
    run_paused(async {
        let sink = Sink::default();
        let mut writer = BufWriter::new(sink.clone());
        writer.write_all(b"all of it").await.expect("there is room");
        writer.close().await.expect("no error");
        assert_eq!(sink.bytes(), b"all of it");
        writer.close().await.expect("it is closed");
        let error = writer.write_all(b"more").await.expect_err("it is closed");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(writer.buffer().is_empty());
    });
}

// SEM-353: bytes that are lost with their writer are told of, once; those of a failed stream by its error.
#[test]
fn writer_dropped_with_unsent_bytes_says_so() {
    record_reports();
    run_paused(async {
        let mut writer = BufWriter::new(Sink::default());
        writer.write_all(b"hello").await.expect("there is room");
        drop(writer);
        assert_one_report(&["WARN lone::io", "dropped with 5 bytes that were never sent", "flush"]);

        let mut writer = BufWriter::new(Sink::default());
        writer.write_all(b"hello").await.expect("there is room");
        let (sink, unsent) = writer.into_parts();
        assert_eq!((sink.bytes(), unsent), (vec![], b"hello".to_vec()));

        sink.0.borrow_mut().broken = true;
        let mut writer = BufWriter::new(sink);
        writer.write_all(b"hello").await.expect("there is room");
        let error = writer.flush().await.expect_err("it is broken");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        drop(writer);
        assert_eq!(take_reports(), Vec::<String>::new());
    });
}

// SEM-351: a cancelled task has sent what it had written when its joiner is told.
#[test]
fn writer_in_using_sends_what_is_buffered_when_its_task_is_cancelled() {
    run_paused(async {
        let (client, server) = pair().await;
        let both = BufReader::new(BufWriter::new(client));
        let task = spawn(using(both, async |client| {
            let written = client.get_mut().write_all(b"goodbye\n").await;
            written.expect("there is room");
            std::future::pending::<()>().await;
        }));
        sleep(ms(1)).await;
        let mut reader = BufReader::new(server);
        assert!(timeout(ms(1), reader.fill_buf()).await.is_err(), "nothing is sent yet");
        task.cancel("enough");
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
        let mut line = String::new();
        assert_eq!(reader.read_line(&mut line).await.expect("no error"), 8);
        assert_eq!(line, "goodbye\n");
        assert_eq!(reader.read_line(&mut line).await.expect("no error"), 0, "and it is closed");
    });
}

// ----- copies --------------------------------------------------------------------------------------

// SEM-344, SEM-350: a copy that is dropped and begun anew loses no byte, and sends none twice.
#[test]
fn copy_dropped_at_any_suspension_goes_on_where_it_was() {
    for seed in 0..300 {
        run_paused(async {
            let mut random = Random(seed);
            let text: Vec<u8> = (0..200).collect();
            let pieces = Pieces::at_random(&text, &mut random);
            let mut reader = BufReader::with_capacity(1 + up_to(&mut random, 20), pieces);
            let sink = Sink::at_random(seed);
            let mut copied = 0;
            loop {
                let mut sink_here = sink.clone();
                let mut copying = copy(&mut reader, &mut sink_here);
                let done = loop {
                    match poll_once(&mut copying).await {
                        Poll::Ready(done) => break Some(done),
                        Poll::Pending if random.next().is_multiple_of(2) => break None,
                        Poll::Pending => {}
                    }
                };
                copied += copying.copied();
                assert_eq!(sink.bytes(), text[..usize::try_from(copied).expect("it is small")]);
                if let Some(done) = done {
                    done.expect("no error");
                    break;
                }
            }
            assert_eq!(sink.bytes(), text, "seed {seed}");
            assert!(sink.0.borrow().flushes > 0, "it is flushed at the end");
        });
    }
}

// SEM-352: a proxy passes on the end of one side, and the answer to it of the other.
#[test]
fn proxy_copies_both_ways_and_passes_each_end_on() {
    run_paused(async {
        let (client, near) = pair().await;
        let (far, server) = pair().await;
        let proxy = spawn(async move {
            copy_bidirectional(&mut BufReader::new(near), &mut BufReader::new(far)).await
        });
        let asking = async {
            let mut client = BufReader::new(BufWriter::new(client));
            client.get_mut().write_all(b"a question\n").await.expect("there is room");
            client.get_mut().flush().await.expect("the peer reads");
            let mut answer = String::new();
            client.read_line(&mut answer).await.expect("no error");
            client.get_mut().close().await.expect("no error");
            client.read_line(&mut answer).await.expect("no error");
            answer
        };
        let answering = async {
            let mut server = BufReader::new(server);
            let mut question = String::new();
            server.read_line(&mut question).await.expect("no error");
            server.get_ref().write_all(b"an answer\n").await.expect("the peer reads");
            assert_eq!(server.read_line(&mut question).await.expect("no error"), 0);
            server.get_ref().write_all(b"and goodbye\n").await.expect("the peer reads");
            question
        };
        let (answer, question) = join!(asking, answering);
        assert_eq!(
            (question.as_str(), answer.as_str()),
            ("a question\n", "an answer\nand goodbye\n")
        );
        let copied = proxy.await.expect("it ends well").expect("no error");
        assert_eq!(copied, (11, 22));
    });
}

// SEM-348: more than the buffers of the system hold; the reader comes late.
#[test]
fn large_messages_wait_for_a_peer_that_reads_late_and_arrive_whole() {
    run_paused(async {
        let listener = TcpListener::bind(ANY).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let sending = spawn(async move {
            let mut writer =
                BufWriter::new(TcpStream::connect(address).await.expect("somebody listens"));
            for n in 0..64_u8 {
                writer.write_all(&vec![n; 256 * 1024]).await.expect("the peer reads");
            }
            writer.close().await.expect("the peer reads");
        });
        let (stream, _) = listener.accept().await.expect("somebody connects");
        sleep(ms(1)).await;
        assert!(!sending.is_finished());
        let mut reader = BufReader::new(stream);
        let mut message = vec![0; 256 * 1024];
        for n in 0..64_u8 {
            reader.read_exact(&mut message).await.expect("it was sent");
            assert!(message.iter().all(|byte| *byte == n), "message {n}");
        }
        assert!(reader.fill_buf().await.expect("no error").is_empty());
        sending.await.expect("it ends well");
    });
}
