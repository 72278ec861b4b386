"""WebSocket beside programs that nobody here wrote: Python's `websockets` and `autobahn`, Twisted's own, Node's `ws`, Chromium. What is missing here is "skipped"."""

import os
import pathlib
import subprocess
import sys
import tempfile

from .browser import Chromium, Page, chromium
from .checks import ANY, check
from .harness import PATIENCE, Program, must, wait_for
from .tls_peers import Tool
from .websocket import echo_server, tool

PEERS = pathlib.Path(__file__).parent / "peers"
LONG = 12 * PATIENCE
NODE_PATHS = [*os.environ.get("NODE_PATH", "").split(":"), str(pathlib.Path("target/node/node_modules").resolve()), "/usr/share/nodejs"]
os.environ["NODE_PATH"] = ":".join(filter(None, NODE_PATHS))


def is_there(*command):
    try:
        return subprocess.run(command, capture_output=True, timeout=LONG).returncode == 0
    except FileNotFoundError:
        return False


def visited_by(*peer, options=()):
    """Their client, our server."""
    with echo_server("--compress", "--subprotocol", "b", "--max-message", 1 << 20, *options) as (_, url, _):
        visit = subprocess.run([*peer, "visit", url], capture_output=True, text=True, timeout=LONG)
        must(visit.returncode == 0 and "all is well" in visit.stdout, f"{peer[-1]}: {visit.stdout} {visit.stderr[-2000:]}")


def served_by(*peer, ports, has_words=True):
    """Their server, our clients: every byte is compared by `bench`. Some have no words for whom they refuse, and fewer codes to close with."""
    with Tool(*peer, "serve") as server:
        listening = lambda: [line.split()[1] for line in list(server.output.lines) if line.startswith("listening ")]
        wait_for(lambda: len(listening()) >= ports, f"{ports} ports of {peer[-1]} among {server.output.lines!r}", LONG)
        urls = [f"ws://127.0.0.1:{port}/" for port in listening()]
        for number, url in enumerate(urls):
            takes_over = ["--context-takeover"] if number % 2 else []
            for path, size in (("", 0), ("", 66_000 if number < 2 else 5000), ("fragments", 5000)):
                path = path if ports > 1 else ""
                options = ["-s", "b", "--compress", *takes_over, "--text", "-c", 2, "-z", size, "-t", 0.05, "--proxy", "none"]
                status, out, told = tool("bench", url + path, *options, patience=LONG)
                must(status == 0, f"{peer[-1]} {number} {options}: {out!r} {told!r}")
        if ports > 1:
            ends(urls[0], has_words)


def ends(url, has_words):
    """How their servers close, cut and refuse."""
    for code in (1000, 1003, 1011, 1014, 3000, 4999) if has_words else (1000, 3000, 4999):
        status, _, told = tool("connect", f"{url}close/{code}", "--no-input", "-s", "b")
        must(status == (0 if code == 1000 else 2) and f'closed: {code} "as asked"' in told, f"{code}: {status} {told!r}")
    status, _, told = tool("connect", url + "cut", "--no-input", "-s", "b")
    must(status == 2 and "closed: 1006" in told, f"{status} {told!r}")
    if has_words:
        status, _, told = tool("connect", url + "no", "--no-input")
        must(status == 1 and "401 Unauthorized" in told and "no way" in told, f"{status} {told!r}")
    status, out, told = tool("connect", url, "-s", "b", typed=b"hi\n")
    must((status, out) == (0, b"hi\n") and "open, b" in told, f"{status} {out!r} {told!r}")


@check("websocket, Python's websockets")
def websockets():
    """Both ways: sizes, fragments, pings, closing, compression of all kinds, subprotocols, refusals, cuts."""
    if not is_there(sys.executable, "-c", "from websockets.sync.server import serve"):
        return print("skipped: no websockets for Python here")
    peer = [sys.executable, PEERS / "websockets_peer.py"]
    visited_by(*peer)
    visited_by(*peer, options=["--context-takeover"])
    served_by(*peer, ports=8)


@check("websocket, autobahn")
def autobahn():
    """Both ways, as with Python's websockets; fragments with pings between them."""
    if not is_there(sys.executable, "-c", "import txaio; txaio.use_asyncio(); import autobahn.asyncio.websocket"):
        return print("skipped: no autobahn for Python here")
    peer = [sys.executable, PEERS / "autobahn_peer.py"]
    visited_by(*peer)
    visited_by(*peer, options=["--context-takeover"])
    served_by(*peer, ports=6, has_words=False)


@check("websocket, Twisted")
def twisted():
    """Both ways: sizes, pings, closing."""
    if not is_there(sys.executable, "-c", "import twisted.web.websocket"):
        return print("skipped: no Twisted with WebSocket here")
    peer = [sys.executable, PEERS / "twisted_peer.py"]
    visited_by(*peer)
    served_by(*peer, ports=1)


@check("websocket, Node's ws")
def ws():
    """Both ways, as with Python's."""
    if not is_there("node", "-e", "require('ws')"):
        return print("skipped: no ws for Node here")
    peer = ["node", PEERS / "ws_peer.js"]
    visited_by(*peer, options=["--context-takeover"])
    served_by(*peer, ports=6)


@check("websocket echo, in Chromium")
def in_chromium():
    """Sizes, kinds, compression, subprotocols, close codes; a server that stops, one that is killed, one of another origin."""
    if not chromium():
        return print("skipped: WebSocket in Chromium, which is not installed")
    visit = (PEERS / "browser_peer.js").read_text().split("\n", 1)[1]
    with tempfile.TemporaryDirectory() as folder, Chromium() as browser:
        pathlib.Path(folder, "index.html").write_text("<!doctype html><p>nothing")
        with Program("ropewalk", "web", "--path", folder, ANY, "--log", "off") as site:
            origin = "http://{}:{}".format(*site.listening())
            page = Page(browser, origin + "/", 800, 600)
            page.wait("document.readyState === 'complete' && location.protocol === 'http:'", "page")
            for compression in ([], ["--compress"], ["--compress", "--context-takeover"]):
                with Program("ropewalk", "websocket", "echo", ANY, "--subprotocol", "b", "--max-message", 1_000_000, "--origin", origin, *compression) as server:
                    url = "ws://{}:{}/".format(*server.listening())
                    told = page.get(f"({visit})({url!r}, {'true' if compression else 'false'})")
                    must(told == "all is well", told)
                    server.stops() if compression else server.process.kill()
                    ending = page.get("window.ending")
                    must(ending == ("1001 true" if compression else "1006 false"), f"it ended with {ending}")
            with echo_server() as (_, url, _):
                refused = page.get(f"new Promise((done) => {{ new WebSocket({url!r}).onclose = (event) => done(event.code); }})")
                must(refused == 1006, f"another origin was let in: {refused}")
            site.stops()
