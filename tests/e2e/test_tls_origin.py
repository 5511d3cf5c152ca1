"""https:// origins: verification, names, our certificate, resumption, cut responses, health checks."""
import time

import pytest
from support.client import Closed
from support.apache import content
from support.origin import echoing, response
from support.tls import ONLY_1_2, ONLY_1_3, Authority, over_tls, server_context
from support.wait import wait_for


@pytest.fixture(name="authority", scope="module")
def authority_fixture(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def secure(server, name="localhost"):
    return server.url.replace("http://127.0.0.1", f"https://{name}")


@pytest.fixture(name="behind")
def behind_fixture(weir, origin, authority):
    """behind(certificate, lines, …) starts a weir in front of an origin on TLS; .seen is what its handshakes showed."""

    def start(certificate=None, lines="", script=echoing, name="localhost", trust=True, parameters="", **options):
        seen = []
        context = server_context(certificate or authority.issue("localhost"), **options)
        server = origin(over_tls(context, script, seen))
        trusted = f"SSLProxyCACertificateFile {authority.pem}\n" if trust else ""
        proxy = weir(f"SSLProxyEngine On\n{trusted}{lines}\nProxyPass / {secure(server, name)} {parameters}")
        proxy.seen, proxy.server = seen, server
        return proxy

    return start


@pytest.mark.parametrize("versions", [ONLY_1_2, ONLY_1_3], ids=["1.2", "1.3"])
def test_good(behind, versions):
    proxy = behind(versions=versions)
    answer = proxy.get("/good")
    assert answer.status == 200 and b"GET /good " in answer.body
    assert proxy.seen[0][0] == "localhost", "SNI"
    with proxy.connect() as client:
        body = content(3_000_000)
        answer = client.request("/upload", "POST", body=body)
        assert answer.body.endswith(body)


def refused(proxy, why):
    assert proxy.get("/").status == 502
    proxy.wait_for_log(f"the origin's certificate is refused: .*{why}")
    assert proxy.server.requests == []


def test_unknown_authority(behind):
    refused(behind(trust=False), "issuer certificate")


def test_expired(behind, authority):
    refused(behind(authority.issue("localhost", days=-1, file="expired")), "expired")


def test_wrong_name(behind, authority):
    refused(behind(authority.issue("other.example")), "[Hh]ostname mismatch")


def test_wrong_address(behind, authority):
    refused(behind(authority.issue("localhost"), name="127.0.0.1"), "IP address mismatch")


def test_right_address_has_no_sni(behind, authority):
    proxy = behind(authority.issue("127.0.0.1"), name="127.0.0.1")
    assert proxy.get("/").status == 200
    assert proxy.seen[0][0] is None


@pytest.mark.parametrize("lines", ["SSLProxyCheckPeerName Off", "SSLProxyVerify none"])
def test_the_name_may_be_left_unchecked(behind, authority, lines):
    assert behind(authority.issue("other.example"), lines).get("/").status == 200


def test_verification_can_be_switched_off(behind):
    assert behind(trust=False, lines="SSLProxyVerify none").get("/").status == 200


def test_without_ssl_proxy_engine(weir, origin):
    proxy = weir(f"ProxyPass / {secure(origin())}")
    assert proxy.get("/").status == 502
    proxy.wait_for_log("SSLProxyEngine On")


def test_our_certificate_is_shown(behind, authority, directory):
    pem, key = authority.issue("weir.client")
    with open(f"{directory}/machine.pem", "w", encoding="ascii") as out:
        for path in (pem, key):
            with open(path, encoding="ascii") as file:
                out.write(file.read())
    proxy = behind(lines="SSLProxyMachineCertificateFile machine.pem", authority=authority.pem)
    assert proxy.get("/").status == 200
    assert (("commonName", "weir.client"),) in proxy.seen[0][2]["subject"]


def test_an_origin_that_wants_a_certificate_and_gets_none(behind, authority):
    proxy = behind(authority=authority.pem)
    assert proxy.get("/").status == 502


def test_an_origin_that_speaks_no_tls(weir, origin, authority):
    server = origin(echoing)
    proxy = weir(f"SSLProxyEngine On\nSSLProxyCACertificateFile {authority.pem}\nProxyPass / {secure(server)}", workers=1)
    server.scripts = [lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")]
    assert proxy.get("/").status == 502
    proxy.wait_for_log("no TLS with the origin: ")


def test_an_origin_that_stops_in_the_handshake(weir, origin, authority):
    server = origin(lambda connection: connection.wait_closed())
    lines = f"SSLProxyEngine On\nSSLProxyCACertificateFile {authority.pem}\n"
    proxy = weir(f"{lines}ProxyPass / {secure(server)} connectiontimeout=1")
    assert proxy.get("/").status == 502
    proxy.wait_for_log("the handshake took too long")


@pytest.mark.parametrize("versions", [ONLY_1_2, ONLY_1_3], ids=["1.2", "1.3"])
def test_sessions_are_resumed(behind, versions):
    proxy = behind(parameters="disablereuse=On", versions=versions)
    with proxy.connect() as client:  # on one worker
        for _ in range(6):
            assert client.request("/").status == 200
    assert [resumed for _, resumed, _ in proxy.seen] == [False, True, True, True, True, True]


def test_connections_are_kept_also_through_tickets(behind):
    proxy = behind()
    with proxy.connect() as client:
        for _ in range(3):
            assert client.request("/").status == 200
            time.sleep(0.2)  # the tickets of TLS 1.3 come when nothing is asked
        assert client.request("/", "POST", body=b"x").status == 200
    assert len(proxy.seen) == 1


def test_hosts_that_check_less_share_no_connection(weir, origin, authority):
    server = origin(over_tls(server_context(authority.issue("other.example")), echoing))
    common = f"SSLProxyEngine On\nSSLProxyCACertificateFile {authority.pem}\n"
    url = secure(server)
    proxy = weir(
        f"{common}\nListen 127.0.0.1:PORT\n".replace("Listen 127.0.0.1:PORT\n", "")
        + f"<VirtualHost *>\nServerName lax\nSSLProxyCheckPeerName Off\nProxyPass / {url}\n</VirtualHost>\n"
        f"<VirtualHost *>\nServerName strict\nProxyPass / {url}\n</VirtualHost>\n"
    )
    with proxy.connect() as client:
        assert client.request("/", host="lax").status == 200
        assert client.request("/", host="strict").status == 502


def test_a_body_until_close_needs_its_end(behind):
    def script(connection):
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + "part")
        if connection.requests[0].target == "/cut":
            connection.socket.close()

    proxy = behind(script=script)
    assert proxy.get("/whole").body == b"part"
    with proxy.connect() as client:
        client.send("GET /cut HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            answer = client.read_response()
            assert answer.status == 502
        except Closed:
            pass
    proxy.wait_for_log("connection within its response|closed the connection")


def test_health_checks_speak_tls(weir, origin, authority):
    good = origin(over_tls(server_context(authority.issue("localhost")), response(b"ok") and echoing))
    untrusted = origin(over_tls(server_context(authority.issue("other.example")), echoing))
    proxy = weir(
        f"SSLProxyEngine On\nSSLProxyCACertificateFile {authority.pem}\n<Proxy balancer://b>\n"
        f"BalancerMember {secure(good)}\nBalancerMember {secure(untrusted)}\n"
        "ProxySet lbmethod=byrequests\nProxyHCUri /health\nProxyHCInterval 1\n</Proxy>\nProxyPass / balancer://b/"
    )
    proxy.wait_for_log("fails its health checks and is not used: .*mismatch")
    wait_for(lambda: any(request.target == "/health" for request in good.requests))
    for _ in range(6):
        assert proxy.get("/").status == 200


def test_the_next_member_is_asked(weir, origin, authority):
    good = origin(over_tls(server_context(authority.issue("localhost")), echoing))
    untrusted = origin(over_tls(server_context(authority.issue("other.example")), echoing))
    proxy = weir(
        f"SSLProxyEngine On\nSSLProxyCACertificateFile {authority.pem}\n<Proxy balancer://b>\n"
        f"BalancerMember {secure(untrusted)}\nBalancerMember {secure(good)}\n</Proxy>\nProxyPass / balancer://b/"
    )
    for _ in range(4):
        assert proxy.get("/").status == 200
