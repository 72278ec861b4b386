"""Python's `websockets` as a peer: `serve`, which prints a port per kind of compression, or `visit URL`, which checks an echo server.

Of a server: /close/CODE closes with that, /cut ends without a word, /fragments answers in pieces, /no is refused.
"""

import sys
import threading

from websockets.exceptions import ConnectionClosed, ConnectionClosedOK
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.sync.client import connect
from websockets.sync.server import serve

# All that may be sent; the others are refused (websocket_frames.py).
CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999)
SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20)
NAMES = "server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits", "client_max_window_bits"
ROWS = [(True, True, 9, 9), (True, False, 15, 9), (False, True, 9, 15), (False, False, None, None), (False, False, 12, True), (False, False, 9, 9)]
KINDS = [None, {}] + [dict(zip(NAMES, row)) for row in ROWS]


def of_server(kind):
    if kind is None:
        return None
    # A server cannot leave the size of the client's window to the client.
    bits = {name: None if value is True else value for name, value in kind.items() if name.endswith("bits")}
    return [ServerPerMessageDeflateFactory(**{**kind, **bits})]


def handle(socket):
    path = socket.request.path
    if path.startswith("/close/"):
        return socket.close(int(path[7:]), "as asked")
    if path == "/cut":
        return socket.socket.close()
    try:
        for message in socket:
            pieces = [message[:1], message[1:], message[:0]] if path == "/fragments" else message
            socket.ping("are you there?").wait(10) or sys.exit("no pong")
            socket.send(pieces)
    except ConnectionClosed:
        pass


def refuse(connection, request):
    return connection.respond(401, "no way\n") if request.path == "/no" else None


def serve_all():
    for kind in KINDS:
        server = serve(handle, "127.0.0.1", 0, max_size=None, subprotocols=["tea", "b"], process_request=refuse, compression=None, extensions=of_server(kind))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print("listening", server.socket.getsockname()[1], flush=True)
    threading.Event().wait()


def echoes(socket):
    for size in SIZES[:-1] if socket.protocol.extensions else SIZES:
        text = ("{\"u\":%d}" % size * size)[:size]
        for message in (text, text.encode()):
            socket.send(message)
            assert socket.recv(10) == message, f"{type(message)} of {size} came back otherwise"
    socket.send(["fragm", "ent", "ed ü", ""])
    assert socket.recv(10) == "fragmented ü"
    socket.send([b"\0\1", b"\2"])
    assert socket.recv(10) == b"\0\1\2"


def visit(url):
    for kind in KINDS:
        extensions = None if kind is None else [ClientPerMessageDeflateFactory(**kind)]
        with connect(url, max_size=None, compression=None, extensions=extensions, subprotocols=["a", "b"]) as socket:
            assert socket.subprotocol == "b", socket.subprotocol
            assert bool(socket.protocol.extensions) == (kind is not None), f"{kind} was not agreed on"
            echoes(socket)
            assert socket.ping(b"x" * 125).wait(10), "no pong"
    for code in CODES:
        with connect(url) as socket:
            socket.close(code, "enough ü")
        assert (socket.protocol.close_rcvd.code, socket.protocol.close_sent.code) == (code, code)
    try:
        with connect(url, max_size=None) as socket:
            socket.send("x" * (1 << 20) + "x")
            socket.recv(10)
        raise AssertionError("a message beyond the limit was taken")
    except ConnectionClosed as closed:
        assert not isinstance(closed, ConnectionClosedOK) and closed.rcvd.code == 1009, closed
    with connect(url, close_timeout=0) as socket:
        socket.socket.close()  # without a word
    with connect(url) as socket:
        echoes(socket)
    print("all is well", flush=True)


serve_all() if sys.argv[1] == "serve" else visit(sys.argv[2])
