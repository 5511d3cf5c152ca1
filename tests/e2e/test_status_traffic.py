"""What the status documents say was moved: bytes, requests, connections, speeds; of hosts, users, classes, clients."""
# ctest: tsan
import json as json_module
import statistics
import subprocess
import threading
import time

import pytest
from support.client import Connection, fetch, format_request
from support.origin import Origin, response
from support.status import STATUS, host, json, metrics, same_everywhere, settled, xml
from support.wait import SLOWNESS, wait_for

LIMIT = "CBandLimit 1G\nCBandPeriod 1D"
OWNED = f"""{STATUS}
<CBandUser alice>
CBandUserLimit 1G
CBandUserPeriod 1D
</CBandUser>
<CBandClass near>
CBandClassDst 127.0.0.2
CBandClassDst 127.0.0.3
</CBandClass>
"""


def curl(proxy, *arguments):
    """Runs curl: the bytes it received, framing included, and what it measured of what it sent in each transfer."""
    measured = '%{stderr}{"code": %{http_code}, "request": %{size_request}}\n'
    done = subprocess.run(
        ["curl", "-sS", "-i", "--raw", "-H", "Host: localhost", "-w", measured, *(part.replace("URL", proxy.url) for part in arguments)],
        capture_output=True, timeout=60 * SLOWNESS, check=True,
    )  # fmt: skip
    return done.stdout, [json_module.loads(line) for line in done.stderr.splitlines()]


CURL = {
    "plain": ["URL64k.txt"],
    "empty": ["URL0.txt"],
    "large": ["URL10m.txt"],
    "head": ["-I", "URL64k.txt"],
    "chunked": ["URLcgi-bin/environment"],
    "missing": ["URLmissing"],
    "keep-alive": ["URL1k.txt", "URL64k.txt", "URL1.txt"],
    "http/1.0": ["-0", "URL64k.txt"],
    "range": ["-r", "100-199", "URL64k.txt"],
    "upload": ["-d", "x" * 30000, "URLcgi-bin/upload"],
    "chunked upload": ["-H", "Transfer-Encoding: chunked", "-d", "x" * 30000, "URLcgi-bin/upload"],
}


@pytest.mark.parametrize("arguments", CURL.values(), ids=CURL)
def test_bytes_are_those_that_curl_measured(weir, apache, arguments):
    proxy = weir(f"{STATUS}\n{LIMIT}\nServerName localhost\nProxyPass / {apache.url}")
    received, measured = curl(proxy, *arguments)
    settled(proxy, len(measured))
    read = same_everywhere(proxy)
    traffic = read["traffic"]
    assert traffic["bytes_out"] == read["usages"]["total"] == len(received)
    if "-d" not in arguments:  # with a body, versions of curl differ in what they count
        assert traffic["bytes_in"] == sum(item["request"] for item in measured)
    for digit in (2, 4):
        assert traffic[f"responses_{digit}xx"] == sum(item["code"] // 100 == digit for item in measured)
    (client,) = json(proxy)["clients"]
    assert (client["bytes_out"], client["requests"]) == (traffic["bytes_out"], len(measured))


@pytest.mark.parametrize(
    "fields, body",
    [("Content-Length: 30000", b"x" * 30000), ("Transfer-Encoding: chunked", b"7530\r\n" + b"x" * 30000 + b"\r\n0\r\n\r\n")],
    ids=["length", "chunked"],
)
def test_bytes_in_are_those_that_were_sent(weir, apache, connect, fields, body):
    proxy = weir(f"{STATUS}\nServerName localhost\nProxyPass / {apache.url}")
    client = connect(proxy.port)
    head = f"POST /cgi-bin/upload HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n\r\n".encode()
    for count in (1, 2):
        assert client.send(head + body).read_response().body.startswith(b"30000 ")
        assert host(settled(proxy, count), "localhost")["traffic"]["bytes_in"] == count * len(head + body)


def test_an_aborted_download_counts_what_was_written(weir, apache):
    proxy = weir(f"{STATUS}\n{LIMIT}\nServerName localhost\nProxyPass / {apache.url}")
    with Connection(proxy.port, receive_buffer=65536) as client:
        client.send(format_request("/10m.txt"))
        read = len(client.read_head().raw_head) + len(client.read_exactly(500_000))
        client.reset()
    settled(proxy, 1)
    told = same_everywhere(proxy)
    assert read <= told["traffic"]["bytes_out"] < 10_000_000
    assert told["usages"]["total"] == told["traffic"]["bytes_out"]
    assert told["traffic"]["responses_2xx"] == 1  # its head was sent


def test_a_client_that_went_before_the_answer(weir, origin):
    server = origin(lambda connection: (connection.read_request(), connection.wait_closed()))
    proxy = weir(f"{STATUS}\nServerName localhost\nProxyPass / {server.url}")
    client = Connection(proxy.port).send(format_request())
    server.wait_for_requests(1)
    client.reset()
    traffic = host(settled(proxy, 1), "localhost")["traffic"]
    assert (traffic["no_response"], traffic["bytes_out"]) == (1, 0)
    assert metrics(proxy)["weir_host_requests_total", ("code", "none"), ("host", "localhost")] == 1


def statuses(connection):
    """A script: answers with the status that the target names."""
    while (request := connection.read_request()) is not None:
        status = request.target.strip("/")
        if status == "101":
            connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
            return
        connection.send(f"HTTP/1.1 {status} S\r\n" + ("" if status in ("204", "304") else "Content-Length: 0\r\n") + "\r\n")


def test_responses_by_class(weir, origin):
    """Those of the origin and weir's own; a status page is neither."""
    proxy = weir(
        f"{STATUS}\nServerName localhost\nRedirect 301 /moved http://a.example/\nRedirect 410 /gone\n"
        f"ProxyPass /dead http://127.0.0.1:1/ retry=0\nProxyPass / {origin(statuses).url} upgrade=any"
    )
    asked = [200, 201, 204, 302, 304, 400, 404, 499, 500, 503, 599]
    for status in asked:
        assert proxy.get(f"/{status}").status == status
    upgraded = proxy.get("/101", headers={"Connection": "Upgrade", "Upgrade": "x"}).status
    assert proxy.get("/moved").status == 301
    assert proxy.get("/gone").status == 410
    assert proxy.get("/dead").status in (502, 503)
    settled(proxy, len(asked) + 4)
    traffic = same_everywhere(proxy)["traffic"]
    counts = [traffic[f"responses_{digit}xx"] for digit in range(1, 6)]
    assert counts == ([1, 3, 3, 4, 4] if upgraded == 101 else [0, 3, 3, 4, 5])


def test_status_pages_do_not_change_what_they_show(weir, apache):
    proxy = weir(f"{STATUS}\n{LIMIT}\nServerName localhost\nProxyPass / {apache.url}")
    assert proxy.get("/1k.txt").status == 200
    before = host(settled(proxy, 1), "localhost")
    for target in ("/cband-status", "/cband-status?xml", "/weir-metrics", "/cband-status?reset_user=x"):
        proxy.get(target)
    proxy.get("/cband-status", method="POST", body=b"nothing=1")
    time.sleep(0.2)
    after = host(json(proxy), "localhost")
    assert after["usages"]["total"] == before["usages"]["total"] > 1024
    assert {**after["traffic"], "rates": 0} == {**before["traffic"], "rates": 0}


# --- whose it is ---


def gated():
    """A script that sends the first part of a body, the rest when the event is set; and the event."""
    event = threading.Event()

    def script(connection):
        while connection.read_request() is not None:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
            event.wait(60)
            connection.send(b"_last")

    return script, event


def test_connections_now_and_at_most(weir, origin):
    script, event = gated()
    proxy = weir(f"{OWNED}ServerName localhost\nCBandUser alice\nProxyPass / {origin(script).url}")
    clients = [Connection(proxy.port, source=f"127.0.0.{last}").send(format_request("/")) for last in (1, 2, 2, 3)]
    for client in clients:
        client.read_head()
    read = json(proxy)
    for item, now in ((host(read, "localhost"), 4), (read["users"][0], 4), (read["classes"][0], 3)):
        assert (item["traffic"]["connections"], item["traffic"]["connections_most"]) == (now, now)
    assert host(read, "localhost")["usages"]["connections"] == 4
    assert read["server"]["traffic"]["connections"] == 4
    by_address = {client["address"]: client["connections"] for client in read["clients"]}
    assert by_address == {"127.0.0.1": 1, "127.0.0.2": 2, "127.0.0.3": 1}
    assert read["upstreams"][0]["in_flight"] == 4
    samples = metrics(proxy)
    assert samples["weir_host_connections", ("host", "localhost")] == 4
    assert samples["weir_user_connections", ("user", "alice")] == 4
    assert samples["weir_class_connections", ("class", "near")] == 3
    assert {item.findtext("traffic/connections") for item in xml(proxy).iter("virtualhost") if item.find("traffic")} == {"4"}
    event.set()
    for client in clients:
        assert client.read_exactly(10) == b"first_last"
    read = settled(proxy, 4)
    for item, most in ((host(read, "localhost"), 4), (read["users"][0], 4), (read["classes"][0], 3)):
        assert (item["traffic"]["connections"], item["traffic"]["connections_most"]) == (0, most)
    assert all(client["connections"] == 0 for client in read["clients"])


def test_users_classes_and_clients(weir, apache):
    """Two hosts of one user, one of nobody; clients of a class and others; each number is the sum of what belongs to it."""
    hosts = "".join(
        f"<VirtualHost *>\nServerName {name}\n{owner}\n{LIMIT}\nProxyPass / {apache.url}\n</VirtualHost>\n"
        for name, owner in (("one.example", "CBandUser alice"), ("two.example", "CBandUser alice"), ("three.example", ""))
    )
    proxy = weir(OWNED + hosts)
    begin = int(time.time())
    asked = {}
    for number, name in enumerate(("one.example", "two.example", "three.example"), 1):
        for last in (1, 2, 3):
            for _ in range(number):
                answer = fetch_from(proxy, f"127.0.0.{last}", name, "/1k.txt")
                asked.setdefault((name, last), []).append(len(answer.raw_head) + len(answer.body))
    for number, name in enumerate(("one.example", "two.example", "three.example"), 1):
        settled(proxy, 3 * number, name)
    end = int(time.time()) + 1
    read = json(proxy)

    def told(item):
        return item["requests"], item["bytes_out"]

    def sum_of(condition):
        sizes = [size for (name, last), list_ in asked.items() if condition(name, last) for size in list_]
        return len(sizes), sum(sizes)

    for name in ("one.example", "two.example", "three.example"):
        assert told(same_everywhere(proxy, name)["traffic"]) == sum_of(lambda asked_name, _, name=name: asked_name == name)
    (user,) = read["users"]
    assert user["hosts"] == ["one.example", "two.example"]
    assert told(user["traffic"]) == sum_of(lambda name, _: name != "three.example")
    assert user["usages"]["total"] == user["traffic"]["bytes_out"]
    assert [host(read, name)["user"] for name in ("one.example", "two.example", "three.example")] == ["alice", "alice", None]
    (near,) = read["classes"]
    assert near["prefixes"] == ["127.0.0.2/32", "127.0.0.3/32"]
    assert told(near["traffic"]) == sum_of(lambda _, last: last != 1)
    (of_class,) = host(read, "two.example")["usages"]["classes"]
    assert of_class["total"] == sum_of(lambda name, last: last != 1 and name == "two.example")[1]
    clients = {(item["virtualhost"], int(item["address"][-1])): item for item in read["clients"]}
    assert set(clients) == set(asked)
    for (name, last), item in clients.items():
        assert told(item) == sum_of(lambda *key, own=(name, last): key == own)
        assert begin <= item["first_seen"] <= item["last_seen"] <= end
        assert item["quota_used"] == item["bytes_out"]
    assert read["clients"] == sorted(read["clients"], key=lambda item: -item["bytes_out"])
    samples = metrics(proxy)
    assert samples["weir_user_bytes_total", ("direction", "out"), ("user", "alice")] == user["traffic"]["bytes_out"]
    assert samples["weir_class_bytes_total", ("class", "near"), ("direction", "out")] == near["traffic"]["bytes_out"]
    assert not any("127.0.0" in value for key in samples for _, value in key[1:] if _ not in ("upstream",))


def test_clients_of_a_host_without_limits(weir, apache):
    proxy = weir(f"{STATUS}\nServerName localhost\nProxyPass / {apache.url}")
    begin = int(time.time())
    for _ in range(3):
        assert proxy.get("/1k.txt").status == 200
    (client,) = settled(proxy, 3)["clients"]
    assert client["requests"] == 3 and 0 < client["rps"] <= 0.3
    assert begin <= client["first_seen"] <= client["last_seen"] <= time.time() + 1


def fetch_from(proxy, source, name, target):
    with Connection(proxy.port, source=source) as client:
        return client.request(target, host=name)


def test_workers_sum_up(weir, origin):
    server = origin(response(b"x" * 1000))
    proxy = weir(f"{STATUS}\n{LIMIT}\nServerName localhost\nProxyPass / {server.url}", workers=4)
    sizes = []
    for _ in range(40):  # each on a connection of its own, which the kernel gives to any worker
        answer = fetch(proxy.port)
        sizes.append(len(answer.raw_head) + len(answer.body))
    read = settled(proxy, 40)
    assert read["server"]["workers"] == 4
    traffic = same_everywhere(proxy)["traffic"]
    assert (traffic["requests"], traffic["bytes_out"]) == (40, sum(sizes))
    assert read["server"]["counters"]["requests_total"] >= 40


# --- speeds ---


class Steady(threading.Thread):
    """A client that sends a request every so often, and knows how many bytes a second that was."""

    def __init__(self, port, every):
        super().__init__(daemon=True)
        self.port, self.every = port, every
        self.stopped = threading.Event()
        self.times, self.sizes = [], []

    def run(self):
        with Connection(self.port) as client:
            due = time.monotonic()
            while not self.stopped.is_set():
                answer = client.request()
                self.times.append(time.monotonic())
                self.sizes.append(len(answer.raw_head) + len(answer.body))
                due += self.every
                time.sleep(max(0, due - time.monotonic()))

    def over(self, seconds):
        """Requests and bytes a second in the last seconds."""
        since = time.monotonic() - seconds
        sizes = [size for at, size in zip(self.times, self.sizes) if at >= since]
        return len(sizes) / seconds, sum(sizes) / seconds


def test_speeds_under_steady_traffic(weir, origin):
    server = origin(response(b"x" * 5000))
    proxy = weir(f"{STATUS}\nMaxKeepAliveRequests 0\nServerName localhost\nProxyPass / {server.url}")
    client = Steady(proxy.port, 0.02)
    begin = time.monotonic()
    client.start()
    last_second = []
    while time.monotonic() < begin + 13:
        time.sleep(1)
        rates = host(json(proxy), "localhost")["traffic"]["rates"]
        last_second.append((rates["requests_per_second_1"], rates["bytes_per_second_1"]))
    read = json(proxy)
    requests, size = client.over(10)
    since_start = time.monotonic() - begin
    all_requests, all_bytes = client.over(since_start)
    client.stopped.set()
    client.join()
    told = host(read, "localhost")
    rates = told["traffic"]["rates"]
    assert rates["requests_per_second_10"] == pytest.approx(requests, rel=0.15)
    assert rates["bytes_per_second_10"] == pytest.approx(size, rel=0.15)
    assert rates["requests_per_second_60"] == pytest.approx(all_requests, rel=0.15)
    assert rates["bytes_per_second_60"] == pytest.approx(all_bytes, rel=0.15)
    assert statistics.median(item[0] for item in last_second[2:]) == pytest.approx(requests, rel=0.15)
    assert statistics.median(item[1] for item in last_second[2:]) == pytest.approx(size, rel=0.15)
    assert told["usages"]["rps"] == rates["requests_per_second_10"]
    assert told["usages"]["kbps"] == pytest.approx(rates["bytes_per_second_10"] * 8 / 1024)
    (seen,) = read["clients"]
    assert seen["rps"] == pytest.approx(requests, rel=0.25)
    assert seen["kbps"] == pytest.approx(size * 8 / 1024, rel=0.25)
    wait_for(lambda: host(json(proxy), "localhost")["usages"]["rps"] == 0, 15, "the speed to be 0", every=0.5)


# --- over reloads ---


def test_numbers_survive_a_reload(weir, origin):
    """Also those of a host that was taken out meanwhile."""
    server = origin(response(b"x" * 1000))

    def config(*names):
        hosts = "".join(f"<VirtualHost *>\nServerName {name}\n{LIMIT}\nProxyPass / {server.url}\n</VirtualHost>\n" for name in names)
        return f"{STATUS}\n{hosts}"

    proxy = weir(config("one.example", "two.example"))
    for name in ("one.example", "one.example", "two.example"):
        assert proxy.get(host=name).status == 200
    settled(proxy, 2, "one.example")
    before = {name: host(settled(proxy, count, name), name) for name, count in (("one.example", 2), ("two.example", 1))}
    proxy.reload(config("one.example", "three.example"), expect="configuration reloaded")
    read = json(proxy)
    assert [item["name"] for item in read["hosts"] if not item["main"]] == ["one.example", "three.example"]
    assert host(read, "one.example")["usages"] == {**before["one.example"]["usages"], "kbps": host(read, "one.example")["usages"]["kbps"], "rps": host(read, "one.example")["usages"]["rps"]}
    assert host(read, "three.example")["traffic"]["requests"] == 0
    assert proxy.get(host="one.example").status == 200
    assert proxy.get(host="three.example").status == 200
    settled(proxy, 3, "one.example")
    proxy.reload(config("two.example", "one.example"), expect="configuration reloaded")
    read = json(proxy)
    for name, count in (("one.example", 3), ("two.example", 1)):
        same_everywhere(proxy, name)
        assert host(read, name)["traffic"]["requests"] == count
        assert host(read, name)["usages"]["total"] == count * before["two.example"]["usages"]["total"]
    assert read["server"]["generation"] == 3


def test_server_tells_of_reloads(weir, origin):
    config = f"{STATUS}\nServerName localhost\nProxyPass / {origin().url}"
    proxy = weir(config)
    server = json(proxy)["server"]
    assert (server["generation"], server["last_reload"], server["pid"]) == (1, None, proxy.pid)
    proxy.reload(config + "\nTimeout nonsense", expect="(?i)reload.*(fail|error|kept|unchanged)|error: Timeout")
    server = wait_for(lambda: (read := json(proxy)["server"])["last_reload"] and read, 10)
    assert server["generation"] == 1
    assert server["last_reload"]["ok"] is False
    assert "Timeout" in server["last_reload"]["text"] and "nonsense" in server["last_reload"]["text"]
    samples = metrics(proxy)
    assert (samples[("weir_reloads_total",)], samples[("weir_reloads_failed_total",)]) == (1, 1)
    assert samples[("weir_last_reload_successful",)] == 0
    assert xml(proxy).findtext("Server/last_reload/ok") == "false"
    proxy.reload(config, expect="configuration reloaded")
    server = json(proxy)["server"]
    assert (server["generation"], server["last_reload"]["ok"], server["last_reload"]["text"]) == (3, True, "")  # the bad one had a number too
    assert abs(server["last_reload"]["at"] - time.time()) < 60 * SLOWNESS
    assert metrics(proxy)[("weir_last_reload_successful",)] == 1
    assert 0 <= server["uptime"] < 600 * SLOWNESS and server["started"] <= server["now"] <= time.time() + 1


# --- origins ---


def test_origins(weir, origin):
    def script(connection):
        while (request := connection.read_request()) is not None:
            if request.target == "/slow":
                time.sleep(0.3)
            if request.target == "/bad":
                connection.send(b"nonsense\r\n\r\n")
                return
            connection.answer()

    server = origin(script)
    proxy = weir(f"{STATUS}\nServerName localhost\nProxyPass / {server.url} retry=3", workers=1)
    for target in ["/"] * 5 + ["/slow"] * 2:
        assert proxy.get(target).status == 200
    (upstream,) = settled(proxy, 7)["upstreams"]
    assert (upstream["name"] + "/", upstream["usable"], upstream["balancer"]) == (server.url, True, None)
    assert (upstream["requests"], upstream["failures"], upstream["in_flight"]) == (7, 0, 0)
    assert upstream["connections"] == len(server.connections)
    slow = sum(bucket["count"] for bucket in upstream["first_byte"]["buckets"] if (bucket["at_most"] or 99) > 0.25)
    assert (upstream["first_byte"]["count"], slow) == (7, 2)
    assert 0.6 <= upstream["first_byte"]["sum"] < 10 * SLOWNESS
    assert proxy.get("/bad").status == 502
    (upstream,) = settled(proxy, 8)["upstreams"]
    assert (upstream["requests"], upstream["failures"]) == (8, 1)
    assert upstream["usable"] is True
    server.stop()
    assert proxy.get("/").status in (502, 503)
    upstream = wait_for(lambda: not (told := json(proxy)["upstreams"][0])["usable"] and told, 10)
    assert upstream["failures"] >= 2
    labels = (("balancer", ""), ("upstream", upstream["name"]))
    samples = metrics(proxy)
    assert samples["weir_upstream_up", *labels] == 0
    assert samples["weir_upstream_first_byte_seconds_count", *labels] == upstream["first_byte"]["count"]
    server.start()
    wait_for(lambda: json(proxy)["upstreams"][0]["usable"], 20, "the origin to be usable again")
    assert proxy.get("/").status == 200


def test_members_of_a_balancer(weir):
    servers = [Origin(), Origin()]
    try:
        members = "\n".join(f"BalancerMember {server.url.rstrip('/')}" for server in servers)
        proxy = weir(f"{STATUS}\nServerName localhost\n<Proxy balancer://both>\n{members}\n</Proxy>\nProxyPass / balancer://both/")
        for _ in range(10):
            assert proxy.get().status == 200
        upstreams = settled(proxy, 10)["upstreams"]
        assert {item["name"] + "/" for item in upstreams} == {server.url for server in servers}
        assert [item["requests"] for item in upstreams] == [len(server.requests) for server in servers]
        assert {item["balancer"] for item in upstreams} in ({"both"}, {"balancer://both"})
    finally:
        for server in servers:
            server.stop()
