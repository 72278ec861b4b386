"""TLS beside programs that nobody here wrote: OpenSSL, curl, Twisted and testssl.sh. Where one is missing, its check says "skipped"."""

import itertools
import json
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

from .checks import ANY, check
from .harness import PATIENCE, Output, Peer, Program, must, wait_for
from .roads import has
from .tls import certificate, issued, openssl

TLS = "tls:127.0.0.1:0"
SWAPS = 1000


class Tool:
    """A program of somebody else's, ended with the block."""

    def __init__(self, *arguments, folder=None):
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder
        )
        self.output = Output(self.process.stdout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def say(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def port(self, pattern):
        return int(self.output.matching(pattern)[1])


def forward(to):
    """Our client: what comes in clear goes on over TLS."""
    return Program("ropewalk", "forward", ANY, "--to", to)


def echo(cert, key, *options):
    """Our server."""
    return Program("ropewalk", "echo", ":".join([TLS, f"cert={cert}", f"key={key}", *options]))


@check("tls reload, 1000 times")
def reload():
    """Certificate and key are swapped 1000 times by SIGHUP while handshakes run: each new one is shown, and no handshake fails."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = [certificate(folder, name) for name in ("one", "two")]
        cert, key = pathlib.Path(folder, "site.pem"), pathlib.Path(folder, "site.key")
        context = ssl.create_default_context(cadata="".join(pair[0].read_text() for pair in pairs))
        texts = [[path.read_bytes() for path in pair] for pair in pairs]
        shown = [ssl.PEM_cert_to_DER_cert(text[0].decode()) for text in texts]
        cert.write_bytes(texts[0][0]), key.write_bytes(texts[0][1])
        with echo(cert, key) as program:
            address = program.listening()
            over, wrong, count = threading.Event(), [], itertools.count()

            def handshake():
                with socket.create_connection(address, PATIENCE) as plain:
                    with context.wrap_socket(plain, server_hostname="localhost") as peer:
                        return peer.getpeercert(binary_form=True)

            def shake_hands():
                try:
                    while not over.is_set():
                        handshake()
                        next(count)
                except OSError as error:
                    wrong.append(error)

            other = threading.Thread(target=shake_hands, daemon=True)
            other.start()
            for swap in range(1, SWAPS + 1):
                new = swap % 2
                cert.write_bytes(texts[new][0])
                if swap % 10 == 0:
                    program.process.send_signal(signal.SIGHUP)  # half of a pair: the old one stays
                    must(handshake() == shown[1 - new], f"swap {swap}: half a pair was taken")
                key.write_bytes(texts[new][1])
                program.process.send_signal(signal.SIGHUP)
                wait_for(lambda: handshake() == shown[new], f"new certificate after swap {swap}")
                must(not wrong, f"swap {swap}: a handshake failed: {wrong}")
            over.set()
            other.join(PATIENCE)
            must(not wrong and next(count) > 100, f"{wrong}, {next(count)} handshakes beside")
            program.stops()


def hello():
    """What a client says first."""
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(heard, said, server_hostname="localhost")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        return said.read()


def resident(program):
    """Bytes of its memory."""
    status = pathlib.Path(f"/proc/{program.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024


@check("tls server, bad peers")
def bad_peers():
    """Whoever stalls in a handshake or lies about lengths is left within the deadline, costs little memory, and hinders nobody."""
    whole = hello()
    one_byte_each = b"".join(b"\x16\x03\x01\0\1" + bytes([byte]) for byte in whole[5:])
    endless = b"\x16\x03\x01\0\4\1\0\xff\0" + b"\x16\x03\x01\0\1\0" * 5000
    stalling = [b"", whole[:1], whole[:5], whole[: len(whole) // 2], whole[:-1], whole, one_byte_each, endless]
    lying = [b"\x16\x03\x01\0\6\1\xff\xff\xff\3\3", b"\x16\x03\x01\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\x15\x03\x01\0\2\2\x28"]
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        file = pathlib.Path(folder, "app.toml")
        file.write_text(f'[[service]]\ntype = "echo"\nendpoint = "{TLS}:cert={cert}:key={key}"\n[service.limits]\nhandshake = 2\n')
        with Program("ropewalk", "run", file) as program:
            address = program.listening()

            def ask():
                context = ssl.create_default_context(cafile=cert)
                with socket.create_connection(address, PATIENCE) as plain:
                    with context.wrap_socket(plain, server_hostname="localhost") as peer:
                        peer.sendall(b"hello")
                        must(peer.recv(5) == b"hello", "no echo")

            ask()
            with Peer(address) as peer:
                peer.send(whole[:5])
                peer.must_end()
            program.stderr.matching("the handshake took longer than 2s")
            before = resident(program)
            peers = []
            for said in (stalling + lying) * 30:
                peers.append(Peer(address))
                try:
                    peers[-1].send(said)
                except ConnectionError:
                    pass  # it was left already
            ask()
            each = (resident(program) - before) / len(peers)
            must(each < 32 * 1024, f"{each:.0f} bytes for each")
            for peer in peers:
                with peer:
                    peer.must_end()
            ask()
            program.stops()


@check("tls client, openssl s_server")
def s_server():
    """Our client beside OpenSSL's server: versions, suites, groups, kinds of keys, certificates of clients; and whom it refuses."""
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        other, other_key = certificate(folder, "other")
        rsa, rsa_key = (pathlib.Path(folder, name) for name in ("rsa.pem", "rsa.key"))
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", rsa_key, "-out", rsa, "-days", 2, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")

        def serving(*options, cert=cert, key=key):
            return Tool("openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", cert, "-key", key, "-rev", *options)

        accepts = r"^ACCEPT 127\.0\.0\.1:(\d+)"
        shows = ("-Verify", 1, "-verify_return_error", "-CAfile", other)
        good = [
            ((), {}),
            (("-tls1_2",), {}),
            (("-tls1_3",), {"cert": rsa, "key": rsa_key}),
            (("-tls1_2",), {"cert": rsa, "key": rsa_key}),
            *((("-tls1_3", "-ciphersuites", suite), {}) for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")),
            (("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"), {}),
            *((("-groups", group), {}) for group in ("X25519", "P-256", "P-384")),  # the last two need a second hello
            (shows, {}),
            (("-tls1_2", *shows), {}),
            (("-max_send_frag", 512), {}),
        ]
        for options, pair in good:
            with serving(*options, **pair) as server:
                to = f"tls:localhost:{server.port(accepts)}:roots={pair.get('cert', cert)}:cert={other}:key={other_key}"
                with forward(to) as program:
                    with Peer(program.listening()) as peer:
                        sent = bytes(ord("a") + number % 26 for number in range(9000))
                        peer.send(sent + b"\n")
                        must(peer.read_line() == sent[::-1], f"{options}: not what was sent, backwards")
                    program.stops()
        bad = [
            ((), {}, f":roots={other}", "not among the trusted roots"),
            ((), {}, f":roots={cert}:name=wrong.example", "wrong host"),
            (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), {}, f":roots={cert}", "version"),
            (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"), {}, f":roots={cert}", "nothing in common"),
            (("-tls1_2", *shows), {}, f":roots={cert}:cert={cert}:key={key}", "it refuses us"),
        ]
        for options, pair, to, reason in bad:
            with serving(*options, **pair) as server:
                with forward(f"tls:localhost:{server.port(accepts)}{to}") as program:
                    with Peer(program.listening()) as peer:
                        peer.must_end()
                    program.stderr.matching(reason)
                    program.stops()


@check("tls server, openssl s_client")
def s_client():
    """Our server beside OpenSSL's client: keys that change, sessions that go on, names, ALPN, certificates of clients."""
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        other, other_key = certificate(folder, "other")
        names = pathlib.Path(folder, "names")
        names.mkdir()
        (names / "other.example.pem").write_bytes(other.read_bytes() + other_key.read_bytes())
        session = pathlib.Path(folder, "session")

        def asking(address, *options):
            return Tool("stdbuf", "-oL", "openssl", "s_client", "-connect", f"{address[0]}:{address[1]}", *options)

        with echo(cert, key, f"sni={names}", "alpn=h2,http/1.1") as program:
            address = program.listening()
            for command in (b"K\n", b"k\n"):  # both must change their keys, or one
                with asking(address, "-tls1_3", "-CAfile", cert) as tool:
                    tool.output.matching("Verify return code: 0")
                    for number in range(5):
                        tool.say(command)
                        wait_for(lambda: tool.output.lines.count("KEYUPDATE") > number, "change of keys")
                        tool.say(b"still there %d?\n" % number)
                        tool.output.matching(f"^still there {number}")
            with asking(address, "-tls1_2") as tool:
                tool.output.matching("Verify return code")
                tool.say(b"R\n")  # another handshake within the first
                tool.output.matching("RENEGOTIATING")
                tool.output.matching("no renegotiation|no_renegotiation|:error:|unexpected")
            for version in ("-tls1_2", "-tls1_3"):
                with asking(address, version, "-CAfile", cert, "-sess_out", session) as tool:
                    tool.output.matching("Verify return code: 0")
                    tool.say(b"ticket\n")
                    tool.output.matching("^ticket")
                    tool.say(b"Q\n")
                    tool.process.wait(PATIENCE)
                with asking(address, version, "-CAfile", cert, "-sess_in", session) as tool:
                    tool.output.matching("^Reused, TLSv1")
                with asking(address, version, "-alpn", "foo,http/1.1,h2") as tool:
                    tool.output.matching("ALPN protocol: h2")
                with asking(address, version, "-alpn", "foo") as tool:
                    tool.output.matching("No ALPN negotiated")
                with asking(address, version, "-servername", "other.example", "-CAfile", other) as tool:
                    tool.output.matching("Verify return code: 0")
            for refused in (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), ("-tls1_2", "-cipher", "AES128-SHA"), ("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256")):
                with asking(address, *refused) as tool:
                    tool.output.matching("alert|no protocols available|no cipher match|no ciphers available")
            program.stops()
        known, known_key = issued(folder, "known", other, other_key)
        stranger, stranger_key = issued(folder, "stranger", cert, key)
        with echo(cert, key, f"client_ca={other}") as program:
            address = program.listening()
            for version in ("-tls1_2", "-tls1_3"):
                with asking(address, version, "-cert", known, "-key", known_key) as tool:
                    tool.output.matching("Verify return code")
                    tool.say(b"it is me\n")
                    tool.output.matching("^it is me")
                for nobody, reason in (((), "it shows no certificate"), (("-cert", stranger, "-key", stranger_key), "its certificate is refused: (unknown root|its signature is wrong)")):
                    with asking(address, version, *nobody) as tool:
                        tool.output.matching("alert (certificate required|handshake failure|unknown ca|bad certificate|decrypt error)")
                        program.stderr.matching(reason)
            program.stops()


@check("tls server, curl")
def curl():
    """curl gets a file through our TLS from a server that has none, and refuses who is not named in the certificate."""
    if not has("curl"):
        return
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        public = pathlib.Path(folder, "public")
        public.mkdir()
        content = bytes(range(256)) * 8192
        (public / "file").write_bytes(content)
        with Tool(sys.executable, "-u", "-m", "http.server", "-b", "127.0.0.1", "-d", public, 0) as web:
            port = web.port(r"port (\d+)")
            to = f"tcp:127.0.0.1:{port}"
            with Program("ropewalk", "forward", f"{TLS}:cert={cert}:key={key}:alpn=http/1.1", "--to", to) as program:
                port = program.listening()[1]
                get = lambda *options, host="localhost": subprocess.run(
                    ["curl", "-sS", "--noproxy", "*", "--resolve", f"{host}:{port}:127.0.0.1", *options, f"https://{host}:{port}/file"], capture_output=True, timeout=6 * PATIENCE
                )
                for version in (("--tlsv1.3",), ("--tls-max", "1.2"), ()):
                    done = get("--cacert", cert, *version)
                    must(done.returncode == 0 and done.stdout == content, (version, done.stderr))
                must(get().returncode == 60, "it trusts a stranger")
                must(get("--cacert", cert, host="wrong.example").returncode == 60, "it does not look at the name")
                must(get("--cacert", cert, "--tlsv1.0", "--tls-max", "1.1", "--ciphers", "ALL:@SECLEVEL=0").returncode == 35, "TLS 1.1 is spoken")
                program.stops()


TWISTED_SERVER = """
import sys
from twisted.internet import endpoints, protocol, reactor
class Echo(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data)
        if data.endswith(b"goodbye"): self.transport.loseConnection()
factory = protocol.Factory.forProtocol(Echo)
at = endpoints.serverFromString(reactor, f"ssl:0:interface=127.0.0.1:certKey={sys.argv[1]}:privateKey={sys.argv[2]}")
at.listen(factory).addCallback(lambda port: print("port", port.getHost().port, flush=True))
reactor.run()
"""

TWISTED_CLIENT = """
import sys
from twisted.internet import endpoints, protocol, reactor, ssl
SENT = bytes(range(256)) * 4096
class Client(protocol.Protocol):
    came = b""
    def connectionMade(self):
        self.transport.write(SENT)
    def dataReceived(self, data):
        self.came += data
        if len(self.came) == len(SENT):
            print("same" if self.came == SENT else "other", flush=True)
            self.transport.loseConnection()
    def connectionLost(self, reason):
        print("lost:", reason.value, flush=True)
        reactor.stop()
trust = ssl.trustRootFromCertificates([ssl.Certificate.loadPEM(open(sys.argv[2]).read())])
options = ssl.optionsForClientTLS(sys.argv[3], trustRoot=trust)
to = endpoints.wrapClientTLS(options, endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", int(sys.argv[1])))
endpoints.connectProtocol(to, Client())
reactor.run()
"""


@check("tls, Twisted")
def twisted():
    """Twisted as TLS peer both ways: all bytes, the goodbye of each side, and a wrong host."""
    imports = subprocess.run([sys.executable, "-c", "import twisted.internet.ssl, service_identity"], capture_output=True)
    if imports.returncode:
        print("skipped: no Twisted with TLS here")
        return
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        with echo(cert, key) as program:
            port = program.listening()[1]
            with Tool(sys.executable, "-c", TWISTED_CLIENT, port, cert, "localhost") as client:
                client.output.matching("^same$")
                client.output.matching("^lost: Connection was closed cleanly")
            with Tool(sys.executable, "-c", TWISTED_CLIENT, port, cert, "wrong.example") as client:
                client.output.matching("^lost: .*(VerificationError|certificate|DNSMismatch)")
            program.stops()
        with Tool(sys.executable, "-c", TWISTED_SERVER, cert, key) as server:
            port = server.port(r"^port (\d+)")
            with forward(f"tls:localhost:{port}:roots={cert}") as program:
                with Peer(program.listening()) as peer:
                    sent = bytes(range(256)) * 4096 + b"goodbye"
                    sender = threading.Thread(target=peer.send, args=(sent,), daemon=True)
                    sender.start()
                    must(peer.read(len(sent)) == sent, "other bytes came back")
                    sender.join()
                    must(peer.read_to_end() == b"", "bytes after the goodbye")
                program.stops()
            with forward(f"tls:localhost:{port}:roots={cert}:name=wrong.example") as program:
                with Peer(program.listening()) as peer:
                    peer.must_end()
                program.stderr.matching("wrong host: it is for localhost")
                program.stops()


# What testssl.sh finds and we leave so.
KNOWN = {
    "cipher_order": "all suites are good, and clients without AES in hardware do well to choose ChaCha20",
    "cert_chain_of_trust": "the certificate is the test's own",
    "cert_revocation": "the certificate is the test's own",
    "cert_expirationStatus": "the certificate is of two days",
    "cert_notAfter": "the certificate is of two days",
}


@check("tls server, testssl.sh")
def testssl():
    """testssl.sh finds none of the weaknesses that it knows."""
    if not has("testssl"):
        return
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        found = pathlib.Path(folder, "found.json")
        with echo(cert, key) as program:
            port = program.listening()[1]
            what = ("-p", "-s", "-f", "-P", "-S", "-U")
            quiet = ("--quiet", "--color", "0", "--warnings", "off", "-n", "none", "--fast")
            subprocess.run(["testssl", *what, *quiet, "--jsonfile", found, f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
            findings = json.loads(found.read_text())
            program.stops()
        by_name = {finding["id"]: finding["severity"] for finding in findings}
        for name in ("SSLv2", "SSLv3", "TLS1", "TLS1_1", "TLS1_2", "TLS1_3", "heartbleed", "ROBOT", "LUCKY13"):
            must(by_name.get(name) in ("OK", "INFO"), f"{name}: {by_name.get(name)}")
        bad = [finding for finding in findings if finding["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "FATAL") and finding["id"] not in KNOWN]
        must(not bad, [(finding["id"], finding["severity"], finding["finding"]) for finding in bad])
