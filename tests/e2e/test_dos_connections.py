"""Connection limits: so many new ones within an interval, so many at a time, and what the log says of them."""
# ctest: tsan valgrind
import re
import socket
import time

import pytest
from support.client import Connection
from support.dos import SPOKEN
from support.wait import SLOWNESS, free_port, wait_for


@pytest.fixture(name="site")
def site_fixture(weir, origin):
    def start(lines, **options):
        return weir(f"DOSPageCount Off\nDOSSiteCount Off\n{lines}\nProxyPass / {origin().url}", **options)

    return start


def connect(proxy, source="127.0.0.5"):
    return Connection(proxy.port, source=source)


def is_let_in(connection):
    """Whether it is served. A connection that was refused is closed before anything is read of it."""
    try:
        return connection.request("/").status == 200
    except (AssertionError, ConnectionError):
        return False


def lines_about(proxy, kind):
    return re.findall(rf"(?m)warning: Connection {kind} limit exceeded: .*$", proxy.log())


def test_connection_rate(site):
    proxy = site("DOSConnectionCount 3\nDOSConnectionInterval 600", workers=4)
    results = []
    for _ in range(6):
        with connect(proxy) as connection:
            results.append(is_let_in(connection))
    assert results == [True] * 3 + [False] * 3
    assert is_let_in(connect(proxy, "127.0.0.6"))
    proxy.wait_for_log(
        r"(?m): warning: Connection rate limit exceeded: 4 from unknown\[127\.0\.0\.5\] for service http$"
    )


def test_the_window_of_connections_slides(site):
    proxy = site("DOSConnectionCount 2\nDOSConnectionInterval 2")
    assert is_let_in(connect(proxy)) and is_let_in(connect(proxy))
    begin = time.monotonic()  # both were accepted before this
    time.sleep(max(0.0, begin + 2.1 - time.monotonic()))
    assert is_let_in(connect(proxy))


def test_connections_at_a_time(site):
    proxy = site("DOSConcurrentConnections 3", workers=4)
    first, *others = [connect(proxy) for _ in range(3)]
    assert all(is_let_in(connection) for connection in (first, *others))
    assert not is_let_in(connect(proxy))
    assert is_let_in(connect(proxy, "127.0.0.6"))
    proxy.wait_for_log(
        r"(?m): warning: Connection concurrency limit exceeded: 4 from unknown\[127\.0\.0\.5\] for service http$"
    )
    assert all(is_let_in(connection) for connection in (first, *others))
    first.close()

    def let_in_again():
        with connect(proxy) as connection:
            return is_let_in(connection)

    wait_for(let_in_again, 10, "a place to become free")


def test_the_counts_survive_a_reload(site):
    proxy = site("DOSConcurrentConnections 2")
    kept = [connect(proxy) for _ in range(2)]
    assert all(is_let_in(connection) for connection in kept)
    proxy.reload(expect="configuration reloaded")
    assert not is_let_in(connect(proxy))


def test_the_whitelist_covers_connections(site):
    proxy = site("DOSConcurrentConnections 1\nDOSConnectionCount 1\nDOSWhitelist 127.0.0.*")
    assert all(is_let_in(connection) for connection in [connect(proxy) for _ in range(5)])


def test_a_proxy_in_front_is_nobodys_client(site):
    proxy = site(SPOKEN + "DOSConcurrentConnections 1\nDOSConnectionCount 1")
    assert all(is_let_in(connection) for connection in [connect(proxy) for _ in range(5)])


def test_behind_the_proxy_protocol_clients_are_counted(weir, origin):
    port = free_port()
    proxy = weir(f"Listen 127.0.0.1:{port} proxy-protocol\nDOSConcurrentConnections 1\nProxyPass / {origin().url}")
    header = b"PROXY TCP4 192.0.2.7 127.0.0.1 50000 80\r\n"
    first = Connection(port).send(header)
    assert is_let_in(first)
    assert Connection(port).send(header).is_closed()
    assert is_let_in(Connection(port).send(header.replace(b".7", b".8")))
    proxy.wait_for_log(r"concurrency limit exceeded: 2 from unknown\[192\.0\.2\.7\]")


def test_refused_by_reset(site):
    proxy = site("DOSConcurrentConnections 1\nDOSBlockAction reset")
    first = connect(proxy)
    assert is_let_in(first)
    with pytest.raises(ConnectionResetError):  # by the connect() or the recv(), whichever sees it
        with socket.create_connection(("127.0.0.1", proxy.port), 10, ("127.0.0.5", 0)) as second:
            second.settimeout(10 * SLOWNESS)
            second.recv(1)


def test_log_only_lets_in(site):
    proxy = site("DOSConcurrentConnections 1\nDOSLogOnly On")
    assert all(is_let_in(connection) for connection in [connect(proxy) for _ in range(3)])
    proxy.wait_for_log(r"DOSLogOnly: connection concurrency of 127\.0\.0\.5 would be refused: 2 for service http")
    assert lines_about(proxy, "concurrency") == []


def test_no_more_than_a_line_a_second_and_the_rest_is_said(site):
    proxy = site("DOSConcurrentConnections 1")
    first = connect(proxy)
    assert is_let_in(first)
    begin = time.monotonic()
    refused = 0
    while time.monotonic() < begin + 2.5:
        with connect(proxy) as connection:
            connection.socket.settimeout(10 * SLOWNESS)
            assert connection.socket.recv(1) == b""
        refused += 1
    seconds = time.monotonic() - begin
    wait_for(lambda: said(proxy) == refused, 10, lambda: proxy.log())
    assert 2 <= len(lines_about(proxy, "concurrency")) <= seconds + 3


def said(proxy):
    """How many refused connections the log accounts for."""
    total = 0
    for line in lines_about(proxy, "concurrency"):
        left_out = re.search(r"\((\d+) lines like it left out\)", line)
        more = re.search(r": (\d+) more from unknown", line)
        total += int(more.group(1)) if more else 1 + (int(left_out.group(1)) if left_out else 0)
    return total


def test_connections_leave_nothing_behind(site):
    """Thousands of refused and served connections: no descriptor more than before."""
    proxy = site("DOSConcurrentConnections 2\nDOSConnectionCount 100\nDOSConnectionInterval 1")
    assert is_let_in(connect(proxy, "127.0.0.7"))
    before = proxy.descriptors()
    for number in range(600):
        with connect(proxy, f"127.0.1.{number % 5}") as connection:
            is_let_in(connection)
    wait_for(lambda: proxy.descriptors() <= before + 2, 10, "descriptors to be closed")
