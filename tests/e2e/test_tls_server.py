"""TLS to the client: which host and certificate, which versions, and that HTTP on it is what it is without."""
# ctest: waits
# ctest: tsan
import hashlib
import re
import ssl
import subprocess

import pytest
from support.apache import content
from support.client import Connection, format_request
from support.origin import echoing, response
from support.tls import ONLY_1_2, ONLY_1_3, Authority, TlsConnection, client_context, fetch_tls, host, openssl
from support.wait import free_port, wait_for


@pytest.fixture(name="authority", scope="module")
def authority_fixture(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(name="pair", scope="module")
def pair_fixture(authority):
    return authority.issue("localhost")


@pytest.fixture(name="site")
def site_fixture(weir, origin, pair):
    """site(script, lines, server) starts a weir with one host on TLS."""

    def start(script=echoing, lines="", server="", **options):
        port = free_port()
        origin_server = origin(script)
        text = f"Listen 127.0.0.1:{port} https\n{server}\n" + host(port, "localhost", pair, lines, origin_server.url)
        return weir(text, **options)

    return start


def test_a_control_socket_beside_it(site):
    """It is no listener that TLS would have to be spoken on."""
    proxy = site(server="ControlSocket control.sock")
    assert fetch_tls(proxy.port).status == 200


def test_name_decides_certificate_and_host(weir, origin, authority):
    port, server = free_port(), origin(response(b"ok"))
    hosts = {
        "first.example": authority.issue("first.example"),
        "second.example": authority.issue("second.example"),
        "*.wild.example": authority.issue("*.wild.example"),
    }
    text = f"Listen 127.0.0.1:{port} https\n"
    for name, pair in hosts.items():
        text += host(
            port, name.replace("*", "any"), pair, f"ServerAlias {name}\nHeader set X-Host {name}", server.url
        )  # fmt: skip
    weir(text)
    for asked, shown in [
        ("first.example", "first.example"),
        ("second.example", "second.example"),
        ("SECOND.example", "second.example"),
        ("a.wild.example", "*.wild.example"),
        ("b.wild.example", "*.wild.example"),
    ]:
        with TlsConnection(port, authority.trusting(), asked) as client:
            assert client.common_name == shown
            assert client.request("/", host=asked).header("X-Host") == shown
    for unknown in ("other.example", None):
        context = authority.trusting()
        context.check_hostname = False
        with TlsConnection(port, context, unknown) as client:
            assert client.common_name == "first.example", "the first host of the address serves unknown names"


@pytest.mark.parametrize("versions", [ONLY_1_2, ONLY_1_3], ids=["1.2", "1.3"])
def test_two_kinds_of_keys_side_by_side(weir, origin, authority, versions):
    port = free_port()
    pairs = [authority.issue("both.example", kind="rsa"), authority.issue("both.example", kind="ec")]
    weir(f"Listen 127.0.0.1:{port} https\n" + host(port, "both.example", pairs, "", origin(response(b"ok")).url))
    version = "-tls1_2" if versions is ONLY_1_2 else "-tls1_3"
    for algorithms, key in [("rsa_pss_rsae_sha256", "rsaEncryption"), ("ecdsa_secp256r1_sha256", "id-ecPublicKey")]:
        shown = openssl(
            "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "both.example", version, "-sigalgs", algorithms,
            data=b"",
        )  # fmt: skip
        assert key in openssl("x509", "-noout", "-text", data=shown.encode())


def handshake(port, versions):
    with TlsConnection(port, client_context(versions=versions)) as client:
        return client.socket.version()


def test_versions(site):
    proxy = site()
    assert handshake(proxy.port, ONLY_1_2) == "TLSv1.2"
    assert handshake(proxy.port, ONLY_1_3) == "TLSv1.3"
    old = client_context(versions=(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1), ciphers="ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        TlsConnection(proxy.port, old)


def test_protocol_directive(site):
    proxy = site(lines="SSLProtocol TLSv1.3")
    assert handshake(proxy.port, ONLY_1_3) == "TLSv1.3"
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        handshake(proxy.port, ONLY_1_2)


def test_cipher_directive(site):
    proxy = site(
        lines="SSLCipherSuite ECDHE-ECDSA-AES256-GCM-SHA384\nSSLCipherSuite TLSv1.3 TLS_CHACHA20_POLY1305_SHA256"
    )
    for versions, cipher in [
        (ONLY_1_2, "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (ONLY_1_3, "TLS_CHACHA20_POLY1305_SHA256"),
    ]:
        with TlsConnection(proxy.port, client_context(versions=versions)) as client:
            assert client.socket.cipher()[0] == cipher


@pytest.mark.parametrize("offered, agreed", [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (["http/1.0"], "http/1.0"), (None, None)])
def test_alpn(site, offered, agreed):
    proxy = site()
    with TlsConnection(proxy.port, client_context(alpn=offered)) as client:
        assert client.socket.selected_alpn_protocol() == agreed
        assert client.request("/").status == 200


@pytest.mark.parametrize("offered", [["h2"], ["h2", "acme-tls/1"]])
def test_alpn_without_a_word_of_ours(site, offered):
    """RFC 7301, 3.2: the handshake ends with no_application_protocol."""
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        TlsConnection(site().port, client_context(alpn=offered))


def test_plain_http_to_a_tls_port(site):
    proxy = site()
    with Connection(proxy.port) as client:
        answer = client.request("/")
        assert answer.status == 400 and b"https://" in answer.body
        assert client.read_to_end() == b""
    assert fetch_tls(proxy.port).status == 200


def test_origin_and_log_are_told(site):
    proxy = site(
        lines="RequestHeader set X-Protocol %{SSL_PROTOCOL}s\nRequestHeader set X-Cipher %{SSL_CIPHER}s\n"
        "RequestHeader set X-None %{SSL_CLIENT_S_DN}s\nHeader always set Strict-Transport-Security max-age=600",
        server='LogFormat "%{HTTPS}x %{SSL_PROTOCOL}x %{SSL_TLS_SNI}x %{SSL_SESSION_RESUMED}x" tls\nCustomLog tls.log tls',
    )
    with TlsConnection(proxy.port, client_context(versions=ONLY_1_3), "localhost") as client:
        answer = client.request("/", host="localhost")
    assert answer.header("Strict-Transport-Security") == "max-age=600"
    seen = answer.body.decode()
    assert "X-Forwarded-Proto: https" in seen
    assert "X-Protocol: TLSv1.3" in seen and "X-Cipher: TLS_AES" in seen and "X-None: -" in seen
    proxy.wait_for_log("on TLSv1.3 localhost Initial\n", name="tls.log")


def test_redirect_of_own_names_https(site):
    proxy = site(lines="Redirect /old /new")
    answer = fetch_tls(proxy.port, "/old", name="localhost")
    assert answer.header("Location").startswith("https://localhost")


def test_many_requests_on_a_connection_also_pipelined(site):
    proxy = site()
    with TlsConnection(proxy.port) as client:
        for number in range(20):
            assert f"GET /{number} ".encode() in client.request(f"/{number}").body
        client.send(b"".join(format_request(f"/p{number}") for number in range(50)))
        for number in range(50):
            assert f"GET /p{number} ".encode() in client.read_response().body


@pytest.mark.parametrize("piece", [1, 7])
def test_requests_in_small_records(site, piece):
    proxy = site()
    with TlsConnection(proxy.port) as client:
        client.send(format_request("/small"), piece=piece)
        assert b"GET /small " in client.read_response().body


@pytest.mark.parametrize("versions", [ONLY_1_2, ONLY_1_3], ids=["1.2", "1.3"])
def test_a_hundred_megabytes_each_way(site, versions):
    body = content(100_000_000)
    digest = hashlib.sha256(body).hexdigest()

    def script(connection):
        while (request := connection.read_request(120)) is not None:
            connection.answer(body if request.method == "GET" else hashlib.sha256(request.body).hexdigest())

    proxy = site(script)
    with TlsConnection(proxy.port, client_context(versions=versions), deadline=120) as client:
        assert hashlib.sha256(client.request("/").body).hexdigest() == digest
        client.send(format_request("/", "POST", body=body))
        assert client.read_response(deadline=120).body.decode() == digest


def test_chunked_both_ways(site):
    def script(connection):
        while (request := connection.read_request()) is not None:
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for start in range(0, len(request.body), 10000):
                piece = request.body[start : start + 10000]
                connection.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            connection.send("0\r\n\r\n")

    proxy = site(script)
    body = content(1_000_000)
    chunks = b"".join(f"{30000:x}\r\n".encode() + body[at : at + 30000] + b"\r\n" for at in range(0, 990_000, 30000))
    with TlsConnection(proxy.port, deadline=30) as client:
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        client.send(head + chunks + b"0\r\n\r\n")
        assert client.read_response().body == body[:990_000]


def test_a_slow_reader_costs_bounded_memory(site):
    body = content(20_000_000)
    proxy = site(response(body))
    before = proxy.memory()
    clients = [TlsConnection(proxy.port, receive_buffer=4096, deadline=60) for _ in range(20)]
    for client in clients:
        client.send(format_request("/"))
    assert all(client.read_some() for client in clients)
    assert proxy.memory() - before < 200_000_000


def test_the_end_is_announced(site):
    proxy = site(lines="KeepAliveTimeout 1")
    with TlsConnection(proxy.port) as client:
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        client.read_response()
        assert client.read_to_end() == b"", "close_notify: python raises where it is missing"
    with TlsConnection(proxy.port) as client:
        client.request("/")
        assert client.read_to_end(15) == b""


def test_a_cut_response_is_not_announced_as_whole(site):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nshort")

    proxy = site(script)
    with TlsConnection(proxy.port) as client:
        client.send(format_request("/"))
        with pytest.raises((ssl.SSLEOFError, ConnectionResetError, AssertionError)):
            client.read_response()


def staple(port, name):
    return openssl("s_client", "-connect", f"127.0.0.1:{port}", "-servername", name, "-status", data=b"", check=False)


def test_stapling(weir, origin, authority):
    port = free_port()
    pair = authority.issue("stapled.example")
    answer = authority.ocsp_answer(pair[0])
    lines = f"SSLUseStapling On\nSSLStaplingFile {answer}"
    weir(f"Listen 127.0.0.1:{port} https\n" + host(port, "stapled.example", pair, lines, origin().url))
    assert re.search(r"OCSP Response Status: successful[\s\S]*Cert Status: good", staple(port, "stapled.example"))


def test_a_bad_staple_is_refused(weir_command, authority, pair):
    port = free_port()
    lines = f"SSLUseStapling On\nSSLStaplingFile {pair[0]}"
    result = weir_command("-t", config=f"Listen 127.0.0.1:{port} https\n" + host(port, "localhost", pair, lines))
    assert result.returncode == 1 and "SSLStaplingFile" in result.stderr and pair[0] in result.stderr


def test_proxy_protocol_before_tls(weir, origin, pair):
    port = free_port()
    weir(f"Listen 127.0.0.1:{port} https proxy-protocol\n" + host(port, "localhost", pair, "", origin(echoing).url))
    plain = Connection(port)
    plain.socket.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 443\r\n")
    plain.socket = client_context().wrap_socket(plain.socket)
    assert b"X-Forwarded-For: 192.0.2.7" in plain.request("/").body


def test_curl(site, authority):
    proxy = site()
    result = subprocess.run(
        ["curl", "-sS", "--cacert", authority.pem, f"https://localhost:{proxy.port}/curl"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert "GET /curl " in result.stdout, result.stderr
