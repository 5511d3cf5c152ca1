"""What counts in a quota, and whose it is: hosts, users, dry runs, configurations as people have them."""
# ctest: tsan
import time

import pytest
from support.client import Connection, format_request
from support.origin import response
from support.quota import BODY, LOG, assert_redirected, assert_refused, fill, host, limited_fixture, server_fixture, size_of, timed  # noqa: F401 (fixtures)
from support.wait import wait_for


# --- what is counted ---


def served_bytes(proxy, **options):
    """The bytes of the answers until one is no 200."""
    total = 0
    for _ in range(100):
        answer = proxy.get(**options)
        if answer.status != 200:
            return total
        total += size_of(answer)
    raise AssertionError("never over quota")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_every_method_counts(weir, origin, method):
    """The head counts as well as the body: of HEAD, it is all there is."""

    def script(connection):
        while (request := connection.read_request()) is not None:
            answer = response(b"x" * 300)
            connection.send(answer.split(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else answer)

    proxy = weir(
        host("localhost", "CBandLimit 2000B", "CBandPeriod 1D", url=origin(script).url), workers=1
    )
    body = b"y" * 5000 if method in ("POST", "PUT") else None  # what is sent to the origin is not counted
    total = served_bytes(proxy, method=method, body=body)
    answer_bytes = 700
    assert 2000 < total <= 2000 + answer_bytes


def test_chunked_bodies_count_as_framed(weir, origin):
    chunks = b"".join(b"1\r\nx\r\n" for _ in range(500)) + b"0\r\n\r\n"

    def script(connection):
        while connection.read_request() is not None:
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)

    proxy = weir(host("localhost", "CBandLimit 8000B", "CBandPeriod 1D", url=origin(script).url), workers=1)
    total = 0
    for _ in range(50):
        with Connection(proxy.port) as client:
            client.send(format_request())
            head = client.read_head()
            if head.status != 200:
                break
            raw = b""
            while not raw.endswith(b"0\r\n\r\n"):
                raw += client.read_some()
            total += len(head.raw_head) + len(raw)
    assert 8000 < total <= 8000 + 3500


def test_an_aborted_download_counts_what_was_written(limited, connect):
    """Of 20 MB only what the sockets' buffers took; so far less than 12 MB of the quota are gone."""
    proxy = limited("CBandLimit 12M", "CBandPeriod 1D")
    client = connect(proxy.port, receive_buffer=65536).send(format_request("/20000000"))
    client.read_head()
    client.read_exactly(1_500_000)
    time.sleep(0.2)
    client.reset()
    proxy.wait_for_log("/20000000 200 ", name="access.log")
    fill(proxy, 3)


def test_an_aborted_download_counts(limited, connect):
    proxy = limited("CBandLimit 1M", "CBandPeriod 1D")
    client = connect(proxy.port, receive_buffer=65536).send(format_request("/20000000"))
    client.read_head()
    client.read_exactly(1_500_000)
    client.reset()
    wait_for(lambda: proxy.get().status == 503, 3, "the quota to be exceeded")


def test_refusals_and_redirects_are_not_counted(limited, server):
    """While it is over quota nothing is added: the limit, raised by a little, has room."""
    proxy = limited("CBandLimit 3000B", "CBandPeriod 1D")
    used = sum(size_of(proxy.get()) for _ in range(3))
    for _ in range(20):
        assert proxy.get().status == 503
    text = host("localhost", "CBandLimit 3000B", "CBandPeriod 1D", "CBandExceededURL http://a.example/over", url=server.url)
    proxy.reload(text, expect="configuration reloaded")
    for _ in range(20):
        assert proxy.get().status == 302
    text = host("localhost", f"CBandLimit {used}B", "CBandPeriod 1D", url=server.url)
    proxy.reload(text, expect="configuration reloaded")
    assert proxy.get().status == 200
    assert proxy.get().status == 503


def test_weirs_own_errors_are_not_counted(limited):
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D", "Redirect 301 /moved http://a.example/over", "Redirect 410 /gone")
    for _ in range(20):
        assert proxy.get("/moved").status == 301
        assert proxy.get("/gone").status == 410
        assert proxy.get("/", method="TRACE").status == 405
    fill(proxy, 2)
    assert proxy.get().status == 503


def test_an_origin_that_cannot_be_reached_costs_nothing(limited, server):
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D", "ProxyPass /dead http://127.0.0.1:1/ retry=0")
    for _ in range(20):
        answer = proxy.get("/dead")
        assert answer.status in (502, 503)
        assert answer.header("Retry-After") is None, "it is over its quota"
    fill(proxy, 2)
    assert proxy.get().status == 503


# --- who is limited ---


def test_a_host_without_cband_is_not_affected(weir, server):
    limited = host("limited.example", "CBandLimit 1500B", "CBandPeriod 1D", url=server.url)
    proxy = weir(limited + host("free.example", url=server.url), workers=1)
    fill(proxy, 2, host="limited.example")
    assert proxy.get(host="limited.example").status == 503
    fill(proxy, 10, host="free.example")
    assert proxy.get(host="limited.example").status == 503


def test_each_host_has_its_own(weir, server):
    lines = ["CBandLimit 1500B", "CBandPeriod 1D"]
    proxy = weir(host("a.example", *lines, url=server.url) + host("b.example", *lines, url=server.url), workers=1)
    for name in ("a.example", "b.example"):
        fill(proxy, 2, host=name)
        assert proxy.get(host=name).status == 503


def test_workers_count_together(weir, server):
    """Whichever worker the next connection comes to, it is told what the client has had."""
    proxy = weir(host("localhost", "CBandLimit 20000B", "CBandPeriod 1D", url=server.url), workers=4)
    total = served_bytes(proxy)
    assert 20000 < total < 20000 + 2 * BODY


CLASSES = "<CBandClass lan>\nCBandClassDst 127.0.0.0/8\n</CBandClass>\n"


@pytest.mark.parametrize("line", ["CBandLimit 500B", "CBandClassLimit lan 500B", "CBandRemoteLimit 500B"])
@pytest.mark.parametrize("chunked", [False, True])
def test_who_has_an_answer_is_judged_with_it_by_every_worker(weir, origin, line, chunked):
    """The next request is on another connection, most often another worker's, as soon as the last byte has come."""

    def script(connection):
        while connection.read_request() is not None:
            body = b"Transfer-Encoding: chunked\r\n\r\n258\r\n" + b"x" * 600 + b"\r\n0\r\n\r\n"
            connection.send(b"HTTP/1.1 200 OK\r\n" + body if chunked else response(b"x" * 600))

    names = [f"{number}.example" for number in range(100)]
    url = origin(script).url
    proxy = weir(CLASSES + "".join(host(name, line, "CBandPeriod 1D", url=url) for name in names), workers=4)
    connections = [proxy.connect() for _ in range(8)]
    served = []
    for number, name in enumerate(names):
        request = format_request(host=name)
        assert connections[number % 8].send(request).read_response().status == 200
        if connections[(number + 1 + number // 8 % 7) % 8].send(request).read_response().status == 200:
            served.append(name)
    assert served == []


@pytest.mark.parametrize(
    "period, longest", [("calendar-day", 25 * 3600), ("calendar-week", 8 * 86400), ("calendar-month", 32 * 86400)]
)
def test_calendar_periods(limited, period, longest):
    proxy = limited("CBandLimit 1500B", f"CBandPeriod {period}")
    fill(proxy, 2)
    assert_refused(proxy.get(), within=longest)


def test_aliases_share_it(weir, server):
    lines = ["ServerAlias *.b.example", "CBandLimit 1500B", "CBandPeriod 1D"]
    proxy = weir(host("b.example", *lines, url=server.url), workers=1)
    fill(proxy, 1, host="b.example")
    fill(proxy, 1, host="www.b.example")
    assert proxy.get(host="ftp.b.example").status == 503


def test_the_main_server_is_a_host(weir, server):
    proxy = weir(f"CBandLimit 1500B\nCBandPeriod 1D\nProxyPass / {server.url}", workers=1)
    fill(proxy, 2)
    assert_refused(proxy.get())


def user(*lines, name="owner"):
    return "\n".join([f"<CBandUser {name}>", *lines, "</CBandUser>", ""])


def test_a_users_quota_is_shared_by_its_hosts(weir, server):
    proxy = weir(
        LOG
        + "\n"
        + user("CBandUserLimit 3000B", "CBandUserPeriod 1D")
        + host("a.example", "CBandUser owner", url=server.url)
        + host("b.example", "CBandUser owner", url=server.url)
        + host("c.example", url=server.url),
        workers=1,
    )
    fill(proxy, 2, host="a.example")
    fill(proxy, 1, host="b.example")
    assert_refused(proxy.get(host="a.example"))
    assert_refused(proxy.get(host="b.example"))
    assert proxy.get(host="c.example").status == 200
    assert proxy.wait_for_log("/ 503 refused user-quota owner\n", name="access.log")


def test_a_user_may_be_defined_after_its_hosts(weir, server):
    proxy = weir(
        host("a.example", "CBandUser owner", url=server.url) + user("CBandUserLimit 1500B", "CBandUserPeriod 1D"), workers=1
    )
    fill(proxy, 2, host="a.example")
    assert proxy.get(host="a.example").status == 503


def test_a_users_redirect_goes_before_the_hosts_exceeded_speed(weir, server):
    proxy = weir(
        user("CBandUserLimit 3000B", "CBandUserPeriod 1D", "CBandUserExceededURL http://user.example/over")
        + host(
            "a.example", "CBandUser owner", "CBandLimit 1500B", "CBandPeriod 1D", "CBandExceededSpeed 8Mbps 0 0", url=server.url
        ),
        workers=1,
    )
    fill(proxy, 3, host="a.example")  # the third one at the host's exceeded speed
    assert_redirected(proxy.get(host="a.example"), "http://user.example/over")


def test_a_hosts_redirect_goes_before_the_users(weir, server):
    proxy = weir(
        user("CBandUserLimit 1500B", "CBandUserPeriod 1D", "CBandUserExceededURL http://user.example/over")
        + host(
            "a.example",
            "CBandUser owner",
            "CBandLimit 1500B",
            "CBandPeriod 1D",
            "CBandExceededURL http://host.example/over",
            url=server.url,
        ),
        workers=1,
    )
    fill(proxy, 2, host="a.example")
    assert_redirected(proxy.get(host="a.example"), "http://host.example/over")


def test_a_users_exceeded_speed(weir, server):
    proxy = weir(
        user("CBandUserLimit 20000B", "CBandUserPeriod 1D", "CBandUserExceededSpeed 800kbps 0 0")
        + host("a.example", "CBandUser owner", url=server.url)
        + host("b.example", "CBandUser owner", url=server.url),
        workers=1,
    )
    assert timed(proxy, "/30000", host="a.example") < 0.5
    assert 0.9 < timed(proxy, "/150000", host="b.example") < 2.2


def test_a_users_slices(weir, server):
    proxy = weir(
        user("CBandUserLimit 4000B", "CBandUserPeriod 4H", "CBandUserPeriodSlice 1H")
        + host("a.example", "CBandUser owner", url=server.url),
        workers=1,
    )
    fill(proxy, 1, host="a.example")
    assert_refused(proxy.get(host="a.example"), within=3600)


# --- dry run, and configurations as people have them ---


def test_a_dry_run_decides_and_logs_only(limited):
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D", "CBandDryRun On", "CBandExceededURL http://a.example/over")
    fill(proxy, 5)
    line = proxy.wait_for_log(r"(?m)^/ 200 dry-redirected host-quota -$", name="access.log")
    assert line
    assert "/ 200 pass" in proxy.file("access.log")


def test_a_dry_run_does_not_slow(limited):
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D", "CBandExceededSpeed 80kbps 1 1", before="CBandDryRun On")
    for _ in range(3):
        assert timed(proxy, "/100000") < 0.5


def test_a_dry_run_is_in_the_error_log(limited):
    """… at notice, at most once a minute for each host and reason."""
    proxy = limited("CBandLimit 1500B", "CBandPeriod 1D", "CBandDryRun On", before="LogLevel notice")
    fill(proxy, 8)
    line = proxy.wait_for_log(r"(?mi)^.*notice.*localhost.*dry.?run.*$|^.*notice.*dry.?run.*localhost.*$", deadline=1.5)
    assert proxy.log().count(line.group(0)) == 1


def test_the_configuration_of_the_tutorials(weir, server):
    """As many guides have it: a limit, a period, and a page on the same host."""
    proxy = weir(
        f"""
<IfModule mod_cband.c>
    CBandRandomPulse On
</IfModule>
<VirtualHost *>
    ServerAdmin webmaster@www.example.com
    ServerName www.example.com
    ServerAlias example.com
    DocumentRoot /var/www/www.example.com/web
    ProxyPass / {server.url}
    CBandLimit 300Mi
    CBandExceededURL http://www.example.com/bandwidth-exceeded.html
    CBandPeriod 1D
</VirtualHost>
"""
    )
    fill(proxy, 5, host="www.example.com")
    assert proxy.get("/3000000", host="example.com").status == 200


def test_plain_tutorial_lines(limited):
    proxy = limited("CBandLimit 300Mi", "CBandExceededURL http://a.example/exceeded.html", "CBandPeriod 1D")
    fill(proxy, 5)
