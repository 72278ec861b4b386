"""What every program must do alike: answer bad endpoints, stop on signals, survive clients that mean no good."""

import signal

from .checks import ANY, CLIENTS, SERVERS, abuse, check, one_line_error, server
from .harness import Listener, Peer, Program, Wrong, free_port, in_parallel, must, wait_for


@check("bad endpoints")
def bad_endpoints():
    """Each program answers a bad endpoint with one line that quotes it, and exit status 1."""
    strings = ["tcp:notaport", "tcp:127.0.0.1:65536", "tpc:127.0.0.1:0", "", "tcp:127.0.0.1:1:backlg=5", "tcp:[::1:80"]
    for name in [*SERVERS, *CLIENTS, "reconnect"]:
        for text in strings:
            with Program(*name.split(), text) as program:
                try:
                    one_line_error(program, text)
                except Wrong as wrong:
                    raise Wrong(f"{name} {text!r}: {wrong}") from None


@check("bad addresses")
def bad_addresses():
    """A busy port, a foreign address, an unknown host, a refused connect: one line with the address, status 1."""
    with Listener() as listener:
        for name in SERVERS:
            for endpoint, text in ((listener.endpoint, str(listener.port)), ("tcp:192.0.2.1:0", "192.0.2.1")):
                with server(name, endpoint) as program:
                    one_line_error(program, text)
    port = free_port()
    for name in CLIENTS:
        with Program(name, f"tcp:127.0.0.1:{port}") as program:
            one_line_error(program, str(port))
        with Program(name, "tcp:no-such-host.invalid:80") as program:
            one_line_error(program, "no-such-host.invalid")


@check("signals")
def signals():
    """SIGINT and SIGTERM end each server cleanly, with clients connected, and these see the end."""
    for name in SERVERS:
        for which in (signal.SIGINT, signal.SIGTERM):
            with server(name) as program:
                address = program.listening()
                peers = [Peer(address) for _ in range(5)]
                program.stops(which)
                for peer in peers:
                    peer.must_end()


@check("graceful stop")
def graceful_stop():
    """At SIGTERM who is being answered gets all of it, idle peers are let go, and nobody new is let in; at a second one it ends."""
    with Program("poetry_server", ANY, "--delay", "3") as program:
        address = program.listening()
        with Peer(address) as peer:
            poem = peer.read(1)
            program.process.send_signal(signal.SIGTERM)
            wait_for(lambda: refuses(address), "refusal")
            poem += peer.read_to_end()
            must(poem.decode().endswith("The wind is passing by.\n"), f"the poem was cut: {poem!r}")
        program.ends(0)
    with Program("poetry_server", ANY, "--delay", "1000") as program, Peer(program.listening()) as peer:
        peer.read(1)
        program.process.send_signal(signal.SIGTERM)
        program.stderr.matching("stops gracefully and waits for 1 connections")
        program.stops()
        peer.read_to_end()
    with Program("greeter", ANY) as program, Peer(program.listening()) as peer:
        program.stops()
        peer.must_end()
        must("soft deadline" not in program.stderr.text(), "it waited for an idle peer")


def refuses(address):
    """Whether nobody listens there any more."""
    try:
        Peer(address).socket.close()
    except ConnectionRefusedError:
        return True
    return False


@check("resets")
def resets():
    """Each server survives clients that reset, send rubbish or close half, and serves the next one."""
    for name in SERVERS:
        with server(name) as program:
            address = program.listening()
            abuse(address)
            in_parallel(100, lambda _: Peer(address).reset())
            with Peer(address) as peer:
                peer.send(b"after all that\r\n")
            must(program.process.poll() is None, f"{name} ended")
            program.stops()
