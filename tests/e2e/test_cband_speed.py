"""Speeds of hosts, users, classes and clients: CBandSpeed and its relatives, measured at the client."""
# ctest: exclusive
import selectors
import statistics
import threading
import time

import pytest
from support.apache import content
from support.client import Connection, format_request
from support.origin import response
from support.wait import SLOWNESS

KBPS_800 = 800 * 1024 / 8  # bytes in a second
KBPS_1600 = 2 * KBPS_800
KBPS_3200 = 4 * KBPS_800

TRUST = "RemoteIPHeader X-Client\nRemoteIPTrustedProxy 127.0.0.1\n"
RELOADED = "configuration reloaded"
ENDLESS = 1 << 40
PIECE = b"0123456789abcdef" * 1024
BODY = content(300_000)
SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}


def send_for_ever(connection, head, wrap=lambda piece: piece):
    connection.send(head)
    piece = wrap(PIECE)
    while True:
        connection.send(piece)


def serving(connection):
    """Answers by the target: an endless body in each framing, a body of 300 kB, a small page, a tunnel."""
    while (request := connection.read_request()) is not None:
        if request.target == "/length":
            send_for_ever(connection, f"HTTP/1.1 200 OK\r\nContent-Length: {ENDLESS}\r\n\r\n")
        elif request.target == "/chunked":
            head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            send_for_ever(connection, head, lambda piece: b"%x\r\n%s\r\n" % (len(piece), piece))
        elif request.target == "/close":
            send_for_ever(connection, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        elif request.target == "/tunnel":
            send_for_ever(connection, SWITCH)
        elif request.target == "/300k-length":
            connection.answer(BODY)
        elif request.target == "/300k-chunked":
            pieces = [BODY[at : at + 50_000] for at in range(0, len(BODY), 50_000)]
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        elif request.target == "/300k-close":
            connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY)
            return
        elif request.method == "HEAD":
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        else:
            connection.send(response(b"small"))


@pytest.fixture(name="shaped")
def shaped_fixture(weir, origin):
    """shaped(lines) starts a weir with the lines in its one host; shaped.text(lines) is its configuration, for a reload."""
    server = origin(serving)

    def text(lines):
        return f"{TRUST}{lines}\nProxyPass / {server.url}"

    def start(lines):
        return weir(text(lines))

    start.text = text
    start.server = server
    return start


def ask(proxy, target="/length", client=None, host="localhost", headers=None):
    """A connection on which a request was sent, from a client's address."""
    fields = dict(headers or {})
    if client:
        fields["X-Client"] = client
    return proxy.connect().send(format_request(target, host=host, headers=fields))


def measure(connections, seconds=1.0, settle=0.4):
    """The bytes in a second that each of the connections is sent, once the first bytes and the buffers are through."""
    counts = [0] * len(connections)
    with selectors.DefaultSelector() as selector:
        for index, connection in enumerate(connections):
            connection.socket.setblocking(False)
            selector.register(connection.socket, selectors.EVENT_READ, index)
        begin = time.monotonic() + settle
        end = begin + seconds
        while (now := time.monotonic()) < end:
            for key, _ in selector.select(min(0.05, end - now)):
                data = key.fileobj.recv(262144)
                assert data, f"connection {key.data} was closed in the middle"
                if time.monotonic() >= begin:
                    counts[key.data] += len(data)
    return [count / seconds for count in counts]


def assert_rate(rate, expected, margin=0.15):
    assert expected * (1 - margin) <= rate <= expected * (1 + margin), f"{rate:.0f} B/s instead of {expected:.0f}"


def assert_even(rates):
    mean = statistics.fmean(rates)
    assert all(abs(rate - mean) <= 0.25 * mean for rate in rates), f"uneven shares: {rates}"


def in_threads(work, calls):
    """Calls work with each of the tuples of arguments at the same time, and waits for all."""
    threads = [threading.Thread(target=work, args=arguments, daemon=True) for arguments in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)


# --- who shares what ---


@pytest.mark.parametrize("clients", [[None] * 4, ["203.0.113.1", "203.0.113.2", "203.0.113.3"]], ids=["connections", "clients"])
def test_the_speed_of_a_host_is_shared_evenly(shaped, clients):
    proxy = shaped("CBandSpeed 3200kbps 0 0")
    rates = measure([ask(proxy, client=client) for client in clients])
    assert_rate(sum(rates), KBPS_3200)
    assert_even(rates)


def test_each_client_has_a_speed_of_its_own(shaped):
    """The connections of one client share it; another client has as much for itself."""
    proxy = shaped("CBandRemoteSpeed 1600kbps 0 0")
    clients = ["203.0.113.1", "203.0.113.1", "203.0.113.1", "203.0.113.2"]
    rates = measure([ask(proxy, client=client) for client in clients])
    assert_rate(sum(rates[:3]), KBPS_1600)
    assert_even(rates[:3])
    assert_rate(rates[3], KBPS_1600)


def test_a_client_has_its_speed_at_each_host(weir, origin):
    server = origin(serving)
    site = "<VirtualHost *:*>\nServerName {0}.example\nCBandRemoteSpeed 1600kbps 0 0\nProxyPass / {1}\n</VirtualHost>\n"
    proxy = weir(TRUST + site.format("one", server.url) + site.format("two", server.url))
    for rate in measure([ask(proxy, host="one.example"), ask(proxy, host="two.example")]):
        assert_rate(rate, KBPS_1600)


def test_the_addresses_of_an_ipv6_network_are_one_client(shaped):
    proxy = shaped("CBandRemoteSpeed 1600kbps 0 0")
    rates = measure([ask(proxy, client=client) for client in ("2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1")])
    assert_rate(rates[0] + rates[1], KBPS_1600)
    assert_rate(rates[2], KBPS_1600)


def test_a_class_is_faster_or_slower_than_other_clients(shaped):
    """Value by value: a speed of 0 leaves the host's."""
    proxy = shaped(
        "<CBandClass fast>\nCBandClassDst 198.51.100.0/24\n</CBandClass>\n"
        "<CBandClass slow>\nCBandClassDst 192.0.2.0/24\n</CBandClass>\n"
        "<CBandClass plain>\nCBandClassDst 192.0.2.128/25\n</CBandClass>\n"
        "CBandRemoteSpeed 1600kbps 0 0\nCBandClassRemoteSpeed fast 3200kbps 0 0\n"
        "CBandClassRemoteSpeed slow 800kbps 0 0\nCBandClassRemoteSpeed plain 0 0 5"
    )
    clients = ["203.0.113.1", "198.51.100.1", "192.0.2.1", "192.0.2.200", "198.51.100.2"]
    rates = measure([ask(proxy, client=client) for client in clients])
    for rate, expected in zip(rates, [KBPS_1600, KBPS_3200, KBPS_800, KBPS_1600, KBPS_3200]):
        assert_rate(rate, expected)


def test_the_hosts_of_a_user_share_its_speed(weir, origin):
    server = origin(serving)
    site = "<VirtualHost *:*>\nServerName {0}.example\nCBandUser owner\nProxyPass / {1}\n</VirtualHost>\n"
    proxy = weir(
        f"{TRUST}<CBandUser owner>\nCBandUserSpeed 3200kbps 0 0\n</CBandUser>\n"
        + site.format("one", server.url)
        + site.format("two", server.url)
    )
    rates = measure([ask(proxy, host="one.example"), ask(proxy, host="two.example")])
    assert_rate(sum(rates), KBPS_3200)
    assert_even(rates)


def test_the_smallest_speed_holds(weir, origin):
    """Of the host's, the user's and the client's, whichever it is."""
    server = origin(serving)
    text = TRUST
    for index, (host, user, client) in enumerate([(800, 1600, 3200), (1600, 800, 3200), (3200, 1600, 800)]):
        text += f"<CBandUser owner{index}>\nCBandUserSpeed {user}kbps 0 0\n</CBandUser>\n"
        text += f"<VirtualHost *:*>\nServerName {index}.example\nCBandUser owner{index}\nCBandSpeed {host}kbps 0 0\n"
        text += f"CBandRemoteSpeed {client}kbps 0 0\nProxyPass / {server.url}\n</VirtualHost>\n"
    proxy = weir(text)
    for rate in measure([ask(proxy, host=f"{index}.example") for index in range(3)]):
        assert_rate(rate, KBPS_800)


def test_what_one_client_may_not_take_others_get(shaped):
    """The host's speed is not lost when a client's own cap is below its even share."""
    proxy = shaped(
        "<CBandClass slow>\nCBandClassDst 192.0.2.0/24\n</CBandClass>\n"
        "CBandSpeed 3200kbps 0 0\nCBandClassRemoteSpeed slow 800kbps 0 0"
    )
    rates = measure([ask(proxy, client=client) for client in ("192.0.2.1", "203.0.113.1")])
    assert_rate(rates[0], KBPS_800)
    assert_rate(rates[1], KBPS_3200 - KBPS_800)


def test_a_client_that_does_not_read_leaves_its_share(shaped):
    proxy = shaped("CBandSpeed 3200kbps 0 0")
    silent = proxy.connect(receive_buffer=4096).send(format_request("/length"))
    rates = measure([ask(proxy), ask(proxy)], settle=1.2)
    assert_rate(sum(rates), KBPS_3200)
    silent.close()


def test_a_host_without_speeds_is_not_slowed(weir, origin):
    server = origin(serving)
    proxy = weir(
        f"{TRUST}<VirtualHost *:*>\nServerName slow.example\nCBandSpeed 1600kbps 0 0\nProxyPass / {server.url}\n</VirtualHost>\n"
        f"<VirtualHost *:*>\nServerName free.example\nProxyPass / {server.url}\n</VirtualHost>\n"
    )
    rates = measure([ask(proxy, host="slow.example"), ask(proxy, host="free.example")], seconds=1.0)
    assert_rate(rates[0], KBPS_1600, margin=0.2)
    assert rates[1] > 20 * KBPS_1600


def test_a_turn_is_spread_over_the_time_until_the_next(shaped):
    """Ten turns a second, and a few pieces of each."""
    client = ask(shaped("CBandSpeed 3200kbps 0 0"))
    measure([client], seconds=0.1, settle=1.0)
    moments, end = [], time.monotonic() + 2
    client.socket.setblocking(True)
    while time.monotonic() < end:
        assert client.socket.recv(262144)
        moments.append(time.monotonic())
    gaps = [later - earlier for earlier, later in zip(moments, moments[1:])]
    assert statistics.median(gaps) < 0.05


def test_a_fast_cap_holds_over_what_is_spliced(weir, origin):
    """Turns at 10 MB/s are large enough for a pipe; the cap is halved while what is in it waits."""
    body = content(9_000_000)
    url = origin(lambda connection: [connection.answer(body) for _ in iter(connection.read_request, None)]).url
    proxy = weir(f"CBandSpeed 80Mbps 0 0\nProxyPass / {url}")
    begin = time.monotonic()
    client = proxy.connect().send(format_request("/"))
    head = client.read_until(b"\r\n\r\n")
    received = client.read_exactly(4_500_000)
    proxy.reload(f"CBandSpeed 40Mbps 0 0\nProxyPass / {url}", expect=RELOADED)
    received += client.read_exactly(len(body) - len(received))
    took = time.monotonic() - begin
    assert b" 200 " in head and received == body
    assert 1.0 < took < 2.5  # 0.45 s, and 0.9


def test_what_follows_a_paced_response_is_not_slowed(weir, origin):
    """One connection, two hosts."""
    server = origin(serving)
    proxy = weir(
        f"<VirtualHost *:*>\nServerName slow.example\nCBandSpeed 3200kbps 0 0\nProxyPass / {server.url}\n</VirtualHost>\n"
        f"<VirtualHost *:*>\nServerName free.example\nProxyPass / {server.url}\n</VirtualHost>\n"
    )
    client = proxy.connect()
    for host, least, most in (("slow.example", 0.4, 5), ("free.example", 0, 0.3), ("slow.example", 0.4, 5)):
        begin = time.monotonic()
        client.send(format_request("/300k-length", host=host))
        assert client.read_response().body == BODY
        assert least < time.monotonic() - begin < most, host


# --- every kind of transfer ---


def test_bodies_of_every_framing(shaped):
    proxy = shaped("CBandRemoteSpeed 1600kbps 0 0")
    targets = ["/length", "/chunked", "/close"]
    rates = measure([ask(proxy, target, client=f"203.0.113.{number}") for number, target in enumerate(targets)])
    for rate in rates:
        assert_rate(rate, KBPS_1600)


def test_paced_bodies_come_whole(shaped):
    """300 kB at 200 kB/s, of which at most 16 KiB go out at once."""
    proxy = shaped("CBandRemoteSpeed 1600kbps 0 0")
    took = {}

    def fetch(framing, client):
        began = time.monotonic()
        assert proxy.get(f"/300k-{framing}", headers={"X-Client": client}).body == BODY
        took[framing] = time.monotonic() - began

    framings = ["length", "chunked", "close"]
    in_threads(fetch, [(framing, f"203.0.113.{number}") for number, framing in enumerate(framings)])
    assert sorted(took) == sorted(framings)
    for seconds in took.values():
        assert 0.85 * (300_000 - 16_384) / KBPS_1600 <= seconds <= 1.2 * 300_000 / KBPS_1600, took


def test_many_small_pages_are_held_to_the_speed(shaped, connect):
    """Each may go out at once, but what it took is owed."""
    proxy = shaped("MaxKeepAliveRequests 0\nCBandSpeed 160kbps 0 0")
    client = connect(proxy.port)
    end = time.monotonic() + 2.0
    count = 0
    while time.monotonic() < end:
        count += len(client.request("/small").raw_head) + 5
    assert count <= 1.15 * (2.0 * 160 * 1024 / 8 + 16_384), f"{count} bytes in 2 s"
    assert count >= 0.8 * (2.0 * 160 * 1024 / 8), f"{count} bytes in 2 s"


def test_head_costs_no_body(shaped, connect):
    client = connect(shaped("CBandSpeed 800kbps 0 0").port)
    began = time.monotonic()
    for _ in range(20):
        assert client.request("/anything", "HEAD").header("Content-Length") == "50000000"
    assert time.monotonic() - began < 1.0


def test_a_tunnel_is_paced(shaped):
    client = ask(shaped("CBandSpeed 1600kbps 0 0"), "/tunnel", headers=UPGRADE)
    assert client.read_head().status == 101
    assert_rate(measure([client])[0], KBPS_1600)


def test_a_small_page_through_a_saturated_speed(shaped):
    """It does not wait behind the bulk."""
    proxy = shaped("CBandSpeed 1600kbps 0 0")
    bulk = [ask(proxy, client=f"203.0.113.{number}") for number in range(4)]
    times = []

    def look():
        time.sleep(0.6)
        for _ in range(5):
            began = time.monotonic()
            assert proxy.get("/small", headers={"X-Client": "198.51.100.1"}).body == b"small"
            times.append(time.monotonic() - began)
            time.sleep(0.1)

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    measure(bulk, seconds=1.4)
    looker.join(5)
    assert len(times) == 5
    assert statistics.median(times) < 0.15, times
    assert max(times) < 0.5, times


# --- uploads ---


def upload_rates(shaped, lines, count, chunked=False):
    """The seconds that each of so many uploads of 120 kB, begun at once, takes."""
    proxy = shaped(lines)
    body = BODY[:120_000]
    took = []

    def upload():
        with Connection(proxy.port) as client:
            began = time.monotonic()
            if chunked:
                head = "POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                client.send(head.encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
                answer = client.read_response()
            else:
                answer = client.request("/upload", "POST", body=body)
            assert answer.body == b"small"
            took.append(time.monotonic() - began)

    in_threads(upload, [()] * count)
    assert len(took) == count
    assert all(request.body == body for request in shaped.server.requests)
    return took


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_has_its_own_speed(shaped, chunked):
    (took,) = upload_rates(shaped, "CBandUploadSpeed 1600kbps\nCBandSpeed 80kbps 0 0", 1, chunked)
    assert 0.8 * (120_000 - 16_384) / KBPS_1600 <= took <= 1.25 * 120_000 / KBPS_1600


def test_uploads_share_it(shaped):
    for took in upload_rates(shaped, "CBandUploadSpeed 1600kbps", 2):
        assert 0.8 * (240_000 - 2 * 16_384) / KBPS_1600 <= took <= 1.25 * 240_000 / KBPS_1600


def test_uploads_are_not_slowed_by_the_speed_of_responses(shaped):
    for took in upload_rates(shaped, "CBandSpeed 80kbps 0 0", 2):
        assert took < 1.0


# --- while it runs ---


def test_a_reload_changes_transfers_under_way(shaped):
    proxy = shaped("CBandSpeed 1600kbps 0 0")
    client = ask(proxy)
    assert_rate(measure([client], seconds=0.6)[0], KBPS_1600)
    for speed, expected in (("3200kbps", KBPS_3200), ("800kbps", KBPS_800)):
        proxy.reload(shaped.text(f"CBandSpeed {speed} 0 0"), expect=RELOADED)
        assert_rate(measure([client], seconds=0.6, settle=0.4)[0], expected)
    proxy.reload(shaped.text(""), expect=RELOADED)
    assert measure([client], seconds=0.5, settle=0.5)[0] > 4 * KBPS_3200


def test_a_reload_frees_from_a_very_slow_speed(shaped):
    """What waits for a far moment looks again."""
    proxy = shaped("CBandSpeed 8kbps 0 0")
    client = ask(proxy)
    measure([client], seconds=0.5, settle=0.5)
    proxy.reload(shaped.text("CBandSpeed 1600kbps 0 0"), expect=RELOADED)
    assert_rate(measure([client], seconds=0.8, settle=0.6)[0], KBPS_1600)


def test_a_reload_begins_to_slow(shaped):
    proxy = shaped("")
    client = ask(proxy)
    measure([client], seconds=0.1, settle=0.1)
    proxy.reload(shaped.text("CBandSpeed 1600kbps 0 0"), expect=RELOADED)
    assert_rate(measure([client], seconds=0.8, settle=0.6)[0], KBPS_1600)


def test_slow_speeds_do_not_time_out(shaped):
    """A response that is held back for longer than Timeout is neither a slow client nor a slow origin."""
    proxy = shaped("Timeout 1\nCBandSpeed 16kbps 0 0")
    client = ask(proxy)
    rate = measure([client], seconds=2.0, settle=0.5)[0]
    assert_rate(rate, 2048, margin=0.6)


# --- as it is written in the world ---


def test_the_tutorials_configuration(weir, origin):
    """1 Mbps for the host, 20 kB/s, three requests a second and 30 connections for each client."""
    server = origin(serving)
    proxy = weir(
        f"{TRUST}<IfModule mod_cband.c>\n<VirtualHost *:*>\nServerName www.example.com\nCBandSpeed 1024 10 30\n"
        f"CBandRemoteSpeed 20kb/s 3 30\nProxyPass / {server.url}\n</VirtualHost>\n</IfModule>"
    )
    clients = ["203.0.113.1", "203.0.113.1", "203.0.113.2"]
    rates = measure([ask(proxy, client=client, host="www.example.com") for client in clients], settle=1.2)
    assert_rate(rates[0] + rates[1], 20480, margin=0.25)
    assert_rate(rates[2], 20480, margin=0.25)


def test_a_dry_run_slows_nobody(shaped):
    proxy = shaped("CBandDryRun On\nCBandSpeed 80kbps 0 0\nCBandUploadSpeed 80kbps")
    assert measure([ask(proxy)], seconds=0.5, settle=0.1)[0] > 10 * KBPS_3200


def test_the_random_pulse_is_accepted(shaped):
    proxy = shaped("CBandRandomPulse On\nCBandSpeed 1600kbps 0 0")
    proxy.wait_for_log("CBandRandomPulse")
    assert_rate(measure([ask(proxy)], seconds=0.6)[0], KBPS_1600)


@pytest.mark.parametrize("method, status", [("HEAD", "200 OK"), ("GET", "304 Not Modified"), ("GET", "204 No Content")])
def test_heads_alone_are_under_the_cap(weir, origin, connect, method, status):
    """Who asks for heads only is not faster, and others do not wait for what that one had beyond the cap."""

    def heads(connection):
        while (request := connection.read_request()) is not None:
            if request.target == "/page":
                connection.answer(b"x" * 1000)
            else:
                connection.send(f"HTTP/1.1 {status}\r\nETag: \"{'e' * 900}\"\r\n\r\n")

    proxy = weir(f"MaxKeepAliveRequests 0\nCBandSpeed 16kb/s 0 0\nProxyPass / {origin(heads).url}")
    client = connect(proxy.port)
    begin = time.monotonic()
    count = sum(len(client.request("/", method=method).raw_head) for _ in range(60))
    assert time.monotonic() - begin > 0.8 * (count / 16384 - 0.5)  # half a second may be owed
    begin = time.monotonic()
    assert proxy.get("/page").status == 200
    assert time.monotonic() - begin < 2 * SLOWNESS
