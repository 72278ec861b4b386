"""The roads that bytes travel, beside programs that nobody here wrote. Where such a program is missing, its check says "skipped"."""

import os
import pathlib
import resource
import shutil
import socket
import subprocess
import tempfile
import time

from .checks import ANY, check, one_line_error
from .harness import PATIENCE, Listener, Peer, Program, free_port, must, wait_for

V1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 5 80\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command, family, body, length=None):
    length = len(body) if length is None else length
    return SIGNATURE + bytes([command, family]) + length.to_bytes(2, "big") + body


FOUR = bytes([192, 0, 2, 1, 192, 0, 2, 2, 0, 5, 0, 80])


def has(*tools):
    """Whether these programs are installed."""
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        print(f"skipped: no {', '.join(missing)} here")
    return not missing


def connects(address):
    """A connection, as soon as somebody listens there."""
    def attempt():
        try:
            return socket.create_connection(address, PATIENCE)
        except ConnectionRefusedError:
            return None
    return wait_for(attempt, f"server at {address}")


def answer(peer, data):
    """What comes back for the bytes and the end after them; a reset is an end."""
    with peer:
        try:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
            came = b""
            while piece := peer.recv(65536):
                came += piece
        except (ConnectionError, OSError) as error:
            must(not isinstance(error, TimeoutError), f"it hangs after {data[:60]!r}")
    return came


@check("road proxy, cut and lying")
def proxy_cut():
    """A header in two pieces, cut at every byte, is a header; its beginning alone is none; one that lies lets nothing in (H1-26)."""
    good = (V1, b"PROXY UNKNOWN\r\n", v2(0x21, 0x11, FOUR), v2(0x20, 0, b""), v2(0x21, 0x11, FOUR + b"\x04\0\x01a"))
    lies = (
        v2(0x21, 0x11, FOUR, 11), v2(0x21, 0x21, FOUR), v2(0x21, 0x11, FOUR + b"\x04\0\x09a"), v2(0x11, 0x11, FOUR),
        v2(0x22, 0x11, FOUR), v2(0x21, 0x11, FOUR, 65535), b"PROXY TCP4 ::1 ::1 1 1\r\n", b"PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n",
        b"PROXY TCP4 01.1.1.1 1.1.1.1 1 1\r\n", b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n", V1[:-2] + b"\n",
    )
    with Program("ropewalk", "echo", f"proxy:from=127.0.0.0/8:{ANY}") as program:
        address = program.listening()
        for header in good:
            for cut in range(len(header) + 1):
                peer = socket.create_connection(address, PATIENCE)
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer.sendall(header[:cut])
                must(answer(peer, header[cut:] + b"tail") == b"tail", f"{header!r} cut at {cut}")
                if cut < len(header):
                    beginning = answer(socket.create_connection(address, PATIENCE), header[:cut])
                    must(beginning == b"", f"the first {cut} bytes of {header!r} let in {beginning!r}")
        for lie in lies:
            must(answer(socket.create_connection(address, PATIENCE), lie + b"tail") == b"", f"{lie!r} was let in")
        program.stops()


@check("road haproxy")
def haproxy():
    """HAProxy sends each version of its header, to TCP and to a UNIX socket."""
    if not has("haproxy"):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "echo"
        with Program("ropewalk", "echo", f"proxy:from=127.0.0.1:{ANY}", f"proxy:from=unix:unix:{path}") as program:
            port = program.listening()[1]
            program.stdout.next()
            lines = ["defaults", " mode tcp", " timeout connect 9s", " timeout client 9s", " timeout server 9s"]
            fronts = []
            for options in ("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c"):
                for back in (f"127.0.0.1:{port}", f"unix@{path}"):
                    fronts.append(("127.0.0.1", free_port()))
                    name = f"listen front{len(fronts)}"
                    lines += [name, f" bind 127.0.0.1:{fronts[-1][1]}", f" server back {back} {options}"]
            configuration = pathlib.Path(folder) / "haproxy.cfg"
            configuration.write_text("\n".join(lines) + "\n")
            proxy = subprocess.Popen(["haproxy", "-db", "-q", "-f", configuration], stdin=subprocess.DEVNULL)
            try:
                bulk = os.urandom(50_000)
                for front in fronts:
                    must(answer(connects(front), bulk) == bulk, f"other bytes came back through {front}")
            finally:
                proxy.kill()
                proxy.wait()
            program.stops()


@check("road systemd-socket-activate")
def socket_activation():
    """Sockets that systemd opened, by index and by name, once each."""
    tool = "systemd-socket-activate"
    if not has(tool):
        return
    for wanted, error in (
        (["systemd:index=0", "systemd:admin"], None),
        (["systemd:index=2"], b"2 sockets"),
        (["systemd:nobody"], b'"web", "admin"'),
        (["systemd:web", "systemd:index=0"], b"taken already"),
    ):
        ports = [free_port(), free_port()]
        listens = [f"--listen=127.0.0.1:{port}" for port in ports]
        program = [Program.folder / "ropewalk", "echo", *wanted]
        started = subprocess.Popen([tool, *listens, "--fdname=web:admin", *program], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            first = connects(("127.0.0.1", ports[0]))
            if error is None:
                must(answer(first, b"one") == b"one", "by index")
                must(answer(connects(("127.0.0.1", ports[1])), b"two") == b"two", "by name")
                started.terminate()
            _, said = started.communicate(timeout=PATIENCE)
            must(started.returncode == (1 if error else 0), f"{wanted}: {started.returncode}, {said}")
            must(error is None or error in said, f"{wanted}: {said}")
            first.close()
        finally:
            started.kill()


@check("road silent IPv6")
def silent_address():
    """A host whose first address is silent is reached by its second within half a second (R110)."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_INET6) as silent:
        hosts = pathlib.Path(folder) / "hosts"
        hosts.write_text("127.0.0.1 localhost\n::1 both.test\n127.0.0.1 both.test\n")
        own_hosts = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts]
        if not has("unshare") or subprocess.run([*own_hosts, "true"], capture_output=True).returncode != 0:
            print("skipped: this user may not have a name table of its own")
            return
        with Program("ropewalk", "echo", ANY) as echo:
            port = echo.listening()[1]
            try:
                silent.bind(("::1", port))
            except OSError:
                print("skipped: no IPv6 here")
                return
            silent.listen(0)
            # A full queue answers nobody.
            fillers = [socket.socket(socket.AF_INET6) for _ in range(3)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("::1", port))
            near = free_port()
            command = [Program.folder / "ropewalk", "forward", f"tcp:127.0.0.1:{near}", "--to", f"tcp:both.test:{port}"]
            forward = subprocess.Popen([*own_hosts, *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            try:
                peer = connects(("127.0.0.1", near))
                began = time.monotonic()
                must(answer(peer, b"hello") == b"hello", "it was not forwarded")
                took = time.monotonic() - began
                must(0.2 < took < 2, f"it took {took:.2f} s")
            finally:
                forward.kill()
                forward.wait()
                for filler in fillers:
                    filler.close()


@check("road without descriptors")
def no_descriptors():
    """With 64 descriptors and 150 peers a server neither ends nor spins, and is back in a second."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    try:
        program = Program("ropewalk", "echo", ANY)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    with program:
        address = program.listening()
        peers = [Peer(address) for _ in range(150)]
        program.stderr.matching("cannot accept; closed [0-9]+ waiting peers.*Too many open files")
        for peer in peers:
            peer.socket.close()
        began = time.monotonic()

        def is_back():
            try:
                return answer(socket.create_connection(address, PATIENCE), b"hello") == b"hello"
            except ConnectionError:
                return False
        wait_for(is_back, "answer")
        must(time.monotonic() - began < 1, "it took too long to come back")
        program.stops()


@check("road unix datagrams")
def unix_datagrams():
    """A path with mode and lock as that of streams: a stale one is taken over with the lock only (R88); no answer to who has no name."""
    with tempfile.TemporaryDirectory() as folder:
        path, own = pathlib.Path(folder) / "echo", pathlib.Path(folder) / "own"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
            peer.settimeout(PATIENCE)
            peer.bind(str(own))
            with Program("udp_echo", f"unix-datagram:{path}:mode=600:lock=yes") as first:
                must(first.stdout.next() == f"listening on unix:{path}", first.stdout.lines)
                must(path.stat().st_mode & 0o777 == 0o600, oct(path.stat().st_mode))
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
                    nameless.sendto(b"who am I", str(path))
                for length in (0, 1, 8192):
                    peer.sendto(b"x" * length, str(path))
                    must(peer.recv(70_000) == b"x" * length, f"{length} bytes")
                for second in (["udp_echo", f"unix-datagram:{path}:lock=yes"], ["udp_echo", f"unix-datagram:{path}"],
                               ["ropewalk", "echo", f"unix:{path}"]):
                    with Program(*second) as other:
                        one_line_error(other, str(path), "another server")
                first.process.kill()
                first.process.wait()
            with Program("udp_echo", f"unix-datagram:{path}") as careful:
                one_line_error(careful, str(path), "lock=yes")
            with Program("udp_echo", f"unix-datagram:{path}:lock=yes") as heir:
                heir.stdout.next()
                peer.sendto(b"hello", str(path))
                must(peer.recv(100) == b"hello", "the path was not taken over")
                heir.stops()
        must(os.listdir(folder) == ["own"], os.listdir(folder))


@check("road udp to a name")
def udp_name():
    """The client asks each address of a name; a wrong name is told as one."""
    with Program("udp_echo", "udp:127.0.0.1:0") as server:
        port = server.stdout.next().rsplit(":", 1)[1]
        with Program("udp_client", f"udp:localhost:{port}") as client:
            client.ends(0)
            must(client.stdout.text() == "hello", client.stdout.lines)
        server.stops()
    with Program("udp_client", "udp:none.invalid:9") as client:
        one_line_error(client, "udp:none.invalid:9", "host name was not found")
    with Program("udp_client", "udp:9") as client:
        one_line_error(client, "udp:HOST:PORT")


@check("road to nobody")
def nobody():
    """What a forwarder says of a server that is not there names it, and no port where there is none."""
    with tempfile.TemporaryDirectory() as folder, Listener() as closed:
        dead = f"{folder}/dead"
        with socket.socket(socket.AF_UNIX) as left_behind:
            left_behind.bind(dead)
        closed.socket.close()
        for to, told in ((f"unix:{dead}", "nobody listens there"), (f"unix:{folder}/none", "nothing is at that path"),
                         (closed.endpoint, "running on that port")):
            with Program("ropewalk", "forward", ANY, "--to", to) as program:
                must(answer(socket.create_connection(program.listening(), PATIENCE), b"hello") == b"", "an answer")
                line = program.stderr.matching("cannot connect to .*").group()
                must(to in line and told in line, line)
                program.stops()
