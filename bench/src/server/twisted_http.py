"""Twisted's web server, as its documentation writes it, without a log."""
from twisted.internet import epollreactor

epollreactor.install()
from twisted.internet import reactor
from twisted.web import resource, server


class Hello(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        request.setHeader(b"content-type", b"text/plain; charset=utf-8")
        return b"Hello, World!"


site = server.Site(Hello())
site.noisy = False
site.log = lambda request: None
listener = reactor.listenTCP(0, site, backlog=4096, interface="127.0.0.1")
print("port", listener.getHost().port, flush=True)
reactor.run()
