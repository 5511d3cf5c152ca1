"""The control socket: what it answers, to whom, and what it refuses; by curl and by raw HTTP."""
# ctest: tsan
import csv
import io
import json
import os
import socket
import stat
import subprocess
import time

import pytest
from support import status as status_module
from support.client import Connection
from support.control import CONTROL, Control
from support.origin import response
from support.wait import wait_for

STATE = "StateFile state.db"
LIMITS = """<CBandUser alice>
CBandUserLimit 1G
</CBandUser>
<CBandClass local>
CBandClassDst 127/8
</CBandClass>
<VirtualHost *>
ServerName shop.example
CBandLimit 100M
CBandUser alice
ProxyPass / {url}
</VirtualHost>"""


@pytest.fixture(name="server")
def server_fixture(origin):
    def script(connection):
        while connection.read_request() is not None:
            connection.send(response(b"x" * 1000))

    return origin(script)


@pytest.fixture(name="proxy")
def proxy_fixture(weir, server):
    return weir(f"{CONTROL}\n{STATE}\n{LIMITS.format(url=server.url)}")


@pytest.fixture(name="control")
def control_fixture(proxy):
    return Control(proxy)


# --- who may ---


def test_only_the_owner_may_connect(proxy, control):
    found = os.stat(control.path)
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_uid == os.geteuid()
    if os.geteuid() == 0:
        script = f"import socket; socket.socket(socket.AF_UNIX).connect({control.path!r})"
        nobody = subprocess.run(
            ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", script],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "PermissionError" in nobody.stderr


def test_the_socket_is_gone_after_the_end(proxy, control):
    proxy.stop()
    assert not os.path.exists(control.path)


def test_control_answers_nowhere_else(proxy, control):
    """The paths of the control socket are nothing special on the ports of clients, nor the other way round."""
    assert proxy.get("/json", host="shop.example").body == b"x" * 1000
    assert control.get("/shop").status == 404


def test_it_answers_when_no_more_clients_are_let_in(weir, server):
    proxy = weir(f"{CONTROL}\nMaxConnections 3\nProxyPass / {server.url}")
    control = Control(proxy)
    clients = []

    def all_places_are_taken():
        """Who looked whether weir listens may hold one for a moment still."""
        for client in clients:
            client.close()
        clients[:] = [Connection(proxy.port) for _ in range(3)]
        return [client.request("/").status for client in clients] == [200] * 3

    wait_for(all_places_are_taken, 10, "three clients to have their places, which they keep")
    assert proxy.get("/").status == 503
    for _ in range(20):
        assert control.get("/metrics").status == 200
    for client in clients:
        client.close()


# --- documents ---


def test_the_list_names_everything(control):
    status, text = control.curl("/")
    assert status == 200
    for line in ("GET  /status", "GET  /xml", "GET  /json", "GET  /metrics", "GET  /usage", "GET  /blocks"):
        assert f"\n{line}\n" in text
    for line in ("POST /reset", "POST /reload", "POST /drain", "POST /log-level", "POST /block", "POST /unblock"):
        assert f"\n{line}\n" in text


def test_documents(proxy, control):
    proxy.get("/", host="shop.example")
    root = status_module.valid_xml(control.get("/xml").body)
    assert root.find("Virtualhosts/virtualhost/name") is not None
    assert control.get("/xml?classic").text.startswith('<?xml version="1.0" encoding="iso-8859-1"?>\n<mod_cband>\n')
    read = control.get("/json").json()
    assert "shop.example" in [host["name"] for host in read["hosts"]]
    samples = status_module.read_metrics(control.get("/metrics").body)
    assert samples["weir_host_requests_total", ("code", "2xx"), ("host", "shop.example")] == 1
    page = control.get("/status?refresh=5")
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Refresh"] == "5"
    assert control.get("/blocks").json() == {"blocks": []}
    assert control.ask("HEAD", "/json").status == 200


# --- usage ---


def usage(control, query=""):
    answer = control.get(f"/usage?format=json{query}")
    assert answer.status == 200, answer
    return {(row["kind"], row["name"]): row for row in answer.json()["rows"]}


def test_usage_is_of_this_moment(proxy, control):
    """No waiting: what was served before the question is in the answer, however short ago."""
    for count in range(1, 6):
        answer = proxy.get("/", host="shop.example")
        size = len(answer.raw_head) + 1000
        wait_for(lambda: control.get("/json").json()["server"]["traffic"]["requests"] == count)
        rows = usage(control)
        assert rows["host", "shop.example"]["requests"] == count
        assert rows["host", "shop.example"]["bytes_out"] == size * count
        assert rows["user", "alice"]["bytes_out"] == size * count
        assert rows["class", "local"]["bytes_out"] == size * count
        assert ("host", "_default_") not in rows


def test_usage_formats_and_filters(proxy, control):
    proxy.get("/", host="shop.example")
    wait_for(lambda: ("user", "alice") in usage(control))
    assert set(usage(control, "&kind=user")) == {("user", "alice")}
    assert set(usage(control, "&host=shop.example")) == {("host", "shop.example")}
    assert usage(control, "&host=other.example") == {}
    assert usage(control, "&month=2001-01") == {}
    assert usage(control, "&from=2001-01-01&to=2001-12-31") == {}
    assert set(usage(control, "&from=2001-01&class=local")) == {("class", "local")}
    month = time.strftime("%Y-%m")
    read = control.get(f"/usage?format=json&month={month}").json()
    assert time.strftime("%Y-%m-%d %H:%M", time.localtime(read["from"])) == f"{month}-01 00:00"
    rows = list(csv.DictReader(io.StringIO(control.get("/usage?format=csv&by=day").text)))
    assert {row["name"] for row in rows} == {"shop.example", "alice", "local"}
    assert rows[0]["begin"].startswith(time.strftime("%Y-%m-%dT00:00:00"))
    table = control.get("/usage").text
    assert table.splitlines()[2].split() == ["kind", "name", "sent", "received", "requests"]


def test_usage_survives_a_restart(weir, server, proxy, control):
    proxy.get("/", host="shop.example")
    wait_for(lambda: ("host", "shop.example") in usage(control))
    before = usage(control)
    proxy.stop()
    again = weir(f"{CONTROL}\n{STATE}\n{LIMITS.format(url=server.url)}")
    assert usage(Control(again)) == before


def test_usage_without_a_state_file(weir, server):
    control = Control(weir(f"{CONTROL}\nProxyPass / {server.url}"))
    answer = control.get("/usage")
    assert answer.status == 409
    assert "StateFile" in answer.text


# --- commands ---


def used(control, name):
    return {host["name"]: host["usages"]["total"] for host in control.get("/json").json()["hosts"]}[name]


def test_reset(proxy, control):
    proxy.get("/", host="shop.example")
    wait_for(lambda: used(control, "shop.example") > 1000)
    assert control.get("/reset?host=shop.example").status == 405
    assert used(control, "shop.example") > 1000
    assert control.curl("/reset", "-d", "user=alice") == (200, "usage of 1 user was reset\n")
    assert used(control, "shop.example") > 1000
    assert control.curl("/reset?host=shop.example", "-X", "POST") == (200, "usage of 1 host was reset\n")
    assert used(control, "shop.example") == 0
    assert control.get("/json").json()["users"][0]["usages"]["total"] == 0
    assert control.post("/reset?host=none.example").status == 404
    assert control.post("/reset").status == 400
    assert control.post("/reset?host=all&user=all").status == 400
    assert control.post("/reset?host=all").status == 200


def test_reload_tells_how_it_went(proxy, control, server):
    config = f"{CONTROL}\n{STATE}\n{LIMITS.format(url=server.url)}"
    status, text = control.curl("/reload", "-X", "POST")
    assert (status, "generation 2" in text) == (200, True)
    proxy.write_config(config + "\nKeepAliveTimeout soon\nNoSuchThing 1\n")
    status, text = control.curl("/reload", "-X", "POST")
    assert status == 409
    assert "KeepAliveTimeout" in text and "NoSuchThing" in text and "proxy.conf:" in text
    assert proxy.get("/", host="shop.example").status == 200
    assert control.get("/json").json()["server"]["last_reload"]["ok"] is False
    proxy.write_config(config)
    assert control.post("/reload").status == 200
    assert control.get("/json").json()["server"]["last_reload"]["ok"] is True


def test_reload_tells_the_warnings(proxy, control, server):
    config = f"{CONTROL}\n{STATE}\n{LIMITS.format(url=server.url)}"
    assert "warning" not in control.curl("/reload", "-X", "POST")[1]
    proxy.write_config(f"{config}\nMaxClients 10\nCBandSpeed 100M 0 0\nWorkers 7\nDOSMaxClients 5000\n")
    status, text = control.curl("/reload", "-X", "POST")
    assert (status, text.splitlines()[0][:24]) == (200, "configuration reloaded: ")
    assert "warning: MaxClients: has no effect" in text and "warning: CBandSpeed:" in text and "    MaxClients 10\n" in text
    assert "warning: Workers: still " in text and "warning: DOSMaxClients:" in text
    for said in ("warning: MaxClients", r"\[warn\].*Workers: still", r"\[warn\].*DOSMaxClients"):
        proxy.wait_for_log(said)
    assert control.get("/json").json()["server"]["last_reload"]["text"] == "", "it went well"


def test_the_log_says_who_asked_for_a_reload(proxy, control, server):
    config = f"{CONTROL}\n{STATE}\n{LIMITS.format(url=server.url)}"
    proxy.write_config(config + "\nNoSuchThing 1\n")
    assert control.post("/reload").status == 409
    proxy.wait_for_log(r"\[error\].* control socket: .*proxy.conf has errors; the old configuration holds on")
    assert "HUP" not in proxy.log()
    proxy.reload(expect="HUP: .*proxy.conf has errors; the old configuration holds on")


def test_a_reload_may_move_or_remove_the_socket(proxy, control, server):
    proxy.write_config(f"ControlSocket moved.sock\n{STATE}\n{LIMITS.format(url=server.url)}")
    assert control.post("/reload").status == 200
    moved = Control(proxy, "moved.sock")
    assert moved.get("/json").status == 200
    wait_for(lambda: not os.path.exists(control.path))
    proxy.write_config(f"{STATE}\n{LIMITS.format(url=server.url)}")
    assert moved.post("/reload").status == 200
    wait_for(lambda: not os.path.exists(moved.path))


def test_log_level(proxy, control):
    assert control.post("/log-level?level=debug").status == 200
    proxy.wait_for_log(r"log level debug, it was notice")
    assert "it was debug" in control.post("/log-level", body="level=warn").text
    answer = control.post("/log-level?level=loud")
    assert answer.status == 400
    assert "write emerg" in answer.text


def test_drain(proxy, control):
    with Connection(proxy.port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n")
        wait_for(lambda: control.get("/json").json()["server"]["counters"]["client_connections"] >= 1)
        assert control.curl("/drain", "-X", "POST")[0] == 200
        proxy.wait_for_log("told to drain")
        client.send(b"\r\n")
        assert client.read_response().status == 200
    assert proxy.wait() == 0


# --- blocks ---


@pytest.fixture(name="guarded")
def guarded_fixture(weir, server):
    return weir(f"{CONTROL}\n{STATE}\nDOSEnabled On\nDOSPageCount 1000\nDOSSiteCount 1000\nProxyPass / {server.url}")


def addresses(control):
    return [block["address"] for block in control.get("/blocks").json()["blocks"]]


def test_block_and_unblock(guarded):
    control = Control(guarded)
    before = len(guarded.get("/").body)
    assert before == 1000
    status, text = control.curl("/block?address=127.0.0.1&seconds=100", "-X", "POST")
    assert (status, text.startswith("127.0.0.1/32 is blocked for 100 seconds")) == (200, True)
    assert guarded.get("/").status == 403
    (block,) = control.get("/blocks").json()["blocks"]
    assert (block["address"], block["reason"], block["virtualhost"]) == ("127.0.0.1", "by-hand", None)
    assert 0 < block["seconds_left"] <= 100
    assert block["refused"] == 1
    assert [found["address"] for found in control.get("/json").json()["blocks"]] == ["127.0.0.1"]
    assert status_module.read_metrics(control.get("/metrics").body)["weir_blocks",] == 1
    assert control.curl("/unblock", "-d", "address=127.0.0.1") == (200, "1 block ended\n")
    assert addresses(control) == []
    assert guarded.get("/").status == 200
    assert control.post("/unblock?address=127.0.0.1").status == 404


def test_prefixes_and_all(guarded):
    control = Control(guarded)
    for address in ("192.0.2.0/24", "2001:db8::/32", "2001:db8:1::7", "198.51.100.9"):
        assert control.post("/block", body=f"address={address}").status == 200
    assert sorted(addresses(control)) == ["192.0.2.0/24", "198.51.100.9", "2001:db8:1::/64", "2001:db8::/32"]
    assert control.post("/unblock?address=192.0.2.0/24").status == 200
    assert "3 blocks ended" in control.post("/unblock?address=all").text
    assert control.post("/unblock?address=all").status == 200


@pytest.mark.parametrize(
    "query, hint",
    [
        ("", "write address="),
        ("?address=example.org", "no address"),
        ("?address=0.0.0.0/0", "everybody"),
        ("?address=::/0", "everybody"),
        ("?address=192.0.2.7&seconds=0", "seconds=N"),
        ("?address=192.0.2.7&seconds=-1", "seconds=N"),
        ("?address=192.0.2.7&seconds=1e3", "seconds=N"),
        ("?address=192.0.2.7&seconds=99999999999", "seconds=N"),
        ("?address=192.0.2.7%0a", "no address"),
    ],
)
def test_blocks_that_are_refused(guarded, query, hint):
    control = Control(guarded)
    answer = control.post("/block" + query)
    assert (answer.status, hint in answer.text) == (400, True), answer
    assert addresses(control) == []


def test_a_block_that_nobody_would_mind_is_refused(proxy, control):
    answer = control.post("/block?address=192.0.2.7")
    assert answer.status == 409
    assert "DOSEnabled" in answer.text


# --- what is wrong ---


@pytest.mark.parametrize(
    "method, target, status, hint",
    [
        ("GET", "/jsn", 404, "did you mean /json?"),
        ("GET", "/../json", 404, "GET / lists"),
        ("GET", "//json", 404, "GET / lists"),
        ("POST", "/json", 405, "only looked at"),
        ("GET", "/reload", 405, "POST"),
        ("DELETE", "/blocks", 405, "GET"),
        ("GET", "/usage?mont=2026-10", 400, 'takes no "mont"'),
        ("GET", "/usage?month=2026-13", 400, "is no time"),
        ("GET", "/usage?month=2026-10-01", 400, "a month is written"),
        ("GET", "/usage?month=2026-10&from=2026-01", 400, "not both"),
        ("GET", "/usage?from=2026-10&to=2026-01", 400, "after"),
        ("GET", "/usage?by=week", 400, "by=day"),
        ("GET", "/usage?format=pdf", 400, "format=csv"),
        ("GET", "/usage?kind=planet", 400, "kind=host"),
        ("GET", "/usage?host=a&user=b", 400, "one of"),
        ("GET", "/usage?host=a&host=b", 400, "twice"),
        ("GET", "/usage?host=a%00b", 400, "zero byte"),
        ("GET", "/usage?host=" + "a" * 2000, 400, "longer"),
        ("GET", "/usage?host=%27%3B%20DROP%20TABLE%20usage_history%3B--", 200, "Nothing"),
        ("GET", "/json?x", 400, "nothing"),
        ("POST", "/reset?host=" + "%25n" * 100, 404, "there is no host"),
        ("POST", "/log-level", 400, "no log level"),
    ],
)
def test_what_is_wrong_is_said(control, method, target, status, hint):
    answer = control.ask(method, target)
    assert answer.status == status, answer
    assert hint in answer.text
    assert control.get("/json").status == 200


def test_a_browser_may_not_be_sent_here(control):
    answer = control.post("/drain", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403
    assert control.get("/json").status == 200


def test_garbage_and_a_long_form(proxy, control):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(control.path)
        client.sendall(b"\x00\xff garbage\r\n\r\n")
        assert b" 400 " in client.recv(4096)
    assert control.post("/reset", body="host=" + "x" * 100000).status == 413
    with socket.socket(socket.AF_UNIX) as client:  # goes before the answer is there
        client.connect(control.path)
        client.sendall(b"POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    proxy.wait_for_log("configuration reloaded")
    assert control.get("/json").status == 200


def test_many_questions_at_once(proxy, control):
    """Beyond a bound they are told to come again; none is left without an answer."""
    clients = []
    for _ in range(100):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(60)
        client.connect(control.path)
        client.sendall(b"GET /json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        clients.append(client)
    statuses = []
    for client in clients:
        data = b""
        while part := client.recv(262144):
            data += part
        client.close()
        head, _, body = data.partition(b"\r\n\r\n")
        statuses.append(head.split()[1])
        if statuses[-1] == b"200":
            json.loads(body)
    assert set(statuses) <= {b"200", b"503"}
    assert statuses.count(b"200") >= 10
    assert control.get("/json").status == 200
