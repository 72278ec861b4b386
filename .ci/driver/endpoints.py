"""Endpoint strings, as programs that are started with them see them."""

from .checks import ANY, check, echoes, one_line_error
from .harness import Peer, Program, must

HEADER = b"PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n"


@check("endpoint proxy")
def proxy():
    """A known proxy is believed, a stranger is not let in, and who sends no header is cut off (R115)."""
    with Program("ropewalk", "echo", f"proxy:from=127.0.0.0/8:{ANY}") as program:
        must(program.stdout.peek().startswith("listening on proxy:tcp:127.0.0.1:"), program.stdout.peek())
        address = program.listening()
        for piece in (None, 1):
            with Peer(address) as peer:
                peer.send(HEADER + b"hello", piece)
                must(peer.read(5) == b"hello", "other bytes came back")
        with Peer(address) as peer:
            peer.send(b"GET / HTTP/1.1\r\n\r\n")
            peer.must_end()
        program.stops()
    with Program("ropewalk", "echo", f"proxy:from=192.0.2.0/24:{ANY}") as program:
        with Peer(program.listening()) as peer:
            peer.must_end()
        program.stderr.matching("only known proxies may connect")
        program.stops()


@check("endpoint host")
def host():
    """The same as tcp, to connect to."""
    with Program("ropewalk", "echo", ANY) as echo:
        port = echo.listening()[1]
        with Program("ropewalk", "forward", ANY, "--to", f"host:localhost:{port}") as program:
            echoes(program.listening(), b"by its name")
            program.stops()


@check("endpoint errors")
def errors():
    """One line that quotes the string, points at the place, and says what there is; before anything is opened."""
    for wrong, *told in (
        ("tpc:8000", "byte 0", 'did you mean "tcp:8000"?', "known:", "only to connect to: host"),
        ("8000", 'did you mean "tcp:8000"?'),
        ("host:localhost:80", '"host" is to connect to, not to listen at'),
        ("tcp:127.0.0.1:0:backlg=5", "byte 16", 'did you mean "backlog"?'),
        ("haproxy:from=unix:tcp:80", 'did you mean "proxy:from=unix:tcp:80"?'),
        ("udp:127.0.0.1:0", '"udp" is to exchange datagrams at, not to listen at'),
        ("proxy:from=nowhere:tcp:80", "byte 11", "from must be"),
        ("proxy:tcp:127.0.0.1:0", "from is missing", "proxy:from=PROXIES:ENDPOINT"),
        ("proxy:from=unix:tpc:80", "byte 16", 'did you mean "proxy:from=unix:tcp:80"?'),
        ("proxy:from=unix:tcp:80:backlg=5", "byte 23"),
    ):
        for program in (["ropewalk", "echo"], ["greeter"]):
            with Program(*program, ANY, wrong) as program:
                one_line_error(program, wrong, *told)
