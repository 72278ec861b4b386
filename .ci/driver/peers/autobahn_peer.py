"""Python's `autobahn` as a peer: `serve`, which prints a port per kind of compression, or `visit URL`, which checks an echo server.

Of a server: /close/CODE closes with that, /cut ends without a word, /fragments answers in pieces with a ping between them.
"""

import asyncio
import sys
from urllib.parse import urlsplit

import txaio

txaio.use_asyncio()

from autobahn.asyncio.websocket import WebSocketClientFactory, WebSocketClientProtocol, WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept, PerMessageDeflateResponse, PerMessageDeflateResponseAccept

SIZES = (0, 1, 125, 126, 65535, 65536, 1 << 20)
# What is wanted of the other side: to forget its context, and its window (0: as it likes). None: no compression.
KINDS = [None, (False, 0), (True, 0), (False, 9), (True, 12), (True, 15)]


class Echo(WebSocketServerProtocol):
    def onConnect(self, request):
        self.path = request.path
        return "b" if "b" in request.protocols else None

    def onOpen(self):
        if self.path.startswith("/close/"):
            self.sendClose(int(self.path[7:]), "as asked")
        elif self.path == "/cut":
            self.dropConnection(abort=True)

    def onMessage(self, payload, isBinary):
        if self.path != "/fragments":
            return self.sendMessage(payload, isBinary)
        self.beginMessage(isBinary)
        self.sendMessageFrame(payload[:1])
        self.sendPing(b"between")
        self.sendMessageFrame(payload[1:])
        self.endMessage()


def accept_offer(kind):
    forget, bits = kind
    def accept(offers):
        for offer in offers:
            if isinstance(offer, PerMessageDeflateOffer):
                return PerMessageDeflateOfferAccept(offer, request_no_context_takeover=forget, request_max_window_bits=bits if offer.accept_max_window_bits else 0)
    return accept


async def serve():
    for kind in KINDS:
        factory = WebSocketServerFactory(protocols=["tea", "b"])
        factory.protocol = Echo
        factory.setProtocolOptions(maxMessagePayloadSize=0, maxFramePayloadSize=0, autoPingInterval=0)
        if kind:
            factory.setProtocolOptions(perMessageCompressionAccept=accept_offer(kind))
        server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0)
        print("listening", server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


class Visitor(WebSocketClientProtocol):
    def __init__(self):
        super().__init__()
        self.heard, self.closed, self.opened = asyncio.Queue(), asyncio.get_running_loop().create_future(), asyncio.get_running_loop().create_future()

    def onConnect(self, response):
        self.agreed = response

    def onOpen(self):
        self.opened.set_result(None)

    def onMessage(self, payload, isBinary):
        self.heard.put_nowait((payload, isBinary))

    def onPong(self, payload):
        self.heard.put_nowait(("pong", payload))

    def onClose(self, wasClean, code, reason):
        self.opened.done() or self.opened.set_exception(ConnectionError(reason))
        self.closed.set_result((wasClean, code))


async def connect(url, kind):
    factory = WebSocketClientFactory(url, protocols=["a", "b"])
    factory.protocol = Visitor
    factory.setProtocolOptions(maxMessagePayloadSize=0, maxFramePayloadSize=0)
    if kind:
        accept = lambda response: PerMessageDeflateResponseAccept(response) if isinstance(response, PerMessageDeflateResponse) else None
        offers = [PerMessageDeflateOffer(request_no_context_takeover=kind[0], request_max_window_bits=kind[1])]
        factory.setProtocolOptions(perMessageCompressionOffers=offers, perMessageCompressionAccept=accept)
    where = urlsplit(url)
    _, visitor = await asyncio.get_running_loop().create_connection(factory, where.hostname, where.port)
    await within(visitor.opened)
    return visitor


def within(waiting):
    return asyncio.wait_for(waiting, 20)


async def visit(url):
    for kind in KINDS:
        visitor = await connect(url, kind)
        assert visitor.agreed.protocol == "b", visitor.agreed
        assert bool(visitor.agreed.extensions) == bool(kind), f"{kind}: {visitor.agreed}"
        for size in SIZES[:-1] if kind else SIZES:
            message = (b'{"u":%d}' % size * size)[:size]
            for is_binary in (False, True):
                visitor.sendMessage(message, is_binary)
                assert await within(visitor.heard.get()) == (message, is_binary), f"{size} came back otherwise"
        visitor.beginMessage(True)
        for piece in (b"frag", b"", b"mented"):
            visitor.sendMessageFrame(piece)
            visitor.sendPing(b"x" * 125)
            assert await within(visitor.heard.get()) == ("pong", b"x" * 125)
        visitor.endMessage()
        assert await within(visitor.heard.get()) == (b"fragmented", True)
        visitor.sendClose(4001, "enough ü")
        assert await within(visitor.closed) == (True, 4001)
    visitor = await connect(url, None)
    visitor.sendMessage(b"x" * ((1 << 20) + 1))
    assert (await within(visitor.closed))[1] == 1009
    (await connect(url, None)).dropConnection(abort=True)
    print("all is well", flush=True)


asyncio.run(serve() if sys.argv[1] == "serve" else visit(sys.argv[2]))
