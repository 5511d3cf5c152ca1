"""Who may look at the status documents, what each query gives, and that nobody sees what is not theirs."""
# ctest: waits
# ctest: tsan
import re
import socket
import subprocess
import time

import pytest
from support.client import Connection, fetch, format_request
from support.origin import response
from support.status import STATUS, classic, host, json, leading_number, settled, valid_xml, xml
from support.wait import SLOWNESS, free_port

TARGETS = ["/cband-status", "/cband-status?xml", "/cband-status?json", "/cband-status-me", "/weir-metrics"]
ME = "<Location /cband-status-me>\nSetHandler cband-status-me\n</Location>"


def status_locations(*rules):
    text = "\n".join(rules)
    return "\n".join(
        f"<Location /{name}>\nSetHandler {name}\n{text}\n</Location>" for name in ("cband-status", "cband-status-me", "weir-metrics")
    )


def own_address():
    """An address of this machine that is not loopback; None when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.200", 9))  # sends nothing
            address = probe.getsockname()[0]
        except OSError:
            return None
    return None if address.startswith("127.") else address


@pytest.fixture(name="server")
def server_fixture(origin):
    return origin(response(b"x" * 1000))


# --- who may look ---


def test_without_a_rule_loopback_alone(weir, server):
    """Forwarded addresses do not open it, neither from loopback nor, above all, from elsewhere."""
    proxy = weir(
        f"RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n{status_locations()}\nProxyPass / {server.url}"
    )
    for target in TARGETS:
        assert proxy.get(target).status == 200
        assert proxy.get(target, headers={"X-Forwarded-For": "203.0.113.7"}).status == 403
        assert proxy.get(target, headers={"X-Forwarded-For": "127.0.0.1, 203.0.113.7"}).status == 403
        assert proxy.get(target, method="POST", headers={"X-Forwarded-For": "203.0.113.7"}, body=b"reset=all").status == 403
    assert not server.requests


@pytest.mark.parametrize("trust", ["", "RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy {address}"])
def test_another_machine_stays_outside(weir, server, trust):
    """Also one that is a trusted proxy, and says that its client was 127.0.0.1: that is its loopback, not ours."""
    address = own_address()
    if address is None:
        pytest.skip("this machine has loopback addresses only")
    port = free_port()
    proxy = weir(f"Listen {address}:{port}\n{trust.format(address=address)}\n{status_locations()}\nProxyPass / {server.url}")
    for target in TARGETS:
        for headers in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": "::1"}, {"Host": "127.0.0.1"}):
            with Connection(port, host=address) as client:
                pairs = [(name, value) for name, value in headers.items() if name != "Host"]
                assert client.request(target, host=headers.get("Host", "localhost"), headers=pairs).status == 403
    with Connection(port, host=address) as client:
        assert client.request("/").status == 200
    assert proxy.running()


RULES = [
    (["Require ip 127.0.0.1"], 200, 403),
    (["Require ip 203.0.113.0/24"], 403, 200),
    (["Require local"], 200, 403),
    (["Require all granted"], 200, 200),
    (["Require all denied"], 403, 403),
    (["Order deny,allow", "Deny from all", "Allow from 203.0.113.7"], 403, 200),
    (["Order deny,allow", "Deny from all", "Allow from 127.0.0.1"], 200, 403),
    (["Order allow,deny", "Allow from all"], 200, 200),
    (["Order allow,deny", "Allow from all", "Deny from 203.0.113"], 200, 403),
]


@pytest.mark.parametrize("rules, near, far", RULES)
def test_rules(weir, server, rules, near, far):
    proxy = weir(
        f"RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n{status_locations(*rules)}\nProxyPass / {server.url}"
    )
    for target in TARGETS:
        assert proxy.get(target).status == near
        assert proxy.get(target, headers={"X-Forwarded-For": "203.0.113.7"}).status == far


def test_reachable_when_the_host_is_at_its_limits(weir, origin):
    """Status pages cost no quota, wait for no turn and take no place."""
    held = origin(lambda connection: (connection.read_request(), connection.wait_closed()))
    server = origin(response(b"x" * 5000))
    proxy = weir(
        f"{STATUS}\n{ME}\nServerName localhost\nCBandLimit 3000B\nCBandPeriod 1D\nCBandSpeed 10 1 1\n"
        f"ProxyPass /held {held.url}\nProxyPass / {server.url}"
    )
    with Connection(proxy.port) as client:
        client.send(format_request("/held"))
        held.wait_for_requests(1)
        assert proxy.get().status == 503  # max_conn
        begin = time.monotonic()
        for _ in range(3):
            for target in TARGETS:
                assert proxy.get(target).status == 200
        assert time.monotonic() - begin < 5 * SLOWNESS  # 15 of them at one a second would take longer
        client.reset()
    used = host(settled(proxy, 2), "localhost")["usages"]["total"]
    assert used == 0
    proxy.reload(
        f"{STATUS}\n{ME}\nServerName localhost\nCBandLimit 3000B\nCBandPeriod 1D\nProxyPass / {server.url}",
        expect="configuration reloaded",
    )
    assert proxy.get().status == 200
    assert proxy.get().status == 503  # the quota
    used = host(settled(proxy, 4), "localhost")["usages"]["total"]
    for target in TARGETS:
        assert proxy.get(target).status == 200
    assert host(json(proxy), "localhost")["usages"]["total"] == used


# --- what each query gives ---

KINDS = {
    "": "text/html",
    "?xml": "text/xml",
    "?XML": "text/xml",
    "?xml=": "text/xml",
    "?xml&refresh=3": "text/xml",
    "?refresh=3&Xml": "text/xml",
    "?xml=classic": "text/xml",
    "?XML=Classic": "text/xml",
    "?json": "application/json",
    "?JSON=1": "application/json",
    "?refresh=5": "text/html",
    "?unit=G": "text/html",
    "?unknown": "text/html",
    "?&&&=&==&%": "text/html",
    "?unit=%00%ff%fe&sort=../../etc&filter=%3Cscript%3E&page=-1": "text/html",
    "?xm%6c": "text/html",
    "?" + "x" * 4000: "text/html",
    "?sort=" + "%41" * 1300: "text/html",
}


@pytest.mark.parametrize("query", KINDS, ids=lambda query: query[:20] or "none")
@pytest.mark.parametrize("handler", ["cband-status", "cband-status-me"])
def test_queries(weir, server, handler, query):
    proxy = weir(f"{status_locations()}\nServerName localhost\nProxyPass / {server.url}")
    answer = proxy.get(f"/{handler}{query}")
    assert answer.status == 200
    assert answer.header("Content-Type").split(";")[0] == KINDS[query]
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    if KINDS[query] == "text/html":
        policy = answer.header("Content-Security-Policy")
        assert "default-src 'none'" in policy and "frame-ancestors" in policy, policy
        assert "unsafe-inline" not in re.sub(r"style-src[^;]*", "", policy)
        assert b"<script>alert" not in answer.body and b"<!DOCTYPE html>" in answer.body[:20]
    elif "lassic" in query:
        assert answer.body.startswith(b'<?xml version="1.0" encoding="iso-8859-1"?>\n<mod_cband>')
    elif KINDS[query] == "text/xml":
        valid_xml(answer.body)
    head = proxy.get(f"/{handler}{query}", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.header("Content-Type") == answer.header("Content-Type")
    assert abs(int(head.header("Content-Length")) - len(answer.body)) < 2000


@pytest.mark.parametrize(
    "query, seconds",
    [("refresh=7", "7"), ("refresh", "15"), ("refresh=", "15"), ("refresh=-3", "15"), ("refresh=x", "15"), ("refresh=9999999999", "15"), ("unit=M", None)],
)
def test_refresh(weir, server, query, seconds):
    proxy = weir(f"{STATUS}\nProxyPass / {server.url}")
    assert proxy.get(f"/cband-status?{query}").header("Refresh") == seconds


def test_units(weir, server):
    proxy = weir(f"{STATUS}\nServerName localhost\nCBandLimit 300M\nCBandPeriod 1D\nProxyPass / {server.url}")
    pages = {unit: proxy.get(f"/cband-status?unit={unit}").body for unit in "KMG"}
    assert len(set(pages.values())) == 3


@pytest.mark.parametrize("setting, root", [("", "weir"), ("CBandStatusXML weir", "weir"), ("CBandStatusXML classic", "mod_cband")])
def test_plain_xml_is_as_configured(weir, server, setting, root):
    proxy = weir(f"{setting}\n{STATUS}\nServerName localhost\nProxyPass / {server.url}")
    assert f"<{root}>".encode() in proxy.get("/cband-status?xml").body
    assert b"<mod_cband>" in proxy.get("/cband-status?xml=classic").body
    xml(proxy, "/cband-status?xml=weir")


# --- readers of mod_cband's XML ---


def scraped(text, name):
    """What a scraper found in the wild reads: the element of that name, wherever it is, and the integers that its limits
    and usages begin with; totals times 1024."""
    element = re.search(rf"<{re.escape(name)}>(.*?)</{re.escape(name)}>", text, re.DOTALL).group(1)
    limits = re.search("<limits>(.*?)</limits>", element, re.DOTALL).group(1)
    usages = re.search("<usages>(.*?)</usages>", element, re.DOTALL).group(1)

    def number(part, tag):
        return leading_number(re.search(f"<{tag}>(.*?)</{tag}>", part).group(1))

    return {"limit": number(limits, "total") * 1024, "kbps": number(limits, "kbps"), "used": number(usages, "total") * 1024}


def test_a_scraper_of_mod_cband_gets_the_right_numbers(weir, server):
    names = ["shop.example.net", "www.example.org"]
    hosts = "".join(
        f"<VirtualHost *>\nServerName {name}\nCBandUser alice\nCBandLimit {number}Gi\nCBandPeriod 4W\nCBandSpeed {number}Mbps 10 30\n"
        f"ProxyPass / {server.url}\n</VirtualHost>\n"
        for number, name in enumerate(names, 1)
    )
    proxy = weir(f"{STATUS}\n<CBandUser alice>\nCBandUserLimit 9Gi\nCBandUserPeriod 4W\n</CBandUser>\n{hosts}")
    total = 0
    for number, name in enumerate(names, 1):
        sizes = []
        for _ in range(5 * number):
            answer = proxy.get(host=name)
            sizes.append(len(answer.raw_head) + len(answer.body))
        settled(proxy, 5 * number, name)
        told = scraped(proxy.get("/cband-status?xml=classic").body.decode("iso-8859-1"), name)
        assert told == {"limit": number << 30, "kbps": number * 1024, "used": sum(sizes) // 1024 * 1024}
        total += sum(sizes)
    told = scraped(proxy.get("/cband-status?xml=classic").body.decode("iso-8859-1"), "alice")
    assert told == {"limit": 9 << 30, "kbps": 0, "used": total // 1024 * 1024}
    root = classic(proxy)
    children = [element.tag for element in root.find("Virtualhosts/shop.example.net")]
    assert children == ["port", "line", "limits", "usages", "time_to_refresh", "user", "scoreboard", "limit_exceeded_URL"]
    assert [element.tag for element in root.find("Users/alice")] == ["limits", "usages", "time_to_refresh", "limit_exceeded_URL", "scoreboard"]
    assert re.fullmatch(r"3W 6D 23:\d\d:\d\d|4W 0D 00:00:00", root.findtext("Virtualhosts/shop.example.net/time_to_refresh"))


def test_names_that_are_no_xml_names(weir, server):
    names = ["1und1.example", "a_b.example", "xn--mnchen-3ya.example"]
    hosts = "".join(f"<VirtualHost *>\nServerName {name}\nProxyPass / {server.url}\n</VirtualHost>\n" for name in names)
    proxy = weir(f"{STATUS}\n{hosts}")
    tags = [element.tag for element in classic(proxy).find("Virtualhosts")]
    assert "_1und1.example" in tags and "a_b.example" in tags
    assert {element.text for element in xml(proxy).iter("name")} >= set(names)


# --- metrics ---


def test_promtool_accepts_a_live_scrape(weir, server):
    proxy = weir(
        f"{STATUS}\n<CBandUser alice>\nCBandUserLimit 1G\nCBandUserPeriod 1D\n</CBandUser>\n"
        f"<CBandClass near>\nCBandClassDst 127.0.0.0/8\n</CBandClass>\n"
        f"<VirtualHost *>\nServerName localhost\nCBandUser alice\nCBandLimit 2500B\nCBandPeriod 1D\nProxyPass / {server.url}\n</VirtualHost>\n",
        workers=1,  # of two, the next request may overtake the count of the one before
    )
    assert [proxy.get().status for _ in range(4)] == [200, 200, 200, 503]
    settled(proxy, 4)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=proxy.get("/weir-metrics").body, capture_output=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


# --- cband-status-me ---

PRIVATE = ["secret.example", "bob", "127.0.0.9", "hidden-class", "10.77.0.0", "127.0.0.8"]


def test_me_shows_what_is_mine_and_nothing_else(weir, server, origin):
    """No name, address, class prefix, origin or sum of anybody else is anywhere in any of the documents."""
    other = origin(response(b"y" * 1234))

    def vhost(name, url, owner=""):
        return f"<VirtualHost *>\nServerName {name}\n{owner}\nCBandLimit 1G\nCBandPeriod 1D\nProxyPass / {url}\n</VirtualHost>\n"

    proxy = weir(
        f"{STATUS}\n{ME}\n<CBandUser alice>\nCBandUserLimit 1G\nCBandUserPeriod 1D\n</CBandUser>\n"
        "<CBandUser bob>\nCBandUserLimit 1G\nCBandUserPeriod 1D\n</CBandUser>\n"
        + vhost("one.example", server.url, "CBandUser alice")
        + vhost("two.example", server.url, "CBandUser alice")
        + vhost("secret.example", other.url, "CBandUser bob")
        + vhost("single.example", server.url)
    )
    for source, name in (("127.0.0.2", "one.example"), ("127.0.0.3", "two.example"), ("127.0.0.4", "single.example")):
        with Connection(proxy.port, source=source) as client:
            assert client.request(host=name).status == 200
    for source in ("127.0.0.8", "127.0.0.9"):
        with Connection(proxy.port, source=source) as client:
            assert client.request(host="secret.example").status == 200
    settled(proxy, 2, "secret.example")
    private = [*PRIVATE, f":{other.port}", f":{server.port}"]
    for name, hosts, users, clients in (
        ("one.example", {"one.example", "two.example"}, {"alice"}, {"127.0.0.2", "127.0.0.3"}),
        ("single.example", {"single.example"}, set(), {"127.0.0.4"}),
    ):
        read = json(proxy, "/cband-status-me?json", host=name)
        assert {item["name"] for item in read["hosts"]} == hosts
        assert {item["name"] for item in read["users"]} == users
        assert {item["address"] for item in read["clients"]} == clients
        assert read["classes"] == read["upstreams"] == read["blocks"] == []
        assert set(read["server"]) == {"uptime", "now", "version"}
        xml(proxy, "/cband-status-me?xml", host=name)
        classic(proxy, "/cband-status-me?xml=classic", host=name)
        for query in ("", "?xml", "?xml=classic", "?json", "?filter=secret", "?sort=name", "?page=2", "?reset=all"):
            answer = fetch(proxy.port, f"/cband-status-me{query}", host=name)
            assert answer.status == 200
            for word in [*private, *({"one.example", "alice", "127.0.0.2"} if name == "single.example" else {"single.example"})]:
                assert word.encode() not in answer.body, (query, word)
    read = json(proxy, "/cband-status?json", host="one.example")
    assert host(read, "secret.example")["traffic"]["requests"] == 2


def test_me_tells_hosts_of_one_name_apart(weir, server):
    """Two ports, one name: two customers, perhaps."""
    second = free_port()
    first = free_port()
    vhosts = "".join(
        f"<VirtualHost *:{port}>\nServerName same.example\nProxyPass / {server.url}\n</VirtualHost>\n" for port in (first, second)
    )
    weir(f"Listen 127.0.0.1:{first}\nListen 127.0.0.1:{second}\n{ME}\n{STATUS}\n{vhosts}")
    for port, source in ((first, "127.0.0.2"), (second, "127.0.0.3")):
        with Connection(port, source=source) as client:
            assert client.request(host="same.example").status == 200
    for port, source in ((first, "127.0.0.2"), (second, "127.0.0.3")):
        text = fetch(port, "/cband-status-me?json", host="same.example").body.decode()
        assert re.findall(r'"address":"([^"]*)"', text) == [source]


def test_me_cannot_reset(weir, server):
    proxy = weir(f"{STATUS}\n{ME}\nServerName localhost\nCBandLimit 1G\nCBandPeriod 1D\nProxyPass / {server.url}")
    assert proxy.get().status == 200
    settled(proxy, 1)
    answer = proxy.get("/cband-status-me?reset=all", method="POST", body=b"reset=all")
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")
    assert b'method="post"' not in proxy.get("/cband-status-me").body
    assert b'method="post"' in proxy.get("/cband-status").body
    assert host(json(proxy), "localhost")["usages"]["total"] > 1000
