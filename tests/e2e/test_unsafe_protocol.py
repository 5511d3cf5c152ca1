"""HttpProtocolOptions Unsafe: a bare line feed in a head, and nothing else."""
import pytest
from support.http import CHUNKED, Front, table


@pytest.fixture(name="unsafe", scope="module")
def unsafe_fixture():
    with Front("HttpProtocolOptions Unsafe") as front:
        yield front


@pytest.mark.parametrize("head", ["GET /old HTTP/1.1\nHost: localhost\nX-A: b\n\n", "GET /old HTTP/1.1\r\nHost: localhost\nX-A: b\r\n\n",
                                  "GET /old HTTP/1.1\nHost: localhost\r\nX-A: b\n\r\n"])  # fmt: skip
def test_unsafe_takes_a_bare_line_feed_in_a_head(unsafe, head):
    """And the origin is sent well-formed lines."""
    request = unsafe.taken(head)
    assert request.line == "GET /old HTTP/1.1"
    assert request.header("X-A") == "b"


def test_unsafe_takes_mod_evasives_own_test(unsafe):
    """Its test.pl sends this line and no more; a Host is not asked for in HTTP/1.0."""
    assert unsafe.taken("GET /?17 HTTP/1.0\n\n").target == "/?17"


@pytest.mark.parametrize("head", table(
    ("bare-carriage-return", "GET / HTTP/1.1\nHost: localhost\nX-A: b\rc\n\n"),
    ("two-carriage-returns", "GET / HTTP/1.1\nHost: localhost\nX-A: b\r\r\n\n"),
    ("folding", "GET / HTTP/1.1\nHost: localhost\nX-A: b\n c\n\n"),
    ("space-before-colon", "GET / HTTP/1.1\nHost: localhost\nX-A : b\n\n"),
    ("nul", "GET / HTTP/1.1\nHost: localhost\nX-A: \x00\n\n"),
    ("no-host", "GET / HTTP/1.1\nX-A: b\n\n"),
    ("two-hosts", "GET / HTTP/1.1\nHost: a\nHost: a\n\n"),
    ("length-and-coding", "POST / HTTP/1.1\nHost: a\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\r\n\r\n"),
    ("bad-method", "G,ET / HTTP/1.1\nHost: a\n\n"),
    ("bad-target", "GET /a|b HTTP/1.1\nHost: a\n\n"),
    ("two-spaces", "GET  / HTTP/1.1\nHost: a\n\n"),
))
def test_unsafe_relaxes_nothing_else(unsafe, head):
    unsafe.refused(head, 400)


@pytest.mark.parametrize("body", ["3\nabc\r\n0\r\n\r\n", "3\r\nabc\n0\r\n\r\n", "3\r\nabc\r\n0\n\r\n", "3\r\nabc\r\n0\r\n\n",
                                  "3\r\nabc\r\n0\r\nX: y\n\r\n"])  # fmt: skip
def test_unsafe_is_for_heads_not_for_bodies(unsafe, body):
    unsafe.cut_off(CHUNKED, body)


def test_unsafe_of_a_host(weir, origin):
    server = origin()
    proxy = weir(f"<VirtualHost *:*>\nServerName a\nHttpProtocolOptions Unsafe\nProxyPass / {server.url}\n</VirtualHost>")
    with proxy.connect() as client:
        assert client.send("GET / HTTP/1.1\nHost: a\n\n").read_response().status == 200
