"""Certificates made by openssl for a test, TLS clients, and origins that speak TLS.

    authority = Authority(directory)
    pem, key = authority.issue("www.example", names=["*.example"])
    client = TlsConnection(port, authority.trusting(), name="www.example")
"""
import os
import socket
import ssl
import subprocess

from support.client import Connection


def openssl(*arguments, cwd=None, data=None, check=True):
    """Runs openssl; returns its output as text."""
    result = subprocess.run(["openssl", *arguments], cwd=cwd, input=data, capture_output=True, timeout=60, check=False)
    text = (result.stdout + result.stderr).decode("utf-8", "replace")
    assert not check or result.returncode == 0, f"openssl {' '.join(arguments)}:\n{text}"
    return text


class Authority:
    """Signs certificates; its own is in self.pem. All files are in the directory, by name."""

    def __init__(self, directory, name="authority"):
        self.directory = str(directory)
        self.name = name
        self.pem = f"{self.directory}/{name}.pem"
        self.key = f"{self.directory}/{name}.key"
        self.serial = 1000
        openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
            "-out", self.pem, "-days", "30", "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
        )  # fmt: skip

    def issue(self, name, names=None, kind="ec", days=10, file=None, subject=None):
        """(certificate, key) for names (default: the name itself); days below 0: it has expired."""
        file = f"{self.directory}/{file or name.replace('*', 'any')}-{kind}"
        new = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["rsa:2048"]
        openssl(
            "req", "-newkey", *new, "-nodes", "-keyout", f"{file}.key", "-out", f"{file}.csr", "-subj",
            subject or f"/O=weir/CN={name}",
        )  # fmt: skip
        self.serial += 1
        alternatives = ",".join(
            f"{'IP' if each.replace('.', '').isdigit() else 'DNS'}:{each}" for each in (names or [name])
        )
        with open(f"{file}.ext", "w", encoding="ascii") as out:
            out.write(f"subjectAltName={alternatives}\nbasicConstraints=CA:FALSE\n")
        openssl(
            "x509", "-req", "-in", f"{file}.csr", "-CA", self.pem, "-CAkey", self.key, "-set_serial", str(self.serial),
            "-days", str(days), "-extfile", f"{file}.ext", "-out", f"{file}.pem",
        )  # fmt: skip
        return f"{file}.pem", f"{file}.key"

    def trusting(self, **options):
        """A client's context that trusts this authority; see client_context()."""
        return client_context(self.pem, **options)

    def ocsp_answer(self, certificate, days=5):
        """The path of an OCSP answer in DER that says the certificate is good."""
        serial = openssl("x509", "-in", certificate, "-noout", "-serial").strip().split("=")[1]
        index = f"{self.directory}/index.txt"
        with open(index, "w", encoding="ascii") as out:
            out.write(f"V\t400101000000Z\t\t{serial}\tunknown\t/CN=any\n")
        path = f"{certificate}.ocsp"
        request = f"{certificate}.ocsp-request"
        openssl("ocsp", "-issuer", self.pem, "-cert", certificate, "-reqout", request)
        openssl(
            "ocsp", "-index", index, "-rsigner", self.pem, "-rkey", self.key, "-CA", self.pem, "-reqin", request,
            "-respout", path, "-ndays", str(days),
        )  # fmt: skip
        return path


def client_context(authority=None, versions=None, certificate=None, alpn=None, ciphers=None):
    """authority: path of what is trusted (None: anything); versions: (lowest, highest); certificate: (pem, key)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = authority is not None
    context.verify_mode = ssl.CERT_REQUIRED if authority else ssl.CERT_NONE
    if authority:
        context.load_verify_locations(authority)
    if versions:
        context.minimum_version, context.maximum_version = versions
    if certificate:
        context.load_cert_chain(*certificate)
    if alpn:
        context.set_alpn_protocols(alpn)
    if ciphers:
        context.set_ciphers(ciphers)
    return context


ONLY_1_2 = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
ONLY_1_3 = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)


class TlsConnection(Connection):
    """A client's connection whose handshake is over."""

    def __init__(self, port, context=None, name=None, session=None, **options):
        super().__init__(port, **options)
        context = context or client_context()
        self.socket = context.wrap_socket(self.socket, server_hostname=name, session=session)

    @property
    def common_name(self):
        """Of the certificate that was shown; only where it is verified."""
        subject = dict(pair for part in self.socket.getpeercert()["subject"] for pair in part)
        return subject["commonName"]

    def half_close(self):
        raise NotImplementedError("TLS here has no half-closed state")


def fetch_tls(port, target="/", context=None, name=None, **options):
    """One request on a connection of its own; returns the response."""
    with TlsConnection(port, context, name) as connection:
        return connection.request(target, host=name or "localhost", **options)


def hello(name="localhost"):
    """The bytes of a ClientHello."""
    outgoing = ssl.MemoryBIO()
    half = client_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    try:
        half.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def server_context(certificate, authority=None, **options):
    """An origin's: (pem, key); authority: clients must show a certificate of it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if authority:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority)
    if "versions" in options:
        context.minimum_version, context.maximum_version = options["versions"]
    return context


def over_tls(context, script, seen=None):
    """An origin's script that speaks TLS first. seen: a list that gets (SNI, was resumed, client's certificate)."""

    def run(connection):
        names = []
        context.sni_callback = lambda sock, name, _: names.append(name)
        try:
            connection.socket = context.wrap_socket(connection.socket, server_side=True)
        except (ssl.SSLError, OSError):
            return
        if seen is not None:
            seen.append((names[-1] if names else None, connection.socket.session_reused, connection.socket.getpeercert()))
        script(connection)
        try:
            connection.socket.settimeout(1)
            connection.socket.unwrap().shutdown(socket.SHUT_WR)
        except (ssl.SSLError, OSError, ValueError):
            pass

    return run


def host(port, name, certificate, lines="", origin=None):
    """The text of a <VirtualHost> with TLS."""
    pairs = certificate if isinstance(certificate, list) else [certificate]
    files = "\n".join(f"SSLCertificateFile {pem}\nSSLCertificateKeyFile {key}" for pem, key in pairs)
    passing = f"ProxyPass / {origin}" if origin else ""
    return f"<VirtualHost *:{port}>\nServerName {name}\nSSLEngine On\n{files}\n{lines}\n{passing}\n</VirtualHost>\n"


def replace(path, other):
    """Puts the content of another file there, at once."""
    with open(other, "rb") as source, open(f"{path}.new", "wb") as new:
        new.write(source.read())
    os.replace(f"{path}.new", path)
