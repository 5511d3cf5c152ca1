"""Burst blocking: what counts as a page, a site and a client, what a block means, and what is said about it."""
# ctest: waits
# ctest: tsan
import os
import re
import socket
import time

import pytest
from support.client import Connection, format_request
from support.dos import SLOW, SPOKEN, ask, bad_request, blacklistings, statuses
from support.origin import response
from support.wait import free_port, wait_for

LOG = 'CustomLog access.log "%a %>s %{weir-decision}x %{weir-reason}x"\n'


@pytest.fixture(name="site")
def site_fixture(weir, origin):
    """site(lines, …) starts weir with them, with windows that no test outlasts; .origin is the server behind it."""

    def start(lines="", slow=SLOW, **options):
        server = origin()
        proxy = weir(f"{slow}{lines}\nProxyPass / {server.url}", **options)
        proxy.origin = server
        return proxy

    return start


# --- what is counted ---


def test_of_a_new_clients_burst_the_first_two_pass(site):
    """By default, of one page."""
    proxy = site("DOSEnabled On\nDOSPageInterval 60", slow="")
    with Connection(proxy.port, source="127.0.0.5") as connection:
        connection.send(format_request("/") * 3)
        assert [connection.read_response().status for _ in range(3)] == [200, 200, 403]
    assert statuses(proxy, ("/", 2), source="127.0.0.6") == [200, 200]


@pytest.mark.parametrize("spelling", ["/%61/b", "/./a/b", "//a//b", "/x/../a/b", "/a/%62?query=1", "/a/b?x"])
def test_a_page_is_a_normalised_path(site, spelling):
    proxy = site()
    assert statuses(proxy, ["/a/b", "/a/b", spelling]) == [200, 200, 403]


def test_other_paths_are_other_pages(site):
    proxy = site()
    assert statuses(proxy, ["/a", "/a", "/A", "/a/", "/a/b", "/a"]) == [200, 200, 200, 200, 200, 403]


def test_any_method_counts(site):
    proxy = site()
    assert [ask(proxy, method=method).status for method in ("GET", "HEAD", "POST")] == [200, 200, 403]


def test_the_same_path_of_another_host_is_another_page(weir, origin):
    server = origin()
    host = "<VirtualHost *>\nServerName {}\nProxyPass / " + server.url + "\n</VirtualHost>\n"
    proxy = weir(SLOW + host.format("a.example") + host.format("b.example"))
    for name in ("a.example", "b.example") * 2:
        assert ask(proxy, host=name).status == 200
    assert ask(proxy, host="a.example").status == 403
    assert ask(proxy, "/z", host="b.example").status == 403  # blocked for all hosts


def test_a_site_is_everything_of_one_host(site):
    proxy = site("DOSSiteCount 5")
    assert statuses(proxy, [f"/{i}" for i in range(6)]) == [200] * 5 + [403]


def test_all_hosts_together(weir, origin):
    server = origin()
    host = "<VirtualHost *>\nServerName {}\nProxyPass / " + server.url + "\n{}</VirtualHost>\n"
    proxy = weir(SLOW + "DOSRequestCount 4\n" + host.format("a.example", "") + host.format("b.example", "DOSPageCount Off\n"))
    names = ["a.example", "b.example"] * 2 + ["b.example"]
    assert [ask(proxy, f"/{i}", host=name).status for i, name in enumerate(names)] == [200] * 4 + [403]


def test_answers_of_weirs_own_count_too(site):
    proxy = site("Redirect /old /new\n<Location /closed>\nRequire all denied\n</Location>")
    assert statuses(proxy, ("/old", 3)) == [302, 302, 403]
    assert statuses(proxy, ("/closed", 3), source="127.0.0.6") == [403, 403, 403]
    proxy.wait_for_log(r"Blacklisting address 127\.0\.0\.6")


def test_bad_requests_count_for_the_site(site):
    proxy = site("DOSSiteCount 4\nDOSPageCount 1")
    assert [bad_request(proxy).status for _ in range(5)] == [400, 400, 400, 400, 403]
    assert statuses(proxy, ("/", 1)) == [403]
    assert statuses(proxy, ["/%00", "/%00", "/%00", "/%00", "/%00"], source="127.0.0.6") == [400] * 4 + [403]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\0\r\n\r\n", b"GET  /  HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"])
def test_a_bad_request_of_a_blocked_client_gets_the_refusal(site, data):
    proxy = site()
    assert statuses(proxy, ("/", 3)) == [200, 200, 403]
    answer = bad_request(proxy, data=data)
    assert (answer.status, answer.header("Connection")) == (403, "close")


def test_a_bad_request_is_charged_to_the_host_that_it_names(weir, origin):
    server = origin()
    host = "<VirtualHost *>\nServerName {}\nProxyPass / " + server.url + "\n{}</VirtualHost>\n"
    proxy = weir(host.format("a.example", "DOSEnabled Off\n") + host.format("b.example", SLOW + "DOSSiteCount 2\n"))
    nameless, named = b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: b.example\r\nContent-Length: x\r\n\r\n"
    assert [bad_request(proxy, data=nameless).status for _ in range(4)] == [400] * 4
    assert [bad_request(proxy, data=named).status for _ in range(3)] == [400, 400, 403]


def test_four_workers_count_as_one(site):
    proxy = site(workers=4)
    assert statuses(proxy, ("/", 12)) == [200, 200] + [403] * 10


def test_a_client_that_stays_within_the_limit_is_never_blocked(site):
    """One request at a time, each as soon as the one three before it is out of the window, by the client's clock."""
    proxy = site("DOSPageCount 3\nDOSPageInterval 1", slow="")
    sent = []
    with Connection(proxy.port, source="127.0.0.5") as connection:
        for _ in range(15):
            if len(sent) >= 3:
                time.sleep(max(0.0, sent[-3] + 1.0 - time.monotonic()))
            answer = connection.request("/")
            sent.append(time.monotonic())  # it cannot have come later than now
            assert answer.status == 200


# --- who is a client ---


def test_ipv6_clients_are_prefixes(site):
    proxy = site(SPOKEN + "DOSIPv6Prefix 56")
    clients = ["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:100::1", "2001:db8:0:ff::9", "2001:db8:0:100::1"]
    assert [ask(proxy, client=client).status for client in clients] == [200, 200, 200, 403, 200]
    wait_for(lambda: blacklistings(proxy) == ["2001:db8:0:ff::9"], 5, proxy.log())


def test_an_ipv4_mapped_address_is_ipv4(site):
    proxy = site(SPOKEN)
    assert [ask(proxy, client=name).status for name in ("192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7")] == [200, 200, 403]


def test_the_real_client_is_blocked_not_the_proxy(site):
    proxy = site(SPOKEN)
    assert statuses(proxy, ("/", 4), client="192.0.2.7") == [200, 200, 403, 403]
    assert statuses(proxy, ("/", 2), client="192.0.2.8") == [200, 200]
    assert [bad_request(proxy).status for _ in range(3)] == [400] * 3


@pytest.mark.parametrize(
    "entry, inside, outside",
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
        ("10.1.*.*", "10.1.200.3", "10.2.0.1"),
        ("10.*.3.*", "10.77.3.9", "10.77.4.9"),
        ("198.51.100.0/24", "198.51.100.200", "198.51.101.1"),
        ("198.51.100.0/25 203.0.113.0/24", "203.0.113.5", "198.51.100.128"),
        ("2001:db8::7", "2001:db8::7", "2001:db8::8"),
        ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
    ],
)
def test_whitelist(site, entry, inside, outside):
    proxy = site(SPOKEN + f"DOSWhitelist {entry}")
    assert statuses(proxy, ("/", 6), client=inside) == [200] * 6
    assert statuses(proxy, ("/", 3), client=outside) == [200, 200, 403]


def test_a_bad_whitelist_entry_is_an_error(weir_command):
    result = weir_command("-t", config="Listen 127.0.0.1:8080\nDOSWhitelist 10.0.0.0/33\n")
    assert result.returncode == 1 and re.search(r"proxy\.conf:2:\d+: error: DOSWhitelist", result.stderr)


# --- which paths ---


def test_lists_of_paths(site):
    proxy = site(
        "DOSWhitelistUri \\.css$\nDOSTargetlistUri ^/login ^/evil \\.css$\nDOSBlocklistUri ^/evil\nDOSPageCount 1"
    )
    assert statuses(proxy, ["/a.css"] * 3 + ["/free"] * 3 + ["/login.css"] * 3) == [200] * 9
    assert statuses(proxy, ["/login", "/login", "/a.css", "/free"]) == [200, 403, 403, 403]
    assert statuses(proxy, ["/%65vil/x", "/free"], source="127.0.0.6") == [403, 403]
    wait_for(lambda: sorted(blacklistings(proxy)) == ["127.0.0.5", "127.0.0.6"], 5, proxy.log())


# --- the block ---


def test_a_refusal_says_when_to_come_back_and_asks_no_origin(site):
    proxy = site("ErrorDocument 403 /error.html")
    assert statuses(proxy, ("/", 2)) == [200, 200]
    before = len(proxy.origin.requests)
    answer = ask(proxy)
    assert answer.status == 403 and 599 <= int(answer.header("Retry-After")) <= 600
    assert len(proxy.origin.requests) == before == 2


def test_every_request_renews_the_block(site):
    proxy = site("DOSBlockingPeriod 5", slow="")
    assert statuses(proxy, ("/", 3)) == [200, 200, 403]
    for _ in range(3):
        time.sleep(2.5)
        answer = ask(proxy, "/else")
        assert answer.status == 403 and int(answer.header("Retry-After")) == 5
    time.sleep(5.2)
    assert ask(proxy, "/else").status == 200


@pytest.mark.parametrize("name", ["DOSHTTPStatus", "DOSHTTPResponseCode"])
def test_the_status_of_a_refusal(site, name):
    proxy = site(f"{name} 429\nErrorDocument 429 \"come back later\"")
    assert statuses(proxy, ("/", 2)) == [200, 200]
    answer = ask(proxy)
    assert (answer.status, answer.body) == (429, b"come back later")


def test_a_kept_connection_is_kept_when_refused(site):
    proxy = site()
    with Connection(proxy.port, source="127.0.0.5") as connection:
        assert [connection.request("/").status for _ in range(6)] == [200, 200, 403, 403, 403, 403]
        answer = connection.request("/", method="POST", body=b"x" * 10)
        assert (answer.status, answer.header("Connection")) == (403, "close")


def what_comes(proxy):
    """The first byte of a new connection, to which nothing was sent; it is ended as soon as it is accepted."""
    with socket.create_connection(("127.0.0.1", proxy.port), 10, ("127.0.0.5", 0)) as later:
        later.settimeout(10)
        return later.recv(1)


@pytest.mark.parametrize("action", ["close", "reset"])
def test_actions_that_end_the_connection(site, action):
    proxy = site(f"DOSBlockAction {action}")
    connection = Connection(proxy.port, source="127.0.0.5")
    assert [connection.request("/").status for _ in range(2)] == [200, 200]
    connection.send(format_request("/"))
    assert connection.read_to_end() == b""
    if action == "close":
        assert what_comes(proxy) == b""
    else:
        with pytest.raises(ConnectionResetError):  # by the connect() or the recv(), whichever sees it
            what_comes(proxy)
    assert ask(proxy, source="127.0.0.6").status == 200


@pytest.mark.parametrize("action", ["close", "reset"])
def test_behind_a_proxy_they_act_when_the_head_is_read(site, action):
    proxy = site(SPOKEN + f"DOSBlockAction {action}")
    assert statuses(proxy, ("/", 2), client="192.0.2.7") == [200, 200]
    for _ in range(2):
        with Connection(proxy.port) as connection:
            connection.send(format_request("/", headers=[("X-Client", "192.0.2.7"), ("Content-Length", "1000")]))
            if action == "reset":
                with pytest.raises(ConnectionResetError):
                    connection.socket.recv(1)
            else:
                assert connection.read_to_end() == b""
    assert ask(proxy, client="192.0.2.8").status == 200


def test_behind_the_proxy_protocol_they_act_when_its_header_is_read(weir, origin):
    server = origin()
    port = free_port()
    proxy = weir(f"Listen 127.0.0.1:{port} proxy-protocol\n{SLOW}DOSBlockAction close\nProxyPass / {server.url}")
    header = b"PROXY TCP4 192.0.2.7 127.0.0.1 50000 80\r\n"
    connection = Connection(port).send(header)
    assert [connection.request("/").status for _ in range(2)] == [200, 200]
    connection.send(format_request("/"))
    assert connection.read_to_end() == b""
    assert Connection(port).send(header).is_closed()
    assert Connection(port).send(header.replace(b".7", b".8")).request("/").status == 200


def test_log_only_refuses_nothing(site):
    proxy = site("DOSLogOnly On\nDOSBlockAction close\n" + LOG)
    assert statuses(proxy, ("/", 6)) == [200] * 6
    wait_for(lambda: proxy.file("access.log").count("\n") == 6, 5)
    assert proxy.file("access.log") == "127.0.0.5 200 pass complete\n" * 2 + "127.0.0.5 200 dry-blocked page\n" * 4
    proxy.wait_for_log(r"DOSLogOnly: 127\.0\.0\.5 would be blocked \(page\)")
    assert blacklistings(proxy) == []


def test_off(site):
    proxy = site("DOSPageCount 1\nDOSEnabled Off")
    assert statuses(proxy, ("/", 6)) == [200] * 6


def test_hosts_inherit_value_by_value(weir, origin):
    server = origin()
    host = "<VirtualHost *>\nServerName {}\nProxyPass / " + server.url + "\n{}</VirtualHost>\n"
    proxy = weir(
        SLOW
        + "DOSPageCount 1\nDOSHTTPStatus 429\n"
        + host.format("plain", "")
        + host.format("wider", "DOSPageCount 3\n")
        + host.format("other", "DOSHTTPStatus 503\nDOSWhitelist 127.0.0.9\n")
        + host.format("off", "DOSEnabled Off\n")
    )
    assert statuses(proxy, ("/", 2), host="plain", source="127.0.0.5") == [200, 429]
    assert statuses(proxy, ("/", 4), host="wider", source="127.0.0.6") == [200, 200, 200, 429]
    assert statuses(proxy, ("/", 2), host="other", source="127.0.0.7") == [200, 503]
    assert statuses(proxy, ("/", 3), host="other", source="127.0.0.9") == [200] * 3
    assert statuses(proxy, ("/", 3), host="off", source="127.0.0.5") == [200] * 3  # though it is blocked elsewhere


def test_counts_and_blocks_survive_a_reload(site):
    proxy = site()
    assert statuses(proxy, ("/", 3)) == [200, 200, 403]
    assert statuses(proxy, ("/", 2), source="127.0.0.6") == [200, 200]
    proxy.reload(expect="configuration reloaded")
    assert statuses(proxy, ("/else", 1)) == [403]
    assert statuses(proxy, ("/", 1), source="127.0.0.6") == [403]


# --- what is said ---


def test_one_line_a_block(site):
    proxy = site(LOG)
    assert statuses(proxy, ("/", 8)) == [200, 200] + [403] * 6
    assert statuses(proxy, ("/", 3), source="127.0.0.6") == [200, 200, 403]
    wait_for(lambda: len(blacklistings(proxy)) == 2, 5, proxy.log())
    assert blacklistings(proxy) == ["127.0.0.5", "127.0.0.6"]
    assert proxy.log().count("127.0.0.5") == 1
    wait_for(lambda: proxy.file("access.log").count("\n") == 11, 5)
    assert proxy.file("access.log").count("127.0.0.5 403 blocked page\n") == 6


def test_syslog_is_told(site, directory):
    """What mod_evasive writes there, at its level: facility daemon, level alert."""
    del directory
    try:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind("/dev/log")
    except OSError:
        pytest.skip("/dev/log is somebody else's here")
    try:
        listener.settimeout(30)
        proxy = site()
        assert statuses(proxy, ("/", 3)) == [200, 200, 403]
        line = ""
        while f"[{proxy.pid}]" not in line:  # tests that run meanwhile log there, too
            line = listener.recv(4096).decode()
        assert re.fullmatch(r"<25>.* weir\[\d+\]: Blacklisting address 127\.0\.0\.5: possible DoS attack\.\n?", line)
    finally:
        listener.close()
        os.unlink("/dev/log")


def test_the_test_script_of_mod_evasive(site):
    """101 requests without a Host, each on a connection of its own, with bare line feeds: some 200s, then only 403s."""
    proxy = site("DOSEnabled On\nHttpProtocolOptions Unsafe", slow="")
    lines = []
    for number in range(101):
        with Connection(proxy.port, source="127.0.0.5") as connection:
            connection.send(f"GET /?{number} HTTP/1.0\n\n")
            lines.append(connection.read_until(b"\r\n"))
    refused = next(i for i, line in enumerate(lines) if b" 403 " in line)
    assert refused >= 2 and refused < 60
    assert lines == [b"HTTP/1.1 200 OK\r\n"] * refused + [b"HTTP/1.1 403 Forbidden\r\n"] * (101 - refused)


def test_refusals_do_not_count_in_a_quota(weir, origin):
    server = origin(response(b"x" * 1000))
    proxy = weir(
        f"{SLOW}<VirtualHost *>\nServerName a\nCBandLimit 5000B\nProxyPass / {server.url}\n</VirtualHost>\n"
    )
    assert statuses(proxy, ("/", 2)) == [200, 200]
    assert statuses(proxy, ("/", 50)) == [403] * 50
    assert statuses(proxy, ("/", 2), source="127.0.0.6") == [200, 200]
