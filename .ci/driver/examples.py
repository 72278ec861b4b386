"""The examples, one check each. Its first line says which of the program's promises it checks."""

import contextlib
import pathlib
import re
import signal
import sqlite3
import subprocess
import tempfile
import time

from .checks import ANY, abuse, check, check_echo, echoes, one_line_error, server
from .harness import Listener, Peer, Program, free_port, in_parallel, must, wait_for


def took(program, seconds, slack=0.5):
    """The program ends well, this many seconds after its start."""
    real = program.ends(0, seconds + 10)
    must(seconds - 0.1 <= real <= seconds + slack, f"it took {real:.2f} s instead of {seconds} s")


@check("greeter")
def greeter():
    """P01: one greeting, the connection stays open, the peer is logged."""
    with server("greeter") as program:
        address = program.listening()

        def client(_):
            with Peer(address) as peer:
                must(peer.read(14) == b"Hello, World!\n", "another greeting")
                peer.send(b"anything")
                peer.must_be_silent()
                host, port = peer.name
                program.stderr.matching(rf"{re.escape(host)}\D+{port}\b")

        in_parallel(100, client)
        program.stops()


@check("timer")
def timer():
    """P03: the line after the delay, then the end."""
    with Program("timer", "--after", "1") as program:
        must(program.stdout.next() == "Task completed.", "another line")
        took(program, 1)
    for wrong in (["--after", "soon"], ["--after", "-1"], ["--nonsense"]):
        with Program("timer", *wrong) as program:
            one_line_error(program, wrong[-1])


@check("echo")
def echo():
    """P04: the same bytes in order; --buffer-size; the log of peers and reasons."""
    check_echo("echo")
    with Program("echo", "--buffer-size", "3", ANY) as program:
        address = program.listening()
        echoes(address, b"0123456789" * 1000, 11)
        with Peer(address) as peer:
            host, port = peer.name
            program.stderr.matching(rf"{re.escape(host)}\D+{port}\b")
            peer.reset()
            wait_for(lambda: len(re.findall(rf"\b{port}\b", program.stderr.text())) > 1, "log line of the disconnect")
        program.stops()
    for wrong in ("none", "-1"):
        with Program("echo", "--buffer-size", wrong, ANY) as program:
            one_line_error(program, wrong)


@check("echo's own tests")
def echo_tests():
    """P31: the unit tests inside examples/echo.rs run and pass."""
    command = ["cargo", "test", "--locked", "-p", "ropewalk", "--example", "echo"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    must(result.returncode == 0, result.stdout + result.stderr)
    must(re.search(r"test result: ok\. [1-9]\d* passed", result.stdout), "it has no tests")


@check("welcome")
def welcome():
    """P07: the text and the end; a client that never reads holds up nobody."""
    with server("welcome") as program:
        address = program.listening()
        with Peer(address):

            def client(_):
                with Peer(address) as peer:
                    must(peer.read_to_end().rstrip() == "欢迎访问!".encode(), "another text")

            in_parallel(100, client)
        program.stops()


@check("welcome_client")
def welcome_client():
    """P08: reads to the end, in whatever pieces, and prints; with P07 and with a slow server."""
    with server("welcome") as program:
        host, port = program.listening()
        with Program("welcome_client", f"tcp:{host}:{port}") as client:
            client.ends(0)
            must(client.stdout.text().rstrip() == "欢迎访问!", client.stdout.text())
    with Listener() as listener, Program("welcome_client", listener.endpoint) as client:
        with listener.accept() as peer:
            peer.send("über\nzwei\n".encode(), 1)
        client.ends(0)
        must(client.stdout.text().rstrip() == "über\nzwei", client.stdout.text())


@check("counter")
def counter():
    """P10: the number of live connections after each change."""
    with server("counter") as program:
        address = program.listening()
        seen = lambda: re.findall(r"Protocol (\d+) (connected|disconnected)", program.stderr.text())
        told = []

        def tells(count, what):
            told.append((str(count), what))
            wait_for(lambda: len(seen()) >= len(told), f"{told[-1]}")
            must(seen() == told, f"{seen()} instead of {told}")

        peers = []
        for count in (1, 2, 3):
            peers.append(Peer(address))
            tells(count, "connected")
        peers[0].socket.close()
        tells(2, "disconnected")
        peers.append(Peer(address))
        tells(3, "connected")
        peers[1].reset()
        tells(2, "disconnected")
        program.stops()


@check("hello_client")
def hello_client():
    """P11: 14 bytes out, the answer printed, both sides closed."""
    with server("echo") as program:
        host, port = program.listening()
        with Program("hello_client", f"tcp:{host}:{port}") as client:
            client.ends(0)
            must(client.stdout.lines == ["Server says: Hello, server!"], client.stdout.lines)
    with Listener() as listener, Program("hello_client", listener.endpoint) as client:
        with listener.accept() as peer:
            must(peer.read(14) == b"Hello, server!", "other bytes")
            peer.must_be_silent()
            peer.send(b"hi")
            must(peer.read_to_end() == b"", "more bytes")
        client.ends(0)
        must(client.stdout.lines == ["Server says: hi"], client.stdout.lines)


def check_lines(address, piece=None):
    with Peer(address) as peer:
        peer.send(b"a\r\nraw 5\r\n12345b\r\n\r\nc\r\n", piece)
        answers = rb"line: a\s+line: raw 5\s+raw: 12345\s*line: b\s+line:\s+line: c\s+"
        wait_for(lambda: peer._receive() and re.fullmatch(answers, peer.unread), "right answers")


@check("line_service")
def line_service():
    """P16: lines and raw bytes in turn, the same for any chunking; a line has 16384 bytes at most."""
    with server("line_service") as program:
        address = program.listening()
        for piece in (None, 1, 2, 3, 5, 7):
            check_lines(address, piece)
        in_parallel(100, lambda number: check_lines(address, 1 + number % 9))
        for piece in (None, 1000):
            with Peer(address) as peer:
                peer.send(b"x" * 16384 + b"\r\n", piece)
                must(peer.read_line() == b"line: " + b"x" * 16384, "another answer")
            with Peer(address) as peer:
                peer.send(b"x" * 16385 + b"\r\n", piece)
                peer.must_end()
        with Peer(address) as peer:
            for _ in range(3):
                peer.send(b"raw 99999999999999999999\r\nraw -1\r\nraw x\r\n")
                time.sleep(0.01)
        abuse(address)
        check_lines(address)
        program.stops()


@check("one_shot")
def one_shot():
    """P17: one echo; a refused port is an error within a second."""
    with server("echo") as program:
        host, port = program.listening()
        with Program("one_shot", f"tcp:{host}:{port}") as client:
            client.ends(0)
            must(client.stdout.text().strip(), "it printed nothing")
    with Program("one_shot", f"tcp:127.0.0.1:{free_port()}") as client:
        one_line_error(client, "127.0.0.1")
        must(time.monotonic() - client.began < 1.5, "it took over a second")


@check("reconnect")
def reconnect():
    """P18: it is back when the server is, after a close, a reset, and a time without any server."""
    port = free_port()
    with Program("reconnect", f"tcp:127.0.0.1:{port}") as client:
        time.sleep(0.5)
        for end in ("close", "reset"):
            with Listener(port) as listener, listener.accept() as peer:
                if end == "reset":
                    peer.reset()
            must(client.process.poll() is None, "it gave up")
        with Listener(port) as listener, listener.accept() as peer:
            client.stops(signal.SIGINT)
            peer.must_end()


@check("line_client")
def line_client():
    """P24: 16 bytes out, one line in, however it comes."""
    with server("line_service") as program:
        host, port = program.listening()
        with Program("line_client", f"tcp:{host}:{port}") as client:
            client.ends(0)
            must(client.stdout.lines == ["line: Hello, server!"], client.stdout.lines)
    with Listener() as listener, Program("line_client", listener.endpoint) as client:
        with listener.accept() as peer:
            must(peer.read(16) == b"Hello, server!\r\n", "other bytes")
            peer.send(b"an answer\r\nanother\r\n", 1)
            peer.must_end()
        client.ends(0)
        must(client.stdout.lines == ["an answer"], client.stdout.lines)


@check("delayed")
def delayed():
    """P27, P28: the result or the failure after the delay, and an echo that answers meanwhile."""
    with Program("delayed", "--after", "1") as program:
        answers_meanwhile(program)
        wait_for(lambda: "Task result: Success" in program.stdout.lines, "result")
        took(program, 1)
    with Program("delayed", "--fail", "--after", "0.2") as program:
        program.ends(1)
        both = program.stdout.lines + program.stderr.lines
        must(any(re.match("Task failed: .", line) for line in both), f"no failure in {both!r}")


def answers_meanwhile(program):
    """If the program has an echo at hand, it answers within 50 ms, the median of 9."""
    if not program.stdout.peek().startswith("listening on "):
        return
    times = []
    with Peer(program.listening()) as peer:
        for _ in range(9):
            began = time.monotonic()
            peer.send(b"there?")
            peer.read(6)
            times.append(time.monotonic() - began)
    must(sorted(times)[4] < 0.05, f"the echo took {times!r} s")


@check("in_thread")
def in_thread():
    """P29: the result of the blocking work, once, while the reactor answers."""
    with Program("in_thread") as program:
        answers_meanwhile(program)
        program.ends(0)
        results = [line for line in program.stdout.lines if not line.startswith("listening on ")]
        must(len(results) == len(set(results)) > 0, f"printed {results!r}")


@check("coroutine")
def coroutine():
    """P30: two lines, a second apart."""
    with Program("coroutine") as program:
        program.stdout.next()
        began = time.monotonic()
        program.stdout.next()
        apart = time.monotonic() - began
        must(0.8 <= apart <= 1.5, f"{apart:.2f} s apart")
        program.ends(0)
        must(len(program.stdout.lines) == 2, program.stdout.lines)


@check("poetry")
def poetry():
    """P36: three slow servers at once take as long as one; a poem of one's own arrives whole."""
    poem = pathlib.Path("LICENSE-MIT").resolve()
    with (
        Program("poetry_server", ANY, "--delay", "2") as one,
        Program("poetry_server", ANY, "--delay", "2") as two,
        Program("poetry_server", ANY, "--delay", "2", poem) as three,
    ):
        endpoints = ["tcp:{}:{}".format(*program.listening()) for program in (one, two, three)]
        with Program("poetry", *endpoints) as client:
            took(client, 2, 1.5)
            must(poem.read_text().strip() in client.stdout.text(), "the poem is not whole")
        for program in (one, two, three):
            program.stops()


@check("query")
def query():
    """P34: a line per row, tabs between the values; what is wrong is one line that quotes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "shop.db")
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("CREATE TABLE item (name TEXT, amount INTEGER, picture BLOB)")
            rows = [("rope", 3, None), ("two\nlines", -1, b"\x00\xff"), ("'; --", 0, b"")]
            database.executemany("INSERT INTO item VALUES (?, ?, ?)", rows)
            database.commit()
        with Program("query", path, "SELECT * FROM item") as program:
            program.ends(0)
            lines = ["rope\t3\tNULL", "two\\nlines\t-1\tx'00ff'", "'; --\t0\tx''"]
            must(program.stdout.lines == lines, program.stdout.lines)
        with Program("query", path, "SELECT * FROM item WHERE amount > 3") as program:
            program.ends(0)
            must(program.stdout.lines == [], program.stdout.lines)
        text = pathlib.Path(folder, "text")
        text.write_text("no database " * 100)
        for file, sql, *quoted in (
            (path, "SELECT * FROM missing", "SELECT * FROM missing", "no such table"),
            (path, "SELEKT 1", "SELEKT 1", "syntax error"),
            (path, "DELETE FROM item", "DELETE FROM item", "readonly"),
            (path, "SELECT 1; SELECT 2", "SELECT 1; SELECT 2"),
            (path.with_name("missing.db"), "SELECT 1", "missing.db"),
            (folder, "SELECT 1", folder),
            (text, "SELECT 1", str(text), "not a database"),
        ):
            with Program("query", file, sql) as program:
                one_line_error(program, *quoted)
        must(not path.with_name("missing.db").exists(), "it made the missing file")
