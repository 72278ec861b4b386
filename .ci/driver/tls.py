"""TLS, as OpenSSL and Python's ssl see it: programs that nobody here wrote."""

import pathlib
import socket
import ssl
import subprocess
import tempfile

from .checks import check
from .harness import PATIENCE, Peer, Program, must


def openssl(*arguments):
    subprocess.run(["openssl", *[str(argument) for argument in arguments]], check=True, capture_output=True)


def certificate(folder, name="site", *validity):
    """A self-signed certificate and its key; of two days, unless a validity is given."""
    cert, key = pathlib.Path(folder, f"{name}.pem"), pathlib.Path(folder, f"{name}.key")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key)
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    if not validity:
        openssl("req", "-x509", *kind, *names, "-days", 2, "-out", cert)
        return cert, key
    request, rest = pathlib.Path(folder, f"{name}.csr"), pathlib.Path(folder, f"{name}.authority")
    openssl("req", "-new", *kind, *names, "-out", request)
    # Only an authority of its own can say when a certificate begins and ends.
    rest.mkdir()
    (rest / "index").touch()
    (rest / "conf").write_text(
        f"[ca]\ndefault_ca=it\n[it]\ndatabase={rest}/index\nnew_certs_dir={rest}\nrand_serial=yes\ndefault_md=sha256\npolicy=any\n"
        "copy_extensions=copy\n[any]\ncommonName=supplied\n"
    )
    begin, end = validity
    openssl("ca", "-batch", "-selfsign", "-config", rest / "conf", "-in", request, "-keyfile", key, "-out", cert, "-startdate", begin, "-enddate", end)
    return cert, key


def issued(folder, name, cert, key):
    """A certificate that another one signed, and its key."""
    new, new_key, request = (pathlib.Path(folder, f"{name}.{ending}") for ending in ("pem", "key", "csr"))
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", new_key)
    openssl("req", "-new", *kind, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-out", request)
    openssl("x509", "-req", "-copy_extensions", "copy", "-in", request, "-CA", cert, "-CAkey", key, "-CAcreateserial", "-days", 2, "-out", new)
    return new, new_key


def client(cert, version):
    context = ssl.create_default_context(cafile=cert)
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


@check("tls_echo")
def tls_echo():
    """P22: an echo over TLS 1.2 and 1.3; older versions and plain bytes are refused; wrong files are one clear line."""
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        with Program("tls_echo", "--cert", cert, "--key", key, "tls:127.0.0.1:0") as program:
            address = program.listening()
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                with socket.create_connection(address, PATIENCE) as plain:
                    with client(cert, version).wrap_socket(plain, server_hostname="localhost") as peer:
                        sent = bytes(range(256)) * 2000
                        peer.sendall(sent)
                        back = b""
                        while len(back) < len(sent):
                            back += peer.recv(65536)
                        must(back == sent, "other bytes came back")
                        peer.unwrap()  # it answers the close alert
            for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
                with socket.create_connection(address, PATIENCE) as plain:
                    try:
                        client(cert, version).wrap_socket(plain, server_hostname="localhost")
                        must(False, f"{version} is spoken")
                    except ssl.SSLError:
                        pass
            with Peer(address) as peer:
                peer.send(b"GET / HTTP/1.1\r\n\r\n")
                must(peer.read(1) == b"\x15", "no alert")
                peer.must_end()
            program.stderr.matching("these are not the bytes of TLS")
            program.stops()
        other = certificate(folder, "other")[1]
        for wrong, reason in ((pathlib.Path(folder, "none.key"), "none.key.*cannot be read"), (other, "other.key is not the one")):
            with Program("tls_echo", "--cert", cert, "--key", wrong, "tls:127.0.0.1:0") as program:
                program.ends(1)
                program.stderr.matching(reason)
                must(len(program.stderr.lines) == 1, f"more than one line: {program.stderr.lines}")
