"""Looking costs those who are served nothing to speak of: no worker waits for a document, and none keeps memory."""
# ctest: exclusive
import threading
import time

import pytest
from support.client import Connection, format_request
from support.origin import response
from support.status import STATUS, json, metrics, settled, valid_xml
from support.wait import SLOWNESS, wait_for
from support.weir import BINARY, WRAPPER

HOSTS, CLIENTS = 2000, 5000
TARGETS = ["/cband-status", "/cband-status?xml", "/cband-status?xml=classic", "/cband-status?json", "/weir-metrics"]


@pytest.fixture(name="proxy")
def proxy_fixture(weir, origin):
    server = origin(response(b"x" * 100))
    vhosts = "".join(
        f"<VirtualHost *>\nServerName h{i}.example\nCBandUser u{i % 50}\nCBandSpeed 100Mb/s 0 0\nCBandLimit 9G\nCBandPeriod 4W\n"
        f"ProxyPass / {server.url}\n</VirtualHost>\n"
        for i in range(HOSTS)
    )
    users = "".join(f"<CBandUser u{i}>\nCBandUserLimit 90G\nCBandUserPeriod 4W\n</CBandUser>\n" for i in range(50))
    trust = "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\nMaxKeepAliveRequests 0\nMaxConnections 500"
    proxy = weir(f"{trust}\n{STATUS}\n{users}{vhosts}", workers=1)
    with Connection(proxy.port) as client:
        for start in range(0, CLIENTS, 100):
            for i in range(start, start + 100):
                fields = {"X-Forwarded-For": f"10.1.{i >> 8}.{i & 255}"}
                client.send(format_request(host=f"h{i % HOSTS}.example", headers=fields))
            for _ in range(100):
                assert client.read_response().status == 200
    return proxy


def paced(port, seconds):
    """How long each of some requests took, in seconds, sorted."""
    times = []
    with Connection(port) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            assert client.request(host="h7.example").status == 200
            times.append(time.monotonic() - begin)
            time.sleep(0.005)
    return sorted(times)


class Scrapers:
    """Clients that fetch documents without a pause."""

    def __init__(self, port, count):
        self.stopped = threading.Event()
        self.port = port
        self.fetched, self.problems = [], []
        self.threads = [threading.Thread(target=self.run, args=(i,), daemon=True) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        try:
            with Connection(self.port, deadline=60) as client:
                while not self.stopped.is_set():
                    target = TARGETS[number % len(TARGETS)]
                    answer = client.request(target)
                    assert answer.status == 200, answer
                    self.fetched.append((target, len(answer.body)))
                    number += 1
        except (AssertionError, OSError) as problem:
            self.problems.append(problem)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        assert not self.problems, self.problems


def test_scrapes_back_to_back(proxy):
    """A document takes some hundred milliseconds here; a worker that waited for one would show it at once."""
    known = json(proxy)["server"]["clients_known"]
    assert known == CLIENTS
    alone = paced(proxy.port, 1)
    scrapers = Scrapers(proxy.port, 3)
    wait_for(lambda: len(scrapers.fetched) >= 3, 30)
    times = paced(proxy.port, 4)
    scrapers.stop()
    assert {target for target, _ in scrapers.fetched} == set(TARGETS)
    middle = times[len(times) // 2]
    assert middle < alone[len(alone) // 2] + 0.03 * SLOWNESS, (middle, times[-5:])
    assert times[len(times) * 99 // 100] < 0.1 * SLOWNESS, times[-10:]


def is_instrumented():
    """Sanitizers and valgrind keep for a while what was freed."""
    with open(BINARY, "rb") as file:
        text = file.read()
    return WRAPPER or b"__asan_init" in text or b"__tsan_init" in text


def test_memory_is_given_back(proxy):
    """The documents that come later find room where the first ones were."""

    def fetch_all():
        for target in TARGETS:
            answer = proxy.get(target, deadline=60)
            assert answer.status == 200
            if target.endswith("xml"):
                valid_xml(answer.body)

    for _ in range(2):
        fetch_all()
    before = proxy.memory()
    for _ in range(2 if is_instrumented() else 8):
        fetch_all()
    assert is_instrumented() or proxy.memory() < before + (8 << 20)


def test_a_heap_of_documents_does_not_hold_up_the_seconds(proxy):
    """Each is answered in a turn of its own: the clock of rates, signals and health checks goes on in between."""
    clients = [Connection(proxy.port, deadline=120).send(format_request("/cband-status?xml")) for _ in range(24)]
    begin = time.monotonic()
    clients[0].read_response()
    one = time.monotonic() - begin
    for client in clients[1:]:
        assert client.read_response().status == 200
    whole = time.monotonic() - begin
    lag = metrics(proxy)[("weir_housekeeping_lag_seconds",)]
    assert lag < max(0.5, 4 * one, whole / 3), (lag, one, whole)


def test_a_reload_among_scrapes(proxy):
    """Documents of the old configuration and of the new one, none of a mixture, and nobody waits."""
    with open(proxy.config_path, encoding="utf-8") as file:
        config = file.read()
    scrapers = Scrapers(proxy.port, 3)
    for round_ in range(3):
        fewer = config.replace("<VirtualHost *>\nServerName h1999.example", f"<VirtualHost *>\nServerName new{round_}.example")
        proxy.reload(fewer.split("\n", 2)[2] if fewer.startswith("Listen") else fewer, expect="configuration reloaded")
    scrapers.stop()
    read = json(proxy)
    assert [item["name"] for item in read["hosts"]][-1] == "new2.example"
    assert proxy.get(host="new2.example").status == 200
    settled(proxy, 1, "new2.example")
