"""Twisted's WebSocket resource on its epoll reactor, as its documentation writes it."""
from twisted.internet import epollreactor

epollreactor.install()
from twisted.internet import reactor
from twisted.web import server
from twisted.web.websocket import WebSocketResource


class Echo:
    def negotiationStarted(self, transport):
        self.transport = transport

    def negotiationFinished(self):
        pass

    def pongReceived(self, payload):
        pass

    def textMessageReceived(self, message):
        self.transport.sendTextMessage(message)

    def bytesMessageReceived(self, data):
        self.transport.sendBytesMessage(bytes(data))

    def connectionLost(self, reason):
        pass


class Echoes:
    def buildProtocol(self, request):
        return Echo()


class Site(server.Site):
    noisy = False

    def log(self, request):
        pass


class Root(WebSocketResource):
    isLeaf = True


listener = reactor.listenTCP(0, Site(Root(Echoes())), backlog=4096, interface="127.0.0.1")
print("port", listener.getHost().port, flush=True)
reactor.run()
