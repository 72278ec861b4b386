"""Twisted's echo on its epoll reactor, as its documentation writes it."""
from twisted.internet import epollreactor

epollreactor.install()
from twisted.internet import protocol, reactor


class Echo(protocol.Protocol):
    def connectionMade(self):
        self.transport.setTcpNoDelay(True)

    def dataReceived(self, data):
        self.transport.write(data)


factory = protocol.Factory.forProtocol(Echo)
factory.noisy = False
listener = reactor.listenTCP(0, factory, backlog=4096, interface="127.0.0.1")
print("port", listener.getHost().port, flush=True)
reactor.run()
