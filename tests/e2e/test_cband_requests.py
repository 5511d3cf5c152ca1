"""Request rates and connection caps: the second and third value of CBandSpeed and its relatives."""
# ctest: exclusive
import threading
import time

import pytest
from support.client import Closed, format_request
from support.wait import wait_for

TRUST = "RemoteIPHeader X-Client\nRemoteIPTrustedProxy 127.0.0.1\n"
LOG = 'CustomLog access.log "%U %>s %{weir-decision}x %{weir-reason}x %{weir-delay}x"\n'
HOST = "<VirtualHost *:*>\nServerName {name}.example\n{lines}\nProxyPass / {url}\n</VirtualHost>\n"
ONE, TWO = "203.0.113.1", "203.0.113.2"


@pytest.fixture(name="site")
def site_fixture(weir, origin):
    """site(lines) starts a weir with the lines in its one host. Its origin answers /held/… when site.gate is opened."""
    gate = threading.Event()
    arrivals = []

    def script(connection):
        while (request := connection.read_request()) is not None:
            arrivals.append(time.monotonic())
            if request.target.startswith("/held"):
                gate.wait(10)
            if request.target == "/dies":
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nsome")
                return
            connection.answer(b"served")

    server = origin(script)

    def start(lines="", hosts=None, **options):
        text = "".join(HOST.format(name=name, lines=inside, url=server.url) for name, inside in (hosts or {}).items())
        return weir(f"{TRUST}{LOG}{lines}\n" + (text or f"ProxyPass / {server.url}"), **options)

    start.server = server
    start.gate = gate
    start.arrivals = arrivals
    yield start
    gate.set()


def many(proxy, count, **options):
    """So many requests at once, each on its connection: (seconds, answer), sorted by time."""
    headers = {"X-Client": options.pop("client", ONE)}
    connections = [proxy.connect() for _ in range(count)]
    answers = []
    began = time.monotonic()

    def ask(connection):
        answer = connection.request(headers=headers, **options)
        answers.append((time.monotonic() - began, answer))

    threads = [threading.Thread(target=ask, args=(connection,), daemon=True) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(answers) == count
    return sorted(answers, key=lambda pair: pair[0])


def assert_times(answers, expected):
    """Every answer came when it was expected, and not before."""
    times = [seconds for seconds, _ in answers]
    assert len(times) == len(expected)
    for seconds, due in zip(times, expected):
        assert due - 0.05 <= seconds <= due + 0.22, f"{[round(seconds, 2) for seconds in times]} instead of {expected}"


def hold(proxy, site, count=1, client=ONE, host="localhost"):
    """So many requests that the origin has and does not answer yet."""
    before = len(site.server.requests)
    request = format_request("/held", host=host, headers={"X-Client": client})
    connections = [proxy.connect().send(request) for _ in range(count)]
    site.server.wait_for_requests(before + count)
    return connections


def get(proxy, target="/", client=ONE, host="localhost", method="GET", body=None, deadline=10.0):
    return proxy.get(target, host=host, method=method, body=body, deadline=deadline, headers={"X-Client": client})


def assert_refused(answer, retry_after="1"):
    assert answer.status == 503
    assert answer.header("Retry-After") == retry_after


# --- request rates ---


def test_a_burst_then_one_at_a_time(site):
    """Four at once, then one every quarter of a second."""
    answers = many(site("CBandSpeed 0 4 0"), 8)
    assert {answer.status for _, answer in answers} == {200}
    assert_times(answers, [0, 0, 0, 0, 0.25, 0.5, 0.75, 1.0])


def test_the_origin_is_not_asked_before_the_turn(site):
    began = time.monotonic()
    many(site("CBandSpeed 0 4 0"), 6)
    assert site.arrivals[4] - site.arrivals[3] > 0.15
    assert site.arrivals[5] - began >= 0.45


def test_post_is_like_get(site):
    answers = many(site("CBandSpeed 0 4 0"), 6, method="POST", body=b"x" * 1000)
    assert {answer.status for _, answer in answers} == {200}
    assert_times(answers, [0, 0, 0, 0, 0.25, 0.5])
    assert all(request.body == b"x" * 1000 for request in site.server.requests)


def test_requests_of_one_connection(site, connect):
    client = connect(site("CBandSpeed 0 4 0").port)
    began = time.monotonic()
    answers = []
    for _ in range(6):
        answers.append((0, client.request()))
        answers[-1] = (time.monotonic() - began, answers[-1][1])
    assert_times(answers, [0, 0, 0, 0, 0.25, 0.5])


def test_pipelined_requests(site, connect):
    client = connect(site("CBandSpeed 0 4 0").port)
    began = time.monotonic()
    client.send(format_request() * 6)
    answers = []
    for _ in range(6):
        answer = client.read_response()
        answers.append((time.monotonic() - began, answer))
    assert_times(answers, [0, 0, 0, 0, 0.25, 0.5])


def test_rest_gives_the_burst_back(site):
    proxy = site("CBandSpeed 0 4 0")
    many(proxy, 4)
    time.sleep(0.55)
    assert_times(many(proxy, 3), [0, 0, 0.2])


def test_who_waits_keeps_nobody_from_being_served(site):
    """One worker: its loop goes on."""
    proxy = site(hosts={"slow": "CBandSpeed 0 1 0", "free": ""}, workers=1)
    assert get(proxy, host="slow.example").status == 200
    waiting = proxy.connect().send(format_request("/waits", host="slow.example"))
    began = time.monotonic()
    for _ in range(20):
        assert get(proxy, host="free.example").status == 200
    assert time.monotonic() - began < 0.7
    assert waiting.read_response().status == 200
    assert time.monotonic() - began > 0.7


def test_who_would_wait_too_long_is_refused_at_once(site):
    proxy = site("CBandMaxDelay 1\nCBandSpeed 0 2 0")
    answers = many(proxy, 8)
    served = [pair for pair in answers if pair[1].status == 200]
    refused = [pair for pair in answers if pair[1].status == 503]
    assert_times(served, [0, 0, 0.5, 1.0])
    assert len(refused) == 4
    for seconds, answer in refused:
        assert seconds < 0.3
        assert 1 <= int(answer.header("Retry-After")) <= 2
    time.sleep(0.6)
    assert get(proxy).status == 200


def test_a_refused_post_does_not_reach_the_origin(site):
    proxy = site("CBandMaxDelay 1\nCBandSpeed 0 1 0")
    answers = many(proxy, 5, method="POST", body=b"x" * 1000)
    assert sorted(answer.status for _, answer in answers) == [200, 200, 503, 503, 503]
    assert len(site.server.requests) == 2


def test_without_a_delay_allowed_the_default_is_ten_seconds(site):
    """A rate of one: the twelfth would wait for eleven seconds."""
    proxy = site("CBandSpeed 0 1 0")
    request = format_request()
    waiting = [proxy.connect().send(request) for _ in range(20)]
    refused = 0
    for connection in waiting:
        try:
            answer = connection.read_response(deadline=0.05)
        except AssertionError:
            continue
        refused += answer.status == 503
    assert 8 <= refused <= 10
    for connection in waiting:
        connection.reset()


def test_the_rate_of_each_client(site):
    proxy = site("CBandRemoteSpeed 0 4 0")
    many(proxy, 4, client=ONE)
    assert_times(many(proxy, 4, client=TWO), [0, 0, 0, 0])
    assert_times(many(proxy, 1, client=ONE), [0.2])


def test_the_rate_of_a_class(site):
    proxy = site(
        "<CBandClass robots>\nCBandClassDst 198.51.100/24\n</CBandClass>\n"
        "CBandRemoteSpeed 0 8 0\nCBandClassRemoteSpeed robots 0 2 0"
    )
    assert_times(many(proxy, 3, client="198.51.100.9"), [0, 0, 0.5])
    assert_times(many(proxy, 8, client=ONE), [0] * 8)


def test_the_rate_of_a_user(site):
    user = "<CBandUser owner>\nCBandUserSpeed 0 4 0\n</CBandUser>"
    proxy = site(user, hosts={"one": "CBandUser owner", "two": "CBandUser owner", "other": ""})
    many(proxy, 4, host="one.example")
    assert_times(many(proxy, 2, host="two.example"), [0.2, 0.45])
    assert_times(many(proxy, 4, host="other.example"), [0] * 4)


def test_all_rates_hold_at_once(site):
    proxy = site("CBandSpeed 0 8 0\nCBandRemoteSpeed 0 2 0")
    assert_times(many(proxy, 3), [0, 0, 0.5])


def test_a_client_that_leaves_while_it_waits(site):
    """The origin is never asked for it; the next is served in its turn."""
    proxy = site("CBandSpeed 0 2 0")
    many(proxy, 2)
    proxy.connect().send(format_request("/gone")).reset()
    assert get(proxy).status == 200
    time.sleep(0.6)
    assert get(proxy).status == 200
    assert "/gone" not in [request.target for request in site.server.requests]


def test_the_log_says_who_waited(site):
    proxy = site("CBandMaxDelay 1\nCBandSpeed 0 2 0")
    many(proxy, 5)
    proxy.wait_for_log(r"(?m)^/ 200 pass complete 0$", name="access.log")
    proxy.wait_for_log(r"(?m)^/ 200 delayed host-rate (4[5-9]\d|500)$", name="access.log")
    proxy.wait_for_log(r"(?m)^/ 503 refused host-rate 0$", name="access.log")


def test_a_reload_changes_the_rate(site):
    proxy = site("CBandSpeed 0 1 0")
    many(proxy, 4)  # three seconds of debt
    proxy.reload(proxy_text(proxy).replace("CBandSpeed 0 1 0", "CBandSpeed 0 100 0"), expect="configuration reloaded")
    assert_times(many(proxy, 5), [0] * 5)


def proxy_text(proxy):
    """The configuration as it is, without the lines that the harness adds."""
    lines = proxy.file("proxy.conf").split("\n")
    return "\n".join(line for line in lines if not line.startswith(("Listen ", "Workers ")))


# --- connections ---


@pytest.mark.parametrize("lines", ["CBandSpeed 0 0 2", "CBandRemoteSpeed 0 0 2"])
def test_one_request_more_is_refused(site, lines):
    proxy = site(lines)
    held = hold(proxy, site, 2)
    assert_refused(get(proxy, "/more"))
    assert_refused(get(proxy, "/post", method="POST", body=b"x" * 100_000))
    site.gate.set()
    for connection in held:
        assert connection.read_response().body == b"served"
    assert get(proxy).status == 200
    assert not {"/more", "/post"} & {request.target for request in site.server.requests}
    proxy.wait_for_log(r"(?m)^/more 503 refused (host|client)-connections 0$", name="access.log")


def test_a_connection_that_is_kept_is_no_request(site, connect):
    proxy = site("CBandSpeed 0 0 1")
    kept = [connect(proxy.port) for _ in range(4)]
    for _ in range(2):
        for connection in kept:
            assert connection.request().status == 200


def test_the_refused_connection_can_ask_again(site, connect):
    proxy = site("CBandSpeed 0 0 1")
    held = hold(proxy, site)
    client = connect(proxy.port)
    assert_refused(client.request())
    site.gate.set()
    assert held[0].read_response().status == 200
    wait_for(lambda: client.request().status == 200, 3, "the place to be free")


def test_each_client_has_connections_of_its_own(site):
    proxy = site("CBandRemoteSpeed 0 0 1")
    hold(proxy, site, client=ONE)
    assert_refused(get(proxy, client=ONE))
    assert get(proxy, client=TWO).status == 200


def test_a_class_has_more_or_fewer_connections(site):
    proxy = site(
        "<CBandClass friends>\nCBandClassDst 198.51.100.0/24\n</CBandClass>\n"
        "CBandRemoteSpeed 0 0 1\nCBandClassRemoteSpeed friends 0 0 2"
    )
    for client, count in ((ONE, 1), ("198.51.100.1", 2)):
        hold(proxy, site, count, client=client)
        assert_refused(get(proxy, client=client))


def test_the_hosts_of_a_user_count_together(site):
    user = "<CBandUser owner>\nCBandUserSpeed 0 0 2\n</CBandUser>"
    proxy = site(user, hosts={"one": "CBandUser owner", "two": "CBandUser owner", "other": ""})
    hold(proxy, site, host="one.example")
    hold(proxy, site, host="two.example")
    assert_refused(get(proxy, host="one.example"))
    assert_refused(get(proxy, host="two.example"))
    assert get(proxy, host="other.example").status == 200


def test_a_client_that_leaves_frees_its_place(site):
    proxy = site("CBandSpeed 0 0 1")
    (held,) = hold(proxy, site)
    assert_refused(get(proxy))
    held.reset()
    wait_for(lambda: get(proxy).status == 200, 3, "the place to be free")


def test_a_client_that_closes_has_its_place_until_the_origin_answers(site):
    """It may only have closed its half, and still listen."""
    proxy = site("CBandSpeed 0 0 1")
    (held,) = hold(proxy, site)
    held.close()
    site.gate.set()
    wait_for(lambda: get(proxy).status == 200, 3, "the place to be free")


def test_an_origin_that_dies_frees_the_place(site):
    proxy = site("CBandSpeed 0 0 1")
    for _ in range(3):
        with pytest.raises(Closed):
            get(proxy, "/dies", deadline=3)
        assert get(proxy).status == 200


def test_who_has_the_last_byte_may_come_again_at_once(site, connect):
    """… on another connection, that another worker serves: as quick as a client can be, and never refused."""
    proxy = site("MaxKeepAliveRequests 0\nCBandSpeed 0 0 1\nCBandRemoteSpeed 0 0 1")
    kept = [connect(proxy.port).socket for _ in range(6)]
    request = format_request()
    for sock in kept * 500:
        sock.sendall(request)
        assert sock.recv(4096).startswith(b"HTTP/1.1 200 ")


def test_an_origin_that_is_gone_frees_the_place(site):
    proxy = site("CBandSpeed 0 0 1")
    (held,) = hold(proxy, site)
    site.server.stop()
    assert held.read_response().status in (502, 503)
    for _ in range(3):
        assert get(proxy).header("Retry-After") != "1"
    site.gate.set()
    site.server.start()
    wait_for(lambda: get(proxy).status == 200, 8, "the origin to be back")


def test_many_at_once_are_counted_right(site):
    """Whatever the workers do at the same time, never more than the cap is served, and nothing leaks."""
    proxy = site("CBandSpeed 0 0 3")
    hold(proxy, site, 3)
    assert all(answer.status == 503 for _, answer in many(proxy, 20))
    site.gate.set()
    wait_for(lambda: get(proxy).status == 200, 3, "a place")
    for _ in range(5):
        many(proxy, 20)
    wait_for(lambda: proxy.file("access.log").count("\n") >= 124, 5, "all to be logged")
    site.gate.clear()
    hold(proxy, site, 3)
    assert_refused(get(proxy))


def test_who_was_refused_for_connections_has_used_no_rate(site):
    proxy = site("CBandSpeed 0 3 1\nCBandMaxDelay 1")
    (held,) = hold(proxy, site)
    for _ in range(10):
        assert_refused(get(proxy))
    site.gate.set()
    assert held.read_response().status == 200
    for _ in range(2):
        began = time.monotonic()
        assert get(proxy).status == 200
        assert time.monotonic() - began < 0.25


def test_a_reload_changes_the_cap(site):
    proxy = site("CBandSpeed 0 0 1")
    hold(proxy, site)
    assert_refused(get(proxy))
    proxy.reload(proxy_text(proxy).replace("CBandSpeed 0 0 1", "CBandSpeed 0 0 2"), expect="configuration reloaded")
    hold(proxy, site)
    assert_refused(get(proxy))


# --- dry run ---


def test_a_dry_run_only_says_what_it_would_do(site):
    proxy = site("CBandDryRun On\nCBandMaxDelay 1\nCBandSpeed 0 2 0")
    answers = many(proxy, 8)
    assert {answer.status for _, answer in answers} == {200}
    assert_times(answers, [0] * 8)
    proxy.wait_for_log(r"(?m)^/ 200 dry-delayed host-rate \d+$", name="access.log")
    proxy.wait_for_log(r"(?m)^/ 200 dry-refused host-rate 0$", name="access.log")


def test_a_dry_run_of_a_connection_cap(site):
    proxy = site("CBandDryRun On\nCBandSpeed 0 0 1")
    hold(proxy, site)
    assert get(proxy, "/second").status == 200
    proxy.wait_for_log(r"(?m)^/second 200 dry-refused host-connections 0$", name="access.log")


def test_a_dry_run_is_in_the_error_log_once_a_minute(site):
    proxy = site("CBandDryRun On\nCBandSpeed 0 0 1")
    hold(proxy, site)
    for _ in range(5):
        assert get(proxy).status == 200
    proxy.wait_for_log(r"\[notice\].*host-connections")
    assert proxy.log().count("host-connections") == 1


def test_a_host_may_run_dry_beside_another(site):
    proxy = site(hosts={"dry": "CBandDryRun On\nCBandSpeed 0 0 1", "wet": "CBandSpeed 0 0 1"})
    hold(proxy, site, host="dry.example")
    hold(proxy, site, host="wet.example")
    assert get(proxy, host="dry.example").status == 200
    assert_refused(get(proxy, host="wet.example"))


# --- as it is written in the world ---


def test_the_tutorials_configuration(site):
    """Ten requests a second and 30 connections for the host, three a second and 30 for each client."""
    proxy = site(hosts={"www": "CBandSpeed 1024 10 30\nCBandRemoteSpeed 20kb/s 3 30"})
    answers = many(proxy, 5, host="www.example")
    assert {answer.status for _, answer in answers} == {200}
    assert_times(answers, [0, 0, 0, 1 / 3, 2 / 3])
