"""Balancers: shares, stickiness, members that die and come back, hot standby, active checks."""
# ctest: tsan
import collections

import pytest
from support.origin import response
from support.wait import wait_for


def pool(members, settings=""):
    """The configuration of a balancer; members: (origin, parameters)."""
    lines = "\n".join(f"BalancerMember {server.url.rstrip('/')} {parameters}" for server, parameters in members)
    return f"<Proxy balancer://pool>\n{lines}\n{settings}\n</Proxy>\nProxyPass / balancer://pool/"


def who(proxy, **options):
    """The body of an answer, or its status when that is not 200."""
    answer = proxy.get("/", **options)
    return answer.body.decode() if answer.status == 200 else answer.status


@pytest.fixture(name="three")
def three_fixture(origin):
    return [origin(response(name)) for name in (b"one", b"two", b"three")]


def test_equal_members_get_equal_shares(weir, three):
    proxy = weir(pool([(server, "") for server in three]))
    counts = collections.Counter(who(proxy) for _ in range(60))
    assert counts == {"one": 20, "two": 20, "three": 20}


def test_shares_follow_the_load_factors(weir, three):
    proxy = weir(pool([(three[0], "loadfactor=3"), (three[1], ""), (three[2], "loadfactor=2")]))
    counts = collections.Counter(who(proxy) for _ in range(60))
    assert all(abs(counts[name] - share) <= 1 for name, share in (("one", 30), ("two", 10), ("three", 20)))


def test_the_least_busy_member_is_next(weir, three, connect):
    """One member holds a request: by busyness it gets no other."""
    held = []

    def hold(connection):
        while connection.read_request() is not None:
            held.append(connection)
            wait_for(lambda: not held, 20, "the test to let go")
            connection.answer(b"one")

    three[0].scripts = [hold]
    proxy = weir(pool([(three[0], ""), (three[1], "")], "ProxySet lbmethod=bybusyness"), workers=1)
    first = connect(proxy.port).send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_for(lambda: held, 10, "the first request")
    assert [who(proxy) for _ in range(6)] == ["two"] * 6
    held.clear()
    assert first.read_response().body == b"one"


def test_a_cookie_sticks(weir, three):
    members = [(server, f"route={route}") for server, route in zip(three, "abc")]
    proxy = weir(pool(members, "ProxySet stickysession=SESSION"))
    for route, name in (("a", "one"), ("b", "two"), ("c", "three")):
        cookies = {"Cookie": f"x=1; SESSION=0815.node.{route}; y=2"}
        assert [who(proxy, headers=cookies) for _ in range(4)] == [name] * 4
    assert len({who(proxy, headers={"Cookie": "SESSION=0815.z"}) for _ in range(6)}) == 3
    three[1].stop()
    assert who(proxy, headers={"Cookie": "SESSION=0815.b"}) in ("one", "three")


def test_a_member_that_dies_is_passed_over_and_comes_back(weir, three):
    one, two, _ = three
    proxy = weir(pool([(one, "retry=1"), (two, "retry=1")]))
    assert {who(proxy) for _ in range(4)} == {"one", "two"}
    one.stop()
    assert [who(proxy) for _ in range(10)] == ["two"] * 10
    one.start()
    wait_for(lambda: who(proxy) == "one", 10, "the member to come back")
    assert {who(proxy) for _ in range(4)} == {"one", "two"}


def test_a_dead_member_rests(weir, three):
    """It is not tried again before its time is up."""
    one, two, _ = three
    proxy = weir(pool([(one, "retry=600"), (two, "")]))
    one.stop()
    assert [who(proxy) for _ in range(4)] == ["two"] * 4
    one.start()
    assert [who(proxy) for _ in range(10)] == ["two"] * 10
    assert one.requests == []


def test_none_left(weir, three):
    one, two, _ = three
    proxy = weir(pool([(one, "retry=1"), (two, "retry=1")]))
    one.stop()
    two.stop()
    assert [who(proxy) for _ in range(3)] == [503] * 3
    two.start()
    wait_for(lambda: who(proxy) == "two", 10, "the member to come back")


def test_a_plain_origin_is_tried_at_once_again(weir, three):
    proxy = weir(f"ProxyPass / {three[0].url}")
    assert who(proxy) == "one"
    three[0].stop()
    assert who(proxy) == 503
    three[0].start()
    assert who(proxy) == "one"


def test_a_hot_standby_waits_for_need(weir, three):
    one, two, three_ = three
    proxy = weir(pool([(one, "retry=1"), (two, "status=+D"), (three_, "status=+H")]))
    assert [who(proxy) for _ in range(6)] == ["one"] * 6
    one.stop()
    assert [who(proxy) for _ in range(6)] == ["three"] * 6
    one.start()
    wait_for(lambda: who(proxy) == "one", 10, "the first member to come back")
    assert who(proxy) == "one"
    assert two.connections == []


def test_a_members_path_comes_first(weir, three):
    proxy = weir(
        f"<Proxy balancer://pool>\nBalancerMember {three[0].url}base\n</Proxy>\nProxyPass /app/ balancer://pool/in/"
    )
    assert proxy.get("/app/x?y").status == 200
    assert three[0].requests[0].target == "/base/in/x?y"


CHECKS = "ProxyHCInterval 1\nProxyHCUri /health\nProxyHCPasses 2\nProxyHCFails 2"


def health_of(server, name):
    """Makes the origin answer /health by server.status and all else with its name; returns the list of checks seen."""
    checks = []
    server.status = "200 OK"

    def script(connection):
        while (request := connection.read_request()) is not None:
            if request.target == "/health":
                checks.append(request)
                connection.answer(b"", server.status)
            else:
                connection.answer(name)

    server.scripts = [script]
    return checks


def test_active_checks_take_out_and_bring_back(weir, three):
    one, two, _ = three
    checks = health_of(one, b"one")
    health_of(two, b"two")
    proxy = weir(pool([(one, ""), (two, "")], CHECKS))
    assert {who(proxy) for _ in range(4)} == {"one", "two"}
    one.status = "500 Broken"
    proxy.wait_for_log(f"member http://127.0.0.1:{one.port} fails its health checks", 15)
    assert {who(proxy) for _ in range(6)} == {"two"}
    one.status = "204 No Content"
    proxy.wait_for_log(f"member http://127.0.0.1:{one.port} answers its health checks", 15)
    assert {who(proxy) for _ in range(4)} == {"one", "two"}
    assert checks[0].line == "GET /health HTTP/1.0"
    assert checks[0].header("Host") == f"127.0.0.1:{one.port}"


def test_active_checks_notice_a_death_and_shorten_the_rest(weir, three):
    one, two, _ = three
    health_of(one, b"one")
    health_of(two, b"two")
    proxy = weir(pool([(one, "retry=600"), (two, "")], CHECKS))
    one.stop()
    assert {who(proxy) for _ in range(4)} == {"two"}
    proxy.wait_for_log(f"member http://127.0.0.1:{one.port} fails its health checks", 15)
    one.start()
    wait_for(lambda: who(proxy) == "one", 15, "the checks to bring the member back")


def test_health_survives_a_reload(weir, three):
    one, two, _ = three
    config = pool([(one, "retry=600"), (two, "")])
    proxy = weir(config)
    one.stop()
    assert {who(proxy) for _ in range(4)} == {"two"}
    one.start()
    proxy.reload(config, expect="(?i)generation|configuration|reload")
    assert {who(proxy) for _ in range(6)} == {"two"}
