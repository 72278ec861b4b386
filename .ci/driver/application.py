"""`ropewalk run` and `ropewalk check`: applications in a file."""

import json
import os
import pathlib
import signal
import time

from .checks import ANY, check, echoes, one_line_error
from .harness import Listener, Peer, Program, must, wait_for
from .logs import folder, read
from .tls import certificate
from .websocket import PING, PONG, WebSocket

WHOLE = f"""
[[service]]
type = "chat"
name = "lobby"
endpoint = "{ANY}"

[[service]]
type = "echo"
endpoints = ["{ANY}", "{ANY}"]
[service.limits]
connections = 2

[log]
file = "app.log"
format = "json"

[daemon]
pidfile = "app.pid"

[shutdown]
soft = 1
hard = 2
"""


def written(name, text):
    path = pathlib.Path(name, "app.toml")
    path.write_text(text)
    return path


@check("ropewalk run")
def run():
    """All services of a file, with its log, process and limits; the command line comes before the file."""
    with folder() as name:
        path = written(name, WHOLE)
        with Program("ropewalk", "check", path) as program:
            program.ends(0)
            must("lobby, echo" in program.stdout.text(), program.stdout.text())
            must(sorted(file.name for file in path.parent.iterdir()) == ["app.toml"], "check made files")
        with Program("ropewalk", "run", "app.toml", folder=name) as program:
            lobby, echo, other = program.listening(), program.listening(), program.listening()
            with Peer(lobby) as ann:
                ann.send(b"ann\n/who\n")
                ann.read_line_with("ann")
            echoes(echo, b"hello")
            echoes(other, b"hello")
            with Peer(echo) as one, Peer(other) as two:
                for peer in (one, two):
                    peer.send(b"x")
                    peer.read(1)
                with Peer(echo) as three:
                    three.must_end()
            must(read(path.parent / "app.pid") == f"{program.process.pid}\n", "another pid file")
            program.stops()
        must(not (path.parent / "app.pid").exists(), "the pid file is still there")
        lines = [json.loads(line) for line in read(path.parent / "app.log").splitlines()]
        must(any("serves" in line["fields"]["message"] for line in lines), lines)
        with Program("ropewalk", "run", "app.toml", "--log-file", "mine.log", "--log-format", "text", folder=name) as program:
            program.listening()
            program.stops(signal.SIGINT)
        must("serves" in read(path.parent / "mine.log"), "the command line does not come first")
        written(name, WHOLE.replace("[daemon]", "[daemon]\ndaemon = true"))
        with Program("ropewalk", "run", "app.toml", folder=name) as program:
            program.ends(0)
            number = int(read(path.parent / "app.pid"))
        pathlib.Path(f"/proc/{number}/status").read_text()
        os.kill(number, signal.SIGTERM)
        wait_for(lambda: not (path.parent / "app.pid").exists(), "end of the daemon")


@check("ropewalk run, a WebSocket")
def run_websocket():
    """A type of two words serves as its subcommand would, with its options and limits; one that serves nothing is refused."""
    with folder() as name:
        service = f'[[service]]\ntype = "%s"\nendpoint = "{ANY}"\n%s'
        path = written(name, service % ("websocket echo", 'path = "/ws"\nsubprotocol = ["milk", "tea"]\n[service.limits]\nconnections = 2\n'))
        with Program("ropewalk", "run", path) as program:
            address = program.listening()
            with WebSocket(address, "/ws", "Sec-WebSocket-Protocol: tea\r\n") as one, WebSocket(address, "/ws") as two:
                must(b"Sec-WebSocket-Protocol: tea\r\n" in one.head, f"{one.head!r}")
                for peer in (one, two):
                    peer.say(b"hi")
                    must(peer.frame() == (1, b"hi"), "it came back otherwise")
                with Peer(address) as third:
                    third.must_end()
                one.say(b"", PING)
                must(one.frame() == (PONG, b""), "no pong")
            program.stops()
        with Program("ropewalk", "run", written(name, service % ("websocket connect", ""))) as program:
            one_line_error(program, "websocket connect", "websocket echo")


@check("ropewalk check")
def check_file():
    """All that is wrong, a line each with file, line and column; status 1; run says the same and opens nothing."""
    with folder() as name, Listener() as busy:
        path = written(name, '[log]\nlevle = "info"\n[[service]]\ntype = "ecoh"\n[[service]]\ntype = "echo"\nendpoint = "tpc:1"\n')
        for command in ("check", "run"):
            with Program("ropewalk", command, path) as program:
                program.ends(1)
                lines = program.stderr.lines
                must(len(lines) == 3 and program.stdout.lines == [], lines)
                for line, start, text in zip(lines, (f"{path}:2:1:", f"{path}:4:8:", f"{path}:7:12:"), ('"level"', '"echo"', '"tpc:1"')):
                    must(line.startswith(start) and text in line, line)
        for text, place in (("", "1:1"), ("[[service]\n", "1:"), ("service = 5\n", "1:11"), ("[service]\ntype='echo'\n", "1:")):
            path = written(name, text)
            with Program("ropewalk", "check", path) as program:
                program.ends(1)
                must(program.stderr.lines and program.stderr.lines[0].startswith(f"{path}:{place}"), program.stderr.lines)
        path = written(name, f'[[service]]\ntype = "echo"\nname = "mine"\nendpoint = "{busy.endpoint}"\n')
        with Program("ropewalk", "check", path) as program:
            program.ends(0)
        with Program("ropewalk", "run", path) as program:
            one_line_error(program, '"mine"', str(busy.port))
        for missing in (f"{name}/none.toml", name):
            with Program("ropewalk", "run", missing) as program:
                one_line_error(program, missing)


@check("ropewalk run, graceful stop")
def graceful():
    """A connection that is busy has until the soft deadline; a second signal ends it now. A subcommand does the same."""
    with folder() as name, Listener() as upstream:
        text = f"""
[[service]]
type = "forward"
endpoint = "{ANY}"
to = "{upstream.endpoint}"
[shutdown]
soft = SOFT
"""
        for soft, signals in ((1, 1), (60, 2), (None, 2)):
            command = ["run", written(name, text.replace("SOFT", str(soft)))]
            if soft is None:
                command = ["forward", ANY, upstream.endpoint]
            with Program("ropewalk", *command) as program, Peer(program.listening()) as peer, upstream.accept() as far:
                peer.send(b"work in flight")
                far.read(14)
                began = time.monotonic()
                program.process.send_signal(signal.SIGTERM)
                program.stderr.matching("stopping")
                far.send(b"done")
                must(peer.read(4) == b"done", "the answer was cut off")
                if signals == 2:
                    program.process.send_signal(signal.SIGTERM)
                program.ends(0)
                must(time.monotonic() - began < 5, "it took too long")


@check("ropewalk check, certificates")
def check_certificates():
    """Files of TLS are read without a port: what is missing, unreadable, of another key or expired is told with file and reason."""
    with folder() as name, Listener() as busy:
        path = lambda file: str(pathlib.Path(name, file))
        certificate(name)
        certificate(name, "other")
        certificate(name, "expired", "20190101000000Z", "20200229000000Z")
        pathlib.Path(name, "empty.pem").write_text("")
        good = f"cert={path('site.pem')}:key={path('site.key')}"
        echo = lambda options: f'[[service]]\ntype = "echo"\nendpoint = "tls:127.0.0.1:{busy.port}:{options}"\n'
        forward = lambda to: f'[[service]]\ntype = "forward"\nendpoint = "tcp:127.0.0.1:{busy.port}"\nto = "{to}"\n'
        for text in (echo(good), echo(f"{good}:client_ca={path('other.pem')}:reload"), forward(f"tls:localhost:1:roots={path('site.pem')}")):
            with Program("ropewalk", "check", written(name, text)) as program:
                program.ends(0)
        inside = "cert=site.pem:key=site.key"
        with Program("ropewalk", "check", written(name, f'{echo(inside)}[daemon]\nrundir = "{name}"\n')) as program:
            program.ends(0)
        for text, file, reason in (
            (echo(f"cert={path('none.pem')}"), "none.pem", "cannot be read: No such file"),
            (echo(f"cert={name}:key={path('site.key')}"), name, "cannot be read"),
            (echo(f"cert={path('empty.pem')}"), "empty.pem", "no certificate in it"),
            (echo(f"cert={path('site.pem')}"), "site.pem", "no private key in it"),
            (echo(f"cert={path('site.pem')}:key={path('other.key')}"), "other.key", "is not the one of this certificate"),
            (echo(f"cert={path('expired.pem')}:key={path('expired.key')}"), "expired.pem", "expired on 2020-02-29"),
            (echo(f"{good}:client_ca={path('none.pem')}"), "none.pem", "cannot be read"),
            (echo(f"{good}:sni={path('none')}"), "none", "cannot be read"),
            (forward(f"tls:localhost:1:roots={path('empty.pem')}"), "empty.pem", "no certificate in it"),
            (forward(f"tls:localhost:1:cert={path('site.pem')}:key={path('other.key')}"), "other.key", "is not the one"),
            (f'{echo(good)}[daemon]\nrundir = "{path("none")}"\n', "none", "No such file"),
        ):
            with Program("ropewalk", "check", written(name, text)) as program:
                one_line_error(program, str(path("app.toml")), file, reason)
