"""Quotas of classes and of single clients: who a client is decides what is left for it."""
# ctest: tsan
import time

import pytest
from support.client import Connection, format_request
from support.wait import free_port, wait_for

BODY = 1000  # an answer of the origin is a little over this with its head, and surely under twice as much
LOG = 'CustomLog access.log "%a %>s %{weir-decision}x %{weir-reason}x %{weir-class}x"'
TRUST = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1"


def serve(connection):
    while (request := connection.read_request()) is not None:
        connection.answer(b"x" * int(request.target.strip("/") or BODY))


@pytest.fixture(name="server")
def server_fixture(origin):
    return origin(serve)


def host(*lines, url, name="localhost"):
    return "\n".join(["<VirtualHost *>", f"ServerName {name}", *lines, f"ProxyPass / {url}", "</VirtualHost>", ""])


def client_class(name, *prefixes):
    return "\n".join([f"<CBandClass {name}>", *(f"CBandClassDst {prefix}" for prefix in prefixes), "</CBandClass>", ""])


def start(weir, server, *lines, before=""):
    """A weir with one worker, so that counts are exact between requests, which believes X-Forwarded-For."""
    return weir(f"{TRUST}\n{LOG}\n{before}\n{host(*lines, url=server.url)}", workers=1)


def ask(proxy, address, **options):
    """The status that a client of that address gets."""
    return proxy.get(headers={"X-Forwarded-For": address}, **options).status


def logged_class(proxy, address):
    line = proxy.wait_for_log(rf"(?m)^{address} \S+ \S+ \S+ (\S+)$", name="access.log")
    return line.group(1)


# --- which class ---

CLASSES = (
    client_class("wide", "10.0.0.0/8", "2001:db8::/32")
    + client_class("narrow", "10.1.0.0/16", "2001:db8:1::/48")
    + client_class("one", "10.1.2.3", "2001:db8:1::7")
    + client_class("short", "66.249.64/24", "127/8", "192.0.2.128/25")
)


@pytest.mark.parametrize(
    "address, name",
    [
        ("10.200.0.1", "wide"),
        ("10.1.200.1", "narrow"),
        ("10.1.2.3", "one"),
        ("10.1.2.4", "narrow"),
        ("11.0.0.1", "-"),
        ("66.249.64.200", "short"),
        ("66.249.65.1", "-"),
        ("192.0.2.127", "-"),
        ("192.0.2.128", "short"),
        ("2001:db8:ffff::1", "wide"),
        ("2001:db8:1:2::1", "narrow"),
        ("2001:db8:1::7", "one"),
        ("2001:db8:1::8", "narrow"),
        ("2001:db9::1", "-"),
    ],
)
def test_the_longest_prefix_decides(weir, server, address, name):
    """Only the limit of the client's class holds: one that the first answer exceeds."""
    limited = [name] if name != "-" else ["wide", "narrow", "one", "short"]
    proxy = start(weir, server, *(f"CBandClassLimit {one} 1B" for one in limited), before=CLASSES)
    assert [ask(proxy, address) for _ in range(2)] == [200, 503 if name != "-" else 200]


@pytest.mark.parametrize("address, name", [("10.200.0.1", "wide"), ("2001:db8:1::7", "one"), ("192.0.2.1", "-")])
def test_the_class_is_in_the_access_log(weir, server, address, name):
    proxy = start(weir, server, "CBandClassLimit wide 1G", "CBandClassLimit one 1G", before=CLASSES)
    assert ask(proxy, address) == 200
    assert logged_class(proxy, address) == name


def test_an_ipv4_address_in_ipv6_is_an_ipv4_address(weir, server):
    proxy = start(weir, server, "CBandClassLimit wide 1500B", "CBandPeriod 1D", before=CLASSES)
    assert ask(proxy, "10.200.0.1") == 200
    assert ask(proxy, "::ffff:10.200.0.1") == 200
    assert ask(proxy, "10.200.0.2") == 503


@pytest.mark.parametrize("limited", ["narrow", "wide"])
def test_the_order_of_classes_does_not_matter(weir, server, limited):
    classes = client_class("narrow", "10.1.0.0/16") + client_class("wide", "10.0.0.0/8")
    proxy = start(weir, server, f"CBandClassLimit {limited} 1B", before=classes)
    assert [ask(proxy, "10.1.0.1") for _ in range(2)] == [200, 503 if limited == "narrow" else 200]
    assert [ask(proxy, "10.2.0.1") for _ in range(2)] == [200, 503 if limited == "wide" else 200]


@pytest.mark.parametrize("limited", ["first", "second"])
def test_of_the_same_prefix_twice_the_later_class_holds(weir, server, limited):
    classes = client_class("first", "10.0.0.0/8") + client_class("second", "10.0.0.0/8")
    proxy = start(weir, server, f"CBandClassLimit {limited} 1B", before=classes)
    assert [ask(proxy, "10.1.0.1") for _ in range(2)] == [200, 503 if limited == "second" else 200]
    assert "warning" in proxy.log()


# --- the quota of a class ---


def test_a_class_over_its_quota_is_refused_alone(weir, server):
    proxy = start(weir, server, "CBandClassLimit wide 3000B", "CBandPeriod 1D", before=CLASSES)
    for address in ("10.200.0.1", "10.200.0.2", "2001:db8:2::1"):  # one after another, they share it
        assert ask(proxy, address) == 200
    for address in ("10.200.0.1", "10.200.0.3", "2001:db8:3::1"):
        answer = proxy.get(headers={"X-Forwarded-For": address})
        assert answer.status == 503
        assert int(answer.header("Retry-After")) > 86000
    for address in ("10.1.0.1", "10.1.2.3", "198.51.100.1", "127.0.0.1"):  # in other classes, or in none
        assert ask(proxy, address) == 200
    assert proxy.wait_for_log(r"10.200.0.3 503 refused host-class-quota ", name="access.log")


def test_a_class_over_its_quota_is_redirected(weir, server):
    url = "http://elsewhere.example/over"
    proxy = start(weir, server, "CBandClassLimit wide 1500B", "CBandPeriod 1D", f"CBandExceededURL {url}", before=CLASSES)
    assert [ask(proxy, "10.200.0.1") for _ in range(3)] == [200, 200, 302]
    assert ask(proxy, "198.51.100.1") == 200


def test_a_class_at_its_own_speed(weir, server):
    proxy = start(
        weir, server, "CBandClassLimit wide 1500B", "CBandPeriod 1D", "CBandExceededSpeed 800kbps 0 0", before=CLASSES
    )
    assert [ask(proxy, "10.200.0.1") for _ in range(2)] == [200, 200]

    def seconds(address):
        begin = time.monotonic()
        assert ask(proxy, address, target="/150000") == 200
        return time.monotonic() - begin

    assert seconds("198.51.100.1") < 0.5
    assert 0.9 < seconds("10.200.0.2") < 2.2  # 102400 bytes/s


def test_a_class_counts_towards_the_total(weir, server):
    proxy = start(weir, server, "CBandLimit 3000B", "CBandClassLimit wide 1500B", "CBandPeriod 1D", before=CLASSES)
    assert [ask(proxy, "10.200.0.1") for _ in range(3)] == [200, 200, 503]
    assert [ask(proxy, "198.51.100.1") for _ in range(2)] == [200, 503]


def test_a_class_without_a_limit_is_only_limited_by_the_total(weir, server):
    proxy = start(weir, server, "CBandLimit 3000B", "CBandClassLimit narrow 1G", "CBandPeriod 1D", before=CLASSES)
    assert [ask(proxy, "10.200.0.1") for _ in range(4)] == [200, 200, 200, 503]
    assert ask(proxy, "10.1.0.1") == 503


def test_a_class_slowed_alone(weir, server):
    """Over its quota, the class may have one request at a time."""
    proxy = start(
        weir, server, "CBandClassLimit wide 1500B", "CBandPeriod 1D", "CBandExceededSpeed 0 0 1", before=CLASSES
    )
    assert [ask(proxy, "10.200.0.1") for _ in range(2)] == [200, 200]
    held = []

    def hold(address):
        client = Connection(proxy.port, receive_buffer=4096)
        held.append(client)
        client.send(format_request("/20000000", headers={"X-Forwarded-For": address}))
        return client.read_head().status

    assert hold("10.200.0.1") == 200
    assert hold("10.200.0.2") == 503  # one at a time
    assert hold("198.51.100.1") == 200
    assert hold("198.51.100.2") == 200
    for client in held:
        client.reset()


def test_slices_hold_for_classes(weir, server):
    lines = ("CBandClassLimit wide 4000B", "CBandPeriod 4H", "CBandPeriodSlice 1H")
    proxy = start(weir, server, *lines, before=CLASSES)
    assert ask(proxy, "10.200.0.1") == 200
    answer = proxy.get(headers={"X-Forwarded-For": "10.200.0.1"})
    assert answer.status == 503
    assert 3590 <= int(answer.header("Retry-After")) <= 3600


def test_a_reload_keeps_what_a_class_has_used(weir, server):
    lines = ("CBandClassLimit wide 1500B", "CBandPeriod 1D")
    proxy = start(weir, server, *lines, before=CLASSES)
    assert [ask(proxy, "10.200.0.1") for _ in range(3)] == [200, 200, 503]
    more = client_class("new", "203.0.113.0/24") + CLASSES  # the classes' order has changed
    for limit, status in (("1600B", 503), ("2500B", 200), ("1600B", 503)):
        config = host(f"CBandClassLimit wide {limit}", "CBandPeriod 1D", url=server.url)
        proxy.reload(f"{TRUST}\n{more}\n{config}", expect="configuration reloaded")
        assert ask(proxy, "10.200.0.1") == status
        assert ask(proxy, "203.0.113.1") == 200


# --- of a user ---


def test_a_users_class_over_two_hosts(weir, server):
    proxy = weir(
        f"{TRUST}\n{LOG}\n{CLASSES}\n<CBandUser owner>\nCBandUserClassLimit wide 3000B\nCBandUserPeriod 1D\n"
        "CBandUserExceededURL http://user.example/over\n</CBandUser>\n"
        + host("CBandUser owner", url=server.url, name="a.example")
        + host("CBandUser owner", url=server.url, name="b.example")
        + host(url=server.url, name="c.example"),
        workers=1,
    )
    assert [ask(proxy, "10.200.0.1", host="a.example") for _ in range(2)] == [200, 200]
    assert [ask(proxy, "2001:db8:2::1", host="b.example") for _ in range(2)] == [200, 302]
    assert ask(proxy, "10.200.0.9", host="a.example") == 302
    assert ask(proxy, "10.200.0.9", host="c.example") == 200
    assert ask(proxy, "10.1.0.1", host="a.example") == 200
    assert ask(proxy, "198.51.100.1", host="b.example") == 200
    assert proxy.wait_for_log(r"10.200.0.9 302 redirected user-class-quota ", name="access.log")


def test_a_hosts_class_and_a_users_class(weir, server):
    proxy = weir(
        f"{TRUST}\n{CLASSES}\n<CBandUser owner>\nCBandUserClassLimit wide 3000B\nCBandUserPeriod 1D\n</CBandUser>\n"
        + host("CBandUser owner", "CBandClassLimit wide 1500B", "CBandPeriod 1D", url=server.url, name="a.example")
        + host("CBandUser owner", url=server.url, name="b.example"),
        workers=1,
    )
    assert [ask(proxy, "10.200.0.1", host="a.example") for _ in range(3)] == [200, 200, 503]
    assert [ask(proxy, "10.200.0.1", host="b.example") for _ in range(2)] == [200, 503]


# --- of a single client ---


def test_each_client_has_its_own_quota(weir, server):
    proxy = start(weir, server, "CBandRemoteLimit 1500B", "CBandPeriod 1D")
    for address in ("198.51.100.1", "198.51.100.2"):
        assert [ask(proxy, address) for _ in range(3)] == [200, 200, 503]
    assert proxy.wait_for_log(r"198.51.100.2 503 refused client-quota ", name="access.log")
    answer = proxy.get(headers={"X-Forwarded-For": "198.51.100.1"})
    assert int(answer.header("Retry-After")) > 86000


def test_ipv6_clients_are_told_apart_by_their_network(weir, server):
    proxy = start(weir, server, "CBandRemoteLimit 1500B", "CBandPeriod 1D")
    assert [ask(proxy, address) for address in ("2001:db8:1:1::1", "2001:db8:1:1:ffff::2", "2001:db8:1:1::3")] == [200, 200, 503]
    assert [ask(proxy, "2001:db8:1:2::1") for _ in range(3)] == [200, 200, 503]


def test_another_length_of_the_network(weir, server):
    proxy = start(weir, server, "CBandRemoteLimit 1500B", "CBandPeriod 1D", before="CBandIPv6Prefix 48")
    assert [ask(proxy, address) for address in ("2001:db8:1:1::1", "2001:db8:1:2::1", "2001:db8:1:3::1")] == [200, 200, 503]
    assert ask(proxy, "2001:db8:2:1::1") == 200


def test_a_clients_quota_is_per_host(weir, server):
    lines = ("CBandRemoteLimit 1500B", "CBandPeriod 1D")
    proxy = weir(
        TRUST + "\n" + host(*lines, url=server.url, name="a.example") + host(*lines, url=server.url, name="b.example"),
        workers=1,
    )
    for name in ("a.example", "b.example"):
        assert [ask(proxy, "198.51.100.1", host=name) for _ in range(3)] == [200, 200, 503]


def test_a_clients_quota_starts_anew_with_the_period(weir, server):
    proxy = start(weir, server, "CBandRemoteLimit 500B", "CBandPeriod 1S")
    statuses = []

    def served():
        statuses.append(ask(proxy, "198.51.100.1"))
        return statuses.count(200) == 3

    wait_for(served, 5, "three periods")
    assert statuses.count(503) > 2


def test_behind_the_proxy_protocol(weir, server):
    """The listener's word is the client's address as well: for classes and for single clients."""
    proxy = weir(
        f"Listen 127.0.0.1:{free_port()} proxy-protocol\n{CLASSES}"
        + host("CBandClassLimit wide 1500B", "CBandRemoteLimit 2500B", "CBandPeriod 1D", url=server.url),
        workers=1,
    )

    def get(address):
        with Connection(proxy.port) as client:
            family, target = ("TCP6", "::1") if ":" in address else ("TCP4", "127.0.0.1")
            client.send(f"PROXY {family} {address} {target} 50000 80\r\n")
            return client.request().status

    assert [get(address) for address in ("10.200.0.1", "2001:db8:5::1", "10.200.0.3")] == [200, 200, 503]
    assert [get("198.51.100.1") for _ in range(4)] == [200, 200, 200, 503]
    assert get("198.51.100.2") == 200
