"""WebSocket byte by byte: what a peer that errs, or means ill, may send, and the one answer that the standards have for it."""

import os
import re
import struct
import zlib

from .checks import ANY, check
from .harness import Listener, Peer, Program, in_parallel, must
from .websocket import BINARY, CLOSE, PING, PONG, TEXT, WebSocket, accept_of, echo_server, masked, tool

CONTINUATION, FINAL, COMPRESSED = 0, 0x80, 0x40
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
MOST = 1_000_000
TAIL = b"\0\0\xff\xff"


def raw(first, payload=b"", size=None, is_masked=True):
    """A frame: its first byte as it is, its length in so many bytes (0, 2 or 8), masked or not."""
    length = len(payload)
    size = (0 if length < 126 else 2 if length < 65536 else 8) if size is None else size
    code = {0: length, 2: 126, 8: 127}[size]
    head = bytes([first, code | (0x80 if is_masked else 0)]) + (length.to_bytes(size, "big") if size else b"")
    if not is_masked:
        return head + payload
    key = os.urandom(4)
    return head + key + masked(payload, key)


def declared(first, length, is_masked=True):
    """The head of a frame that says it has so many bytes."""
    return bytes([first, 0xFF if is_masked else 0x7F]) + struct.pack("!Q", length) + (bytes(4) if is_masked else b"")


def close_of(code, reason=b""):
    return struct.pack("!H", code) + reason


def wrong_frames(is_masked=True):
    """What breaks a rule, and the code that it is closed with."""
    frame = lambda first, payload=b"", size=None: raw(first, payload, size, is_masked)
    text, final = TEXT, FINAL
    yield "wrongly masked", raw(final | text, b"hi", None, not is_masked), 1002
    for bit in (0x40, 0x20, 0x10):
        yield f"reserved bit {bit:#x}", frame(final | bit | text, b"hi"), 1002
        yield f"reserved bit {bit:#x} of a ping", frame(final | bit | PING), 1002
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        yield f"opcode {opcode}", frame(final | opcode), 1002
    yield "125 in two bytes", frame(final | text, b"x" * 125, 2), 1002
    yield "65535 in eight bytes", frame(final | BINARY, bytes(65535), 8), 1002
    yield "a length of 2^63", declared(final | BINARY, 1 << 63, is_masked), 1002
    yield "a length of 2^64 - 1", declared(final | BINARY, (1 << 64) - 1, is_masked), 1002
    yield "a length of 2^63 - 1", declared(final | BINARY, (1 << 63) - 1, is_masked), 1009
    yield "a message beyond the limit", declared(text | final, MOST + 1, is_masked), 1009
    yield "fragments beyond the limit", frame(BINARY, b"x" * 9) + declared(CONTINUATION, MOST - 8, is_masked), 1009
    yield "a ping of 126 bytes", frame(final | PING, bytes(126)), 1002
    for kind in (PING, PONG, CLOSE):
        yield f"a fragmented {kind}", frame(kind, b""), 1002
    yield "a continuation of nothing", frame(final | CONTINUATION, b"hi"), 1002
    yield "a continuation after the end", frame(text, b"h") + frame(final, b"i") + frame(final, b"!"), 1002
    yield "a text in a text", frame(text, b"h") + frame(final | text, b"i"), 1002
    yield "bytes in a text", frame(text, b"h") + frame(BINARY, b"i"), 1002
    for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"ok \xc3("):
        yield f"the text {bad!r}", frame(final | text, bad), 1007
    yield "a character that never ends", frame(text, b"\xe2\x82") + frame(final, b""), 1007
    yield "a character cut wrongly", frame(text, b"\xe2\x82") + frame(final, b"x"), 1007
    yield "a bad byte in the first fragment", frame(text, b"\xed\xa0"), 1007
    for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535):
        yield f"close {code}", frame(final | CLOSE, close_of(code)), 1002
    yield "a close of one byte", frame(final | CLOSE, b"\x03"), 1002
    yield "a close with a bad reason", frame(final | CLOSE, close_of(1000, b"\xff")), 1007
    yield "a close of 126 bytes", frame(final | CLOSE, close_of(1000, b"x" * 124)), 1002


@check("websocket frames, to a server")
def to_a_server():
    """Every broken rule is one close with its code, then the end; fragments, control frames and cuts that break none are fine."""
    with echo_server("--max-message", MOST) as (program, _, address):
        for what, frames, code in wrong_frames():
            with WebSocket(address) as peer:
                peer.send(frames + raw(FINAL | TEXT, b"nobody reads this") * 3)
                while (found := peer.frame())[0] not in (CLOSE, PONG):
                    pass
                must(found[0] == CLOSE and found[1][:2] == close_of(code), f"{what}: {found}")
                must(found[1][2:].decode(), f"{what}: no word of why")
                peer.must_end()
        early(address)
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999):
            with WebSocket(address) as peer:
                peer.say(close_of(code, "grüße".encode()), CLOSE)
                peer.send(b"\xff" * 1000)  # nobody reads what follows
                must((found := peer.frame()) == (CLOSE, close_of(code)), f"{code}: {found}")
                peer.must_end()
        cuts(address)
        memory = program.memory_kib()
        must(memory < 100_000, f"{memory} KiB")


def early(address):
    """A bad text is told at its first bad byte, though most of its frame has not come."""
    for head in (b"", raw(TEXT, b"a" * 200)):
        with WebSocket(address) as peer:
            first = (0 if head else TEXT) | FINAL
            peer.send(head + bytes([first, 0x80 | 126]) + struct.pack("!H", 60_000) + bytes(4) + b"ok \xed\xa0\x80")
            must((found := peer.frame())[1][:2] == close_of(1007), f"{found}")


def cuts(address):
    """Fragments with pings between them, whole and in single bytes; who leaves without a word."""
    words = "fünf Tees für 2 €".encode()
    frames = raw(TEXT) + raw(FINAL | PING, b"1")
    frames += b"".join(raw(CONTINUATION, words[at : at + 1]) + raw(FINAL | PONG, b"unasked") for at in range(len(words)))
    frames += raw(FINAL | PING, b"2" * 125) + raw(FINAL | CONTINUATION)
    for piece in (None, 1, 7):
        with WebSocket(address) as peer:
            peer.send(frames * 3, piece)
            for _ in range(3):
                heard = [peer.frame() for _ in range(3)]
                must(heard == [(PONG, b"1"), (PONG, b"2" * 125), (TEXT, words)], f"{piece}: {heard}")
            peer.send(raw(FINAL | BINARY, bytes(range(256)) * 300), 4096)
            must(peer.frame() == (BINARY, bytes(range(256)) * 300), "bytes came back otherwise")
            peer.finish_sending()
            must(peer.read_to_end() == b"", "bytes after the end")


# The request but for Host: what is wrong with it, the lines that make it so, the statuses that may answer.
RIGHT = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}
WRONG = [
    ("version 12", {"Sec-WebSocket-Version": "12"}, [400]),
    ("version 013", {"Sec-WebSocket-Version": "013"}, [400]),
    ("no version", {"Sec-WebSocket-Version": None}, [400]),
    ("two versions", {"Sec-WebSocket-Version": "13\r\nSec-WebSocket-Version: 13"}, [400]),
    ("no key", {"Sec-WebSocket-Key": None}, [400]),
    ("a short key", {"Sec-WebSocket-Key": "AAAA"}, [400]),
    ("a long key", {"Sec-WebSocket-Key": "A" * 32}, [400]),
    ("a key of no Base64", {"Sec-WebSocket-Key": "!" * 22 + "=="}, [400]),
    ("two keys", {"Sec-WebSocket-Key": KEY + "\r\nSec-WebSocket-Key: " + KEY}, [400]),
    ("no Connection", {"Connection": None}, [400]),
    ("another Connection", {"Connection": "keep-alive"}, [400]),
    ("no Upgrade", {"Upgrade": None}, [400]),
    ("another Upgrade", {"Upgrade": "h2c"}, [400]),
    ("a body", {"Content-Length": "2"}, [400]),
    ("another origin", {"Origin": "https://evil.example"}, [403]),
    ("an origin of nobody", {"Origin": "null"}, [403]),
    ("the host as a part of an origin", {"Origin": "http://127.0.0.1.evil.example"}, [403]),
    ("another port of the host", {"Origin": "http://127.0.0.1:1"}, [403]),
    ("two origins", {"Origin": "http://a\r\nOrigin: http://b"}, [400]),
    ("no list of protocols", {"Sec-WebSocket-Protocol": "a b"}, [400]),
    ("a protocol twice", {"Sec-WebSocket-Protocol": "a, a"}, [400]),
    ("no list of extensions", {"Sec-WebSocket-Extensions": "permessage-deflate; =1"}, [400]),
    ("two hosts", {"Host": "a\r\nHost: b"}, [400]),
    ("no host", {"Host": None}, [400]),
]


def ask(address, path, changes, method="GET", version="HTTP/1.1"):
    """Asks for a WebSocket; gives the status, the fields and a peer to go on with."""
    fields = {"Host": f"{address[0]}:{address[1]}", **RIGHT, **changes}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
    peer = Peer(address)
    peer.send(f"{method} {path} {version}\r\n{lines}\r\n".encode() + (b"hi" if "Content-Length" in changes else b""))
    status = int(peer.read_line().split()[1])
    head = {}
    while line := peer.read_line():
        name, value = line.decode().split(": ", 1)
        head[name.lower()] = value
    return status, head, peer


@check("websocket handshakes")
def handshakes():
    """Requests that break a rule have their status, by itself and in a site; right ones of all forms are granted."""
    with echo_server("--subprotocol", "tea", "--subprotocol", "milk") as (_, _, bare), Program("websocket_chat", ANY) as chat:
        for address, path in ((bare, "/"), (chat.listening(), "/ws")):
            refused(address, path)
            granted(address, path)
        for offered, chosen in (("milk", "milk"), ("milk,tea", "tea"), ("wine,  milk", "milk"), ("Tea", None), ("wine", None)):
            status, head, peer = ask(bare, "/", {"Sec-WebSocket-Protocol": offered})
            peer.socket.close()
            must(status == 101 and head.get("sec-websocket-protocol") == chosen, f"{offered}: {head}")


def refused(address, path):
    for what, changes, statuses in WRONG:
        status, head, peer = ask(address, path, changes)
        must(status in statuses, f"{what}: {status} {head}")
        must("sec-websocket-accept" not in head and head.get("sec-websocket-version", "13") == "13", f"{what}: {head}")
        must("version" not in what or head.get("sec-websocket-version") == "13", f"{what}: it does not say which")
        must(peer.read(int(head["content-length"])).strip(), f"{what}: it does not say why")
        peer.socket.close()
    for method, version, statuses in (("POST", "HTTP/1.1", [405]), ("HEAD", "HTTP/1.1", [405]), ("BREW", "HTTP/1.1", [405, 501]), ("GET", "HTTP/1.0", [400])):
        status, head, peer = ask(address, path, {}, method, version)
        must(status in statuses and ("GET" in head.get("allow", "") or status != 405), f"{method} {version}: {status} {head}")
        peer.socket.close()


def granted(address, path):
    host = f"{address[0]}:{address[1]}"
    for changes in (
        {"Upgrade": "WebSocket", "Connection": "keep-alive, uPgRaDe"},
        {"Connection": "x\r\nConnection: Upgrade"},
        {"Origin": f"http://{host}"},
        {"Origin": f"HTTP://{host}"},
        {"Host": "tea.example", "Origin": "https://tea.example"},
        {"Host": "tea.example:443", "Origin": "https://tea.example"},
        {"Cookie": "a=b"},
        {"Sec-WebSocket-Extensions": ", ".join(f"x-{number}; a; b={number}; c=\"d\"" for number in range(99))},
        {"Sec-WebSocket-Protocol": ", ".join(f"p{number}" for number in range(60))},
    ):
        status, head, peer = ask(address, path, changes)
        must(status == 101 and head["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", f"{changes}: {status} {head}")
        must("sec-websocket-extensions" not in head and "sec-websocket-protocol" not in head, f"{changes}: {head}")
        peer.socket.close()


def offers():
    """What a client offers, and whether a server with all its options must take it."""
    name = "permessage-deflate"
    yield name, True
    for bits in range(8, 16):
        yield f"{name}; server_max_window_bits={bits}", bits > 8
        yield f"{name}; client_max_window_bits={bits}", True
        yield f'{name}; client_max_window_bits; server_max_window_bits="{bits}"', bits > 8
    yield f"{name}; server_no_context_takeover; client_no_context_takeover", True
    yield f"x-unknown, {name};client_max_window_bits , {name}", True
    yield f"{name}; server_max_window_bits=7, {name}; foo, {name}; client_max_window_bits=10", True
    for wrong in ("server_max_window_bits", "server_max_window_bits=16", "server_max_window_bits=08", "client_max_window_bits=7", "foo=1"):
        yield f"{name}; {wrong}", False
    for twice in ("server_no_context_takeover", "client_max_window_bits"):
        yield f"{name}; {twice}; {twice}", False
    yield f"{name}; client_no_context_takeover=1", False


class Deflated(WebSocket):
    """A client that compresses by the letter of what was agreed on: a window that is left, or a context that is not there, is an error."""

    def __init__(self, address, offer):
        super().__init__(address, "/", f"Sec-WebSocket-Extensions: {offer}\r\n")
        self.is_on = b"permessage-deflate" in self.head
        bits = lambda side: int(found[1]) if (found := re.search(rb"%s_max_window_bits=(\d+)" % side, self.head)) else 15
        self.theirs, self.ours = bits(b"server"), bits(b"client")
        self.forgets = [b"%s_no_context_takeover" % side in self.head for side in (b"server", b"client")]
        self.renew(True, True)

    def renew(self, theirs, ours):
        if theirs:
            self.inflater = zlib.decompressobj(-self.theirs)
        if ours:
            self.deflater = zlib.compressobj(9, zlib.DEFLATED, -max(self.ours, 9))

    def say_compressed(self, payload, kind=TEXT, pieces=1):
        data = self.deflater.compress(payload) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        self.renew(False, self.forgets[1])
        data, size = data[:-4], max(1, len(data) // pieces)
        cut = [data[at : at + size] for at in range(0, len(data), size)]
        for at, piece in enumerate(cut):
            self.send(raw((COMPRESSED | kind if at == 0 else 0) | (FINAL if at == len(cut) - 1 else 0), piece))
            if pieces > 1:
                self.say(b"between", PONG)

    def hear_message(self):
        first, length = self.read(2)
        length = int.from_bytes(self.read({126: 2, 127: 8}[length]), "big") if length > 125 else length
        data = self.read(length)
        if not first & COMPRESSED:
            return first & 15, data
        data = self.inflater.decompress(data + TAIL)
        self.renew(self.forgets[0], False)
        return first & 15, data


@check("websocket compression")
def compression():
    """Every offer has the right answer, and the windows and contexts agreed on are kept to; bombs and damage have their codes."""
    text = ("".join(f'{{"tea": {number}, "milk": "{number * 7919 % 1000}"}}' for number in range(1200))).encode()
    for options, step in (([], 1), (["--context-takeover"], 3), (["--window-bits", 10], 5)):
        with echo_server("--compress", "--max-message", MOST, *options) as (_, _, address):
            for number, (offer, is_right) in enumerate(offers()):
                with Deflated(address, offer) as peer:
                    must(peer.is_on == is_right, f"{offer}: {peer.head!r}")
                    must(peer.is_on or b"xtensions" not in peer.head, f"{peer.head!r}")
                    if not peer.is_on or number % step:
                        continue
                    for said, pieces in ((text, 1), (b"hi", 1), (text, 5))[: 3 if step > 1 or number < 5 else 1]:
                        peer.say_compressed(said, pieces=pieces)
                        must(peer.hear_message() == (TEXT, said), f"{offer} {options}: it came back otherwise")
                    peer.say(b"plain")
                    must(peer.hear_message() == (TEXT, b"plain"), f"{offer}: what is not compressed came back otherwise")
            if step == 1:
                bombs(address)


def bombs(address):
    squeeze = lambda data: (codec := zlib.compressobj(9, zlib.DEFLATED, -15)).compress(data) + codec.flush(zlib.Z_SYNC_FLUSH)[:-4]
    bomb = squeeze(bytes(20 * MOST))
    for what, frames, code in (
        ("a bomb", raw(FINAL | COMPRESSED | BINARY, bomb), 1009),
        ("a bomb in pieces", raw(COMPRESSED | BINARY, bomb[:2000]) + raw(FINAL, bomb[2000:]), 1009),
        ("one byte too many", raw(FINAL | COMPRESSED | BINARY, squeeze(bytes(MOST + 1))), 1009),
        ("damage", raw(FINAL | COMPRESSED | TEXT, b"\xff" * 20), 1007),
        ("bad UTF-8 inside", raw(FINAL | COMPRESSED | TEXT, squeeze(b"ok \xed\xa0\x80")), 1007),
        ("bad UTF-8 inside, early", raw(COMPRESSED | TEXT, squeeze(b"ok \xed\xa0\x80" + bytes(9))), 1007),
        ("a compressed continuation", raw(COMPRESSED | TEXT, b"") + raw(FINAL | COMPRESSED, b""), 1002),
        ("a compressed ping", raw(FINAL | COMPRESSED | PING, b""), 1002),
        ("another reserved bit", raw(FINAL | COMPRESSED | 0x20 | TEXT, squeeze(b"hi")), 1002),
    ):
        with Deflated(address, "permessage-deflate") as peer:
            peer.send(frames)
            must((found := peer.frame())[1][:2] == close_of(code), f"{what}: {found}")
            peer.must_end()
    with Deflated(address, "permessage-deflate") as peer:
        peer.say_compressed(bytes(MOST), BINARY)
        must(len(peer.hear_message()[1]) == MOST, "a message as long as may be")


@check("websocket frames, to a client")
def to_a_client():
    """What a server may not send, a client closes with the same codes; answers that nobody asked for are no WebSockets."""
    cases = list(wrong_frames(is_masked=False))
    with Listener() as listener:
        url = f"ws://{listener.endpoint[4:]}/"

        def serve(number):
            what, frames, code = cases[number % len(cases)]
            with opened(listener) as peer:
                peer.send(frames)
                first, length = peer.read(2)
                must(first == 0x88 and length & 0x80, f"{what}: {first:#x} {length:#x}")
                key, payload = peer.read(4), peer.read(length & 0x7F)
                found = masked(payload, key)
                must(found[:2] == close_of(code), f"{what}: {found}")
                must(any(key), "a key of zeros")

        for number in range(0, len(cases), 1 if len(cases) < 20 else 3):
            talk = lambda side: serve(number) if side else must(tool("connect", url, "--no-input", "--proxy", "none", "--max-message", MOST)[0] == 2, f"{cases[number][0]}")
            in_parallel(2, talk)
        for fields in ("Sec-WebSocket-Protocol: tea", "Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Extensions: x", "Upgrade: h2c"):
            answered = []
            in_parallel(2, lambda side: opened(listener, fields).socket.close() if side else answered.append(tool("connect", url, "--no-input", "--proxy", "none")))
            status, _, told = answered[0]
            must(status == 1 and told.count("\n") == 1 and "panicked" not in told, f"{fields}: {status} {told!r}")


def opened(listener, fields=None):
    """A server's end, after the handshake."""
    peer = listener.accept()
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += peer.read(1)
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", head)[1]
    more = f"{fields}\r\n".encode() if fields else b""
    peer.send(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + more + b"Sec-WebSocket-Accept: " + accept_of(key) + b"\r\n\r\n")
    return peer
