"""Twisted's own WebSocket as a peer: `serve`, which prints its port, or `visit URL`, which checks an echo server."""

import sys

from twisted.internet import defer, reactor, task
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.websocket import WebSocketClientEndpoint, WebSocketResource

SIZES = (0, 1, 125, 126, 65535, 65536)


class Peer:
    def __init__(self):
        self.heard = defer.DeferredQueue()
        self.lost = defer.Deferred()

    def negotiationStarted(self, transport):
        self.transport = transport

    def negotiationFinished(self):
        pass

    def pongReceived(self, payload):
        self.heard.put(("pong", bytes(payload)))

    def textMessageReceived(self, message):
        self.heard.put(message)

    def bytesMessageReceived(self, data):
        self.heard.put(bytes(data))

    def connectionLost(self, reason):
        self.lost.callback(None)


class Echo(Peer):
    def textMessageReceived(self, message):
        self.transport.sendTextMessage(message)

    def bytesMessageReceived(self, data):
        self.transport.sendBytesMessage(bytes(data))


class Factory:
    def __init__(self, kind):
        self.kind = kind

    def buildProtocol(self, _):
        return self.kind()


def serve():
    root = Resource()
    root.putChild(b"", WebSocketResource(Factory(Echo)))
    print("listening", reactor.listenTCP(0, Site(root), interface="127.0.0.1").getHost().port, flush=True)
    reactor.run()


async def visit(_, url):
    peer = await WebSocketClientEndpoint.new(reactor, url).connect(Factory(Peer))
    for size in SIZES:
        text = ("{\"u\":%d}" % size * size)[:size]
        peer.transport.sendTextMessage(text)
        assert await peer.heard.get() == text, f"a text of {size} came back otherwise"
        peer.transport.sendBytesMessage(text.encode())
        assert await peer.heard.get() == text.encode(), f"{size} bytes came back otherwise"
    peer.transport.ping(b"x" * 125)
    assert await peer.heard.get() == ("pong", b"x" * 125)
    peer.transport.loseConnection(1001)
    await peer.lost.addTimeout(10, reactor)
    print("all is well", flush=True)


if sys.argv[1] == "serve":
    serve()
else:
    task.react(lambda *given: defer.ensureDeferred(visit(*given)), [sys.argv[2]])
