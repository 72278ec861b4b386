"""The list of checks, and what several of them share."""

import random
import signal
import threading

from .harness import Peer, Program, in_parallel, must

ANY = "tcp:127.0.0.1:0"
CHECKS = {}

# What takes endpoints, and its further arguments: used by the checks that all programs share.
SERVERS = {
    "greeter": [], "echo": [], "welcome": [], "counter": [], "line_service": [],
    "hello_web": [], "static_files": [], "poetry_server": ["--delay", "1"], "ropewalk echo": [], "ropewalk chat": [],
    "ropewalk discard": [], "ropewalk chargen": [], "ropewalk daytime": [], "ropewalk web": [], "websocket_chat": [], "ropewalk websocket echo": [], "ropewalk websocket chat": [], "ropewalk forward": ["--to", "tcp:127.0.0.1:1"],
}
CLIENTS = ["welcome_client", "hello_client", "line_client", "one_shot", "poetry"]


def check(name):
    """Registers a check under the name of what it checks."""
    def register(function):
        CHECKS[name] = function
        return function
    return register


def server(name, *endpoints):
    """A running server of SERVERS, at a free port unless told otherwise."""
    return Program(*name.split(), *(endpoints or [ANY]), *SERVERS[name])


def one_line_error(program, *quoted):
    """The program ends with status 1 and one line on stderr that has these texts in it."""
    program.ends(1)
    lines = program.stderr.lines
    must(len(lines) == 1 and lines[0].strip(), f"not one line on stderr: {lines!r}")
    for text in quoted:
        must(text in lines[0], f"{text!r} is not in {lines[0]!r}")
    must("listening on" not in program.stdout.text(), "it said that it listens")


def echoes(address, data, piece=None):
    """The bytes come back, in order, however they are cut; then the server closes after us."""
    with Peer(address) as peer:
        # It may be more than all buffers on the way hold, so it is read while it is sent.
        sender = threading.Thread(target=peer.send, args=(data, piece), daemon=True)
        sender.start()
        must(peer.read(len(data)) == data, "other bytes came back")
        sender.join()
        peer.finish_sending()
        must(peer.read_to_end() == b"", "bytes after the echo")


def check_echo(*start):
    """Any chunking, 100 clients at once, clients that reset, several endpoints, IPv6."""
    data = random.Random(4).randbytes(1 << 20)
    with Program(*start, ANY, ANY) as program:
        address, other = program.listening(), program.listening()
        for count, piece in ((300, 1), (5000, 7), (100_000, 1000), (1 << 20, 65536), (1 << 20, None)):
            echoes(address, data[:count], piece)
        echoes(other, b"also here")

        def client(number):
            echoes(address, data[number * 1000 : number * 1000 + 20_000], 1 + number * 37)

        in_parallel(100, client)
        with Peer(address) as idle:
            abuse(address)
            echoes(address, data[:1000])
            program.stops(signal.SIGINT)
            idle.must_end()
    with Program(*start, "tcp:[::1]:0") as program:
        echoes(program.listening(), b"six")
        program.stops()


def abuse(address):
    """Clients that reset at once, after some bytes, after many unread ones, and ones that close half."""
    for count in (0, 1, 1000, 1 << 20):
        for _ in range(5):
            peer = Peer(address)
            peer.socket.settimeout(0.05)
            try:
                peer.send(b"\xff\x00\r\n" * (count // 4))
            except (TimeoutError, ConnectionError):
                pass
            peer.reset()
    peers = [Peer(address) for _ in range(5)]
    for peer in peers:
        peer.finish_sending()
        peer.socket.close()
