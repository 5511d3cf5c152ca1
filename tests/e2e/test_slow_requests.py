"""RequestReadTimeout row by row: the first time, the extension by MinRate, the maximum, for heads and bodies, and whose time it is."""
# ctest: exclusive
# ctest: waits
import contextlib
import time

import pytest
from support.client import Closed, Late
from support.http import read_answer_and_end
from support.wait import SLOWNESS, wait_for

HEAD = "GET /x HTTP/1.1\r\nHost: localhost\r\nX-A: "
LENGTH = "POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = "POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = "5\r\nhello\r\n"


def drip(client, begin, piece, rate, seconds):
    """Sends begin, then pieces at rate bytes/s for at most so long; returns when the other side answered or closed."""
    client.send(begin)
    start = time.monotonic()
    sent = 0
    with contextlib.suppress(OSError, Closed):
        while (passed := time.monotonic() - start) < seconds:
            if passed * rate >= sent:
                client.send(piece)
                sent += len(piece)
            try:
                client.receive(time.monotonic() + 0.02)
                break
            except Late:
                pass
    return time.monotonic() - start


# What is set; what is sent: begin, piece and bytes/s; when 408 comes (least, most seconds).
ROWS = [
    ("header-first-time", "header=2", HEAD, "", 1, 2, 4),
    ("header-below-rate", "header=1,MinRate=200", HEAD, "b", 20, 1, 3),
    ("header-at-half-rate", "header=1,MinRate=50", HEAD, "b" * 5, 25, 2, 6),
    ("header-maximum", "header=1-2,MinRate=20", HEAD, "b" * 10, 100, 2, 4),
    ("header-first-time-without-rate", "header=1", HEAD, "b" * 10, 200, 1, 3),
    ("body-first-time", "body=2", LENGTH, "", 1, 2, 4),
    ("body-below-rate", "body=1,MinRate=1000", LENGTH, "b" * 10, 50, 1, 3),
    ("body-at-half-rate", "body=1,MinRate=100", LENGTH, "b" * 5, 50, 1.8, 4),
    ("body-maximum", "body=1-3,MinRate=100", LENGTH, "b" * 50, 500, 3, 5),
    ("body-first-time-without-rate", "body=1", LENGTH, "b" * 50, 500, 1, 3),
    ("chunked-below-rate", "body=1,MinRate=1000", CHUNKED, CHUNK, 50, 1, 3),
    ("chunked-maximum", "body=1-2,MinRate=50", CHUNKED, CHUNK, 200, 2, 4),
]


@pytest.mark.parametrize("times, begin, piece, rate, least, most", [pytest.param(*row[1:], id=row[0]) for row in ROWS])
@pytest.mark.parametrize("where", ["server", "host"])
def test_408_in_its_time(weir, origin, where, times, begin, piece, rate, least, most):
    server = origin()
    line = f"RequestReadTimeout {times}"
    config = f"{line}\nProxyPass / {server.url}"
    if where == "host":  # the default host's: for a head no other can be known yet
        config = f"<VirtualHost *:*>\nServerName localhost\n{config}\n</VirtualHost>"
    proxy = weir(f'CustomLog access.log "%>s %{{weir-decision}}x %{{weir-reason}}x"\nTimeOut 60\n{config}')
    client = proxy.connect()
    seconds = drip(client, begin, piece or "b", rate if piece else 0, 20 * SLOWNESS)
    answer = read_answer_and_end(client)
    assert answer.status == 408
    assert answer.header("Connection") == "close"
    assert least - 0.15 <= seconds <= most * SLOWNESS, f"{seconds:.2f} s"
    assert not [request for request in server.requests if request.body], "the origin never sees it complete"
    proxy.wait_for_log("408 refused request-timeout", name="access.log")


@pytest.mark.parametrize("times", ["header=0 body=0", "header=1-2,MinRate=100 body=1-2,MinRate=100"], ids=["off", "fast-enough"])
def test_who_is_fast_enough_or_not_watched_is_served(weir, origin, times):
    server = origin()
    proxy = weir(f"RequestReadTimeout {times}\nProxyTimeout 30\nProxyPass / {server.url}")
    client = proxy.connect()
    pause = 0.02 if "Min" in times else 0.3
    client.send(HEAD + "b" * 40 + "\r\nContent-Length: 100\r\n\r\n", piece=20, pause=pause)
    client.send("b" * 100, piece=20, pause=pause)
    assert client.read_response().status == 200
    assert len(server.requests[0].body) == 100


def test_the_body_has_its_own_time_after_the_head(weir, origin):
    """The head takes most of its time, and the body most of its own."""
    server = origin()
    proxy = weir(f"RequestReadTimeout header=2 body=2\nProxyPass / {server.url}")
    client = proxy.connect().send("POST / HTTP/1.1\r\n")
    time.sleep(1.3)
    client.send("Host: localhost\r\nContent-Length: 10\r\n\r\n")
    time.sleep(1.3)
    assert client.send("helloworld").read_response().status == 200


def test_each_request_of_a_connection_has_its_own_time(weir, origin):
    server = origin()
    proxy = weir(f"RequestReadTimeout header=2 body=2\nKeepAliveTimeout 10\nProxyPass / {server.url}")
    client = proxy.connect()
    for _ in range(3):
        client.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        time.sleep(0.8)
        client.send("ngth: 10\r\n\r\nhello")
        time.sleep(0.8)
        assert client.send("world").read_response().status == 200


def test_the_time_of_a_body_begins_when_it_is_asked_for(weir, origin):
    """Expect: 100-continue: while the origin thinks about it, the client must not send."""

    def script(connection):
        request = connection.read_head()
        time.sleep(2)
        connection.send("HTTP/1.1 100 Continue\r\n\r\n")
        connection.read_body(request)
        connection.answer()

    proxy = weir(f"RequestReadTimeout body=1\nProxyPass / {origin(script).url}")
    client = proxy.connect().send("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert client.read_head().status == 100
    time.sleep(0.5)
    assert client.send("hello").read_response().status == 200


def test_time_in_which_the_origin_takes_nothing_is_not_the_clients(weir, origin):
    """The origin reads after 5 s; then the client's last bytes take a moment to come, in its own time."""
    size = 20_000_000
    goes_on = []

    def script(connection):
        request = connection.read_head()
        wait_for(lambda: goes_on, 20)
        connection.read_body(request)
        connection.answer()

    server = origin(script)
    proxy = weir(f"RequestReadTimeout body=3\nProxyTimeout 30\nProxyPass / {server.url}")
    client = proxy.connect(deadline=30).send(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n")
    client.socket.settimeout(0.5)
    sent = 0
    with contextlib.suppress(TimeoutError):
        while sent < size - 10:
            sent += client.socket.send(b"b" * min(100_000, size - 10 - sent))
    time.sleep(5)
    goes_on.append(True)
    while sent < size - 10:
        client.socket.settimeout(20)
        sent += client.socket.send(b"b" * min(100_000, size - 10 - sent))
    time.sleep(0.4)
    client.send(b"b" * 10)
    assert client.read_response().status == 200


def test_a_paced_upload_is_not_timed_out(weir, origin):
    """The pacer lets in less than MinRate: the rest of the client's bytes wait at weir's door, not in the client."""
    server = origin()
    proxy = weir(
        f"RequestReadTimeout body=1,MinRate=10000\n<VirtualHost *:*>\nServerName localhost\nCBandSpeed 80kbps 0 0\nProxyPass / {server.url}\n</VirtualHost>"
    )
    client = proxy.connect(deadline=30)
    answer = client.request("/", "POST", body=b"b" * 60_000)
    assert answer.status == 200
    assert len(server.requests[0].body) == 60_000


# --- what a stalled client holds -----------------------------------------------------------------------------------------


def test_a_slow_head_holds_no_origin_connection(weir, origin):
    server = origin()
    proxy = weir(f"Workers 1\nProxyPass / {server.url} max=1")
    slow = [proxy.connect().send(HEAD) for _ in range(30)]
    assert all(proxy.get("/").status == 200 for _ in range(10))
    assert len(server.connections) == 1
    for client in slow:
        client.send("b\r\n\r\n")
    assert [client.read_response().status for client in slow] == [200] * 30


def test_a_slow_body_gives_its_origin_connection_back_after_proxytimeout(weir, origin):
    """max=1 and no limit of its own: ProxyTimeout ends it, with 408, and the one that waits is served."""
    server = origin()
    proxy = weir(f"Workers 1\nRequestReadTimeout body=0\nProxyTimeout 1\nProxyPass / {server.url} max=1 connectiontimeout=30")
    slow = proxy.connect().send(LENGTH)
    server.wait_for_connections(1)
    assert proxy.get("/", deadline=15).status == 200
    assert read_answer_and_end(slow).status == 408


def test_a_body_goes_to_the_origin_only_as_it_arrives(weir, origin):
    server = origin()
    proxy = weir(f"ProxyPass / {server.url}")
    client = proxy.connect().send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 30\r\n\r\n")
    for count in (10, 20, 30):
        client.send("0123456789")
        wait_for(lambda count=count: server.received.partition(b"\r\n\r\n")[2] == b"0123456789" * (count // 10), what=f"{count} bytes")
    assert client.read_response().status == 200


def test_stalled_clients_hold_bounded_memory(weir, origin):
    """Half a head, half a body, and a response nobody takes: some 100 KiB each at most, in weir itself."""

    def script(connection):
        request = connection.read_head()
        if request.target == "/big":
            with contextlib.suppress(OSError):
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
                while True:
                    connection.send(b"a" * 100_000)
        connection.wait_closed()

    server = origin(script)
    proxy = weir(f"RequestReadTimeout header=60 body=60\nProxyPass / {server.url}")
    before = proxy.memory()
    clients = []
    for _ in range(50):
        clients.append(proxy.connect().send(HEAD + "b" * 4000))
        clients.append(proxy.connect().send(LENGTH + "b" * 50_000))
        clients.append(proxy.connect(receive_buffer=4096).send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    server.wait_for_connections(100, 20)
    time.sleep(1)
    assert proxy.memory() - before < 150 * 200_000, proxy.memory() - before


def test_a_client_that_stops_sending_for_an_early_answer_gets_all_of_it(weir, origin):
    """It was answered before its body was whole, and has nothing more to say: RequestReadTimeout is not for it. Another that
    began later, and waits for its answer, has run out of that time before the first one gets the rest."""

    def script(connection):
        if connection.read_head().target == "/early":
            connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\none")
            wait_for(lambda: connection.origin.goes_on, 10 * SLOWNESS, "the other client's time to be over")
            connection.send("two")
        connection.wait_closed()

    server = origin(script)
    server.goes_on = False
    proxy = weir(f"Workers 1\nRequestReadTimeout body=1\nProxyPass / {server.url}")
    client = proxy.connect().send("POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\npart")
    server.wait_for_requests(1)
    assert proxy.connect().send(LENGTH + "part").read_response().status == 408
    server.goes_on = True
    answer = client.read_response()
    assert (answer.status, answer.body) == (403, b"onetwo")
    assert client.is_closed()
