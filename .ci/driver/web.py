"""The programs that speak HTTP, asked by Python's own client."""

import contextlib
import gzip
import http.client
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

from .checks import ANY, abuse, check, one_line_error
from .harness import PATIENCE, Peer, Program, free_port, in_parallel, must
from .tls import certificate, issued
from .tls_peers import Tool


@contextlib.contextmanager
def connected(address):
    """A connection that is kept for all requests."""
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE)
    try:
        yield connection
    finally:
        connection.close()


def ask(connection, method, path, body=None, **headers):
    """The status, the headers and the body of an answer."""
    connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def check_hello(address):
    """P12."""
    with connected(address) as client:
        status, headers, body = ask(client, "GET", "/hello")
        must((status, body) == (200, b"Hello, Twisted.web!"), f"{status} {body}")
        must(headers["Content-Length"] == "19", f"{headers}")
        status, headers, body = ask(client, "HEAD", "/hello")
        must((status, body, headers["Content-Length"]) == (200, b"", "19"), f"{status} {body} {headers}")
        must(ask(client, "GET", "/other")[0] == 404, "another path is there")
        status, headers, _ = ask(client, "PUT", "/hello", b"")
        must(status == 405 and "GET" in headers["Allow"], f"{status} {headers}")
        must(ask(client, "BREW", "/hello")[0] == 501, "it brews")


def check_leaf(address):
    """P13."""
    with connected(address) as client:
        for path in ("/hello/leaf", "/hello/leaf/", "/hello/leaf/a/b%2Fc?d"):
            status, headers, _ = ask(client, "GET", path)
            must(status == 200 and headers["Content-Type"].startswith("text/plain"), f"{path}: {status} {headers}")


def check_items(address):
    """P15."""
    with connected(address) as client:
        status, headers, body = ask(client, "POST", "/items", json.dumps({"name": "Tee"}))
        item = json.loads(body)
        must(status == 201 and item["name"] == "Tee", f"{status} {body}")
        path = f"/items/{item['id']}"
        must(headers["Location"] == path, f"{headers}")
        status, headers, body = ask(client, "GET", path)
        must((status, json.loads(body)) == (200, item), f"{status} {body}")
        must(headers["Content-Type"] == "application/json", f"{headers}")
        status, _, body = ask(client, "PUT", path, json.dumps({"name": "Käse"}))
        must((status, json.loads(body)) == (200, {**item, "name": "Käse"}), f"{status} {body}")
        must(ask(client, "POST", "/items", "no JSON")[0] == 400, "it took what is no JSON")
        must(ask(client, "DELETE", path)[0] == 204, "it was not removed")
        for method in ("GET", "PUT", "DELETE"):
            must(ask(client, method, path, json.dumps({"name": "Tee"}))[0] == 404, f"{method}: it is still there")


@check("hello_web")
def hello_web():
    """P12, P13, P15; requests byte by byte, 100 clients at once, clients that mean no good."""
    with Program("hello_web", ANY) as program:
        address = program.listening()
        check_hello(address)
        check_leaf(address)
        check_items(address)
        with Peer(address) as peer:
            peer.send(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\nGET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 1)
            answers = peer.read_to_end()
            must(answers.startswith(b"HTTP/1.1 200") and answers.count(b"HTTP/1.1 404") == 1, f"{answers}")
        abuse(address)
        in_parallel(100, lambda _: check_items(address))
        program.stops()


def check_files(address):
    """P14."""
    with connected(address) as client:
        status, headers, body = ask(client, "GET", "/a.txt")
        must((status, body) == (200, b"0123456789"), f"{status} {body}")
        modified = headers["Last-Modified"]
        must(ask(client, "GET", "/a.txt", If_Modified_Since=modified)[0] == 304, "it is sent again")
        status, headers, _ = ask(client, "GET", "/sub")
        must(status in (301, 302) and headers["Location"].endswith("/sub/"), f"{status} {headers}")
        for path in ("/../secret", "/%2e%2e/secret", "/..%2fsecret", "/sub/../../secret", "//etc/passwd", "/out"):
            must(ask(client, "GET", path)[0] == 404, f"{path} is there")
        status, headers, body = ask(client, "GET", "/a.txt", Range="bytes=2-4")
        must((status, body, headers["Content-Range"]) == (206, b"234", "bytes 2-4/10"), f"{status} {body} {headers}")
        status, headers, _ = ask(client, "GET", "/a.txt", Range="bytes=10-")
        must((status, headers["Content-Range"]) == (416, "bytes */10"), f"{status} {headers}")
        must(ask(client, "GET", "/b.txt.gz")[1]["Content-Encoding"] == "gzip", "it is not said to be packed")
        status, _, body = ask(client, "GET", "/sub/large")
        must(status == 200 and body == b"x" * 3_000_000, f"{status}, {len(body)} bytes")


def mirror(address, folder):
    """wget finds everything by the listings."""
    if not shutil.which("wget"):
        print("skipped: wget, which is not installed")
        return
    with tempfile.TemporaryDirectory() as copy:
        url = "http://{}:{}/".format(*address)
        subprocess.run(["wget", "-q", "-r", "-nH", "-P", copy, url], check=True, timeout=PATIENCE)
        for name in ("a.txt", "sub/large", "sub/odd & name#?.txt"):
            with open(os.path.join(folder, name), "rb") as ours, open(os.path.join(copy, name), "rb") as theirs:
                must(ours.read() == theirs.read(), f"{name} differs")


@check("static_files")
def static_files():
    """P14: from outside, with wget, with 100 clients at once, with clients that mean no good; a wrong directory."""
    with tempfile.TemporaryDirectory() as place:
        root = os.path.join(place, "root")
        os.makedirs(os.path.join(root, "sub"))
        for name, content in (
            ("root/a.txt", b"0123456789"), ("root/b.txt.gz", b"packed"), ("root/sub/odd & name#?.txt", b"odd"),
            ("root/sub/large", b"x" * 3_000_000), ("secret", b"SECRET"),
        ):
            with open(os.path.join(place, name), "wb") as file:
                file.write(content)
        os.symlink("../secret", os.path.join(root, "out"))
        with Program("static_files", "--path", root, ANY) as program:
            address = program.listening()
            check_files(address)
            mirror(address, root)
            abuse(address)
            in_parallel(100, lambda _: check_files(address))
            program.stops()
        missing = os.path.join(place, "missing")
        with Program("static_files", "--path", missing, ANY) as program:
            one_line_error(program, missing, "give a folder")


class Canned(http.server.BaseHTTPRequestHandler):
    """Python's server, which speaks HTTP/1.0, or 1.1 with chunks."""

    def do_GET(self):
        body = gzip.compress(b"zipped") if self.path == "/zipped" else b"a page of " + self.path.encode()
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/here?x=y")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(404 if self.path == "/none" else 200)
        if self.path == "/zipped":
            self.send_header("Content-Encoding", "gzip")
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for letter in body:
                self.wfile.write(b"1\r\n%c\r\n" % letter)
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            return
        if self.path != "/until-close":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@check("http_get")
def http_get():
    """P33: after a second the status, then the body; of Python's server, in both versions and all framings."""
    for version in ("HTTP/1.0", "HTTP/1.1"):
        handler = type("Handler", (Canned,), {"protocol_version": version})
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as peer:
            threading.Thread(target=peer.serve_forever, daemon=True).start()
            at = f"http://127.0.0.1:{peer.server_port}"
            pages = [("/page", 200, "a page of /page"), ("/none", 404, "a page of /none"), ("/zipped", 200, "zipped")]
            pages.append(("/moved", 200, "a page of /here?x=y"))
            if version == "HTTP/1.1":
                pages.append(("/chunked", 200, "a page of /chunked"))
            else:
                pages.append(("/until-close", 200, "a page of /until-close"))

            def visit(number):
                path, status, body = pages[number]
                with Program("http_get", at + path) as program:
                    took = program.ends(0)
                    must(0.9 < took, f"{path} after {took:g} s")
                    told = program.stdout.lines
                    must(told == [f"Status Code: {status}", body], f"{path}: {told}")

            in_parallel(len(pages), visit)
            peer.shutdown()
    for url in (f"http://127.0.0.1:{free_port()}/", "http://a b/", "ftp://127.0.0.1/"):
        with Program("http_get", url) as program:
            program.ends(1)
            told = program.stderr.lines
            must(len(told) == 1 and told[0].startswith("Request failed: ") and url in told[0], f"{told}")


TWISTED_SITE = """
import sys
from twisted.internet import endpoints, reactor
from twisted.web import resource, server, util
class Page(resource.Resource):
    isLeaf = True
    def render_GET(self, request):
        if request.path == b"/moved":
            return util.redirectTo(b"/page", request)
        if request.path == b"/long":
            return b"x" * 3000000
        if request.path == b"/pieces":
            for _ in range(1000):
                request.write(b"piece ")
            reactor.callLater(0.2, request.finish)
            return server.NOT_DONE_YET
        if request.path == b"/cut":
            request.write(b"piece ")
            reactor.callLater(0.2, request.transport.abortConnection)
            return server.NOT_DONE_YET
        if request.path == b"/none":
            request.setResponseCode(404)
        return b"a page for " + (request.getHeader(b"user-agent") or b"").split(b"/")[0]
where = f"ssl:0:interface=127.0.0.1:certKey={sys.argv[1]}:privateKey={sys.argv[2]}" if sys.argv[1:] else "tcp:0:interface=127.0.0.1"
packed = resource.EncodingResourceWrapper if hasattr(resource, "EncodingResourceWrapper") else None
site = server.Site(packed(Page(), [server.GzipEncoderFactory()]) if packed else Page())
endpoints.serverFromString(reactor, where).listen(site).addCallback(lambda port: print("port", port.getHost().port, flush=True))
reactor.run()
"""


def visit_twisted(at, environment=None):
    """Every page of the site, all at once."""
    pages = {
        "/page": (200, "a page for ropewalk"), "/none": (404, "a page for ropewalk"), "/moved": (200, "a page for ropewalk"),
        "/long": (200, "x" * 3_000_000), "/pieces": (200, "piece " * 1000),
    }

    def visit(number):
        path, (status, body) = list(pages.items())[number]
        with Program("http_get", at + path, environment=environment) as program:
            program.ends(0)
            must(program.stdout.lines == [f"Status Code: {status}", body], f"{path}: {program.stdout.text()[:200]}")

    in_parallel(len(pages), visit)
    with Program("http_get", at + "/cut", environment=environment) as program:
        program.ends(1)
        must("the connection ended within the body" in program.stderr.text(), program.stderr.text())


@check("http_get, Twisted")
def http_get_of_twisted():
    """Twisted's Site as the peer of our client, in clear and under TLS, and a certificate that nobody vouches for."""
    imports = subprocess.run([sys.executable, "-c", "import twisted.web.server, twisted.internet.ssl"], capture_output=True)
    if imports.returncode:
        print("skipped: no Twisted with TLS here")
        return
    with Tool(sys.executable, "-c", TWISTED_SITE) as site:
        visit_twisted("http://127.0.0.1:{}".format(site.port(r"^port (\d+)")))
    with tempfile.TemporaryDirectory() as folder:
        authority = certificate(folder)
        cert, key = issued(folder, "localhost", *authority)
        with Tool(sys.executable, "-c", TWISTED_SITE, cert, key) as site:
            at = "https://localhost:{}".format(site.port(r"^port (\d+)"))
            visit_twisted(at, {"SSL_CERT_FILE": str(authority[0])})
            with Program("http_get", at, environment={"SSL_CERT_FILE": str(certificate(folder, "other")[0])}) as program:
                program.ends(1)
                must(re.match("Request failed: .*handshake failed: .*certificate", program.stderr.text()), program.stderr.text())
