"""One test for every rule of the request line and of Host: the refusal, the close, and what the origin did not receive."""
import pytest
from support.http import END, HOST, LINE, Front, read_answer_and_end, send_all, table


@pytest.fixture(name="front", scope="module")
def front_fixture():
    with Front() as front:
        yield front


# --- Host ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", table(
    ("missing", ""),
    ("missing-among-others", "X-A: b\r\nAccept: */*\r\n"),
    ("repeated", "Host: localhost\r\nHost: localhost\r\n"),
    ("repeated-with-another", "Host: localhost\r\nX-A: b\r\nhost: other\r\n"),
    ("empty", "Host:\r\n"),
    ("blank", "Host: \t \r\n"),
))
def test_host_is_there_once(front, fields):
    front.refused(LINE + fields + END, 400)


@pytest.mark.parametrize("host", [
    "a b", "a\tb", "a/b", "a/", "user@a", "user:password@a", "a:b", "a:80b", "a:-1", "a:+1", "a:99999", "a:65536", "a:80:80",
    ":80", "[::1", "::1", "[::1]x", "[::1]:x", "[::g]", "[]", "[127.0.0.1]", "a]", "a,b", "a, b", "http://a", "a?b", "a#b",
    "a\\b", "a%zz", "a%", 'a"b', "a<b", "a>b", "a|b", "a^b", "a`b", "a{b}", "h\xc3\xa4user", "a\x80",
])  # fmt: skip
def test_a_host_that_is_none(front, host):
    front.refused(f"{LINE}Host: {host}\r\n\r\n", 400)


@pytest.mark.parametrize("host", [
    "a", "A.Example", "a.b.c", "a-b", "a_b", "a:80", "a:65535", "127.0.0.1", "127.0.0.1:81", "[::1]", "[::1]:80", "xn--bcher-kva.example", "1",
])  # fmt: skip
def test_a_host_that_is_one(front, host):
    assert front.taken(f"{LINE}Host: {host}\r\n\r\n").header("Host") == host


# --- the request line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["", "(GET)", "G,ET", "G/ET", "G@ET", 'G"ET', "G{ET", "G[ET", "G;ET", "G=ET", "G:ET", "G?ET",
                                    "G\\ET", "G<ET", "G\x80ET", "G\xc3\xa4"])  # fmt: skip
def test_a_method_that_is_no_token(front, method):
    front.refused(f"{method} / HTTP/1.1\r\n{HOST}\r\n", 400)


@pytest.mark.parametrize("line", table(
    ("only-a-method", "GET"),
    ("tab-for-first-space", "GET\t/ HTTP/1.1"),
    ("tab-for-second-space", "GET /\tHTTP/1.1"),
    ("two-spaces-first", "GET  / HTTP/1.1"),
    ("two-spaces-second", "GET /  HTTP/1.1"),
    ("space-before", " GET / HTTP/1.1"),
    ("space-behind", "GET / HTTP/1.1 "),
    ("tab-behind", "GET / HTTP/1.1\t"),
    ("word-behind", "GET / HTTP/1.1 x"),
    ("no-target", "GET HTTP/1.1"),
    ("empty-target", "GET  HTTP/1.1"),
    ("space-in-target", "GET /a b HTTP/1.1"),
    ("lower-case-version", "GET / http/1.1"),
    ("version-misspelt", "GET / HTP/1.1"),
    ("version-of-another", "GET / ICY/1.1"),
    ("version-without-minor", "GET / HTTP/1"),
    ("version-with-empty-minor", "GET / HTTP/1."),
    ("version-with-empty-major", "GET / HTTP/.1"),
    ("version-long-minor", "GET / HTTP/1.10"),
    ("version-long-major", "GET / HTTP/01.1"),
    ("version-without-dot", "GET / HTTP/11"),
    ("version-with-comma", "GET / HTTP/1,1"),
    ("version-with-letter", "GET / HTTP/1.x"),
    ("version-with-space", "GET / HTTP/ 1.1"),
    ("version-negative", "GET / HTTP/-1.1"),
    ("8-bit-version", "GET / HTTP/1.\xb2"),
))
def test_a_malformed_request_line(front, line):
    front.refused(f"{line}\r\n{HOST}\r\n", 400)


@pytest.mark.parametrize("version", ["0.9", "2.0", "2.1", "3.0", "9.9"])
def test_another_version(front, version):
    front.refused(f"GET / HTTP/{version}\r\n{HOST}\r\n", 505)


@pytest.mark.parametrize("data", ["GET /\r\n\r\n", "GET / \r\n\r\n", f"GET /\r\n{HOST}\r\n"])
def test_http_0_9(front, data):
    front.refused(data, (400, 505), half_close=True)


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.5", "1.9"])
def test_any_1_x_is_taken_as_1_1(front, version):
    assert front.taken(f"GET /x HTTP/{version}\r\n{HOST}\r\n").version == "HTTP/1.1"


@pytest.mark.parametrize("data", ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", f"PRI * HTTP/1.1\r\n{HOST}\r\n", f"PRI / HTTP/1.1\r\n{HOST}\r\n"])
def test_the_preface_of_http_2(front, data):
    front.refused(data, 400)


@pytest.mark.parametrize("line", ["CONNECT localhost:80 HTTP/1.1", "CONNECT / HTTP/1.1", "CONNECT localhost:80 HTTP/1.0",
                                  "TRACE / HTTP/1.1", "TRACE http://localhost/ HTTP/1.1"])  # fmt: skip
def test_methods_that_are_not_allowed(front, line):
    answer = front.refused(f"{line}\r\nHost: localhost:80\r\n\r\n", 405)
    assert b"Host: localhost:80" not in answer.body


@pytest.mark.parametrize("target", [
    "/a#b", "/#", "/a|b", "/a{b", "/a}b", '/a"b', "/a\\b", "/a^b", "/a<b", "/a>b", "/?a#b", "/?a|b", "/?a{b", '/?a"b', "/?<a>", "/?a\\b",
    "/\x80", "/\xff", "/b\xc3\xbccher", "/?\xe4", "/%", "/%2", "/%zz", "/a%2gb", "a", "a/b", "?", "?a=b", "#", "..", "localhost:80", "localhost",
])  # fmt: skip
def test_a_target_that_is_none(front, target):
    front.refused(f"GET {target} HTTP/1.1\r\n{HOST}\r\n", 400)


def test_an_encoded_nul_in_the_path(front):
    front.refused(f"GET /a%00b HTTP/1.1\r\n{HOST}\r\n", (400, 404))


@pytest.mark.parametrize("target", [
    "http://", "http:///", "http:///a", "http:/localhost/", "http:localhost", "http//localhost/", "ftp://localhost/", "file:///etc/passwd",
    "javascript:alert(1)", "ws://localhost/", "http://user@localhost/", "http://user:password@localhost/", "http://@localhost/",
    "http://localhost:99999/", "http://localhost:x/", "http://[::1/", "http://[::g]/", "http://a_b|c/", "http://a,b/", "http://local%00host/",
    "http://localhost/#a", "http://localhost#a", "http://localhost\\a/", "http://:80/", "http://?a",
])  # fmt: skip
def test_an_absolute_target_that_is_none(front, target):
    front.refused(f"GET {target} HTTP/1.1\r\n{HOST}\r\n", 400)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "options"])
def test_the_asterisk_is_for_options(front, method):
    front.refused(f"{method} * HTTP/1.1\r\n{HOST}\r\n", 400)


def test_options_of_the_server(front):
    assert front.taken(f"OPTIONS * HTTP/1.1\r\n{HOST}\r\n").line == "OPTIONS * HTTP/1.1"


@pytest.mark.parametrize("expect", ["200-ok", "100-continue, 200-ok", "continue", "100", "100-continuex", "100-continue;q=1"])
def test_an_unknown_expectation(front, expect):
    front.refused(f"POST / HTTP/1.1\r\n{HOST}Expect: {expect}\r\nContent-Length: 5\r\n\r\nhello", 417)


def test_garbage(front):
    front.refused("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + "\x00" * 100 + "\r\n\r\n", 400)
    front.refused("EHLO mail.example\r\n\r\n", 400)
    front.refused("\x00" * 20000, (400, 414), half_close=True)
    front.refused("A" * 100000, (400, 414), half_close=True)


def test_what_follows_a_refused_request_is_not_served(front):
    front.refused(f"{LINE}\r\n" + f"GET /second HTTP/1.1\r\n{HOST}\r\n", 400)


def test_a_refusal_after_a_good_request_on_the_connection(front):
    with front.connect() as client:
        assert client.request("/good").status == 200
        client.send(f"{LINE}\r\n")
        assert read_answer_and_end(client).status == 400


def test_a_head_request_is_refused_without_a_body(front):
    answer = front.refused(f"HEAD / HTTP/1.1\r\n{HOST}X : y\r\n\r\n", 400)
    assert answer.body == b""


# --- the answers themselves ------------------------------------------------------------------------------------------


def test_a_refusal_says_why_in_the_log_or_its_page(front):
    """The page has a text and a type; it repeats nothing of the request unescaped."""
    answer = front.refused(f"GET /<script>alert(1)</script> HTTP/1.1\r\n{HOST}\r\n", 400)
    assert answer.header("Content-Type").startswith("text/")
    assert b"<script>" not in answer.body
    assert answer.header("Content-Length") == str(len(answer.body))


def test_a_refused_client_that_goes_on_sending_gets_the_answer(front):
    """The connection is not reset under the answer's feet while the client still sends."""
    for _ in range(5):
        with front.connect() as client:
            send_all(client, f"POST / HTTP/1.1\r\n{HOST}Content-Length: 5000000\r\nX : y\r\n\r\n".encode() + b"b" * 300_000)
            assert read_answer_and_end(client).status == 400


def test_a_file_that_is_not_there_does_not_close(weir):
    """A 404 of weir's own is an answer like any other: the connection stays."""
    proxy = weir("")
    with proxy.connect() as client:
        assert client.request("/").status == 404
        assert client.request("/again").status == 404
