"""The programs that exchange datagrams, one check each. Its first line says which of the program's promises it checks."""

import signal
import socket
import time

from .checks import check, one_line_error
from .harness import PATIENCE, Program, must


def udp(host="127.0.0.1"):
    """A socket of the test's own at a free port."""
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    own = socket.socket(kind, socket.SOCK_DGRAM)
    own.bind((host, 0))
    own.settimeout(PATIENCE)
    return own


def udp_port(program, host="127.0.0.1"):
    """The port of `listening on udp:…`."""
    line = program.stdout.next()
    start = f"listening on udp:{f'[{host}]' if ':' in host else host}:"
    must(line.startswith(start), f"not a `listening on udp:` line: {line!r}")
    return int(line.removeprefix(start))


@check("udp_echo")
def udp_echo():
    """P25: each datagram back to its sender, of 0, 1, 1400 and 8192 bytes; a longer one is cut."""
    with Program("udp_echo", "udp:127.0.0.1:0", "udp:[::1]:0") as program:
        for host in ("127.0.0.1", "::1"):
            address = (host, udp_port(program, host))
            with udp(host) as one, udp(host) as two:
                for length in (0, 1, 1400, 8192, 0):
                    for own, letter in ((one, b"1"), (two, b"2")):
                        own.sendto(letter * length, address)
                    for own, letter in ((one, b"1"), (two, b"2")):
                        data, peer = own.recvfrom(70000)
                        must(data == letter * length, f"{len(data)} bytes came back of {length}")
                        must(peer[:2] == address, f"from {peer}")
                one.sendto(b"x" * 60000, address)
                must(len(one.recv(70000)) == 8192, "the longest is not 8192 bytes")
        with Program("udp_echo", f"udp:{host}:{address[1]}".replace("::1", "[::1]")) as second:
            one_line_error(second, str(address[1]))
        program.stops(signal.SIGINT)
    for wrong in ("udp:127.0.0.1:65536", "udp:127.0.0.1:0:limit=0", "tcp:127.0.0.1:0", "udp:192.0.2.1:0", ""):
        with Program("udp_echo", wrong) as program:
            one_line_error(program, wrong)


@check("udp_client")
def udp_client():
    """P26: prints the answer to its datagram; without one a time-out message and status 1 after 2 s."""
    with Program("udp_echo", "udp:127.0.0.1:0") as server:
        endpoint = f"udp:127.0.0.1:{udp_port(server)}"
        with Program("udp_client", endpoint) as client:
            client.ends(0)
            must(client.stdout.text().strip(), "it printed nothing")
    with Program("udp_client", endpoint) as client:
        one_line_error(client, endpoint, "refused")
    with udp() as silent:
        endpoint = f"udp:127.0.0.1:{silent.getsockname()[1]}"
        with Program("udp_client", endpoint) as client:
            one_line_error(client, endpoint, "time-out")
            took = time.monotonic() - client.began
            must(1.9 < took < 3, f"it took {took:.2f} s")
        _, peer = silent.recvfrom(100)
        must(peer, "nothing was sent")
    with Program("udp_client", "udp:127.0.0.1:port") as client:
        one_line_error(client, "udp:127.0.0.1:port")
