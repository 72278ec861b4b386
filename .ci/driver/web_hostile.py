"""Requests that two readers could understand in two ways, or that break the rules otherwise: each is refused, once, and the connection ends.

The variants are those of public collections: http-garden, the Smuggler's, PortSwigger's research, llhttp's and h11's tests.
"""

from .checks import ANY, check
from .harness import Peer, Program, in_parallel, must

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"

# Behind `POST`: fields of the head.
ENCODINGS = (
    b'Transfer-Encoding: xchunked', b'Transfer-Encoding : chunked', b'Transfer-Encoding: chunked\r\nTransfer-Encoding: x',
    b'Transfer-Encoding:\tchunked, identity', b'X: X\nTransfer-Encoding: chunked', b'Transfer-Encoding\n : chunked',
    b'Transfer-Encoding: chunked\x00', b'Transfer-Encoding: \x0bchunked', b'Transfer-Encoding: \x0cchunked', b'Transfer-Encoding: chunk\xc3\xa9d',
    b"Transfer-Encoding: 'chunked'", b'Transfer-Encoding: chunked;q=1', b'Transfer-Encoding: chunked, chunked', b'Transfer-Encoding: , chunked',
    b'Transfer-Encoding: chunked,', b'Transfer-Encoding: gzip, chunked', b'Transfer-Encoding: identity', b'Transfer-Encoding:',
    b'Transfer_Encoding: chunked\r\nTransfer-Encoding: cow', b'transfer-encoding: chunked\r\nContent-Length: 5',
    b'Content-Length: 5\r\ntransfer-encoding: chunked', b' Transfer-Encoding: chunked', b'Foo: bar\r\n\tTransfer-Encoding: chunked',
    b'Transfer-Encoding: CHUNKED\r\nContent-Length: 0', b'Transfer\x1fEncoding: chunked', b'X: y\rTransfer-Encoding: chunked',
    b'Transfer-Encoding: c hunked', b'Transfer-Encoding:chunked\x85', b'Transfer-Encoding: "chunked"',
    b'Transfer-Encoding: chunked\r\nContent-length: x',
)

# The values of Content-Length.
LENGTHS = (
    b'5, 5', b'5,6', b'+5', b'-5', b'0x5', b'5_0', b'5 5', b' ', b'', b'5\r\nContent-Length: 5', b'5\r\nContent-Length: 6',
    b'99999999999999999999999', b'18446744073709551616', b'9223372036854775808', b'5;', b'5.0', b'1e1', b'\xef\xbc\x95', b'5\x00', b'\xd9\xa5',
    b'00000000000000000000000000000000000005x',
)

# Bodies in chunks.
CHUNKS = (
    b'5\nhello\r\n0\r\n\r\n', b'5\r\nhello\n0\r\n\r\n', b'+5\r\nhello\r\n0\r\n\r\n', b'0x5\r\nhello\r\n0\r\n\r\n', b' 5\r\nhello\r\n0\r\n\r\n',
    b'5 \r\nhello\r\n0\r\n\r\n', b'\r\nhello\r\n0\r\n\r\n', b'5;a\nb\r\nhello\r\n0\r\n\r\n', b'5;\x00\r\nhello\r\n0\r\n\r\n',
    b'fffffffffffffffff\r\nhello', b'5\r\nhelloo\r\n0\r\n\r\n', b'-5\r\nhello\r\n0\r\n\r\n', b'5_\r\nhello\r\n0\r\n\r\n', b'5\rhello\r\n0\r\n\r\n',
    b'5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n', b'5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\n\r\n', b'5\r\nhello\r\n0\r\n x\r\n\r\n',
    b'5;a="b\r\nhello\r\n0\r\n\r\n', b'5\r\nhello\r\n0\r\nbad header\r\n\r\n', b'5\r\nhello\r\n0\r\nX : y\r\n\r\n', b'5\r\nhello\r\n0\r\n\n',
    b'5\r\nhelloXX0\r\n\r\n',
)

# Whole heads.
HEADS = (
    b'GET / HTTP/1.1\nHost: a\n\n', b'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', b'GET /\tHTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', b' GET / HTTP/1.1\r\nHost: a\r\n\r\n', b'GET / http/1.1\r\nHost: a\r\n\r\n',
    b'GET / HTTP/1.2x\r\nHost: a\r\n\r\n', b'GET / HTTP/2.0\r\nHost: a\r\n\r\n', b'GET / HTTP/0.9\r\nHost: a\r\n\r\n', b'GET /\r\n\r\n',
    b'GET / HTTP/01.1\r\nHost: a\r\n\r\n', b'G\x00ET / HTTP/1.1\r\nHost: a\r\n\r\n', b'GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n', b'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', b'GET /#f HTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET a HTTP/1.1\r\nHost: a\r\n\r\n', b'GET ?a HTTP/1.1\r\nHost: a\r\n\r\n', b'GET http:// HTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET * HTTP/1.1\r\nHost: a\r\n\r\n', b'GET / HTTP/1.1\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', b'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a:x\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost : a\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n', b'GET / HTTP/1.1\r\n Host: a\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a\r\nX(: y\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: a\r\nX\xe9: y\r\n\r\n', b'GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n', b'GET / HTTP/1.1\r\r\nHost: a\r\n\r\n',
    b'\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', b'CONNECT /x HTTP/1.1\r\nHost: a\r\n\r\n',
    b'GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n', b'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost:\r\nContent-Length: 5 \t x\r\n\r\nhello',
)

def requests(path):
    """All of them, for a resource at this path that takes POST."""
    head = b"POST " + path + b" HTTP/1.1\r\nHost: a\r\n"
    yield from (head + fields + b"\r\n\r\n0\r\n\r\n" for fields in ENCODINGS)
    yield from (head + b"Content-Length: " + length + b"\r\n\r\nhello" for length in LENGTHS)
    yield from (head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks for chunks in CHUNKS)
    yield head + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"x" * 20_000 + b"\r\nhello\r\n0\r\n\r\n"
    yield from HEADS
    yield b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    yield b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 5000 + b"\r\n"
    yield b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 200_000 + b"\r\n\r\n"


def heard(address, data):
    """All that comes until the connection ends, which may be by a reset."""
    with Peer(address) as peer:
        try:
            peer.send(data)
            while peer._receive():
                pass
        except (ConnectionError, BrokenPipeError):
            pass
        return peer.unread


def refuses(address, path):
    def one(data):
        answer = heard(address, data + HIDDEN)
        refused = answer.count(b"HTTP/1.1 ") == 1 and answer[9:10] in (b"4", b"5")
        # What is too long may be cut off before the answer is read.
        must(refused or not answer and len(data) > 5000, f"{data[:200]!r} is answered by {answer[:200]!r}")

    all_of_them = list(requests(path))
    in_parallel(8, lambda number: [one(data) for data in all_of_them[number::8]])


@check("hostile HTTP")
def hostile_http():
    """More than a hundred requests, to a service and through the reverse proxy before it."""
    with Program("hello_web", ANY) as behind:
        address = behind.listening()
        refuses(address, b"/items")
        url = "http://{}:{}".format(*address)
        with Program("ropewalk", "web", "--proxy", url, ANY, "--log", "off") as proxy:
            refuses(proxy.listening(), b"/items")
            proxy.stops()
        behind.stops()
