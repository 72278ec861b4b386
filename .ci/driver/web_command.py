"""The subcommand `web`: what it serves, logs and refuses, and how it stands slow clients and a stop."""

import base64
import contextlib
import http.server
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time

from .checks import ANY, check, one_line_error
from .harness import PATIENCE, Listener, Peer, Program, free_port, in_parallel, must, wait_for
from .web import ask, connected

HELLO = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@check("ropewalk web")
def web():
    """It greets, says its URL, logs each request, and refuses what makes no sense."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "access.log")
        with Program("ropewalk", "web", "--hello", ANY, "--log", log, "--cors", "https://a.example") as program:
            address = program.listening()
            must(program.stdout.next() == f"http://127.0.0.1:{address[1]}/", program.stdout.lines)
            with connected(address) as client:
                status, headers, body = ask(client, "GET", "/a\"b", Origin="https://a.example", User_Agent="c")
                must((status, body) == (200, b"Hello, World!"), f"{status} {body}")
                must(headers["Access-Control-Allow-Origin"] == "https://a.example", f"{headers}")
            with Peer(address) as peer:
                peer.send(b"GET /\x1b[31m HTTP/1.1\r\n\r\n")
                must(peer.read_to_end().startswith(b"HTTP/1.1 400 "), "control bytes were taken")
            program.stops()
        lines = log.read_text().splitlines()
        combined = r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "%s" %d \d+ "-" "%s"'
        must(re.fullmatch(combined % (r"GET /a\\\"b HTTP/1\.1", 200, "c"), lines[0]), lines)
        must(re.fullmatch(combined % ("-", 400, "-"), lines[1]) and len(lines) == 2, lines)
    with Program("ropewalk", "web", ANY, "--hello") as program:
        with connected(program.listening()) as client:
            ask(client, "GET", "/to-the-log")
        program.stderr.matching(r'access.*GET /to-the-log HTTP/1\.1.* 200 13')
        program.stops()
    with Program("ropewalk", "web", "--hello", "--cors", "no-origin") as program:
        one_line_error(program, "no-origin", "https://example.com")
    with Program("ropewalk", "web", "--hello", "--tls", "/nowhere.pem") as program:
        one_line_error(program, "/nowhere.pem")


@check("ropewalk web: passwords")
def passwords():
    """A line that --hash-password made lets its user in, and nobody else."""
    command = [Program.folder / "ropewalk", "web", "--hash-password", "ann"]
    made = subprocess.run(command, input=b"tea: time\n", capture_output=True, check=False)
    must(made.returncode == 0 and made.stdout.startswith(b"ann:$argon2id$"), f"{made}")
    with tempfile.NamedTemporaryFile() as users:
        users.write(made.stdout)
        users.flush()
        with Program("ropewalk", "web", "--hello", ANY, "--auth", users.name) as program:
            with connected(program.listening()) as client:
                for shown, wanted in ((None, 401), ("ann:coffee", 401), ("bob:tea: time", 401), ("ann:tea: time", 200)):
                    proof = base64.b64encode((shown or "").encode()).decode()
                    fields = {"Authorization": f"Basic {proof}"} if shown else {}
                    status, headers, _ = ask(client, "GET", "/", **fields)
                    must(status == wanted, f"{shown}: {status}")
                    must(wanted == 200 or headers["WWW-Authenticate"].startswith("Basic realm="), f"{headers}")
            program.stops()
    with tempfile.NamedTemporaryFile() as users:
        users.write(b"ann:plain\n")
        users.flush()
        with Program("ropewalk", "web", "--hello", ANY, "--auth", users.name) as program:
            one_line_error(program, users.name, "argon2")


def ask_on(address, answers):
    """Asks on one connection until it ends, and counts whole answers."""
    with Peer(address) as peer:
        try:
            while True:
                peer.send(HELLO)
                while not re.match(rb"HTTP/1\.1 200 .*?\r\n\r\nHello, World!", peer.unread, re.DOTALL):
                    if not peer._receive():
                        must(not peer.unread, f"an answer was cut: {peer.unread}")
                        return
                peer.unread = b""
                answers.append(1)
        except (ConnectionError, BrokenPipeError):
            must(not peer.unread, f"an answer was cut: {peer.unread}")


@check("ropewalk web: stops under load")
def stops_under_load():
    """At SIGTERM each request that was read is answered whole: as many as the log has, the clients have."""
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "access.log")
            with Program("ropewalk", "web", "--hello", ANY, "--log", log) as program:
                address, answers = program.listening(), []
                clients = threading.Thread(target=in_parallel, args=(20, lambda _: ask_on(address, answers)))
                clients.start()
                wait_for(lambda: len(answers) > 200, "answers")
                program.process.send_signal(signal.SIGTERM)
                clients.join(PATIENCE)
                must(not clients.is_alive(), "a client is not let go")
                took = program.ends(0)
            lines = log.read_text().splitlines()
            must(all('" 200 13 ' in line for line in lines), "not all were answered")
            must(len(lines) == len(answers), f"{len(lines)} were read and {len(answers)} answered, in {took:.1f} s")


@check("ropewalk web: slow clients")
def slow_clients():
    """Hundreds that send or read slowly, or nothing, hold up nobody and cost little."""
    with Program("ropewalk", "web", "--hello", ANY, "--log", "off") as program:
        address = program.listening()
        with connected(address) as client:
            ask(client, "GET", "/")
            before = program.memory_kib()
            attackers = [Peer(address, receive_buffer=2048) for _ in range(400)]
            for number, peer in enumerate(attackers):
                if number % 4 == 0:
                    peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-a: ")
                elif number % 4 == 1:
                    peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx")
                elif number % 50 == 2:
                    peer.socket.setblocking(False)
                    with contextlib.suppress(BlockingIOError):
                        while True:
                            peer.socket.send(HELLO * 100)
            slowest = 0.0
            for _ in range(200):
                began = time.monotonic()
                status, _, body = ask(client, "GET", "/")
                must((status, body) == (200, b"Hello, World!"), f"{status} {body}")
                slowest = max(slowest, time.monotonic() - began)
                attackers[0].send(b"x")
            grown = program.memory_kib() - before
            must(slowest < 1, f"an honest client waited {slowest:.2f} s")
            must(grown < 400 * 128, f"400 slow clients cost {grown} KiB")
            for peer in attackers:
                peer.reset()
        program.stops()


class Backend(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked, as JSON."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        seen = {"line": self.requestline, "fields": self.headers.items(), "body": self.rfile.read(length).decode()}
        body = json.dumps(seen).encode()
        self.send_response(404 if self.path.startswith("/base/missing") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "keep-alive, X-Hop")
        self.send_header("X-Hop", "secret")
        self.send_header("X-Kept", "yes")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_HEAD = do_GET

    def log_message(self, *_):
        pass


def check_passed_on(address):
    with connected(address) as client:
        fields = {"Connection": "X-Mine, keep-alive", "X-Mine": "1", "X-Yours": "2", "Proxy": "http://evil/", "X-Forwarded-For": "9.9.9.9", "Host": "tea.example"}
        status, headers, body = ask(client, "POST", "/a%2Fb?c=d", "tea", **fields)
        seen = json.loads(body)
        names = {name.lower(): value for name, value in seen["fields"]}
        must(status == 200 and seen["line"] == "POST /base/a%2Fb?c=d HTTP/1.1" and seen["body"] == "tea", f"{status} {seen}")
        must(not {"x-mine", "proxy"} & set(names) and names["x-yours"] == "2", f"{names}")
        must(names["host"] == "tea.example" and names["x-forwarded-host"] == "tea.example", f"{names}")
        must(names["x-forwarded-for"] == names["x-real-ip"] == "127.0.0.1", f"{names}")
        must(names["forwarded"] == "for=127.0.0.1;host=tea.example;proto=http", f"{names}")
        must("X-Hop" not in headers and headers["X-Kept"] == "yes", f"{headers}")
        _, _, body = ask(client, "GET", "http://coffee.example/", Host="tea.example", Connection="Host")
        must(["Host", "coffee.example"] in json.loads(body)["fields"] and b"tea" not in body, f"{body}")
        must(ask(client, "GET", "/missing")[0] == 404, "another status")
        status, headers, body = ask(client, "HEAD", "/")
        must((status, body) == (200, b"") and int(headers["Content-Length"]) > 100, f"{status} {body} {headers}")
        for path in ("/../secret", "/a/%2e%2E/secret", "/a/..", "/a%5c..%5cb"):
            must(ask(client, "GET", path)[0] == 400, f"{path} was passed on")


@check("ropewalk web --proxy")
def proxy():
    """Requests pass both ways without the fields of one hop; bodies stream; an upgrade is a tunnel; failures are 502."""
    backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=backend.serve_forever, daemon=True).start()
    with Program("ropewalk", "web", "--proxy", f"http://127.0.0.1:{backend.server_port}/base/", ANY) as program:
        address = program.listening()
        check_passed_on(address)
        in_parallel(50, lambda _: check_passed_on(address))
        program.stops()
    backend.shutdown()
    with Listener() as listener, Program("ropewalk", "web", "--proxy", f"http://127.0.0.1:{listener.port}", ANY) as program:
        address = program.listening()
        with Peer(address) as client:
            client.send(b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            with listener.accept() as server:
                server.read_until("one")  # before the client is done
                client.send(b"0\r\n\r\n")
                server.read_until("0")
                server.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n")
                client.read_until("two")  # before the server is done
                server.send(b"garbage\r\n")
                client.must_end()
        with Peer(address) as client:
            client.send(b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly")
            with listener.accept() as server:
                server.read_until("GET /ws")
                must(b"early" not in server.unread, "bytes behind an upgrade came before 101")
                server.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
                client.read_until("101", "Upgrade: websocket")
                wait_for(lambda: client.unread.endswith(b"hello") or client._receive() and False, "the server's words")
                wait_for(lambda: server.unread.endswith(b"early") or server._receive() and False, "the client's words")
                data = b"x" * 3_000_000
                threading.Thread(target=client.send, args=(data,), daemon=True).start()
                server.unread = b""
                must(server.read(len(data)) == data, "other bytes")
                server.finish_sending()
                client.read_to_end()
        program.stops()
    with Program("ropewalk", "web", "--proxy", f"http://127.0.0.1:{free_port()}", ANY) as program:
        with connected(program.listening()) as client:
            must(ask(client, "GET", "/")[0] == 502, "nobody is there")
        program.stops()


@check("ropewalk web --path")
def path():
    """A folder, its listing, and the options for both."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "a.txt").write_text("tea")
        with Program("ropewalk", "web", ANY, folder=folder) as program:
            with connected(program.listening()) as client:
                must(ask(client, "GET", "/a.txt")[2] == b"tea", "another file")
                status, headers, body = ask(client, "GET", "/")
                must(status == 200 and b"a.txt" in body, f"{status} {body}")
            program.stops()
        with Program("ropewalk", "web", ANY, "--path", folder, "--no-listing", "--cache", "60") as program:
            with connected(program.listening()) as client:
                must(ask(client, "GET", "/")[0] == 403, "it lists")
                must(ask(client, "GET", "/a.txt")[1]["Cache-Control"] == "max-age=60", "it is not kept")
            program.stops()
    with Program("ropewalk", "web", "--path", "/nowhere/at/all") as program:
        one_line_error(program, "/nowhere/at/all")


@check("ropewalk web: limits")
def limits():
    """Options for what is on by default, and a log that begins anew by size."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "access.log")
        options = ("--rate", "30/h", "--max-connections-by-peer", "2", "--head-timeout", "1", "--access-rotate", "size=1K", "--access-keep", "1")
        with Program("ropewalk", "web", "--hello", ANY, "--log", log, *options) as program:
            address = program.listening()
            with connected(address) as client:
                answers = [ask(client, "GET", "/" + "x" * 50)[:2] for _ in range(32)]
                must([status for status, _ in answers] == [200] * 30 + [429] * 2, f"{answers}")
                must(0 < int(answers[-1][1]["Retry-After"]) <= 240, f"{answers[-1]}")
                with Peer(address) as slow, Peer(address) as surplus:
                    slow.send(b"GET / HTTP")
                    surplus.must_end()
                    must(slow.read_to_end().startswith(b"HTTP/1.1 408 "), "a slow head is waited for")
            program.stops()
        names = sorted(path.name for path in pathlib.Path(folder).iterdir())
        must(names == ["access.log", "access.log.1"], names)
        must(all(path.stat().st_size <= 1024 for path in pathlib.Path(folder).iterdir()), "a log is too large")
    for wrong, remedy in ((["--rate", "fast"], "20/s"), (["--max-body", "1"], "--hello"), (["--keep-alive", "0"], "from 1"), (["--access-rotate", "daily"], "--log")):
        with Program("ropewalk", "web", "--hello", ANY, *wrong) as program:
            one_line_error(program, wrong[0], remedy)
