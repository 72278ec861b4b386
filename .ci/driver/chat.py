"""The chat's two kinds of clients in the same rooms, over a server that is killed and started again."""

import http.client
import json
import os
import pathlib
import resource
import signal
import sqlite3
import tempfile
import threading
import time

from .checks import ANY, check, one_line_error
from .command import is_in_room
from .harness import PATIENCE, Peer, Program, WebSocket, Wrong, free_port, in_parallel, must, wait_for


class Tab:
    """What the page's script does, in a thread: it comes back when it is cut off, and neither loses nor doubles anything."""

    def __init__(self, address, name):
        self.address, self.name = address, name
        self.seen, self.id, self.shown, self.pending = 0, None, [], {}
        self.key, self.socket, self.is_over, self.returns = 0, None, False, 0
        self.lock = threading.RLock()
        threading.Thread(target=self._live, daemon=True).start()
        wait_for(lambda: self.socket, f"welcome for {name}")

    def say(self, text):
        with self.lock:
            self.key += 1
            message = {"type": "say", "room": "lobby", "key": f"{self.name} {self.key}", "text": text}
            self.pending[message["key"]] = message
            self._send(message)

    def close(self):
        self.is_over = True
        if self.socket:
            self.socket.close()

    def _send(self, message):
        try:
            if self.socket:
                self.socket.send(json.dumps(message))
        except OSError:
            pass  # the other thread sees it, too

    def _live(self):
        while not self.is_over:
            try:
                with WebSocket(self.address, "/ws") as socket:
                    socket.send(json.dumps({"type": "hello", "name": self.name, "token": f"token of {self.name}"}))
                    while text := socket.receive():
                        with self.lock:
                            self._hear(socket, json.loads(text))
            except (OSError, Wrong):
                pass
            self.socket = None
            self.returns += 1
            time.sleep(0.02)

    def _hear(self, socket, told):
        kind = told["type"]
        if kind == "welcome":
            join = {"type": "join", "room": "lobby"} | ({"id": self.id, "seen": self.seen} if self.id else {})
            socket.send(json.dumps(join))
            self.socket = socket
            for message in self.pending.values():
                self._send(message)
        elif kind == "room":
            self.id = told["id"]
        elif kind == "history":
            for message in told["messages"]:
                self._show(message)
            if told["more"]:
                self._send({"type": "more", "seen": self.seen})
        elif kind == "message":
            self._show(told)
        elif kind == "ack":
            self.pending.pop(told["key"], None)

    def _show(self, message):
        if message["seq"] > self.seen:
            self.seen = message["seq"]
            self.shown.append((message["seq"], message["name"], message["text"]))


def started(web, lines, *options):
    return Program("ropewalk", "chat", "--web", web, "--lines", lines, *options)


@check("ropewalk chat, page")
def page():
    """The page and its policy; a page of others may not connect; lines and browsers hear each other; the end is told."""
    with started(ANY, ANY) as program:
        web, lines = program.listening(), program.listening()
        must(program.stdout.next() == f"http://127.0.0.1:{web[1]}/", program.stdout.text())
        for path, kind in (("/", "text/html"), ("/chat.css", "text/css"), ("/chat.js", "text/javascript"), ("/messages.js", "text/javascript"), ("/lists.js", "text/javascript")):
            client = http.client.HTTPConnection(*web, timeout=PATIENCE)
            client.request("GET", path)
            answer = client.getresponse()
            must(answer.status == 200 and answer.headers["Content-Type"].startswith(kind), f"{path}: {answer.headers}")
            must("default-src 'none'" in answer.headers["Content-Security-Policy"], f"{answer.headers}")
            client.close()
        try:
            WebSocket(web, "/ws", origin="http://evil.example")
            raise Wrong("a page of others may connect")
        except ConnectionError as error:
            must("403" in str(error), error)
        tab = Tab(web, "ann")
        with Peer(lines) as netty:
            netty.send(b"netty\n")
            is_in_room(netty, "ann")
            tab.say("hello from the page \x1b[31m")
            must(netty.read_line_with("ann", "hello from the page") == "ann: hello from the page ␛[31m".encode(), "a control byte came")
            netty.send("grüße von nc\n".encode())
            wait_for(lambda: ("netty", "grüße von nc") in [said[1:] for said in tab.shown], "line in the browser")
            netty.send(b"/join harbour\n/rooms\n/join lobby\n")
            netty.read_until("You are in harbour", "2 rooms: harbour (1 here)", "hello from the page")
        watcher = WebSocket(web, "/ws")
        watching = threading.Thread(target=watcher.receive, daemon=True)
        watching.start()
        program.stops()
        watching.join(PATIENCE)
        must(watcher.closed == 1001, f"it was told {watcher.closed}")
        tab.close()
    with started(ANY, ANY) as program, WebSocket(program.listening(), "/ws") as sleeper:
        sleeper.send(json.dumps({"type": "hello", "name": "sleeper", "token": "t"}))
        program.stderr.matching("joined")
        began = time.monotonic()
        program.stops(signal.SIGINT)
        must(time.monotonic() - began < PATIENCE / 2, "it waits long for one that does not answer its goodbye")


@check("ropewalk chat, kill and restart")
def kill_and_restart():
    """1000 messages of two browsers and two line clients; the server is killed three times; none is lost, none doubled."""
    web, lines = (f"tcp:127.0.0.1:{free_port()}" for _ in range(2))
    with tempfile.TemporaryDirectory() as folder:
        history = pathlib.Path(folder) / "history.db"
        program = started(web, lines, "--history", history)
        web_address, lines_address = program.listening(), program.listening()
        tabs = [Tab(web_address, "ann"), Tab(web_address, "bob")]
        said, by_lines = {"ann": [], "bob": []}, []
        try:
            for part in range(4):
                talkers = [Peer(lines_address) for _ in range(2)]
                for number, talker in enumerate(talkers):
                    talker.send(f"netty{number}\n".encode())
                    is_in_room(talker, f"netty{number}")
                for number in range(part * 250, part * 250 + 250):
                    if (which := number % 4) < 2:
                        said[tabs[which].name].append(f"message {number}")
                        tabs[which].say(f"message {number}")
                    else:
                        by_lines.append(f"message {number}")
                        talkers[which - 2].send(f"message {number}\n".encode())
                # What a line client sent has arrived when others hear it; what a browser sent may be under way.
                wait_for(lambda: set(by_lines) <= {said[2] for said in tabs[0].shown}, "all lines")
                if part < 3:
                    tabs[0].say(f"just before the end of part {part}")
                    said["ann"].append(f"just before the end of part {part}")
                    program.process.kill()
                    program.process.wait()
                    program = started(web, lines, "--history", history)
                    program.listening()
                for talker in talkers:
                    talker.socket.close()
            for tab in tabs:
                wait_for(lambda: not tab.pending and tab.seen == 1003, f"{tab.name}: {len(tab.pending)} not sent, {tab.seen} seen")
                must([seq for seq, *_ in tab.shown] == list(range(1, 1004)), "the numbers have gaps")
                for name, texts in said.items():
                    must([text for _, who, text in tab.shown if who == name] == texts, f"{name}'s are not as said")
            must(tabs[0].shown == tabs[1].shown, "the two saw different things")
            must(min(tab.returns for tab in tabs) >= 3, "they were not cut off")
            program.stops()
        finally:
            for tab in tabs:
                tab.close()
            program.__exit__(None, None, None)
        with sqlite3.connect(history) as database:
            rows = database.execute("SELECT seq, name, text FROM message ORDER BY seq").fetchall()
        must(rows == tabs[0].shown, "the file says something else")


@check("ropewalk chat, last words")
def last_words():
    """What a goodbye or an echo acknowledged survives a kill; what was sent before a SIGTERM is kept; one chat has a file."""
    with tempfile.TemporaryDirectory() as folder:
        history = pathlib.Path(folder) / "history.db"
        texts = lambda: [text for text, in sqlite3.connect(history).execute("SELECT text FROM message ORDER BY seq")]
        with started(ANY, ANY, "--history", history) as program:
            program.listening()
            lines = program.listening()
            with Peer(lines) as script, Peer(lines) as echoed:
                script.send(b"script\nbefore the goodbye\n/quit\n")
                must(script.read_to_end().endswith(b"* Goodbye.\n"), "no goodbye")
                echoed.send(b"echoed\n/echo on\nseen again\n")
                echoed.read_line_with("echoed: seen again")
            program.process.kill()
        must(texts() == ["before the goodbye", "seen again"], f"kept is {texts()}")
        with started(ANY, ANY, "--history", history) as program:
            program.listening()
            with Peer(program.listening()) as peer:
                peer.send(b"last\n")
                peer.read_until("You are in")
                with started(ANY, ANY, "--history", history) as second:
                    second.ends(1)
                    must("another chat" in second.stderr.lines[-1], second.stderr.lines)
                words = [f"word {number} {'x' * 500}" for number in range(2000)]  # more than is read in an instant
                peer.send("".join(f"{word}\n" for word in words).encode())
                program.stops()
        must(texts()[2:] == words, f"{len(texts())} are kept")


@check("ropewalk chat, full disk")
def full_disk():
    """What cannot be kept nobody hears, its sender is told so, and what was kept before is not touched; once there is room it goes on."""
    with tempfile.TemporaryDirectory() as folder:
        history = pathlib.Path(folder) / "history.db"
        with started(ANY, ANY, "--history", history) as program:
            program.listening()
            with Peer(program.listening()) as peer:
                peer.send(b"ann\n/echo on\nbefore\n")
                peer.read_line_with("ann: before")
                no_limit = resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, (8192, no_limit[1]))
                peer.send(b"x" * 10_000 + b"\n")
                peer.read_line_with("* ", "could not be kept")
                resource.prlimit(program.process.pid, resource.RLIMIT_FSIZE, no_limit)
                peer.send(b"after\n")
                peer.read_line_with("ann: after")
            program.stops()
        texts = sqlite3.connect(history).execute("SELECT text FROM message ORDER BY seq").fetchall()
        must(texts == [("before",), ("after",)], f"kept is {texts}")


@check("ropewalk chat, bad history")
def bad_history():
    """A file that is no database, is another program's, or cannot be written: one line that names it, status 1."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "text").write_text("not a database\n" * 100)
        with sqlite3.connect(folder / "theirs") as database:
            database.execute("CREATE TABLE theirs (x)")
        os.mkfifo(folder / "pipe")
        for file in ("text", "theirs", "no/such/folder", ".", "pipe"):
            with started(ANY, ANY, "--history", folder / file) as program:
                one_line_error(program, str(folder / file), "--history")
        application = folder / "chat.toml"
        for file, status in (("text", 1), ("no/such", 1), ("new", 0)):
            application.write_text(f'[[service]]\ntype = "chat"\nweb = "{ANY}"\nlines = "{ANY}"\nhistory = "{folder / file}"\n')
            with Program("ropewalk", "check", application) as program:
                program.ends(status)
        must(not (folder / "new").exists(), "the check made a file")
        with Program("ropewalk", "run", application) as program:
            in_parallel(5, lambda number, web=program.listening(): Tab(web, f"tab{number}").close())
            program.stops()
        must(os.path.getsize(folder / "new") > 0, "the history is not there")
