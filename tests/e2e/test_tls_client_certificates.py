"""SSLVerifyClient: who is let in, what is told of him, and that a request's Host cannot get around it."""
import ssl

import pytest
from support.client import Closed
from support.origin import echoing
from support.tls import ONLY_1_2, ONLY_1_3, Authority, TlsConnection, client_context, host
from support.wait import free_port

FACTS = (
    "RequestHeader set X-Subject %{SSL_CLIENT_S_DN}s\nRequestHeader set X-Verify %{SSL_CLIENT_VERIFY}s\n"
    "RequestHeader set X-Name %{SSL_CLIENT_S_DN_CN}s\nRequestHeader set X-Serial %{SSL_CLIENT_M_SERIAL}s"
)


@pytest.fixture(name="authority", scope="module")
def authority_fixture(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(name="stranger", scope="module")
def stranger_fixture(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture(name="guarded")
def guarded_fixture(weir, origin, authority):
    """guarded(mode) serves open.example to all and closed.example with SSLVerifyClient mode."""

    def start(mode, more=""):
        port, server = free_port(), origin(echoing)
        lines = f"SSLVerifyClient {mode}\nSSLCACertificateFile {authority.pem}\n{FACTS}\n{more}"
        return weir(
            f'Listen 127.0.0.1:{port} https\nLogFormat "%{{SSL_CLIENT_S_DN}}x" dn\nCustomLog dn.log dn\n'
            + host(port, "open.example", authority.issue("open.example"), "", server.url)
            + host(port, "closed.example", authority.issue("closed.example"), lines, server.url)
        )

    return start


VERSIONS = pytest.mark.parametrize("versions", [ONLY_1_2, ONLY_1_3], ids=["1.2", "1.3"])


def ask(proxy, context, name="closed.example", host_name=None, session=None):
    with TlsConnection(proxy.port, context, name, session=session) as client:
        return client.request("/", host=host_name or name)


@VERSIONS
def test_required(guarded, authority, stranger, versions):
    proxy = guarded("require")
    good = client_context(versions=versions, certificate=authority.issue("alice", subject="/O=Example/OU=Tests/CN=alice"))
    seen = ask(proxy, good).body.decode()
    assert "X-Subject: CN=alice,OU=Tests,O=Example" in seen
    assert "X-Verify: SUCCESS" in seen and "X-Name: alice" in seen and "X-Serial: 0" in seen
    proxy.wait_for_log("CN=alice,OU=Tests,O=Example", name="dn.log")
    for certificate in (None, stranger.issue("mallory"), authority.issue("late", days=-1)):
        with pytest.raises((ssl.SSLError, ConnectionResetError, Closed)):
            ask(proxy, client_context(versions=versions, certificate=certificate))
    assert ask(proxy, client_context(versions=versions), "open.example").status == 200


@VERSIONS
def test_optional(guarded, authority, stranger, versions):
    proxy = guarded("optional")
    assert b"X-Verify: NONE" in ask(proxy, client_context(versions=versions)).body
    alice = client_context(versions=versions, certificate=authority.issue("alice"))
    assert b"X-Verify: SUCCESS" in ask(proxy, alice).body
    with pytest.raises((ssl.SSLError, ConnectionResetError, Closed)):
        ask(proxy, client_context(versions=versions, certificate=stranger.issue("mallory")))


@VERSIONS
def test_a_resumed_session_knows_its_certificate(guarded, authority, versions):
    proxy = guarded("require")
    context = client_context(versions=versions, certificate=authority.issue("alice"))
    with TlsConnection(proxy.port, context, "closed.example") as client:
        client.request("/", host="closed.example")
        session = client.socket.session
    with TlsConnection(proxy.port, context, "closed.example", session=session) as client:
        assert b"X-Name: alice" in client.request("/", host="closed.example").body
        assert client.socket.session_reused


@VERSIONS
def test_a_session_of_the_open_host_opens_nothing(guarded, versions):
    proxy = guarded("require")
    context = client_context(versions=versions)
    with TlsConnection(proxy.port, context, "open.example") as client:
        client.request("/", host="open.example")
        session = client.socket.session
    with pytest.raises((ssl.SSLError, ConnectionResetError, Closed, ValueError)):
        ask(proxy, context, "closed.example", session=session)


@pytest.mark.parametrize("mode", ["require", "optional"])
def test_host_must_agree_with_the_handshake(guarded, authority, mode):
    proxy = guarded(mode)
    answer = ask(proxy, client_context(), "open.example", "closed.example")
    assert answer.status == 421
    assert ask(proxy, client_context(), None, "closed.example").status == 421, "no name: the first host's handshake"
    alice = client_context(certificate=authority.issue("alice"))
    assert ask(proxy, alice, "closed.example", "open.example").status == 421
    assert ask(proxy, alice, "closed.example", "closed.example").status == 200


def test_hosts_that_ask_the_same_share_connections(guarded):
    proxy = guarded("none")
    assert ask(proxy, client_context(), "open.example", "closed.example").status == 200


def test_a_reload_that_requires_certificates_holds_for_open_connections(guarded, authority):
    proxy = guarded("none")
    with TlsConnection(proxy.port, client_context(), "closed.example") as client:
        assert client.request("/", host="closed.example").status == 200
        with open(proxy.config_path, encoding="utf-8") as file:
            text = file.read()
        proxy.reload(text.replace("SSLVerifyClient none", "SSLVerifyClient require"), "configuration reloaded")
        assert client.request("/", host="closed.example").status == 421
