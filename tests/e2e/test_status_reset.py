"""Resets: by POST alone, by whom, of what; and forms that are hostile."""
import time

import pytest
from support.client import Connection, format_request
from support.origin import response
from support.status import STATUS, host, json, settled
from support.wait import free_port, wait_for

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
QUOTA = "CBandLimit 1500B\nCBandPeriod 1D"
USER = "<CBandUser {name}>\nCBandUserLimit 1G\nCBandUserPeriod 1D\n</CBandUser>\n"


@pytest.fixture(name="proxy")
def proxy_fixture(weir, origin):
    """Two hosts of alice, one of bob, all over their quota; alice's and bob's usage is what was sent."""
    server = origin(response(b"x" * 2000))
    vhosts = "".join(
        f"<VirtualHost *>\nServerName {name}\nCBandUser {user}\n{QUOTA}\nProxyPass / {server.url}\n</VirtualHost>\n"
        for name, user in (("one.example", "alice"), ("two.example", "alice"), ("three.example", "bob"))
    )
    proxy = weir(f"{STATUS}\n{USER.format(name='alice')}{USER.format(name='bob')}{vhosts}", workers=1)
    for name in ("one.example", "two.example", "three.example"):
        assert [proxy.get(host=name).status for _ in range(2)] == [200, 503]
        settled(proxy, 2, name)
    return proxy


def used(proxy):
    read = json(proxy)
    items = [item for item in read["hosts"] if not item["main"]] + read["users"]
    return [item["name"] for item in items if item["usages"]["total"] > 0]


ALL = ["one.example", "two.example", "three.example", "alice", "bob"]


def post(proxy, query="", body=None, headers=(), **options):
    return proxy.get(f"/cband-status{query}", method="POST", body=body, headers={**FORM, **dict(headers)}, **options)


@pytest.mark.parametrize("where", ["query", "body", "both"])
@pytest.mark.parametrize(
    "parameters, left",
    [
        ("reset=one.example", ["two.example", "three.example", "alice", "bob"]),
        ("reset=ONE.Example", ["two.example", "three.example", "alice", "bob"]),
        ("reset=two%2eexample%3A0%3ALINE", ["one.example", "three.example", "alice", "bob"]),
        ("reset=all", ["alice", "bob"]),
        ("reset_user=alice", ["one.example", "two.example", "three.example", "bob"]),
        ("reset_user=all", ["one.example", "two.example", "three.example"]),
    ],
)
def test_reset(proxy, parameters, left, where):
    line = host(json(proxy), "two.example")["line"]
    parameters = parameters.replace("LINE", str(line))
    query, body = ("" if where == "body" else f"?{parameters}"), (None if where == "query" else parameters.encode())
    before = host(json(proxy), "one.example")
    answer = post(proxy, query, body)
    assert (answer.status, answer.header("Location")) == (303, "/cband-status")
    assert answer.header("Cache-Control") == "no-store"
    assert used(proxy) == left
    after = host(json(proxy), "one.example")
    assert after["traffic"]["bytes_out"] == before["traffic"]["bytes_out"]  # what was counted stays counted
    if "one.example" not in left:
        assert after["limit_exceeded"] is False
        assert after["period"]["begin"] is None or after["period"]["begin"] >= before["period"]["begin"]
    for name in ("one.example", "two.example", "three.example"):
        assert proxy.get(host=name).status == (503 if name in left else 200)
    proxy.wait_for_log("was reset on the status page")


def test_the_page_comes_back_as_it_was(proxy):
    answer = post(proxy, "?refresh=9", b"reset=all&unit=M&sort=kbps")
    assert answer.header("Location") == "/cband-status?refresh=9&unit=M&sort=kbps"
    answer = post(proxy, "?refresh=9%0d%0aSet-Cookie:x&sort=%22%3E%3Cscript%3E", b"reset=all&unit=http://a.example/")
    assert answer.header("Location") == "/cband-status"
    assert answer.header("Set-Cookie") is None


def test_a_client_that_waits_for_100_continue_is_told_to_send(proxy):
    with proxy.connect() as client:
        client.send("POST /cband-status HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        assert client.read_head().status == 100
        client.send(b"reset=all", piece=1)
        assert client.read_response().status == 303


@pytest.mark.parametrize("query", ["reset=all", "reset=one.example", "RESET=all", "reset_user=alice", "xml&reset=all", "reset", "r%65set=all"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_look_changes_nothing(proxy, query, method):
    answer = proxy.get(f"/cband-status?{query}", method=method)
    if "%" in query:
        assert answer.status == 200
    else:
        assert (answer.status, answer.header("Allow")) == (405, "POST")
        assert method == "HEAD" or b"POST" in answer.body
    assert used(proxy) == ALL


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "https://{host}"}, 403),
        ({"Origin": "http://{host}.evil.example"}, 403),
        ({"Origin": "http://{host}"}, 303),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({}, 303),
    ],
)
def test_pages_of_other_sites(proxy, headers, status):
    own = f"one.example:{proxy.port}"
    answer = post(proxy, "", b"reset=all", {name: value.replace("{host}", own) for name, value in headers.items()}, host=own)
    assert answer.status == status
    assert used(proxy) == (["alice", "bob"] if status == 303 else ALL)


@pytest.mark.parametrize(
    "parameters, status",
    [
        ("reset=nobody", 404),
        ("reset=", 404),
        ("reset_user=nobody", 404),
        ("reset=one.example:0:9999", 404),
        ("reset=one.example:1:", 404),
        ("reset=one", 404),
        ("reset=" + "n" * 600, 404),
        ("reset=" + "%6e" * 600, 404),
        ("reset_user=" + "n" * 600, 404),
        ("reset=%00all", 400),
        ("reset=all%00", 400),
        ("reset=%", 404),
        ("reset=%zz%1", 404),
        ("reset=%ff%fe%c0%80", 404),
        ("reset=%27%22%3E%3Cscript%3E%0d%0aX: y", 404),
        ("reset=%25s%25n%25s", 404),
        ("", 400),
        ("=&&==&", 400),
        ("other=1", 400),
        ("reset=" + "n" * 1100, 400),
    ],
    ids=lambda value: str(value)[:24],
)
@pytest.mark.parametrize("where", ["query", "body"])
def test_hostile_names(proxy, parameters, status, where):
    if where == "query" and (" " in parameters):
        pytest.skip("no request line")
    answer = post(proxy, f"?{parameters}" if where == "query" else "", None if where == "query" else parameters.encode())
    assert answer.status == status, answer.body
    assert b"<script" not in answer.body and answer.header("X") is None
    assert used(proxy) == ALL
    assert proxy.get("/cband-status").status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "NONSENSE", "post"])
def test_other_methods(proxy, method):
    answer = proxy.get("/cband-status?reset=all", method=method, body=b"reset=all")
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD, POST")
    assert used(proxy) == ALL


@pytest.mark.parametrize("handler", ["weir-metrics"])
def test_metrics_cannot_reset(proxy, handler):
    answer = proxy.get(f"/{handler}?reset=all", method="POST", body=b"reset=all")
    assert (answer.status, answer.header("Allow")) == (405, "GET, HEAD")
    assert proxy.get(f"/{handler}?reset=all").status == 200
    assert used(proxy) == ALL


# --- bodies ---


def test_a_large_form(proxy):
    """8 KiB is more than any form of ours."""
    most = b"reset=one.example&x="
    assert post(proxy, "", most + b"y" * (8192 - len(most))).status == 303
    assert post(proxy, "", b"reset=all&x=" + b"y" * 8200).status == 413
    assert used(proxy) == ["two.example", "three.example", "alice", "bob"]
    with Connection(proxy.port) as client:  # and it is not read to its end
        client.send("POST /cband-status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n" + "z" * 20000)
        assert client.read_head().status == 413


def test_a_chunked_form_in_pieces(proxy):
    with Connection(proxy.port) as client:
        client.send("POST /cband-status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in b"reset=two.example":
            client.send(b"1\r\n" + bytes([byte]) + b"\r\n")
        time.sleep(0.1)
        client.send(b"0\r\n\r\n")
        assert client.read_response().status == 303
        assert client.request("/cband-status?json").status == 200  # the connection is kept
    assert used(proxy) == ["one.example", "three.example", "alice", "bob"]


def test_a_chunked_form_without_end(proxy):
    with Connection(proxy.port) as client:
        client.send("POST /cband-status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        client.send(b"2000\r\n" + b"x" * 8192 + b"\r\n")
        assert client.read_head().status == 413


def test_a_slow_form_holds_nobody_up(proxy):
    with Connection(proxy.port) as client:
        body = b"reset=three.example"
        client.send(format_request("/cband-status", method="POST", headers=FORM, body=body)[: -len(body)])
        for start in range(0, len(body), 4):
            assert host(json(proxy), "three.example")["usages"]["total"] > 0
            client.send(body[start : start + 4])
            time.sleep(0.05)
        assert client.read_response().status == 303
    assert used(proxy) == ["one.example", "two.example", "alice", "bob"]


def test_clients_that_leave_before_the_answer(proxy):
    """In the middle of a form, and while the document is made."""
    descriptors = proxy.descriptors()
    for request in (format_request("/cband-status?xml"), format_request("/cband-status", method="POST", body=b"reset=nobody")):
        for cut in (len(request), len(request) - 5):
            for _ in range(20):
                Connection(proxy.port).send(request[:cut]).reset()
    assert proxy.get("/cband-status").status == 200
    wait_for(lambda: proxy.descriptors() <= descriptors + 2, 10, "the connections to be closed")


def test_many_at_once(proxy):
    """More than are answered at a time are told to come again; nobody gets anything else."""
    clients = [Connection(proxy.port).send(format_request("/cband-status?xml")) for _ in range(150)]
    answers = [client.read_response() for client in clients]
    assert {answer.status for answer in answers} <= {200, 503}
    assert sum(answer.status == 200 for answer in answers) >= 64
    assert all(answer.header("Retry-After") == "1" for answer in answers if answer.status == 503)
    assert proxy.get("/cband-status").status == 200


def test_documents_at_a_stop(weir, origin):
    """A stop in the middle of scrapes is a clean one."""
    port = free_port()
    proxy = weir(f"Listen 127.0.0.1:{port}\n{STATUS}\nServerName localhost\nProxyPass / {origin().url}")
    clients = [Connection(port).send(format_request("/cband-status?json") * 5) for _ in range(10)]
    assert clients[0].read_response().status == 200
    proxy.stop()
