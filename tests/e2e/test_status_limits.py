"""What the status documents say of limits: who was refused or delayed and why, quotas, periods, exceeded states."""
# ctest: waits
# ctest: tsan
import threading
import time

import pytest
from support.client import Connection, format_request
from support.quota import size_of
from support.status import STATUS, host, json, metrics, same_everywhere, settled, xml
from support.wait import wait_for

CLASSES = """<CBandClass near>
CBandClassDst 127.0.0.0/8
</CBandClass>
<CBandClass far>
CBandClassDst 192.0.2.0/24
</CBandClass>
"""


class Place:
    """An origin whose answers of /held wait for free(); the others are the size that the target names, or 1000."""

    def __init__(self, origin):
        self.event = threading.Event()
        self.server = origin(self.script)

    def script(self, connection):
        while (request := connection.read_request()) is not None:
            if request.target == "/held":
                self.event.wait(60)
            number = request.target.strip("/")
            connection.answer(b"x" * int(number if number.isdigit() else 1000))


@pytest.fixture(name="place")
def place_fixture(origin):
    place = Place(origin)
    yield place
    place.event.set()


def start(weir, place, lines=(), user=(), before="", **options):
    own = "\n".join(["<CBandUser alice>", *user, "</CBandUser>"])
    text = "\n".join([STATUS, CLASSES, own, before, "<VirtualHost *>", "ServerName localhost", "CBandUser alice", *lines])
    return weir(f"{text}\nProxyPass / {place.server.url}\n</VirtualHost>\n", workers=1, **options)


def hold(proxy, place):
    """One request is being served while another comes: the second is refused."""
    before = len(place.server.requests)
    with Connection(proxy.port) as first:
        first.send(format_request("/held"))
        place.server.wait_for_requests(before + 1)
        assert proxy.get().status == 503
        place.event.set()
        assert first.read_response().status == 200
    place.event.clear()
    return 2, 1, 0


def hurry(proxy, _place):
    """Two pass at once, the third waits half a second."""
    for _ in range(3):
        assert proxy.get().status == 200
    return 3, 0, 1


def rush(proxy, _place):
    """As many as are sent at once; whoever would have to wait too long is refused."""
    answers = [proxy.get().status for _ in range(4)]
    assert set(answers) == {200, 503}, answers
    return 4, answers.count(503), 0


def use_up(status):
    def act(proxy, _place):
        count = 0
        while proxy.get().status == 200:
            count += 1
            assert count < 10
        assert proxy.get().status == status
        return count + 2, 2, 0

    return act


SLOW = "CBandMaxDelay 1"
DAY = "CBandPeriod 1D"
USER_DAY = "CBandUserPeriod 1D"
USED_UP = ["CBandPeriod 1D", "CBandClassLimit near 1B"]
REASONS = {  # name: (reason, lines of the host, lines of the user, what happens)
    "host-connections": ("host-connections", ["CBandSpeed 0 0 1"], [], hold),
    "user-connections": ("user-connections", [], ["CBandUserSpeed 0 0 1"], hold),
    "client-connections": ("client-connections", ["CBandRemoteSpeed 0 0 1"], [], hold),
    "client-connections of the user": ("client-connections", [], ["CBandUserRemoteSpeed 0 0 1"], hold),
    "host-rate": ("host-rate", ["CBandSpeed 0 2 0"], [], hurry),
    "user-rate": ("user-rate", [], ["CBandUserSpeed 0 2 0"], hurry),
    "client-rate": ("client-rate", ["CBandRemoteSpeed 0 2 0"], [], hurry),
    "class rate": ("client-rate", ["CBandClassRemoteSpeed near 0 2 0"], [], hurry),
    "host-rate refused": ("host-rate", ["CBandSpeed 0 1 0", "CBandMaxDelay 0.1"], [], rush),
    "user-rate refused": ("user-rate", ["CBandMaxDelay 0.1"], ["CBandUserSpeed 0 1 0"], rush),
    "client-rate refused": ("client-rate", ["CBandRemoteSpeed 0 1 0", "CBandMaxDelay 0.1"], [], rush),
    "host-quota": ("host-quota", [DAY, "CBandLimit 1500B"], [], use_up(503)),
    "host-quota redirected": (
        "host-quota",
        [DAY, "CBandLimit 1500B", "CBandExceededURL http://a.example/over"],
        [],
        use_up(302),
    ),
    "host-class-quota": ("host-class-quota", [DAY, "CBandClassLimit near 1500B"], [], use_up(503)),
    "user-quota": ("user-quota", [], [USER_DAY, "CBandUserLimit 1500B"], use_up(503)),
    "user-quota redirected": (
        "user-quota",
        [],
        [USER_DAY, "CBandUserLimit 1500B", "CBandUserExceededURL http://a.example/over"],
        use_up(302),
    ),
    "user-class-quota": ("user-class-quota", [], [USER_DAY, "CBandUserClassLimit near 1500B"], use_up(503)),
    "client-quota": ("client-quota", [DAY, "CBandRemoteLimit 1500B"], [], use_up(503)),
}


@pytest.mark.parametrize("reason, lines, user, act", REASONS.values(), ids=REASONS)
def test_refused_and_delayed_by_reason(weir, place, reason, lines, user, act):
    proxy = start(weir, place, lines, user)
    requests, refused, delayed = act(proxy, place)
    read = settled(proxy, requests)
    key = reason.replace("-", "_")
    for item in (same_everywhere(proxy), read["users"][0], read["classes"][0], read["server"]):
        assert item["traffic"]["refused"] == ({"total": refused, key: refused} if refused else {"total": 0})
        assert item["traffic"]["delayed"] == ({"total": delayed, key: delayed} if delayed else {"total": 0})
        if delayed:
            assert 0.2 < item["traffic"]["delay_seconds"] < 0.75
        else:
            assert item["traffic"]["delay_seconds"] == 0
    assert read["classes"][1]["traffic"]["requests"] == 0
    (client,) = read["clients"]
    assert (client["requests"], client["refused"], client["delayed"]) == (requests, refused, delayed)
    samples = metrics(proxy)
    for scope, name in (("host", "localhost"), ("user", "alice"), ("class", "near")):
        assert samples.get((f"weir_{scope}_refused_total", *sorted([(scope, name), ("reason", reason)])), 0) == refused
        assert samples[f"weir_{scope}_delayed_total", (scope, name)] == delayed


OVER_QUOTA = {  # the class is over its quota, and so held to the exceeded speed
    "host-class-connections": ([DAY, "CBandClassLimit near 1B", "CBandExceededSpeed 0 0 1"], [], hold, 0),
    "host-class-rate": ([DAY, "CBandClassLimit near 1B", "CBandExceededSpeed 0 2 0"], [], hurry, 1),
    "user-class-connections": ([], [USER_DAY, "CBandUserClassLimit near 1B", "CBandUserExceededSpeed 0 0 1"], hold, 0),
    "user-class-rate": ([], [USER_DAY, "CBandUserClassLimit near 1B", "CBandUserExceededSpeed 0 2 0"], hurry, 1),
}


@pytest.mark.parametrize("reason", OVER_QUOTA)
def test_a_class_over_its_quota(weir, place, reason):
    lines, user, act, is_delayed = OVER_QUOTA[reason]
    proxy = start(weir, place, lines, user)
    assert proxy.get().status == 200
    settled(proxy, 1)
    act(proxy, place)
    wait_for(lambda: host(json(proxy), "localhost")["traffic"]["connections"] == 0)
    traffic = same_everywhere(proxy)["traffic"]
    key = reason.replace("-", "_")
    assert traffic["delayed" if is_delayed else "refused"].get(key, 0) >= 1, traffic
    owner = json(proxy)["users"][0] if reason.startswith("user") else host(json(proxy), "localhost")
    near, far = owner["usages"]["classes"]
    assert (near["exceeded"], far["exceeded"], owner["limit_exceeded"], owner["exceeded"]) == (True, False, False, "within")


def test_a_dry_run_does_not_count(weir, place):
    """It would have delayed, refused for connections, and refused for the quota; the usage itself is counted."""
    proxy = start(weir, place, [DAY, "CBandLimit 1500B", "CBandSpeed 0 1 1", "CBandDryRun On"])
    sizes = [size_of(proxy.get()) for _ in range(5)]
    read = settled(proxy, 5)
    item = same_everywhere(proxy)
    assert item["dry_run"] is True
    assert item["traffic"]["refused"] == item["traffic"]["delayed"] == {"total": 0}
    assert item["traffic"]["delay_seconds"] == 0
    assert item["usages"]["total"] == sum(sizes)
    assert item["limit_exceeded"] is True
    (client,) = read["clients"]
    assert (client["refused"], client["delayed"]) == (0, 0)


# --- quotas ---


@pytest.mark.parametrize(
    "lines, before, state",
    [
        ([], "", "refused"),
        (["CBandExceededURL http://a.example/over"], "", "redirected"),
        (["CBandExceededSpeed 800 9 7"], "", "slowed"),
        ([], "CBandDefaultExceededURL http://a.example/over", "redirected"),
        (["CBandExceededSpeed 800 9 7"], "CBandDefaultExceededURL http://a.example/over", "slowed"),
    ],
)
def test_exceeded_states(weir, place, lines, before, state):
    proxy = start(weir, place, [DAY, "CBandLimit 5000B", "CBandSpeed 4000 30 20", *lines], before=before)
    item = host(json(proxy), "localhost")
    assert (item["exceeded"], item["limit_exceeded"]) == ("within", False)
    assert [item["limits"][key] for key in ("kbps", "rps", "connections")] == [4000, 30, 20]
    assert proxy.get("/6000").status == 200
    settled(proxy, 1)
    item = same_everywhere(proxy)
    assert (item["exceeded"], item["limit_exceeded"]) == (state, True)
    in_force = [800, 9, 7] if state == "slowed" else [4000, 30, 20]
    assert [item["limits"][key] for key in ("kbps", "rps", "connections")] == in_force
    assert [item["limits"]["configured"][key] for key in ("kbps", "rps", "connections")] == [4000, 30, 20]
    assert item["limit_exceeded_url"] == ("http://a.example/over" if any("URL" in line for line in lines) else None)
    labels = (("class", ""), ("name", "localhost"), ("scope", "host"))
    assert metrics(proxy)["weir_quota_exceeded", *labels] == 1
    assert metrics(proxy)["weir_speed_limit_bytes_per_second", ("name", "localhost"), ("scope", "host")] == in_force[0] * 128
    assert proxy.get().status == {"refused": 503, "redirected": 302, "slowed": 200}[state]


def test_limits_slices_and_periods(weir, place):
    """Before the first request a period has not begun; with it it begins; the first slice allows its part."""
    proxy = start(
        weir,
        place,
        ["CBandLimit 24M", "CBandPeriod 1D", "CBandPeriodSlice 2H", "CBandClassLimit near 12Mi", "CBandRemoteSpeed 16 5 3"],
        ["CBandUserLimit 7Gi", "CBandUserPeriod calendar-month"],
    )
    read = json(proxy)
    item = host(read, "localhost")
    assert (item["period"]["begin"], item["period"]["end"], item["time_to_refresh"]) == (None, None, 86400)
    before = int(time.time())
    size = size_of(proxy.get("/1000"))
    after = int(time.time()) + 1
    settled(proxy, 1)
    item = same_everywhere(proxy)
    assert (item["limits"]["total"], item["limits"]["slice"], item["usages"]["total"]) == (24_000_000, 2_000_000, size)
    near, far = item["limits"]["classes"]
    assert near == {"name": "near", "total": 12 << 20, "slice": 1 << 20}
    assert (far["total"], far["slice"]) == (0, 0)
    assert item["usages"]["classes"][0] == {"name": "near", "total": size, "exceeded": False}
    period = item["period"]
    assert (period["kind"], period["length"], period["slice_length"]) == ("seconds", 86400, 7200)
    assert before <= period["begin"] <= after and period["end"] == period["begin"] + 86400
    assert 86400 - 600 < item["time_to_refresh"] <= 86400
    assert item["limits"]["remote"] == {"total": 0, "kbps": 16, "rps": 5, "connections": 3}
    (user,) = json(proxy)["users"]
    assert (user["limits"]["total"], user["usages"]["total"], user["period"]["kind"]) == (7 << 30, size, "calendar-month")
    first = time.localtime(user["period"]["begin"])
    last = time.localtime(user["period"]["end"])
    assert (first.tm_mday, first.tm_hour, last.tm_mday, last.tm_hour) == (1, 0, 1, 0)
    assert user["period"]["begin"] <= before < user["period"]["end"]
    (client,) = json(proxy)["clients"]
    assert client["connection_limit"] == 3
    element = next(found for found in xml(proxy).iter("virtualhost") if found.findtext("name") == "localhost")
    assert element.findtext("period/begin") == str(period["begin"])
    assert element.findtext("limits/slice") == "2000000"
    assert element.findtext("user") == "alice"


def test_a_new_period_begins_at_nothing(weir, place):
    proxy = start(weir, place, ["CBandLimit 1M", "CBandPeriod 4S"])
    assert proxy.get().status == 200
    item = host(settled(proxy, 1), "localhost")
    assert item["usages"]["total"] > 1000
    wait_for(lambda: host(json(proxy), "localhost")["usages"]["total"] == 0, 15, "usage to begin anew", every=0.1)
    assert host(json(proxy), "localhost")["traffic"]["bytes_out"] > 1000


def test_one_client_of_many_is_refused(weir, place):
    """What the table of clients says is each one's own."""
    proxy = start(weir, place, [DAY, "CBandRemoteLimit 2500B"])
    for source, count in (("127.0.0.1", 1), ("127.0.0.2", 5), ("127.0.0.3", 2)):
        for _ in range(count):
            with Connection(proxy.port, source=source) as client:
                client.request()
    clients = {item["address"]: item for item in settled(proxy, 8)["clients"]}
    told = {address: (item["requests"], item["refused"]) for address, item in clients.items()}
    assert told == {"127.0.0.1": (1, 0), "127.0.0.2": (5, 2), "127.0.0.3": (2, 0)}
    assert clients["127.0.0.2"]["quota_used"] == clients["127.0.0.2"]["bytes_out"] > 2500


@pytest.mark.parametrize(
    "lines, user, limit",
    [
        (["CBandRemoteSpeed 0 0 4"], [], 4),
        (["CBandRemoteSpeed 0 0 4", "CBandClassRemoteSpeed near 0 0 9"], [], 9),
        (["CBandRemoteSpeed 0 0 4", "CBandClassRemoteSpeed far 0 0 9"], [], 4),
        (["CBandRemoteSpeed 0 0 4"], ["CBandUserRemoteSpeed 0 0 2"], 2),
        (["CBandClassRemoteSpeed near 0 0 9"], ["CBandUserClassRemoteSpeed near 0 0 5"], 5),
    ],
)
def test_the_limit_of_a_client_is_the_one_that_holds_for_it(weir, place, lines, user, limit):
    """Of its class where there is one, and the user's where that is smaller."""
    proxy = start(weir, place, lines, user)
    assert proxy.get().status == 200
    (client,) = settled(proxy, 1)["clients"]
    assert client["connection_limit"] == limit
