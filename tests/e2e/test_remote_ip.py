"""The real client address: RemoteIP* and the PROXY protocol, as seen in the log and in the fields for the origin."""
import socket
import struct

import pytest
from support.client import format_request
from support.wait import free_port

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOG = 'CustomLog access.log "%a %{c}a %U"'


def v1(source, target="127.0.0.1", family="TCP4"):
    return f"PROXY {family} {source} {target} 50000 80\r\n".encode()


def v2(source, command=1, extra=b""):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    target = "::1" if ":" in source else "127.0.0.1"
    body = socket.inet_pton(family, source) + socket.inet_pton(family, target) + struct.pack("!HH", 50000, 80) + extra
    kind = 0x21 if ":" in source else 0x11
    return SIGNATURE + bytes([0x20 | command, kind]) + struct.pack("!H", len(body)) + body


def logged(proxy, path):
    """The addresses that the log has for a path: (client, peer)."""
    line = proxy.wait_for_log(rf"(?m)^(\S+) (\S+) {path}$", name="access.log")
    return line.group(1), line.group(2)


@pytest.fixture(name="server")
def server_fixture(origin):
    return origin()


# --- RemoteIPHeader ---


@pytest.mark.parametrize(
    "value, client",
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7, 10.1.2.3", "198.51.100.7"),
        ("10.1.2.3", "10.1.2.3"),
        ("192.168.7.7", "192.168.7.7"),
        ("198.51.100.7:4711", "198.51.100.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, nonsense", "127.0.0.1"),
        ("nonsense, 10.1.2.3", "10.1.2.3"),
        ("999.1.1.1", "127.0.0.1"),
        ("", "127.0.0.1"),
    ],
)
def test_a_trusted_proxy(weir, server, value, client):
    proxy = weir(
        f"RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 127.0.0.1 10.0.0.0/8\n{LOG}\nProxyPass / {server.url}"
    )
    assert proxy.get("/path", headers={"X-Forwarded-For": value}).status == 200
    assert logged(proxy, "/path") == (client, "127.0.0.1")
    assert server.requests[0].header("X-Forwarded-For").split(", ")[-1] in (client, "127.0.0.1")


def test_values_of_several_fields(weir, server):
    proxy = weir(f"RemoteIPHeader X-Real\nRemoteIPInternalProxy 127.0.0.1 10.0.0.0/8\n{LOG}\nProxyPass / {server.url}")
    fields = [("X-Real", "203.0.113.9"), ("X-Real", "198.51.100.7"), ("X-Real", "10.0.0.1")]
    assert proxy.get("/path", headers=fields).status == 200
    assert logged(proxy, "/path") == ("198.51.100.7", "127.0.0.1")


def test_an_untrusted_peer_is_not_believed(weir, server):
    proxy = weir(f"RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 10.0.0.0/8\n{LOG}\nProxyPass / {server.url}")
    assert proxy.get("/path", headers={"X-Forwarded-For": "203.0.113.9"}).status == 200
    assert logged(proxy, "/path") == ("127.0.0.1", "127.0.0.1")
    assert server.requests[0].header("X-Forwarded-For") == "127.0.0.1"


def test_without_proxies_nobody_is_believed(weir, server):
    proxy = weir(f"RemoteIPHeader X-Forwarded-For\n{LOG}\nProxyPass / {server.url}")
    assert proxy.get("/path", headers={"X-Forwarded-For": "203.0.113.9"}).status == 200
    assert logged(proxy, "/path") == ("127.0.0.1", "127.0.0.1")


def test_without_the_header_directive(weir, server):
    proxy = weir(f"{LOG}\nProxyPass / {server.url}")
    assert proxy.get("/path", headers={"X-Forwarded-For": "203.0.113.9"}).status == 200
    assert logged(proxy, "/path") == ("127.0.0.1", "127.0.0.1")


def test_each_request_of_a_connection_has_its_own_client(weir, server, connect):
    proxy = weir(f"RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 127.0.0.1\n{LOG}\nProxyPass / {server.url}")
    client = connect(proxy.port)
    for number in (1, 2):
        assert client.request(f"/{number}", headers={"X-Forwarded-For": f"203.0.113.{number}"}).status == 200
        assert logged(proxy, f"/{number}") == (f"203.0.113.{number}", "127.0.0.1")
    assert client.request("/none").status == 200
    assert logged(proxy, "/none") == ("127.0.0.1", "127.0.0.1")


def test_access_rules_see_the_real_client(weir, server):
    proxy = weir(
        "RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 127.0.0.1\n"
        f"<Location />\nRequire ip 198.51.100.0/24\n</Location>\nProxyPass / {server.url}"
    )
    assert proxy.get("/", headers={"X-Forwarded-For": "203.0.113.9"}).status == 403
    assert proxy.get("/", headers={"X-Forwarded-For": "198.51.100.9"}).status == 200
    assert proxy.get("/").status == 403


# --- the PROXY protocol ---


@pytest.fixture(name="behind")
def behind_fixture(weir, server):
    """weir on a proxy-protocol listener."""
    return weir(f"Listen 127.0.0.1:{free_port()} proxy-protocol\n{LOG}\nProxyPass / {server.url}")


GOOD = [
    (v1("203.0.113.9"), "203.0.113.9"),
    (v1("2001:db8::7", "::1", "TCP6"), "2001:db8::7"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    (b"PROXY UNKNOWN whatever it says\r\n", "127.0.0.1"),
    (v2("203.0.113.9"), "203.0.113.9"),
    (v2("2001:db8::7"), "2001:db8::7"),
    (v2("::ffff:203.0.113.9"), "203.0.113.9"),
    (v2("203.0.113.9", extra=b"\x03\0\x04abcd" * 40), "203.0.113.9"),
    (v2("203.0.113.9", command=0), "127.0.0.1"),
    (SIGNATURE + b"\x20\0\0\0", "127.0.0.1"),
    (SIGNATURE + b"\x21\0\0\0", "127.0.0.1"),
]


@pytest.mark.parametrize("header, client", GOOD)
@pytest.mark.parametrize("piece", [None, 1])
def test_proxy_headers(behind, server, connect, header, client, piece):
    connection = connect(behind.port).send(header, piece=piece)
    connection.send(format_request("/one") + format_request("/two"))
    assert connection.read_response().status == 200
    assert connection.read_response().status == 200
    assert logged(behind, "/one")[0] == client
    assert logged(behind, "/two")[0] == client
    assert server.requests[0].header("X-Forwarded-For") == client


BAD = [
    format_request("/"),
    b"PROXY TCP4 203.0.113.9 127.0.0.1 50000 80\n" + format_request("/"),
    b"PROXY TCP4 203.0.113.9 127.0.0.1 050000 80\r\n" + format_request("/"),
    b"PROXY TCP4 203.0.113.999 127.0.0.1 50000 80\r\n" + format_request("/"),
    b"PROXY TCP4 2001:db8::7 ::1 50000 80\r\n" + format_request("/"),
    b"PROXY TCP4 203.0.113.9 127.0.0.1 50000 80 \r\n" + format_request("/"),
    b"PROXY TCP4 203.0.113.9 127.0.0.1 50000\r\n" + format_request("/"),
    b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n" + format_request("/"),
    b"proxy TCP4 203.0.113.9 127.0.0.1 50000 80\r\n" + format_request("/"),
    SIGNATURE + b"\x11\x11\0\x0c" + bytes(12) + format_request("/"),
    SIGNATURE + b"\x22\x11\0\x0c" + bytes(12) + format_request("/"),
    SIGNATURE + b"\x21\x41\0\x0c" + bytes(12) + format_request("/"),
    SIGNATURE + b"\x21\x11\0\x0b" + bytes(11) + format_request("/"),
    SIGNATURE + b"\x21\x21\0\x0c" + bytes(12) + format_request("/"),
    SIGNATURE + b"\x21\x11\xff\xff" + bytes(12) + format_request("/"),
    SIGNATURE[:-1] + b"X\x21\x11\0\x0c" + bytes(12) + format_request("/"),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]


@pytest.mark.parametrize("header", BAD)
def test_bad_proxy_headers_close_the_connection(behind, server, connect, header):
    connection = connect(behind.port).send(header)
    assert connection.is_closed()
    assert server.received == b""


def test_half_a_header_and_gone(behind, server, connect):
    for header, _ in GOOD:
        connection = connect(behind.port).send(header[: len(header) // 2])
        connection.half_close()
        assert connection.is_closed()
    assert server.received == b""


def test_the_header_is_only_for_listeners_that_say_so(weir, server, connect):
    proxy = weir(f"{LOG}\nProxyPass / {server.url}")
    for header in (v1("203.0.113.9"), v2("203.0.113.9")):
        connection = connect(proxy.port).send(header + format_request("/"))
        assert connection.read_response().status == 400
    assert server.received == b""


def test_the_proxy_protocol_beside_remote_ip(weir, server, connect):
    """The address from the PROXY header is the peer that RemoteIPTrustedProxy is asked about."""
    proxy = weir(
        f"Listen 127.0.0.1:{free_port()} proxy-protocol\nRemoteIPHeader X-Forwarded-For\n"
        f"RemoteIPTrustedProxy 203.0.113.0/24\n{LOG}\nProxyPass / {server.url}"
    )
    connection = connect(proxy.port).send(v1("203.0.113.9"))
    assert connection.request("/trusted", headers={"X-Forwarded-For": "198.51.100.7"}).status == 200
    assert logged(proxy, "/trusted")[0] == "198.51.100.7"
    connection = connect(proxy.port).send(v1("192.0.2.9"))
    assert connection.request("/untrusted", headers={"X-Forwarded-For": "198.51.100.7"}).status == 200
    assert logged(proxy, "/untrusted")[0] == "192.0.2.9"


def test_a_reload_turns_it_on(weir, server, connect):
    port = free_port()
    proxy = weir(f"Listen 127.0.0.1:{port}\n{LOG}\nProxyPass / {server.url}")
    assert proxy.get("/").status == 200
    proxy.reload(f"Listen 127.0.0.1:{port} proxy-protocol\n{LOG}\nProxyPass / {server.url}", expect="configuration reloaded")
    connection = connect(port).send(v1("203.0.113.9"))
    assert connection.request("/new").status == 200
    assert logged(proxy, "/new")[0] == "203.0.113.9"
