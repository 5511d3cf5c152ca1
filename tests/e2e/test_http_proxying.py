"""What passes through weir, and how it is changed on the way: heads, forwarded fields, framing, interim answers, retries."""
import functools
import re

import pytest
from support import http
from support.client import format_request
from support.http import ADDED
from support.origin import response
from support.wait import wait_for

GET = "GET / HTTP/1.1\r\nHost: localhost\r\n"
FORWARDED = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Server: evil\r\n" \
    "Forwarded: for=192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\n"  # fmt: skip


@pytest.fixture(name="through")
def through_fixture(weir, origin):
    """through(bytes, config, answer): see support/http.py."""
    return functools.partial(http.through, weir, origin)


# --- the request that the origin gets --------------------------------------------------------------------------------


def test_a_head_is_written_anew_byte_for_byte(through):
    """Order, names as written, and values are kept; white space around values is not."""
    request, _ = through(
        "GET /a/b;c=d?e=f&g HTTP/1.1\r\nhOsT:   localhost:81\t\r\nUser-Agent:x/1 (y; z)\r\nX-Empty:\r\nx-lower: 1\r\n"
        "X-Many: 1\r\nX-Many: 2\r\nCookie: a=b;  c=d\r\nX-Tab: a\tb\r\nX-8-Bit: \xe4\xff\r\nX-Odd: !#$%&'*+-.^_`|~\"(),/:;<=>?@[\\]{}\r\n\r\n",
        "ProxyAddHeaders Off\nProxyPass / {origin}",
    )
    assert request.raw_head.lower().startswith(b"get /a/b;c=d?e=f&g http/1.1\r\nhost: localhost:81\r\n")
    assert request.raw_head.decode("latin-1").split("\r\n")[2:] == [
        "User-Agent: x/1 (y; z)", "X-Empty: " if "X-Empty: " in request.raw_head.decode("latin-1") else "X-Empty:", "x-lower: 1",
        "X-Many: 1", "X-Many: 2", "Cookie: a=b;  c=d", "X-Tab: a\tb", "X-8-Bit: \xe4\xff", "X-Odd: !#$%&'*+-.^_`|~\"(),/:;<=>?@[\\]{}",
        "", "",
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "M-SEARCH", "PURGE", "get", "X",
                                    "!#$%&'*+-.^_`|~19aZ"])  # fmt: skip
def test_any_token_is_a_method(through, method):
    request, _ = through(f"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n", method=method)
    assert request.line == f"{method} / HTTP/1.1"
    assert request.body == b""


@pytest.mark.parametrize("fields, gone", [
    ("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", "Keep-Alive"),
    ("Proxy-Connection: keep-alive\r\n", "Proxy-Connection"),
    ("Connection: x-secret\r\nX-Secret: 1\r\n", "X-Secret"),
    ("Connection: a, X-SECRET ,b\r\nx-secret: 1\r\nX-Secret: 2\r\n", "X-Secret"),
    ("Connection: a\r\nX-Secret: 1\r\nConnection: ,,x-secret,\r\n", "X-Secret"),
    ("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", "HTTP2-Settings"),
    ("Connection: upgrade\r\nUpgrade: TLS/1.0\r\n", "Upgrade"),
    ("Upgrade: h2c\r\n", "Upgrade"),
    ("TE: trailers, deflate\r\nConnection: TE\r\n", "Keep-Alive"),
])  # fmt: skip
def test_hop_by_hop_fields_stay_here(through, fields, gone):
    request, _ = through(f"{GET}{fields}X-Stays: 1\r\n\r\n")
    assert request.header("X-Stays") == "1"
    assert request.all(gone) == []
    assert request.all("Upgrade") == []
    assert (request.header("TE") or "trailers") == "trailers"
    assert (request.header("Connection") or "keep-alive").lower() in ("keep-alive", "te")


@pytest.mark.parametrize("named", ["Host", "Content-Length", "X-Forwarded-For", "Cookie"])
def test_connection_may_not_take_away_what_matters(through, named):
    """A client names a field in Connection that weir or the origin relies on."""
    request, _ = through(f"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: {named}\r\nContent-Length: 5\r\n\r\nhello")
    assert request.header("Host") == "localhost"
    assert request.body == b"hello"
    assert request.header("X-Forwarded-For") == "127.0.0.1"


def test_connection_close_of_the_client_does_not_reach_the_origin(weir, origin):
    server = origin()
    proxy = weir(f"Workers 1\nProxyPass / {server.url}")
    for _ in range(3):
        assert proxy.get("/", headers={"Connection": "close"}).status == 200
    assert len(server.connections) == 1
    assert all("close" not in (request.header("Connection") or "") for request in server.requests)


def test_forwarded_fields_are_added(through):
    request, _ = through(f"{GET}\r\n")
    assert request.header("X-Forwarded-For") == "127.0.0.1"
    assert request.header("X-Forwarded-Host") == "localhost"
    assert request.header("X-Forwarded-Proto") == "http"


def test_forwarded_fields_of_an_untrusted_client_are_replaced(through):
    request, _ = through(f"{GET}{FORWARDED}{FORWARDED.lower()}\r\n")
    assert request.header("X-Forwarded-For") == "127.0.0.1"
    assert request.header("X-Forwarded-Host") == "localhost"
    assert request.header("X-Forwarded-Proto") == "http"
    for name in ("X-Forwarded-Server", "Forwarded", "X-Real-IP"):
        assert request.all(name) == []


def test_without_added_fields_the_client_s_own_are_removed_all_the_same(through):
    request, _ = through(f"{GET}{FORWARDED}\r\n", "ProxyAddHeaders Off\nProxyPass / {origin}")
    for name in ADDED + ("X-Forwarded-Server", "Forwarded", "X-Real-IP"):
        assert request.all(name) == []


def test_forwarded_fields_of_a_trusted_peer_are_kept(through):
    request, _ = through(
        f"{GET}X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n",
        "RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 127.0.0.1\nProxyPass / {origin}",
    )
    assert ", ".join(request.all("X-Forwarded-For")).startswith("192.0.2.1")
    assert ", ".join(request.all("X-Forwarded-Proto")).startswith("https")


def test_via_is_off_by_default(through):
    request, answer = through(f"{GET}\r\n")
    assert request.all("Via") == [] and answer.all("Via") == []


def test_via_on_names_weir_after_the_others(through):
    request, answer = through(
        f"{GET}Via: 1.0 fred\r\n\r\n", "ServerName front.example\nProxyVia On\nProxyPass / {origin}", response(headers={"Via": "1.1 back"})
    )
    assert re.fullmatch(r"1\.0 fred, 1\.1 \S+", ", ".join(request.all("Via")))
    assert re.fullmatch(r"1\.1 back, 1\.1 \S+", ", ".join(answer.all("Via")))


def test_via_block_takes_all_of_it_away(through):
    request, answer = through(f"{GET}Via: 1.0 fred\r\n\r\n", "ProxyVia Block\nProxyPass / {origin}", response(headers={"Via": "1.1 back"}))
    assert request.all("Via") == []
    assert all(" " in value for value in answer.all("Via"))


@pytest.mark.parametrize("target, path, host", [
    ("http://other.example/a?b", "/a?b", "other.example"),
    ("http://other.example:8080/a", "/a", "other.example:8080"),
    ("HTTP://other.example/", "/", "other.example"),
    ("http://other.example", "/", "other.example"),
    ("http://other.example?a=b", "/?a=b", "other.example"),
    ("http://[::1]:81/x", "/x", "[::1]:81"),
])  # fmt: skip
def test_an_absolute_target_wins_over_host(through, target, path, host):
    request, _ = through(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert request.target == path
    assert request.header("Host") == host
    assert request.header("X-Forwarded-Host") == host


def test_the_host_of_an_absolute_target_chooses_the_virtual_host(weir, origin, connect):
    one, two = origin(response(b"one")), origin(response(b"two"))
    proxy = weir(
        f"<VirtualHost *:*>\nServerName one\nProxyPass / {one.url}\n</VirtualHost>\n"
        f"<VirtualHost *:*>\nServerName two\nProxyPass / {two.url}\n</VirtualHost>"
    )
    client = connect(proxy.port)
    assert client.request("http://two/", host="one").body == b"two"
    assert client.request("http://one/", host="two").body == b"one"
    assert client.request("/", host="two").body == b"two"


def test_host_of_the_origin_when_the_client_s_is_not_preserved(weir, origin):
    server = origin()
    proxy = weir(f"ProxyPreserveHost Off\nProxyPass / {server.url}")
    assert proxy.get("/", host="front.example").status == 200
    assert server.requests[0].header("Host") == f"127.0.0.1:{server.port}"
    assert server.requests[0].header("X-Forwarded-Host") == "front.example"


@pytest.mark.parametrize("target", [
    "/a%2Fb%20c", "/%7Euser/%41", "/?a=%41%2f", "/?a=b?c=d/e", "/a;b=c/d;e", "/a:b@c!d$e&f'g(h)i*j+k,l=m", "/%e4%c3%bc", "/?", "/a?",
    "/?a=[b]", "/~",
])  # fmt: skip
def test_a_target_is_kept_as_it_was_written(through, target):
    request, _ = through(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert request.target == target


@pytest.mark.parametrize("target, expected", [
    ("/app/", "/base/"),
    ("/app/x%2Fy?q=%41", "/base/x%2Fy?q=%41"),
    ("/app/a/b/", "/base/a/b/"),
    ("/app/?x", "/base/?x"),
])  # fmt: skip
def test_a_path_is_mapped(through, target, expected):
    request, _ = through(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n", "ProxyPass /app/ {origin}base/")
    assert request.target == expected


def test_the_first_matching_proxypass_wins(weir, origin, connect):
    one, two = origin(response(b"one")), origin(response(b"two"))
    proxy = weir(f"ProxyPass /a/no !\nProxyPass /a/ {one.url}\nProxyPass /a/b/ {two.url}\nProxyPass /c/ {two.url}")
    client = connect(proxy.port)
    assert client.request("/a/b/").body == b"one"
    assert client.request("/c/").body == b"two"
    assert client.request("/a/no").status == 404
    assert client.request("/d").status == 404
    assert client.request("/a/").body == b"one"


def test_proxypass_in_a_location(weir, origin, connect):
    one, two = origin(response(b"one")), origin(response(b"two"))
    proxy = weir(
        f"ProxyPass / {one.url}\n<Location /two/>\nProxyPass {two.url}x/\n</Location>"
    )
    client = connect(proxy.port)
    assert client.request("/two/y").body == b"two"
    assert two.requests[0].target == "/x/y"
    assert client.request("/").body == b"one"


def test_an_empty_line_before_a_request_is_skipped(weir, origin, connect):
    """RFC 9112, 2.2: old clients send one after a POST."""
    server = origin()
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send("\r\n" + GET + "\r\n")
    assert client.read_response().status == 200
    client.send(format_request("/", "POST", body=b"hello") + b"\r\n" + format_request("/after"))
    assert client.read_response().status == 200
    assert client.read_response().status == 200
    assert [request.target for request in server.requests] == ["/", "/", "/after"]


# --- bodies of requests ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length, expected", [("5", "5"), ("005", "5"), ("00000000000000000000000000000005", "5"), ("5 \t", "5")])
def test_content_length_is_normalised(through, length, expected):
    request, _ = through(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nhello")
    assert request.header("Content-Length") == expected
    assert request.body == b"hello"


def test_an_empty_body_says_so(through):
    request, _ = through("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 000\r\n\r\n")
    assert request.header("Content-Length") == "0"


def test_a_get_with_a_body(through):
    request, _ = through(f"{GET}Content-Length: 5\r\n\r\nhello")
    assert request.body == b"hello"


CHUNKED = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {}\r\n\r\n"


@pytest.mark.parametrize("coding", ["chunked", "CHUNKED", "Chunked", ",chunked", "chunked ,", ", , chunked ,,"])
def test_chunked_in_every_spelling(through, coding):
    request, _ = through(CHUNKED.format(coding) + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")
    assert request.all("Transfer-Encoding") == ["chunked"] or request.header("Content-Length") == "11"
    assert request.body == b"hello world"


@pytest.mark.parametrize("body, expected", [
    ("0\r\n\r\n", b""),
    ("00000\r\n\r\n", b""),
    ("1\r\na\r\n0\r\n\r\n", b"a"),
    ("000000000000001\r\na\r\n0\r\n\r\n", b"a"),
    ("A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    ("a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
    ("1;x\r\na\r\n0;y=z\r\n\r\n", b"a"),
    ('1;x="a;b";c=d\r\na\r\n0\r\n\r\n', b"a"),
    ("2\r\n\r\n\r\n0\r\n\r\n", b"\r\n"),
    ("5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
])  # fmt: skip
@pytest.mark.parametrize("piece", [None, 1])
def test_chunks(weir, origin, connect, body, expected, piece):
    """Sizes in every spelling; extensions stay here."""
    server = origin()
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send(CHUNKED.format("chunked") + body, piece=piece)
    assert client.read_response().status == 200
    assert server.requests[0].body == expected
    assert b";" not in server.received
    assert client.request("/next").status == 200


def test_trailers_of_a_request(weir, origin, connect):
    server = origin()
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send(CHUNKED.format("chunked") + "1\r\na\r\n0\r\nX-Sum:  7\r\nHost: evil\r\nX-Forwarded-For: evil\r\nConnection: close\r\n\r\n")
    assert client.read_response().status == 200
    names = [name.lower() for name, _ in server.requests[0].trailers]
    assert ("X-Sum", "7") in server.requests[0].trailers
    assert not {"host", "x-forwarded-for", "connection"} & set(names)


def test_trailers_that_connection_names_stay_here(weir, origin, connect):
    """RFC 9110, 7.6.1: header or trailer fields of that name."""
    server = origin()
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send(CHUNKED.format("chunked\r\nConnection: X-Mine, x-other") + "1\r\na\r\n0\r\nX-Sum: 7\r\nX-Mine: 8\r\nX-Other: 9\r\n\r\n")
    assert client.read_response().status == 200
    assert server.requests[0].trailers == [("X-Sum", "7")]


@pytest.mark.parametrize("name", ["Forwarded", "X-Real-IP", "X-Forwarded-Port", "X_Forwarded_For", "x_real-ip"])
def test_trailers_that_tell_of_a_client_stay_here(weir, origin, connect, name):
    server = origin()
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send(CHUNKED.format("chunked") + f"1\r\na\r\n0\r\n{name}: 192.0.2.1\r\nX-Sum: 7\r\n\r\n")
    assert client.read_response().status == 200
    assert server.requests[0].trailers == [("X-Sum", "7")]


@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked\r\nContent-Length: 5"])
def test_framing_in_a_trailer_is_refused_or_left_out(weir, origin, connect, field):
    server = origin()
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send(CHUNKED.format("chunked") + f"1\r\na\r\n0\r\n{field}\r\n\r\n")
    if client.read_response().status == 200:
        assert server.requests[0].trailers == []
    else:
        assert client.is_closed()
        assert all(not request.body for request in server.requests)


def test_the_origin_sees_the_first_bytes_before_the_client_has_sent_all(weir, origin, connect):
    def script(connection):
        request = connection.read_head()
        first = connection.read_exactly(5)
        connection.read_exactly(5)
        connection.answer(first + str(len(request.raw_head)).encode())

    server = origin(script)
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhello")
    wait_for(lambda: server.received.endswith(b"hello"), what="the first half of the body at the origin")
    client.send("world")
    assert client.read_response().body.startswith(b"hello")


def test_the_origin_sees_the_first_chunk_before_the_client_has_sent_the_next(weir, origin, connect):
    server = origin()
    client = connect(weir(f"ProxyPass / {server.url}").port)
    client.send(CHUNKED.format("chunked") + "5\r\nhello\r\n")
    wait_for(lambda: b"hello" in server.received, what="the first chunk at the origin")
    client.send("0\r\n\r\n")
    assert client.read_response().status == 200
