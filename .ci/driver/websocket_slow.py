"""Crowds that never read, beside honest listeners: memory stays bounded, and the honest do not wait.

    python3 -m driver.websocket_slow FOLDER/ [CROWD=5000 [MESSAGES=2200 [BYTES=100 [POLICY=wait]]]]     by hand, from `.ci`
"""

import pathlib
import socket
import sys
import threading
import time

from .checks import ANY, check
from .harness import PATIENCE, Program, must, wait_for
from .websocket import PING, PONG, TEXT, WebSocket

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


class Honest(threading.Thread):
    """A listener that reads all, and notes how late each message was."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.peer, self.late, self.failure = WebSocket(address, "/room"), [], None
        self.start()

    def run(self):
        try:
            while (frame := self.peer.frame())[0] in (TEXT, PING):
                if frame[0] == PING:
                    self.peer.say(frame[1], PONG)
                    continue
                number, sent_at = frame[1].split()[:2]
                must(int(number) == len(self.late), f"{number} came, not {len(self.late)}")
                self.late.append(time.monotonic() - float(sent_at))
        except (AssertionError, OSError) as error:
            self.failure = error


def stuck(address):
    """One that asks, and never reads: not even the answer."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    sock.connect(address)
    sock.sendall(f"GET /room HTTP/1.1\r\nHost: {address[0]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
    return sock


def end_of(one):
    """How it ended for one that begins to read now: with a close frame, cut, or not at all."""
    one.settimeout(PATIENCE)
    tail = b""
    try:
        while data := one.recv(1 << 16):
            tail = (tail + data)[-40:]
            found = tail.rfind(b"\x03\xf5")
            if found > 1 and tail[found - 2] == 0x88:
                return "1013"
    except TimeoutError:
        return "not at all"
    except ConnectionError:
        pass
    return "cut"


# So many messages are under way at most: one would tell the pure delay, more tell what a busy room is like.
AHEAD = 20


def publish(speaker, first, count, length, honest):
    """Sends numbered messages of this length, no faster than the honest hear them."""
    for number in range(first, first + count):
        speaker.say(f"{number} {time.monotonic():.6f} ".encode().ljust(length, b"x"))
        wait_for(lambda: all(len(one.late) > number - AHEAD or one.failure for one in honest), f"message {number}", 6 * PATIENCE)
    wait_for(lambda: all(len(one.late) == first + count or one.failure for one in honest), "last message", 6 * PATIENCE)


def late(honest, first, share):
    """So late the messages from this on were at most, but for the worst of them."""
    late = sorted(late for one in honest for late in one.late[first:])
    return late[min(int(len(late) * share), len(late) - 1)]


def crowd_beside_honest(crowd_size, messages, length, most_kib_each, policy="wait"):
    """Gives how late messages were without the crowd and beside it (half, 99 of 100, all), how much memory each of the crowd took
    at most, and how they ended."""
    with Program("ropewalk", "websocket", "chat", ANY, "--slow", policy) as program:
        address = program.listening()
        honest = [Honest(address) for _ in range(5)]
        with WebSocket(address, "/room") as speaker:
            alone = messages // 4
            publish(speaker, 0, alone, length, honest)
            before, idle = [late(honest, 0, share) for share in (0.5, 0.99, 1)], program.memory_kib()
            crowd = [stuck(address) for _ in range(crowd_size)]
            most = 0
            for first in range(alone, alone + messages, 50):
                publish(speaker, first, 50, length, honest)
                most = max(most, program.memory_kib())
            beside = [late(honest, alone, share) for share in (0.5, 0.99, 1)]
            for one in honest:
                must(one.failure is None, f"an honest listener: {one.failure}")
            each = (most - idle) / crowd_size
            must(each < most_kib_each, f"{each:.0f} KiB for each that never reads")
            ends = [end_of(one) for one in crowd[:: max(1, len(crowd) // 10)]]
            for one in crowd:
                one.close()
        program.stops()
    return before, beside, each, ends


@check("websocket chat, a crowd that never reads")
def crowd():
    """Each of a crowd that never reads costs little and is ended, with 1013 if it reads that in time; no honest listener suffers."""
    before, beside, each, ends = crowd_beside_honest(20, 650, 16 * 1024, 2000)
    must(beside[1] < 1, f"p99 {before[1] * 1000:.1f} ms alone, {beside[1] * 1000:.1f} ms beside the crowd")
    must("not at all" not in ends, f"{ends}")


if __name__ == "__main__":
    import resource

    Program.folder = pathlib.Path(sys.argv[1]).resolve()
    size, count, length = (int(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((2, 5000), (3, 2200), (4, 100)))
    policy = sys.argv[5] if len(sys.argv) > 5 else "wait"
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * size + 1000, 2 * size + 1000))
    AHEAD = 1
    before, beside, each, ends = crowd_beside_honest(size, count, length, 4 * 1024 + 400, policy)
    told = lambda late: " / ".join(f"{seconds * 1000:.1f}" for seconds in late)
    print(f"{size} that never read, {count} messages of {length} bytes, {policy}: p50 / p99 / max {told(before)} ms alone, {told(beside)} ms beside them")
    print(f"{each:.0f} KiB each at most; ends: {ends}")
