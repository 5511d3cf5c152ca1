"""Resumption on whatever worker, and what a reload does: no failed request, new certificates, bad ones refused."""
# ctest: tsan
import ssl
import threading
import time

import pytest
from support.client import Closed, Late
from support.origin import response
from support.tls import ONLY_1_2, ONLY_1_3, Authority, TlsConnection, client_context, host, openssl, replace
from support.wait import SLOWNESS, free_port, wait_for


@pytest.fixture(name="authority", scope="module")
def authority_fixture(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(name="pair", scope="module")
def pair_fixture(authority):
    return authority.issue("localhost")


def config(port, pair, origin, lines="", server=""):
    return f"Listen 127.0.0.1:{port} https\nWorkers 4\n{server}\n" + host(port, "localhost", pair, lines, origin.url)


def resumed(port, context, times=24):
    """How many of so many connections resumed the session that the one before left, and the last session."""
    session, count = None, 0
    for _ in range(times):
        with TlsConnection(port, context, "localhost", session=session) as client:
            assert client.request("/").status == 200
            count += client.socket.session_reused
            session = client.socket.session
    return count, session


@pytest.mark.parametrize("versions", [ONLY_1_2, ONLY_1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("lines", ["", "SSLSessionTickets Off"], ids=["tickets", "cache"])
def test_resumption_across_workers(weir, origin, pair, versions, lines):
    port = free_port()
    proxy = weir(config(port, pair, origin(response(b"ok")), lines))
    context = client_context(versions=versions)
    if lines:
        context.options |= ssl.OP_NO_TICKET if versions is ONLY_1_2 else 0
    count, _ = resumed(port, context)
    assert count == 23, "the kernel spreads the connections over four workers"
    proxy.reload(expect="configuration reloaded")
    proxy.wait_for_log("tls_handshakes_full_total 1, tls_handshakes_resumed_total 23")


def test_ticket_key_file_is_shared_by_processes(weir, origin, pair, directory):
    with open(f"{directory}/ticket.key", "wb") as file:
        file.write(bytes(range(48)))
    server, ports = origin(response(b"ok")), [free_port(), free_port()]
    for port in ports:
        weir(config(port, pair, server, "SSLSessionTicketKeyFile ticket.key"))
    context = client_context(versions=ONLY_1_3)
    _, session = resumed(ports[0], context, 1)
    with TlsConnection(ports[1], context, "localhost", session=session) as client:
        assert client.request("/").status == 200
        assert client.socket.session_reused


def test_tickets_of_another_process_mean_a_full_handshake(weir, origin, pair):
    server, ports = origin(response(b"ok")), [free_port(), free_port()]
    for port in ports:
        weir(config(port, pair, server))
    context = client_context(versions=ONLY_1_3)
    _, session = resumed(ports[0], context, 1)
    with TlsConnection(ports[1], context, "localhost", session=session) as client:
        assert client.request("/").status == 200
        assert not client.socket.session_reused


class Load(threading.Thread):
    """Requests one after another, some on kept connections, until stop(); problems are kept."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.going, self.served, self.problems = port, True, 0, []

    def run(self):
        context = client_context()
        while self.going:
            try:
                with TlsConnection(self.port, context, "localhost") as client:
                    for _ in range(10):
                        assert client.request("/").status == 200
                        self.served += 1
            except (OSError, AssertionError, Closed, Late) as problem:
                self.problems.append(repr(problem))

    def stop(self):
        self.going = False
        self.join(20 * SLOWNESS)


def serial_shown(port):
    shown = openssl("s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", data=b"", check=False)
    return openssl("x509", "-noout", "-serial", data=shown.encode()).strip()


def test_reload_under_load_with_changing_certificates(weir, origin, authority):
    own = authority.issue("localhost", file="changing")
    others = [authority.issue("localhost", file=f"changed-{number}") for number in range(3)]
    port = free_port()
    proxy = weir(config(port, own, origin(response(b"ok"))))
    kept = TlsConnection(port, client_context(), "localhost")
    kept.request("/")
    loads = [Load(port) for _ in range(4)]
    for load in loads:
        load.start()
    for pem, key in others:
        replace(own[1], key)
        replace(own[0], pem)
        proxy.reload(expect="configuration reloaded")
        wait_for(lambda: serial_shown(port) == openssl("x509", "-noout", "-serial", "-in", pem).strip())
        served = sum(load.served for load in loads)
        wait_for(lambda: sum(load.served for load in loads) > served + 50)
    for load in loads:
        load.stop()
    assert [problem for load in loads for problem in load.problems] == []
    assert kept.request("/").status == 200, "a connection outlives the certificate that it was made with"


BAD = {
    "key of another": (lambda own, other: replace(own[1], other[1]), "does not belong to the certificate"),
    "no certificate": (lambda own, other: replace(own[0], other[1]), "no certificate in PEM"),
    "no key": (lambda own, other: replace(own[1], other[0]), "no private key in PEM"),
    "cut off": (lambda own, other: open(own[0], "w", encoding="ascii").write("-----BEGIN CERTIFICATE-----\nMIIB\n"), "no certificate"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_certificate_is_refused(weir, weir_command, origin, authority, case):
    spoil, message = BAD[case]
    own = authority.issue("localhost", file=f"good-{case.replace(' ', '-')}")
    other = authority.issue("localhost", file="other")
    port = free_port()
    text = config(port, own, origin(response(b"ok")))
    proxy = weir(text)
    before = serial_shown(port)
    spoil(own, other)
    for arguments in (["-t"], []):
        result = weir_command(*arguments, config=text.replace(str(port), str(free_port())))
        assert result.returncode == 1
        assert message in result.stderr and "proxy.conf:7: SSLCertificate" in result.stderr and own[0][:-4] in result.stderr
    proxy.reload(expect="the old configuration holds on")
    assert message in proxy.log()
    assert serial_shown(port) == before


def test_hosts_that_share_a_certificate_share_its_contexts(weir, origin, pair):
    port, server = free_port(), origin(response(b"ok"))
    text = f"Listen 127.0.0.1:{port} https\nSSLEngine On\nSSLCertificateFile {pair[0]}\nSSLCertificateKeyFile {pair[1]}\n"
    text += "".join(
        f"<VirtualHost *:{port}>\nServerName h{number}.example\nProxyPass / {server.url}\n</VirtualHost>\n"
        for number in range(3000)
    )
    begin = time.monotonic()
    proxy = weir(text)
    assert time.monotonic() - begin < 10 * SLOWNESS
    for name in ("h0.example", "h2999.example"):
        with TlsConnection(port, client_context(), name) as client:
            assert client.request("/", host=name).status == 200
    proxy.reload(expect="configuration reloaded")
