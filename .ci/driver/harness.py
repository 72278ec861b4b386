"""Starts the project's programs and talks to them over the loopback: what `drive.py` is written in."""

import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

# Long enough for a busy machine; nothing waits this long unless something is wrong.
PATIENCE = 10.0
LISTENING = re.compile(r"listening on (?:proxy:)*(?:tcp|tls):(\[[^\]]+\]|[^:]+):(\d+)\S*")


class Wrong(AssertionError):
    """A program did not do what it must."""


def must(condition, message):
    if not condition:
        raise Wrong(message)


def wait_for(condition, what, patience=PATIENCE):
    """Asks until the answer is true and returns it."""
    end = time.monotonic() + patience
    while not (answer := condition()):
        must(time.monotonic() < end, f"within {patience:g} s there is no {what}")
        time.sleep(0.005)
    return answer


class Output:
    """The lines that a program wrote to one of its streams, gathered by a thread."""

    def __init__(self, stream):
        self.lines = []
        self.taken = 0
        self.ended = threading.Event()
        threading.Thread(target=self._gather, args=(stream,), daemon=True).start()

    def _gather(self, stream):
        for line in stream:
            self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
        self.ended.set()

    def text(self):
        return "\n".join(self.lines)

    def peek(self, patience=PATIENCE):
        """The next line that was not yet taken."""
        has_next = lambda: len(self.lines) > self.taken
        wait_for(lambda: has_next() or self.ended.is_set(), "next line of output", patience)
        must(has_next(), f"the output ends after {self.lines!r}")
        return self.lines[self.taken]

    def next(self, patience=PATIENCE):
        """Takes the next line."""
        line = self.peek(patience)
        self.taken += 1
        return line

    def matching(self, pattern, patience=PATIENCE):
        """Waits for a line that matches the pattern, and returns the match."""
        find = lambda: next(filter(None, (re.search(pattern, line) for line in list(self.lines))), None)
        return wait_for(find, f"line like {pattern!r} among {self.lines[-20:]!r}", patience)


class Program:
    """A running program; it is killed at the end of the `with` block if it still runs."""

    folder = pathlib.Path("target/debug")

    def __init__(self, *arguments, environment=None, stderr=subprocess.PIPE, folder=None):
        name, *rest = [str(argument) for argument in arguments]
        path = self.folder / (name if name == "ropewalk" else f"examples/{name}")
        must(path.exists(), f"there is no program {path}")
        quiet = {key: value for key, value in os.environ.items() if not key.startswith("RUST_")}
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [path, *rest],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**quiet, **(environment or {})},
            cwd=folder,
        )
        self.stdout = Output(self.process.stdout)
        self.stderr = Output(self.process.stderr or ())

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if error is not None:
            print(f"  stdout: {self.stdout.lines[-10:]!r}\n  stderr: {self.stderr.lines[-10:]!r}", flush=True)

    def listening(self):
        """Waits for the next `listening on …` and returns its host and port."""
        line = self.stdout.next()
        match = LISTENING.fullmatch(line)
        must(match, f"not a `listening on` line: {line!r}")
        must(int(match[2]) > 0, f"not the real port: {line!r}")
        return match[1].strip("[]"), int(match[2])

    def ends(self, status=0, patience=PATIENCE):
        """Waits for the end and checks the exit status."""
        try:
            found = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise Wrong(f"it still runs after {patience:g} s") from None
        self.stdout.ended.wait(PATIENCE)
        self.stderr.ended.wait(PATIENCE)
        must(found == status, f"exit status {found}, not {status}; stderr: {self.stderr.lines[-5:]!r}")
        panic = re.search(r"panicked at|stack backtrace", self.stderr.text())
        must(not panic, f"it panicked: {self.stderr.text()}")
        return time.monotonic() - self.began

    def memory_kib(self):
        """What the process has in memory."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    def stops(self, with_signal=signal.SIGTERM):
        """Asks the program to end, which it must do cleanly."""
        self.process.send_signal(with_signal)
        self.ends(0)


class Peer:
    """A TCP connection to a program, or from one."""

    def __init__(self, address=None, accepted=None, receive_buffer=None):
        self.socket = accepted or socket.socket(family(address[0]))
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address:
            self.socket.connect(address)
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    @property
    def name(self):
        """Host and port of this end, as a program would log its peer."""
        return self.socket.getsockname()[:2]

    def send(self, data, piece=None):
        """Sends the bytes, in pieces of this size if one is given."""
        for start in range(0, len(data), piece or len(data) or 1):
            self.socket.sendall(data[start : start + (piece or len(data))])

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            raise Wrong(f"no more bytes after {self.unread[-80:]!r}") from None
        self.unread += data
        return data

    def read(self, count):
        """Exactly this many bytes."""
        while len(self.unread) < count:
            must(self._receive(), f"end of file after {self.unread[-80:]!r}, {count} bytes wanted")
        data, self.unread = self.unread[:count], self.unread[count:]
        return data

    def read_line(self):
        """The bytes up to a line feed, without it and without a carriage return before it."""
        while b"\n" not in self.unread:
            must(self._receive(), f"end of file instead of a line, after {self.unread[-80:]!r}")
        line, self.unread = self.unread.split(b"\n", 1)
        return line.rstrip(b"\r")

    def read_line_with(self, *parts):
        """The next line that has all these texts in it; lines before it are skipped."""
        while True:
            line = self.read_line()
            if all(part.encode() in line for part in parts):
                return line

    def read_to_end(self):
        """All bytes up to the end of file."""
        while self._receive():
            pass
        data, self.unread = self.unread, b""
        return data

    def read_until(self, *parts):
        """Skips lines until each of these texts was in one of them."""
        missing = {part.encode() for part in parts}
        while missing:
            line = self.read_line()
            missing = {part for part in missing if part not in line}

    def must_end(self):
        """The other side must close or reset, whatever it still sends."""
        try:
            self.read_to_end()
        except ConnectionError:
            pass

    def must_be_silent(self, seconds=0.2):
        """Nothing comes and the connection stays open."""
        readable, _, _ = select.select([self.socket], [], [], seconds)
        must(not readable and not self.unread, "bytes or the end of the connection came unasked")

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class WebSocket:
    """A WebSocket to a program: texts both ways, and no more than a check needs."""

    def __init__(self, address, path, origin=None):
        self.peer, self.closed = Peer(address), None
        origin = f"Origin: {origin}\r\n" if origin else ""
        self.peer.send(
            f"GET {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n{origin}Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        answer = self.peer.read_line()
        if b" 101 " not in answer:
            raise ConnectionError(f"no WebSocket: {answer.decode()}")
        while self.peer.read_line():
            pass
        self.peer.socket.settimeout(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.socket.close()

    def send(self, text):
        """Sends a text, masked with zeros."""
        data = text.encode()
        length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.peer.send(b"\x81" + length + bytes(4) + data)

    def receive(self):
        """The next text; nothing once the program has closed. Pings are answered."""
        while True:
            head, length = self.peer.read(2)
            if length == 126:
                length = struct.unpack(">H", self.peer.read(2))[0]
            elif length == 127:
                length = struct.unpack(">Q", self.peer.read(8))[0]
            data = self.peer.read(length)
            if head == 0x81:
                return data.decode()
            if head == 0x88:
                self.closed = struct.unpack(">H", data[:2])[0] if data else 1005
                self.peer.send(b"\x88" + bytes([0x80 | len(data)]) + bytes(4) + data)
                return ""
            if head == 0x89:
                self.peer.send(b"\x8a" + bytes([0x80 | len(data)]) + bytes(4) + data)

    def close(self):
        """Ends the connection, for who is receiving, too."""
        try:
            self.peer.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Listener:
    """A server of ours for the programs that are clients. Port 0 picks a free one."""

    def __init__(self, port=0):
        self.socket = socket.create_server(("127.0.0.1", port))
        self.socket.settimeout(PATIENCE)
        self.port = self.socket.getsockname()[1]
        self.endpoint = f"tcp:127.0.0.1:{self.port}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def accept(self):
        try:
            return Peer(accepted=self.socket.accept()[0])
        except TimeoutError:
            raise Wrong(f"nobody connects to {self.endpoint}") from None


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def free_port():
    """A port at which nobody listens."""
    with Listener() as listener:
        return listener.port


def in_parallel(count, function):
    """Runs `function(0)` … `function(count - 1)` at once and passes on the first error."""
    errors = []

    def guarded(number):
        try:
            function(number)
        except Exception as error:  # whatever it is, it must reach the main thread
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(6 * PATIENCE)
        must(not thread.is_alive(), "a client hangs")
    if errors:
        raise errors[0]
