"""RequestHeader, Header, ProxyPassReverse and its cookies, and what else is changed in fields on the way."""
# ctest: waits
import re

import pytest
from support.origin import response


@pytest.fixture(name="request_seen")
def request_seen_fixture(weir, origin):
    """request_seen(config, headers): the request as the origin got it."""

    def run(config, headers=(), **options):
        server = origin()
        proxy = weir(f"{config}\nProxyPass / {server.url}")
        assert proxy.get("/", headers=headers, **options).status == 200
        return server.requests[0]

    return run


@pytest.fixture(name="answer_seen")
def answer_seen_fixture(weir, origin):
    """answer_seen(config, headers, status): the origin's answer as the client got it. {port} is the origin's."""

    def run(config, headers=(), status="200 OK", target="/", **options):
        server = origin(lambda connection: None)
        server.scripts = [scripted(response(b"x", status, [line.replace("{port}", str(server.port)) for line in headers]))]
        proxy = weir(config.replace("{url}", server.url).replace("{port}", str(server.port)))
        return proxy.get(target, **options)

    return run


def scripted(answer):
    def script(connection):
        while connection.read_request() is not None:
            connection.send(answer)

    return script


# --- RequestHeader -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line, values", [
    ("RequestHeader set X-A new", ["new"]),
    ("RequestHeader append X-A new", ["one, new", "two"]),
    ("RequestHeader add X-A new", ["one", "two", "new"]),
    ("RequestHeader unset X-A", []),
    ("RequestHeader edit X-A o 0", ["0ne", "tw0"]),
    ("RequestHeader edit* X-A [aeiou] <$0>", ["<o>n<e>", "tw<o>"]),
    ("RequestHeader merge X-A one", ["one", "two"]),
    ("RequestHeader unset x-a\nRequestHeader set X-A again", ["again"]),
    ("RequestHeader set X-A \"a b  100%%\"", ["a b  100%"]),
    ("<Location />\nRequestHeader set X-A inner\n</Location>\nRequestHeader set X-A outer", ["inner"]),
])  # fmt: skip
def test_request_fields_are_changed(request_seen, line, values):
    assert request_seen(line, ["X-A: one", "X-A: two"]).all("X-A") == values


def test_format_codes(request_seen):
    request = request_seen("RequestHeader set X-Start %t\nRequestHeader set X-Client %{REMOTE_ADDR}e")
    assert re.fullmatch(r"t=\d{16}", request.header("X-Start"))
    assert request.header("X-Client") == "127.0.0.1"


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "Connection"])
def test_framing_is_not_for_changing(weir_command, name):
    result = weir_command("-t", config=f"Listen 127.0.0.1:1\nRequestHeader set {name} 3\n")
    assert result.returncode == 1
    assert "belongs to the connection" in result.stderr + result.stdout


# --- Header --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line, values", [
    ("Header set X-A new", ["new"]),
    ("Header append X-A new", ["one, new", "two"]),
    ("Header add X-A new", ["one", "two", "new"]),
    ("Header always unset X-A", []),
    ("Header edit X-A ^(.) [$1]", ["[o]ne", "[t]wo"]),
])  # fmt: skip
@pytest.mark.parametrize("status", ["200 OK", "404 Not Found"])
def test_response_fields_are_changed(answer_seen, line, values, status):
    assert answer_seen(f"{line}\nProxyPass / {{url}}", ["X-A: one", "X-A: two"], status).all("X-A") == values


def test_own_answers_get_what_is_for_always(weir):
    proxy = weir("Header set X-Plain 1\nHeader always set X-Always 2\nRedirect /old http://x/\nRedirect gone /gone")
    for target in ("/", "/old", "/gone"):
        answer = proxy.get(target)
        assert answer.all("X-Plain") == []
        assert answer.all("X-Always") == ["2"]


def test_date_is_added_when_the_origin_has_none(answer_seen):
    answer = answer_seen("ProxyPass / {url}")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", answer.header("Date"))
    assert answer_seen("ProxyPass / {url}", ["Date: Thu, 01 Jan 1970 00:00:00 GMT"]).header("Date").endswith("1970 00:00:00 GMT")


# --- ProxyPassReverse ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said, told", [
    ("http://127.0.0.1:{port}/in/a?b=c", "http://front.example/out/a?b=c"),
    ("http://127.0.0.1:{port}/in", "http://front.example/out"),
    ("HTTP://127.0.0.1:{port}/in/x", "http://front.example/out/x"),
    ("http://127.0.0.1:{port}/other", None),
    ("https://127.0.0.1:{port}/in/a", None),
    ("http://third.example/in/a", None),
    ("/in/a", None),
    ("a/b", None),
])  # fmt: skip
@pytest.mark.parametrize("name", ["Location", "Content-Location"])
def test_urls_of_the_origin_become_ours(answer_seen, name, said, told):
    answer = answer_seen(
        "ProxyPass /out {url}in\nProxyPassReverse /out {url}in", [f"{name}: {said}"], "302 Found", "/out", host="front.example"
    )
    got = answer.header(name)
    if told is not None:
        assert got == told
    else:
        assert got.split(":")[0] == said.split(":")[0] and "front.example" not in got


def test_without_a_line_nothing_is_mapped(answer_seen):
    answer = answer_seen("ProxyPass / {url}", ["Location: http://127.0.0.1:{port}/x"], "302 Found", host="front.example")
    assert answer.header("Location").startswith("http://127.0.0.1:")


def test_the_line_of_a_location(answer_seen):
    answer = answer_seen(
        "<Location /app>\nProxyPass {url}in\nProxyPassReverse {url}in\n</Location>",
        ["Location: http://127.0.0.1:{port}/in/x"], "301 Moved", "/app/y", host="front.example",
    )  # fmt: skip
    assert answer.header("Location") == "http://front.example/app/x"


def test_cookies_become_ours(answer_seen):
    answer = answer_seen(
        "ProxyPass / {url}\nProxyPassReverseCookieDomain backend.local front.example\nProxyPassReverseCookiePath /in /out",
        [
            "Set-Cookie: a=1; Domain=.backend.local; Path=/in/x; HttpOnly",
            "Set-Cookie: b=2; path=/inner; Secure",
            "Set-Cookie: c=path=/in",
        ],
    )
    assert answer.all("Set-Cookie") == [
        "a=1; Domain=front.example; Path=/out/x; HttpOnly",
        "b=2; path=/inner; Secure",
        "c=path=/in",
    ]


# --- forwarded fields, Via, Host ---------------------------------------------------------------------------------------------

TRUSTED = "RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 127.0.0.1\n"


def test_a_trusted_list_is_continued(request_seen):
    request = request_seen(TRUSTED, ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 203.0.113.9"])
    assert request.all("X-Forwarded-For") == ["192.0.2.1, 203.0.113.9, 127.0.0.1"]


def test_a_trusted_peer_without_a_list(request_seen):
    assert request_seen(TRUSTED).all("X-Forwarded-For") == ["127.0.0.1"]


def test_via_full_tells_the_version(request_seen):
    request = request_seen("ServerName front.example\nProxyVia Full")
    assert re.fullmatch(r"1\.1 front\.example \(weir/\d+\.\d+\.\d+\)", request.header("Via"))


def test_host_of_a_location(request_seen):
    request = request_seen("<Location />\nProxyPreserveHost Off\n</Location>", host="front.example")
    assert request.header("Host").startswith("127.0.0.1:")
    assert request.header("X-Forwarded-Host") == "front.example"
