"""The programs that speak WebSocket, seen from a client that is written here, byte by byte; and the tools, with each other."""

import base64
import contextlib
import hashlib
import http.client
import os
import re
import signal
import struct
import subprocess
import time

from .checks import ANY, abuse, check, one_line_error
from .harness import PATIENCE, Listener, Peer, Program, free_port, in_parallel, must, wait_for

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def masked(payload, key):
    """What goes over the wire, or what came of it."""
    number = int.from_bytes(payload, "big") ^ int.from_bytes((key * (len(payload) // 4 + 1))[: len(payload)], "big")
    return number.to_bytes(len(payload), "big")


class WebSocket(Peer):
    """The client's end, after the handshake."""

    def __init__(self, address, path="/", fields=""):
        super().__init__(address)
        key = base64.b64encode(os.urandom(16)).decode()
        self.send(
            f"GET {path} HTTP/1.1\r\nHost: {address[0]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{fields}\r\n".encode()
        )
        self.head = b""
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.read(1)
        must(self.head.startswith(b"HTTP/1.1 101 "), f"no WebSocket: {self.head!r}")

    def say(self, payload, kind=TEXT):
        length = len(payload)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + struct.pack("!H", length) if length < 65536 else b"\xff" + struct.pack("!Q", length)
        key = os.urandom(4)
        self.send(bytes([0x80 | kind]) + size + key + masked(payload, key))

    def frame(self):
        """The next frame: its kind and its payload."""
        first, length = self.read(2)
        must(first & 0x80 and not length & 0x80, f"cut, or masked: {first:#x} {length:#x}")
        if length >= 126:
            length = int.from_bytes(self.read(2 if length == 126 else 8), "big")
        return first & 15, self.read(length)

    def hear(self, wanted):
        """The next message that this function likes."""
        while not wanted((frame := self.frame())[1].decode()):
            pass
        return frame[1].decode()


def tool(*arguments, typed=b"", patience=3 * PATIENCE):
    """Runs one of the tools to its end: exit status, stdout, stderr."""
    path = Program.folder / "ropewalk"
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy") and not key.startswith("RUST_")}
    done = subprocess.run([path, "websocket", *map(str, arguments)], input=typed, capture_output=True, timeout=patience, env=environment)
    must(b"panicked" not in done.stderr, f"it panicked: {done.stderr!r}")
    return done.returncode, done.stdout, done.stderr.decode()


@contextlib.contextmanager
def echo_server(*options):
    with Program("ropewalk", "websocket", "echo", ANY, *options) as program:
        host, port = program.listening()
        yield program, f"ws://{host}:{port}/", (host, port)
        program.stops()


@check("websocket_client")
def websocket_client():
    """P05, against an echo server; nobody there, and who refuses, are one clear line."""
    with echo_server("--path", "/ok") as (_, url, _):
        texts = ["Hello, server!", "欢迎", "", "x" * 70_000]
        with Program("websocket_client", url + "ok", *texts) as program:
            program.ends(0)
            must(program.stdout.lines == ["open", *texts], f"{program.stdout.lines!r:.200}")
        with Program("websocket_client", url + "other") as program:
            one_line_error(program, "404")
    with Program("websocket_client", f"ws://127.0.0.1:{(port := free_port())}/") as program:
        one_line_error(program, str(port), "refused")
    with Program("websocket_client", "http//nonsense") as program:
        one_line_error(program, "http//nonsense")


@check("websocket_chat")
def websocket_chat():
    """P06: the page; what one says the others hear at once; the head count comes unasked; many guests, and bad ones."""
    with Program("websocket_chat", ANY) as program:
        address = program.listening()
        page = http.client.HTTPConnection(*address, timeout=PATIENCE)
        page.request("GET", "/")
        answer = page.getresponse()
        must(answer.status == 200 and answer.headers["Content-Type"].startswith("text/html"), f"{answer.status} {answer.headers}")
        must(b"new WebSocket(" in answer.read(), "the page does not connect")
        with WebSocket(address, "/ws") as ann, WebSocket(address, "/ws") as bob:
            ann.hear(lambda text: "2" in text)
            bob.hear(lambda text: "2" in text)
            began = time.monotonic()
            ann.say("Tee für zwei?".encode())
            heard = bob.hear(lambda text: "Tee für zwei?" in text)
            must(time.monotonic() - began < 1, f"{heard!r} took too long")
            with WebSocket(address, "/ws") as eve:
                eve.hear(lambda text: "3" in text)
                ann.hear(lambda text: "3" in text)
                eve.reset()
            ann.hear(lambda text: text == "* 2 here")
            ann.say(b"\x03\xe8bye", CLOSE)
            must(ann.frame() == (CLOSE, b"\x03\xe8"), "the goodbye was not answered")
            bob.hear(lambda text: text == "* 1 here")
        guests = [WebSocket(address, "/ws") for _ in range(100)]
        guests[0].hear(lambda text: text == "* 100 here")
        in_parallel(100, lambda number: guests[number].say(f"from {number}".encode()))
        wanted = {f"from {number}" for number in range(1, 100)}
        while wanted:
            wanted.discard(guests[0].hear(lambda text: "from" in text).split(": ")[1])
        abuse(address)
        program.stops(signal.SIGINT)
        for guest in guests[:3]:
            while (frame := guest.frame())[0] != CLOSE:
                pass
            must(frame[1][:2] == b"\x03\xe9", f"it leaves with {frame[1]!r}, not with 1001")


@check("ropewalk websocket echo")
def echo():
    """All kinds and sizes; pings; subprotocols; paths, origins and messages that are refused."""
    options = ["--path", "/ws", "--subprotocol", "tea", "--max-message", "100000", "--origin", "https://example.com"]
    with echo_server(*options) as (_, url, address):
        offer = "Sec-WebSocket-Protocol: milk, tea\r\nOrigin: https://example.com\r\n"
        with WebSocket(address, "/ws", offer) as peer:
            must(b"Sec-WebSocket-Protocol: tea\r\n" in peer.head, f"{peer.head!r}")
            for length in (0, 1, 125, 126, 65535, 65536, 100_000):
                for kind in (TEXT, BINARY):
                    peer.say(b"x" * length, kind)
                    must(peer.frame() == (kind, b"x" * length), f"{length} bytes came back otherwise")
            peer.say(b"are you there?", PING)
            must(peer.frame() == (PONG, b"are you there?"), "no pong")
            peer.say(b"x" * 100_001)
            kind, payload = peer.frame()
            must((kind, payload[:2]) == (CLOSE, b"\x03\xf1"), f"{kind} {payload}")
            peer.must_end()
        for path, fields, status in (("/", "", 404), ("/ws", "Origin: https://other.example\r\n", 403)):
            try:
                WebSocket(address, path, fields).socket.close()
                must(False, f"{path} {fields} was let in")
            except AssertionError as refused:
                must(f" {status} " in str(refused), str(refused))
        abuse(address)
    for option in (["--path", "ws"], ["--max-message", "0"], ["--subprotocol", "a b"], ["--window-bits", "8", "--compress"]):
        with Program("ropewalk", "websocket", "echo", ANY, *option) as program:
            one_line_error(program, option[1])


@check("ropewalk websocket chat")
def chat():
    """What one says all others at the path hear, untouched."""
    with Program("ropewalk", "websocket", "chat", ANY) as program:
        address = program.listening()
        with WebSocket(address, "/a") as ann, WebSocket(address, "/a") as bob, WebSocket(address, "/b") as eve:
            for message in ((TEXT, b'{"a": 1}'), (BINARY, bytes(range(256)))):
                ann.say(message[1], message[0])
                must(bob.frame() == message, "it came otherwise")
            eve.must_be_silent()
            ann.must_be_silent(0)
        program.stops()
    for policy in ("gone", "drop=0", "drop=x"):
        with Program("ropewalk", "websocket", "chat", ANY, "--slow", policy) as program:
            one_line_error(program, "--slow", policy)


@check("ropewalk websocket connect")
def connect():
    """Lines in, messages out; how it ends is the exit status; refusals have a body; a server that comes back is found again."""
    with echo_server("--compress", "--subprotocol", "tea") as (_, url, _):
        status, out, told = tool("connect", url, typed="hi\n\nthere ü\nlast".encode())
        must((status, out.decode()) == (0, "hi\n\nthere ü\nlast\n"), f"{status} {out!r} {told!r}")
        for count, options in ((2000, []), (100, ["--compress", "--context-takeover"])):
            big = b"".join(str(number).encode() * 99 + b"\n" for number in range(count))
            status, out, _ = tool("connect", url, "--wait", 3, *options, typed=big)
            must(status == 0 and out == big, f"{status}, {len(out)} of {len(big)} bytes came back")
        status, out, told = tool("connect", url, "--binary", "--hex", "--one", "-s", "tea", "--compress", typed=b"az\n")
        must((status, out) == (0, b"617a\n") and "open, tea, compressed" in told, f"{status} {out!r} {told!r}")
        must(tool("connect", url, "-b", typed=b"az\n")[1] == b"binary, 2 bytes\n", "bytes are shown otherwise")
        must(tool("connect", url, "-b", "--raw", typed=b"az")[1] == b"az", "raw bytes are shown otherwise")
        data = os.urandom(1 << 17) + b"\n\n"
        must(tool("connect", url, "-bw1", "--raw", "--compress", typed=data)[1] == data, "a file as one message came back otherwise")
        status, _, told = tool("connect", url, typed=b"\xff\n")
        must(status == 1 and "UTF-8" in told, f"{status} {told!r}")
    status, _, told = tool("connect", f"ws://127.0.0.1:{(port := free_port())}/")
    must(status == 1 and str(port) in told and told.count("\n") == 1, f"{status} {told!r}")
    for url, quoted in (("gopher://a/", "gopher"), ("ws://a b/", "a b"), ("ws://a/#b", "#")):
        status, _, told = tool("connect", url)
        must(status == 1 and quoted in told and told.count("\n") == 1, f"{status} {told!r}")
    refuses()
    comes_back()


def refuses():
    """A server that refuses, one that closes with a reason, one that is cut."""
    with Listener() as listener:
        url = f"ws://{listener.endpoint[4:]}/x"

        def serve(answer):
            with listener.accept() as peer:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += peer.read(1)
                key = re.search(rb"Sec-WebSocket-Key: (\S+)", head)[1]
                peer.send(answer(head, accept_of(key)))

        def visit(answer, *options):
            found = []
            program = lambda _: found.append(tool("connect", url, "--no-input", *options))
            in_parallel(2, lambda number: serve(answer) if number else program(0))
            return found[0]

        told_head = []
        body = b"who are you? \x1b[31m"
        status, _, told = visit(
            lambda head, _: told_head.append(head) or b"HTTP/1.1 401 x\r\nWWW-Authenticate: Basic\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
            "-H", "X-Room: 7", "--basic", "ann:secret", "--cookie", "a=b", "--origin", "https://example.com",
        )
        must(status == 1 and "401 Unauthorized" in told and "who are you?" in told and "\x1b" not in told, f"{status} {told!r}")
        for field in (b"X-Room: 7", b"Authorization: Basic YW5uOnNlY3JldA==", b"Cookie: a=b", b"Origin: https://example.com"):
            must(field + b"\r\n" in told_head[0], f"{field} is not in {told_head[0]!r}")
        opened = lambda key: b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + key + b"\r\n\r\n"
        status, out, told = visit(lambda _, key: opened(key) + b"\x81\x02hi\x88\x0b\x03\xf0no entry!")
        must((status, out) == (2, b"hi\n") and 'closed: 1008 "no entry!"' in told, f"{status} {out!r} {told!r}")
        status, out, told = visit(lambda _, key: opened(key) + b"\x88\x02\x03\xe9")
        must(status == 0 and "closed: 1001" in told, f"{status} {told!r}")
        status, _, told = visit(lambda _, key: opened(key) + b"\x81\x7e")
        must(status == 2 and "closed: 1006" in told, f"{status} {told!r}")
        status, _, told = visit(lambda _, key: opened(b"AAAA"))
        must(status == 1 and told.count("\n") == 1, f"{status} {told!r}")


def accept_of(key):
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())


def comes_back():
    """With --reconnect the client finds a server that was away, and stops at a signal."""
    port = free_port()
    endpoint, url = f"tcp:127.0.0.1:{port}", f"ws://127.0.0.1:{port}/"
    with Program("ropewalk", "websocket", "connect", url, "--reconnect", "--no-input", "--proxy", "none") as program:
        program.stderr.matching("will try again")
        for _ in range(2):
            opened = program.stderr.text().count("open")
            with Program("ropewalk", "websocket", "echo", endpoint) as server:
                server.listening()
                wait_for(lambda: program.stderr.text().count("open") > opened, "connection to the server that is back")
                server.stops()
            program.stderr.matching("closed: 1001")
        program.stops(signal.SIGINT)


@check("ropewalk websocket bench")
def bench():
    """An echo server is measured; one that lies is found out; nobody is one clear line."""
    with echo_server("--compress") as (_, url, _):
        for options in ([], ["--text", "--compress", "--depth", "4", "--size", "1000"], ["--size", "0"]):
            status, out, told = tool("bench", url, "-t", "0.3", "-c", "5", *options)
            lines = out.decode().splitlines()
            must(status == 0 and lines[0].startswith("5 connections"), f"{status} {lines} {told!r}")
            must(int(lines[1].split(" messages/s")[0]) > 0 and "p99" in lines[2] and lines[3] == "errors: none", f"{lines}")
    with Program("ropewalk", "websocket", "chat", "--own", ANY) as program:
        host, port = program.listening()
        status, out, _ = tool("bench", f"ws://{host}:{port}/", "-t", "1", "-c", "3")
        must(status == 1 and b"errors: " in out and b"errors: none" not in out, f"{status} {out!r}")
        program.stops()
    with Program("ropewalk", "websocket", "bench", f"ws://127.0.0.1:{(port := free_port())}/", "--proxy", "none") as program:
        one_line_error(program, str(port))
    with Program("ropewalk", "websocket", "bench", "ws://a/", "--depth", "0") as program:
        one_line_error(program, "--depth")
