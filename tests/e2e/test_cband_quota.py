"""Quotas of hosts: when they are exceeded, what comes of it, and when it is over."""
# ctest: waits
# ctest: tsan
import itertools
import threading
import time

import pytest
from support.client import format_request
from support.origin import response
from support.quota import BODY, assert_redirected, assert_refused, fill, host, limited_fixture, server_fixture, size_of, timed  # noqa: F401 (fixtures)
from support.wait import SLOWNESS, wait_for


# --- what comes of it ---


def test_a_host_over_its_quota_is_refused_until_the_period_ends(limited, server):
    proxy = limited("CBandLimit 3000B", "CBandPeriod 1D")
    fill(proxy)
    answer = proxy.get()
    assert_refused(answer, reason="Service Unavailable")
    assert int(answer.header("Retry-After")) > 86000
    assert len(server.requests) == 3
    assert proxy.wait_for_log(r"/ 503 refused host-quota -\n", name="access.log")


def test_usage_that_equals_the_limit_is_not_over_it(limited, server):
    proxy = limited("CBandLimit 1G", "CBandPeriod 1D")
    cost = size_of(proxy.get())
    proxy.reload(
        f"{host('localhost', f'CBandLimit {3 * cost}B', 'CBandPeriod 1D', url=server.url)}",
        expect="configuration reloaded",
    )
    fill(proxy, 3)
    assert_refused(proxy.get())


def test_a_limit_without_a_period_is_for_ever(limited):
    proxy = limited("CBandLimit 1500B")
    fill(proxy, 2)
    assert proxy.get().status == 503


def test_a_connection_is_kept_over_refusals(limited, connect):
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D")
    client = connect(proxy.port)
    assert [client.request().status for _ in range(5)] == [200, 200, 503, 503, 503]


@pytest.mark.parametrize(
    "code, reason",
    [(509, "Bandwidth Limit Exceeded"), (404, "Not Found"), (429, "Too Many Requests"), (500, None), (402, None)],
)
def test_the_default_code(limited, code, reason):
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D", before=f"CBandDefaultExceededCode {code}")
    fill(proxy, 2)
    assert_refused(proxy.get(), code, reason)


def test_an_error_document_for_the_default_code(limited):
    proxy = limited(
        "CBandLimit 1500B", "CBandPeriod 1D", 'ErrorDocument 509 "come back"', before="CBandDefaultExceededCode 509"
    )
    fill(proxy, 2)
    answer = proxy.get()
    assert_refused(answer, 509)
    assert answer.body == b"come back"


@pytest.mark.parametrize("url", ["http://elsewhere.example/over%20quota?x=1&y=%2F", "https://elsewhere.example"])
def test_the_exceeded_url(limited, server, url):
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D", f"CBandExceededURL {url}")
    fill(proxy, 2)
    assert_redirected(proxy.get("/page?q"), url)
    assert_redirected(proxy.get("/page", method="POST", body=b"form"), url)
    assert len(server.requests) == 2


def test_the_default_url(limited):
    url = "http://elsewhere.example/over"
    proxy = limited(
        "CBandLimit 1500B",
        "CBandPeriod 1D",
        before=f"CBandDefaultExceededURL {url}\nCBandDefaultExceededCode 509",
    )
    fill(proxy, 2)
    assert_redirected(proxy.get(), url)


@pytest.mark.parametrize("line", ["CBandExceededURL {}", "#", "CBandUser u"])
def test_the_exceeded_page_itself_is_served(limited, line):
    """… by a host over its quota, whoever sends clients there: the host, the server, the user. So there is no loop."""
    url = "http://localhost/1234?why=quota"
    before = {
        "#": f"CBandDefaultExceededURL {url}",
        "CBandUser u": f"<CBandUser u>\nCBandUserLimit 1500B\nCBandUserPeriod 1D\nCBandUserExceededURL {url}\n</CBandUser>",
    }.get(line, "")
    limit = "CBandLimit 1500B" if line != "CBandUser u" else "CBandLimit 1G"
    proxy = limited(limit, "CBandPeriod 1D", line.format(url), before=before)
    fill(proxy, 2)
    assert_redirected(proxy.get(), url)
    for target in ("/1234", "/1234?other", "/1234?why=quota"):
        answer = proxy.get(target)
        assert (answer.status, len(answer.body)) == (200, 1234)
    assert_redirected(proxy.get("/1235"), url)
    assert_redirected(proxy.get("/12345"), url)


def test_the_first_page_of_another_site_frees_no_page_here(limited):
    """Its path is that of the host's own first page, which nobody meant to be free."""
    url = "http://other.example/"
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D", f"CBandExceededURL {url}")
    fill(proxy, 2)
    assert_redirected(proxy.get("/"), url)
    assert_redirected(proxy.get("/1000"), url)


@pytest.mark.parametrize("url", ["http://localhost", "http://localhost:80/", "https://LOCALHOST/?full", "/"])
def test_the_first_page_of_the_host_itself_is_served(limited, url):
    """The client comes back with the name that the URL has."""
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D", f"CBandExceededURL {url}")
    fill(proxy, 2)
    assert_redirected(proxy.get("/1000"), url)
    assert proxy.get("/").status == 200


def test_its_own_url_goes_before_everything(limited):
    proxy = limited(
        "CBandExceededSpeed 80kbps 10 10",
        "CBandExceededURL http://own.example/over",
        "CBandLimit 1500B",
        "CBandPeriod 1D",
        before="CBandDefaultExceededURL http://default.example/over\nCBandDefaultExceededCode 509",
    )
    fill(proxy, 2)
    assert_redirected(proxy.get(), "http://own.example/over")


def test_its_own_speed_goes_before_the_defaults(limited):
    proxy = limited(
        "CBandExceededSpeed 800kbps 0 0",
        "CBandLimit 1500B",
        "CBandPeriod 1D",
        before="CBandDefaultExceededURL http://default.example/over\nCBandDefaultExceededCode 509",
    )
    fill(proxy, 4)


def test_an_exceeded_speed_of_nothing_is_none(limited):
    proxy = limited("CBandExceededSpeed 0 0 0", "CBandLimit 1500B", "CBandPeriod 1D")
    fill(proxy, 2)
    assert_refused(proxy.get())


# --- slower ---


def test_the_exceeded_speed(limited):
    proxy = limited("CBandLimit 100K", "CBandPeriod 1D", "CBandExceededSpeed 800kbps 0 0")  # 102400 bytes/s
    assert timed(proxy, "/90000") < 0.5
    assert timed(proxy, "/20000") < 0.5  # now it is over
    assert 0.9 < timed(proxy, "/150000") < 2.2


def test_a_transfer_goes_on_at_the_exceeded_speed_from_the_byte_that_crosses(limited, connect):
    proxy = limited("CBandLimit 1000K", "CBandPeriod 1D", "CBandExceededSpeed 800kbps 0 0")
    client = connect(proxy.port).send(format_request("/1150000"))
    begin = time.monotonic()
    client.read_head()
    client.read_exactly(990_000)
    assert time.monotonic() - begin < 0.6
    client.read_exactly(160_000)
    assert 0.9 < time.monotonic() - begin < 2.5  # 150000 of them at 102400 bytes/s


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_a_long_transfer_crosses_the_limit(weir, origin, connect, framing):
    """However the origin frames and sends it: 5 MB, of which one is within the quota."""

    def script(connection):
        connection.read_request()
        head = {"length": "Content-Length: 5000000", "chunked": "Transfer-Encoding: chunked", "close": "Connection: close"}
        connection.send(f"HTTP/1.1 200 OK\r\n{head[framing]}\r\n\r\n")
        piece = b"x" * 100_000
        for _ in range(50):
            connection.send(b"186a0\r\n" + piece + b"\r\n" if framing == "chunked" else piece)

    lines = ["CBandLimit 1000K", "CBandPeriod 1D", "CBandExceededSpeed 800kbps 0 0"]
    proxy = weir(host("localhost", *lines, url=origin(script).url), workers=1)
    client = connect(proxy.port).send(format_request())
    begin = time.monotonic()
    client.read_exactly(900_000)
    assert time.monotonic() - begin < 0.6
    received = 900_000 + client.count_for(begin + 1.5 - time.monotonic(), at_most=1_100_000)
    assert 1_000_000 < received < 1_500_000
    client.reset()


def test_a_slowed_transfer_after_a_late_body(weir, origin, connect):
    """The head comes alone, and only then the body: it is slow from its first byte."""
    has_come = threading.Event()

    def script(connection):
        while (request := connection.read_request()) is not None:
            head, body = response(b"x" * int(request.target.strip("/"))).split(b"\r\n\r\n")
            connection.send(head + b"\r\n\r\n")
            has_come.wait(10 * SLOWNESS)
            connection.send(body)

    lines = ["CBandLimit 100B", "CBandPeriod 1D", "CBandExceededSpeed 800kbps 0 0"]
    proxy = weir(host("localhost", *lines, url=origin(script).url), workers=1)
    client = connect(proxy.port).send(format_request("/100"))
    assert client.read_head().status == 200
    has_come.set()
    assert len(client.read_exactly(100)) == 100  # it is over its quota now
    has_come.clear()
    client.send(format_request("/1000000"))
    assert client.read_head().status == 200
    has_come.set()
    assert 10_000 < client.count_for(1, at_most=1_000_000) < 250_000
    client.reset()


def test_a_transfer_under_way_is_not_cut(limited):
    proxy = limited("CBandLimit 10K", "CBandPeriod 1D")
    assert timed(proxy, "/1000000") < 1
    assert_refused(proxy.get())


def test_the_exceeded_number_of_requests_at_once(weir, origin, connect):
    """The third field holds over quota only."""
    held = []

    def script(connection):
        while (request := connection.read_request()) is not None:
            held.append(connection) if request.target == "/held" else connection.answer(b"x" * BODY)

    server = origin(script)
    lines = ["CBandLimit 1500B", "CBandPeriod 1D", "CBandExceededSpeed 0 0 1"]
    proxy = weir(host("localhost", *lines, url=server.url), workers=1)
    fill(proxy, 2)
    client = connect(proxy.port).send(format_request("/held"))
    wait_for(lambda: held, 5, "the held request at the origin")
    answer = proxy.get()
    assert (answer.status, answer.header("Retry-After")) == (503, "1")
    held[0].answer(b"done")
    assert client.read_response().body == b"done"
    assert proxy.get().status == 200


def test_a_slow_client_that_leaves_gives_its_place_back_at_once(limited, connect):
    """… although the next of its bytes would have been sent much later."""
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D", "CBandExceededSpeed 40kbps 0 1")  # 5120 bytes/s
    fill(proxy, 2)
    client = connect(proxy.port).send(format_request("/100000"))
    client.read_head()
    assert proxy.get("/1").status == 503
    client.reset()
    wait_for(lambda: proxy.get("/1").status == 200, 2, "the place to be free")


# --- and it ends ---


def test_a_new_period(limited):
    proxy = limited("CBandLimit 1500B", "CBandPeriod 2S")
    wait_for(lambda: proxy.get().status == 200, 3, "the first period")
    wait_for(lambda: proxy.get().status == 503, 3, "the quota to be exceeded", every=0)
    assert_refused(proxy.get(), within=2)
    begin = time.monotonic()
    wait_for(lambda: proxy.get().status == 200, 4, "the next period")
    assert time.monotonic() - begin < 2.6


def test_periods_follow_on_a_grid(limited):
    """Whatever is asked when, a period begins every second from the first request on."""
    proxy = limited("CBandLimit 500B", "CBandPeriod 1S")
    served = []

    def ask():
        if proxy.get().status == 200:
            served.append(time.monotonic())
        return len(served) == 5

    wait_for(ask, 8, "five periods")
    for one, two in itertools.pairwise(served[1:]):
        assert 0.8 < two - one < 1.2


def test_slices_grow_the_allowance(limited):
    """Each of four seconds allows another 3000 bytes."""
    proxy = limited("CBandLimit 12000B", "CBandPeriod 4S", "CBandPeriodSlice 1S")
    served = []
    begin = time.monotonic()

    def ask():
        answer = proxy.get()
        if answer.status == 200:
            served.append(time.monotonic() - begin)
        else:
            assert_refused(answer, within=1)
        return time.monotonic() - begin > 2.7

    wait_for(ask, 4, "2.7 seconds of requests")
    # in the first second at least the first allowance; one more second, at most as much again (and what crossed)
    assert 3 <= sum(1 for at in served if at < 0.9) <= 6
    assert 6 <= len(served) <= 12
    assert any(at > 1.5 for at in served)


def test_a_long_slice_says_when(limited):
    proxy = limited("CBandLimit 4000B", "CBandPeriod 4H", "CBandPeriodSlice 1H")
    fill(proxy, 1)
    answer = proxy.get()
    assert_refused(answer, within=3600)
    assert int(answer.header("Retry-After")) > 3590


def test_a_reload_keeps_the_usage_and_a_raised_limit_frees_at_once(limited, server):
    proxy = limited("CBandLimit 3000B", "CBandPeriod 1D")
    fill(proxy)
    for limit, status in (("3100B", 503), ("4000B", 200), ("3100B", 503), ("0", 200), ("3100B", 503), ("1Mi", 200)):
        proxy.reload(
            host("localhost", f"CBandLimit {limit}", "CBandPeriod 1D", url=server.url),
            expect="configuration reloaded",
        )
        assert proxy.get().status == status, limit


def test_a_reload_keeps_the_period(limited, server):
    proxy = limited("CBandLimit 3000B", "CBandPeriod 1H")
    fill(proxy)
    first = int(proxy.get().header("Retry-After"))
    wait_for(lambda: int(proxy.get().header("Retry-After")) < first, 5, "a second of the period to pass")
    text = host("localhost", "CBandLimit 3000B", "CBandPeriod 1H", "CBandExceededURL http://a.example/over", url=server.url)
    proxy.reload(text, expect="configuration reloaded")
    answer = proxy.get()
    assert_redirected(answer, "http://a.example/over")
    assert int(answer.header("Retry-After")) < first
