"""Our servers and other people's: Twisted's client, nginx before and behind; and a folder, asked for in odd ways.

The table of paths, ranges and conditions is read off the standards (RFC 9110 13 and 14) and SEMANTICS N, not off our code.
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from .checks import ANY, check
from .harness import Peer, Program, free_port, in_parallel, must, wait_for
from .tls_peers import Tool
from .web import ask, connected
from .web_hostile import heard

TWISTED_AGENT = """
import sys
from io import BytesIO
from twisted.internet import defer, task
from twisted.web.client import Agent, ContentDecoderAgent, FileBodyProducer, GzipDecoder, HTTPConnectionPool, RedirectAgent, readBody
async def visit(agent, at):
    async def ask(method, path, body=None):
        response = await agent.request(method, at + path, None, body and FileBodyProducer(BytesIO(body)))
        return response.code, await readBody(response)
    assert await ask(b"GET", b"/hello") == (200, b"Hello, Twisted.web!")
    assert await ask(b"HEAD", b"/hello") == (200, b"")
    assert (await ask(b"POST", b"/items", b'{"name": "tea"}'))[0] == 201
    assert (await ask(b"PUT", b"/hello", b"x" * 50000))[0] == 405
    assert (await ask(b"GET", b"/none"))[0] == 404
async def main(reactor):
    pool = HTTPConnectionPool(reactor)
    agent = ContentDecoderAgent(RedirectAgent(Agent(reactor, pool=pool)), [(b"gzip", GzipDecoder)])
    visits = [defer.ensureDeferred(visit(agent, sys.argv[1].encode())) for _ in range(20)]
    await defer.gatherResults(visits)
    await pool.closeCachedConnections()
    print("visited")
task.react(lambda reactor: defer.ensureDeferred(main(reactor)))
"""


@check("hello_web, Twisted")
def hello_web_for_twisted():
    """Twisted's Agent as the peer of our server: kept connections, bodies, refusals."""
    if subprocess.run([sys.executable, "-c", "import twisted.web.client"], capture_output=True).returncode:
        print("skipped: no Twisted here")
        return
    with Program("hello_web", ANY) as program:
        at = "http://{}:{}".format(*program.listening())
        with Tool(sys.executable, "-W", "ignore", "-c", TWISTED_AGENT, at) as agent:
            wait_for(agent.output.ended.is_set, "end of Twisted's visits", 30)
            must("visited" in agent.output.lines, agent.output.text()[-2000:])
        program.stops()


NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr; events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    upstream ours {{ server 127.0.0.1:{behind}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port}; root {folder};
        location /kept/ {{ proxy_pass http://ours/; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; }}
        location /old/ {{ proxy_pass http://ours/; }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder, behind):
    """nginx, which serves the folder, and passes on what is below `/kept/` and `/old/`."""
    port, conf = free_port(), pathlib.Path(folder, "nginx.conf")
    conf.write_text(NGINX.format(folder=folder, port=port, behind=behind))
    with Tool("nginx", "-e", "stderr", "-c", conf) as server:
        def answers():
            with contextlib.suppress(OSError), Peer(("127.0.0.1", port)):
                return True
        wait_for(lambda: server.output.ended.is_set() or answers(), "port of nginx")
        must(not server.output.ended.is_set(), server.output.text())
        yield ("127.0.0.1", port)


@check("nginx before and behind")
def nginx_before_and_behind():
    """By HTTP/1.0 and by kept connections, with bodies of known and of unknown length; and large files through our proxy."""
    if not shutil.which("nginx"):
        print("skipped: nginx, which is not installed")
        return
    with tempfile.TemporaryDirectory() as folder, Program("hello_web", ANY) as ours:
        os.chmod(folder, 0o755)  # nginx may have another user
        large = os.urandom(3_000_000)
        pathlib.Path(folder, "large").write_bytes(large)
        with nginx(folder, ours.listening()[1]) as address:
            def through(_):
                with connected(address) as client:
                    for base in ("/kept", "/old"):
                        must(ask(client, "GET", base + "/hello")[2] == b"Hello, Twisted.web!", base)
                        must(ask(client, "HEAD", base + "/hello")[1]["Content-Length"] == "19", base)
                        must(ask(client, "POST", base + "/items", '{"name": "tea"}')[0] == 201, base)
                        must(ask(client, "POST", base + "/items", iter([b'{"name": ', b'"tea"}']))[0] == 201, base)
                        must(ask(client, "GET", base + "/none")[0] == 404, base)

            in_parallel(10, through)
            with Program("ropewalk", "web", "--proxy", "http://{}:{}".format(*address), ANY, "--log", "off") as proxy:
                behind = proxy.listening()

                def past(_):
                    with connected(behind) as client:
                        must(ask(client, "GET", "/large")[2] == large, "another file")
                        status, headers, body = ask(client, "GET", "/large", Range="bytes=9-19")
                        must((status, body) == (206, large[9:20]), f"{status} {headers}")
                        status, headers, body = ask(client, "HEAD", "/large")
                        must((status, headers["Content-Length"], body) == (200, "3000000", b""), f"{status} {headers}")
                        must(ask(client, "GET", "/kept/hello")[2] == b"Hello, Twisted.web!", "not through all three")

                in_parallel(10, past)
                proxy.stops()
        ours.stops()


# Status of a path: no way leads out, and what is decoded twice or ends with a NUL names nothing.
PATHS = (
    (200, "/a.txt /%61.txt /./a.txt //a.txt /a.txt?x=../.. /a%20b /%C3%BC /100%25 http://b/a.txt /in"),
    (404, "/../secret /..%2fsecret /%2e%2e/secret /%2e%2e%2fsecret /..%5csecret /%252e%252e/secret /sub/../../secret /.%2e/secret"),
    (404, "/out /etc/passwd //etc/passwd /%2fetc/passwd /..;/secret /a.txt%00 /%00 /a.txt%00.html /a.txt/ /a.txt/.. /.hidden /%2ehidden"),
    (404, "/A.TXT /a+b /sub%2f /loop /fifo /a.txt;v=1 http://b/../secret"),
    (400, "/%c0%ae%c0%ae/secret /%zz /% /%2 /%uff0e"),
    (302, "/sub /sub?x=1 //sub"),
)

# What is asked of ten bytes, and what comes: the status, and the digits of which it is made.
RANGES = (
    ("bytes=0-0", 206, b"0"), ("bytes=-1", 206, b"9"), ("bytes=-100", 206, b"0123456789"), ("bytes=9-", 206, b"9"), ("BYTES=0-1", 206, b"01"),
    ("bytes=0-99999999999999999999", 206, b"0123456789"), ("bytes=0-1,10-12", 206, b"01"), ("bytes=0-1,", 206, b"01"),
    ("bytes=10-", 416, None), ("bytes=-0", 416, None), ("bytes=20-,30-", 416, None), ("bytes=99999999999999999999-", 416, None),
    *((text, 200, b"0123456789") for text in ("bytes=5-2", "bytes=", "bytes=,", "bytes=-", "bytes=--1", "bytes=+1-2", "bytes=a-b", "bytes", "items=0-1", "bytes=0 - 1", "bytes=0x1-2")),
    ("bytes=" + ",".join(f"{at}-{at}" for at in range(0, 1000, 2)), 200, b"0123456789"),
)


def conditions(tag, modified):
    """Fields, and the status that they lead to, in the order of RFC 9110 13.2.2."""
    past, future, part = "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 2060 00:00:00 GMT", {"Range": "bytes=0-1"}
    yield from (({"If-None-Match": text}, 304) for text in (tag, "W/" + tag, "*", f'"x", {tag}'))
    yield from (({"If-None-Match": text}, 200) for text in ('"x"', "x", tag[:-1], ""))
    yield {"If-None-Match": '"x"', "If-Modified-Since": future}, 200
    yield from (({"If-Modified-Since": text}, 304) for text in (modified, future))
    yield from (({"If-Modified-Since": text}, 200) for text in (past, "nonsense"))
    yield from (({"If-Match": text}, 412) for text in ('"x"', "W/" + tag))
    yield from (({"If-Match": text}, 200) for text in (tag, "*"))
    yield {"If-Unmodified-Since": past}, 412
    yield {"If-Unmodified-Since": past, "If-Match": tag}, 200
    yield {"If-Match": '"x"', "If-None-Match": tag}, 412
    yield from (({**part, "If-Range": text}, 206) for text in (tag, modified))
    yield from (({**part, "If-Range": text}, 200) for text in ('"x"', "W/" + tag, past, future))
    yield {**part, "If-None-Match": tag}, 304
    yield {"Range": "bytes=99-", "If-Range": '"x"'}, 200


def fill(place):
    """A folder with secrets beside and in it."""
    root = pathlib.Path(place, "root")
    (root / "sub").mkdir(parents=True)
    for name in ("root/a.txt", "root/a b", "root/ü", "root/100%", "root/.hidden", "secret"):
        pathlib.Path(place, name).write_text("0123456789" if name == "root/a.txt" else "SECRET")
    for link, to in (("out", "../secret"), ("etc", "/etc"), ("in", "a.txt"), ("loop", "loop")):
        os.symlink(to, root / link)
    os.mkfifo(root / "fifo")
    return root


@check("ropewalk web --path: odd requests")
def odd_requests():
    """Paths, ranges and conditions of all kinds, and what is said of methods, stars, fields and bodies."""
    with tempfile.TemporaryDirectory() as place, Program("ropewalk", "web", "--path", fill(place), ANY, "--log", "off") as program:
        address = program.listening()
        with connected(address) as client:
            for wanted, paths in PATHS:
                for path in paths.split(" "):
                    status, headers, body = ask(client, "GET", path)
                    must(status == wanted and (status == 200 or b"SECRET" not in body), f"{path}: {status}")
                    must(status != 302 or headers["Location"].startswith("/sub/"), f"{path}: {headers}")
            for text, wanted, content in RANGES:
                status, headers, body = ask(client, "GET", "/a.txt", Range=text)
                must(status == wanted and body == (content or body), f"{text}: {status} {body}")
                must(status != 416 or headers["Content-Range"] == "bytes */10", f"{text}: {headers}")
            _, headers, _ = ask(client, "GET", "/a.txt")
            for fields, wanted in conditions(headers["ETag"], headers["Last-Modified"]):
                status, seen, body = ask(client, "GET", "/a.txt", **{name.replace("-", "_"): text for name, text in fields.items()})
                must(status == wanted, f"{fields}: {status}")
                must(status != 304 or not body and seen["ETag"] == headers["ETag"], f"{fields}: {seen}")
            for method, wanted in (("POST", 405), ("PATCH", 405), ("OPTIONS", 204), ("TRACE", 501), ("BREW", 501), ("get", 501)):
                status, seen, _ = ask(client, method, "/a.txt")
                must(status == wanted and (status == 501) == ("Allow" not in seen), f"{method}: {status} {seen}")
        for data, pattern in (
            (b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", rb"200 .*Content-Length: 0\r\n"),
            (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", rb"405 .*Allow: OPTIONS\r\n"),
            (b"GET /a.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + b"x: y\r\n" * 498 + b"\r\n", rb"200 .*0123456789$"),
            (b"GET /a.txt HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 500 + b"\r\n", rb"431 .*Connection: close\r\n"),
        ):
            answer = heard(address, data)
            must(re.match(rb"HTTP/1\.1 " + pattern, answer, re.DOTALL), f"{data[:60]}: {answer[:300]}")
        program.stops()
