"""Endpoint strings, as programs that are started with them see them."""

import pathlib
import socket
import ssl
import subprocess
import tempfile

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
    with Program("ropewalk", "echo", f"proxy:from=192.0.2.0/24,[2001:db8::]/32:{ANY}") as program:
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


def self_signed(folder):
    """A certificate of 127.0.0.1 and its key, in one file."""
    folder = pathlib.Path(folder)
    key, certificate, both = folder / "key.pem", folder / "cert.pem", folder / "site.pem"
    order = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*order.split(), *names, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    return both


@check("endpoint tls")
def tls():
    """An echo by TLS, also below a PROXY header that is in clear; a file that is not there is named."""
    with tempfile.TemporaryDirectory() as folder:
        pem = self_signed(folder)
        context = ssl.create_default_context(cafile=pem)
        for around, header in (("", b""), ("proxy:from=127.0.0.0/8:", HEADER)):
            with Program("ropewalk", "echo", f"{around}tls:127.0.0.1:0:cert={pem}") as program:
                with socket.create_connection(program.listening(), timeout=10) as plain:
                    plain.sendall(header)
                    with context.wrap_socket(plain, server_hostname="127.0.0.1") as peer:
                        peer.sendall(b"hello")
                        must(peer.recv(5) == b"hello", "other bytes came back")
                program.stops()
        missing = f"tls:127.0.0.1:0:cert={folder}/none.pem"
        with Program("ropewalk", "echo", missing) as program:
            one_line_error(program, missing, "none.pem", "byte 21")


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
        ("unix:/srv/a=b", "byte 5", r'did you mean "unix:/srv/a\=b"?'),
        ("tcp:prot=80", "byte 4", 'did you mean "port"?'),
        ("/run/chat", 'did you mean "unix:/run/chat"?'),
        ("stdio:x", "byte 6", '"x" is too much, write stdio:'),
    ):
        for program in (["ropewalk", "echo"], ["greeter"]):
            with Program(*program, ANY, wrong) as program:
                one_line_error(program, wrong, *told)
