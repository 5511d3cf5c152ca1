"""Which host, section, redirect, rule and origin a request meets, and what the origin is asked for."""
import pytest
from support.client import Connection, format_request
from support.origin import echoing, response
from support.wait import free_port


def ask(proxy, target, **options):
    """A request whose target is sent as it is."""
    return proxy.get(target, **options)


def target_seen(server, proxy, target):
    """What the origin is asked for; None when it is not asked."""
    before = len(server.requests)
    answer = ask(proxy, target)
    if len(server.requests) == before:
        return None
    assert answer.status == 200
    return server.requests[-1].target


# --- hosts -------------------------------------------------------------------------------------------------------------


def named_hosts(port, lines, address="*"):
    return "\n".join(
        f"<VirtualHost {address}:{port}>\nServerName {name}\n{extra}\nHeader always set X-Host {label}\n"
        f"Redirect 410 /\n</VirtualHost>"
        for label, name, extra in lines
    )


@pytest.mark.parametrize("host, label", [
    ("one.example", "one"), ("ONE.Example", "one"), ("one.example:8080", "one"), ("one.example.", "one"),
    ("two.example", "two"), ("alias.example", "two"), ("a.two.example", "two"), ("a.b.two.example", "two"),
    ("x1.example", "two"), ("x12.example", "one"), ("shop7.example", "three"), ("shop.example", "one"),
    ("late.two.example", "two"), ("unknown", "one"), ("127.0.0.1", "one"), ("[::1]", "one"),
])  # fmt: skip
def test_names_choose_the_host(weir, host, label):
    port = free_port()
    proxy = weir(f"Listen 127.0.0.1:{port}\n" + named_hosts(port, [
        ("one", "one.example", ""),
        ("two", "two.example", "ServerAlias alias.example *.two.example x?.example"),
        ("three", "three.example", "ServerAliasMatch ^shop[0-9]+\\.example$"),
        ("four", "late.two.example", ""),
    ]))  # fmt: skip
    assert proxy.get("/", host=host).header("X-Host") == label


def test_without_a_host_the_first_one_answers(weir):
    port = free_port()
    proxy = weir(f"Listen 127.0.0.1:{port}\n" + named_hosts(port, [("one", "one", ""), ("two", "two", "")]))
    client = proxy.connect().send("GET / HTTP/1.0\r\n\r\n")
    assert client.read_response().header("X-Host") == "one"


def test_the_most_specific_address_counts(weir):
    port, other = free_port(), free_port()
    proxy = weir(
        f"Listen 127.0.0.1:{port}\nListen 127.0.0.2:{port}\nListen 127.0.0.1:{other}\nServerName main\n"
        "Header always set X-Host main\nRedirect 410 /\n"
        + named_hosts(port, [("any", "name", ""), ("any2", "second", "")])
        + "\n"
        + named_hosts(port, [("special", "other", "")], "127.0.0.2")
    )

    def label(address, to, host):
        with Connection(to, host=address) as client:
            return client.request("/", host=host).header("X-Host")

    assert label("127.0.0.1", port, "second") == "any2"
    assert label("127.0.0.2", port, "second") == "special"
    assert label("127.0.0.1", other, "second") == "main"


# --- sections and rules ------------------------------------------------------------------------------------------------


@pytest.fixture(name="guarded")
def guarded_fixture(weir, origin):
    server = origin()
    proxy = weir(
        "<Location /admin>\nRequire all denied\n</Location>\n"
        "<LocationMatch \\.(bak|old)$>\nRequire all denied\n</LocationMatch>\n"
        "<Location /*/private>\nRequire all denied\n</Location>\n"
        "<Location /admin/public>\nRequire all granted\n</Location>\n"
        f"ProxyPass /app/ {server.url}x/\nProxyPass / {server.url}"
    )
    return server, proxy


@pytest.mark.parametrize("target", [
    "/admin", "/admin/", "/admin/x", "/%61dmin", "/%61%64%6d%69%6e/x", "//admin", "/./admin", "/app/../admin", "/app/%2e%2e/admin",
    "/app/.%2E/admin/x", "/x/y/../../admin", "/admin%2fx", "/admin/%2e", "/admin/public/../x", "/admin/public/%2e%2e/x", "/a.bak",
    "/a.%62ak", "/a/private", "/%2fadmin", "/admin?x",
])  # fmt: skip
def test_no_spelling_slips_past_a_rule(guarded, target):
    server, proxy = guarded
    answer = ask(proxy, target)
    assert answer.status == 403
    assert server.requests == []


@pytest.mark.parametrize("target", ["/administrator", "/admin/public", "/admin/public/x", "/a/b/private", "/a.bak/x", "/ADMIN"])
def test_what_the_rule_does_not_cover_passes(guarded, target):
    server, proxy = guarded
    assert target_seen(server, proxy, target) == target


@pytest.mark.parametrize("target", ["/%", "/%zz", "/a%00b", "/..", "/a/../../b", "/%2e%2e/etc/passwd", "/a/..%2fb", "/a%2f..%2fb", "/a/%2e%2e%2fadmin"])
def test_paths_that_are_none(guarded, target):
    server, proxy = guarded
    assert ask(proxy, target).status == 400
    assert server.requests == []


@pytest.mark.parametrize("target, seen", [
    ("/app/a%20b?q=%20", "/x/a%20b?q=%20"), ("/app/../b", "/b"), ("/app/./c?d", "/x/c?d"), ("/%61pp/a%3Fb", "/x/a%3Fb"),
    ("/app/%41", "/x/%41"), ("/b/../app/%41", "/x/%41"), ("/%61pp/%3f%25%23", "/x/%3F%25%23"), ("/app%2Fz", "/x/z"),
])  # fmt: skip
def test_what_was_matched_is_what_is_sent(guarded, target, seen):
    server, proxy = guarded
    assert target_seen(server, proxy, target) == seen


def test_later_sections_override_earlier_ones(weir, origin):
    server = origin()
    proxy = weir(
        "<Location />\nRequire all denied\n</Location>\n<Location /open>\nRequire all granted\n</Location>\n"
        f"<Location /open/closed>\nRequire all denied\n</Location>\nProxyPass / {server.url}"
    )
    assert proxy.get("/").status == 403
    assert proxy.get("/open/x").status == 200
    assert proxy.get("/open/closed").status == 403


@pytest.mark.parametrize("rules, status", [
    ("Require ip 127.0.0.0/8", 200), ("Require ip 127", 200), ("Require ip 192.0.2.0/24", 403), ("Require local", 200),
    ("<RequireAll>\nRequire all granted\nRequire not ip 127.0.0.1\n</RequireAll>", 403),
    ("<RequireAny>\nRequire ip 192.0.2.1\nRequire local\n</RequireAny>", 200),
    ("Require method POST", 403), ("Require method GET", 200),
    ("Order Deny,Allow\nDeny from all\nAllow from 127.0.0.1", 200), ("Order Allow,Deny\nAllow from all\nDeny from 127.", 403),
    ("Order Allow,Deny", 403), ("Order Deny,Allow", 200),
])  # fmt: skip
def test_access_rules(weir, origin, rules, status):
    proxy = weir(f"<Location />\n{rules}\n</Location>\nProxyPass / {origin().url}")
    assert proxy.get("/").status == status


# --- redirects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line, target, status, location", [
    ("Redirect /old http://new.example/n", "/old", 302, "http://new.example/n"),
    ("Redirect /old http://new.example/n", "/old/a%20b?q=1&r", 302, "http://new.example/n/a%20b?q=1&r"),
    ("Redirect permanent /old http://new.example/", "/old/x", 301, "http://new.example/x"),
    ("Redirect 307 / https://new.example/", "/a/b?c", 307, "https://new.example/a/b?c"),
    ("Redirect 308 /old /new", "/old/x", 308, "http://front.example/new/x"),
    ("Redirect / https://new.example", "/.evil.example/", 302, "https://new.example/.evil.example/"),
    ("Redirect seeother /a http://x/?fixed=1", "/a?mine=2", 303, "http://x/?fixed=1"),
    ("RedirectMatch ^/u/([^/]+)/(.*)$ http://$1.example/$2", "/u/me/p%3Fq?z", 302, "http://me.example/p%3Fq?z"),
    ("RedirectMatch 301 ^/r/([^/]*)$ http://x/$1", "/r/%0d%0aSet-Cookie:%20a", 301, "http://x/%0D%0ASet-Cookie:%20a"),
])  # fmt: skip
def test_redirects_go_before_proxypass(weir, origin, line, target, status, location):
    server = origin()
    proxy = weir(f"{line}\nProxyPass / {server.url}")
    answer = proxy.get(target, host="front.example")
    assert (answer.status, answer.header("Location")) == (status, location)
    assert server.requests == []


def test_a_redirect_covers_whole_segments(weir, origin):
    server = origin()
    proxy = weir(f"Redirect /old http://new.example/\nRedirect gone /gone\nProxyPass / {server.url}")
    assert proxy.get("/older").status == 200
    assert proxy.get("/gone/x").status == 410


def test_access_rules_go_before_redirects(weir):
    proxy = weir("Redirect / http://new.example/\n<Location /secret>\nRequire all denied\n</Location>")
    assert proxy.get("/secret").status == 403
    assert proxy.get("/other").status == 302


# --- ProxyPass ---------------------------------------------------------------------------------------------------------


def test_nothing_configured_is_404(weir):
    assert weir("ServerName x").get("/").status == 404


@pytest.mark.parametrize("line, target, seen", [
    ("ProxyPass /app {url}base", "/app", "/base"), ("ProxyPass /app {url}base", "/app/x", "/base/x"),
    ("ProxyPass /app {url}base", "/apple", None), ("ProxyPass /app/ {url}base/", "/app", None),
    ("ProxyPass /app {url}base/", "/app/x", "/base/x"), ("ProxyPass /app {url}", "/app", "/"),
    ("ProxyPass / {url}", "/a/b?c=d", "/a/b?c=d"), ("ProxyPass /no !\nProxyPass / {url}", "/no/x", None),
    ("ProxyPassMatch ^/(.*\\.gif)$ {url}img/$1", "/a/b%20c.gif?d", "/img/a/b%20c.gif?d"),
    ("ProxyPassMatch ^/api/v([0-9]+)/ {url}v?n=$1", "/api/v12/x?y", "/v?n=12&y"),
    ("<Location /loc>\nProxyPass {url}in\n</Location>\nProxyPass / {url}out/", "/loc/x", "/in/x"),
    ("<Location /loc>\nProxyPass {url}in\n</Location>\nProxyPass / {url}out/", "/else", "/out/else"),
    ("<Location /loc>\nProxyPass !\n</Location>\nProxyPass / {url}", "/loc/x", None),
])  # fmt: skip
def test_paths_are_mapped(weir, origin, line, target, seen):
    server = origin()
    assert target_seen(server, weir(line.replace("{url}", server.url)), target) == seen


def test_a_unix_socket(weir, origin, directory):
    server = origin(echoing, path=f"{directory}/origin.sock")
    proxy = weir(f"ProxyPreserveHost Off\nProxyPass /app/ unix:{directory}/origin.sock|http://inner.example/base/")
    body = proxy.get("/app/x").body
    assert body.startswith(b"GET /base/x HTTP/1.1\r\n")
    assert b"\r\nHost: inner.example\r\n" in body
    server.stop()
    assert proxy.get("/app/x").status == 503


def test_a_name_is_looked_up(weir, origin):
    server = origin(response(b"found"))
    proxy = weir(f"ProxyPass / http://localhost:{server.port}/")
    assert proxy.get("/").body == b"found"


def test_a_name_that_is_none(weir):
    proxy = weir("ProxyPass / http://no-such-name.invalid/")
    assert proxy.get("/").status in (502, 503)
    proxy.wait_for_log("no-such-name.invalid")


def test_options_for_the_server_itself(weir, origin):
    server = origin()
    proxy = weir(f"ProxyPass / {server.url}base/")
    client = proxy.connect().send(format_request("*", "OPTIONS"))
    assert client.read_response().status == 200
    assert server.requests[0].line == "OPTIONS * HTTP/1.1"


def test_a_reload_changes_the_routes(weir, origin):
    one, two = origin(response(b"one")), origin(response(b"two"))
    proxy = weir(f"ProxyPass / {one.url}")
    assert proxy.get("/").body == b"one"
    proxy.reload(f"ProxyPass /new {two.url}\nProxyPass / {one.url}", expect="(?i)generation|configuration|reload")
    assert proxy.get("/new").body == b"two"
    assert proxy.get("/").body == b"one"
