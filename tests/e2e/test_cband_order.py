"""Which of several limits speaks first: counts of connections, then request rates, then quotas, the host's before the user's."""
# ctest: exclusive
import threading
import time

import pytest
from support.client import Late, format_request
from support.quota import LOG, assert_refused, fill, host, limited_fixture, server_fixture  # noqa: F401 (fixtures)
from support.wait import SLOWNESS, wait_for

TRUST = "RemoteIPHeader X-Client\nRemoteIPTrustedProxy 127.0.0.1\n"
OVER = "CBandDefaultExceededCode 509\n"  # told apart from the 503 of counts and rates


@pytest.fixture(name="gate")
def gate_fixture(origin):
    """gate.server holds its answers back until gate.open is set."""
    gate = threading.Event()

    def script(connection):
        while connection.read_request() is not None:
            gate.wait(10)
            connection.answer(b"x" * 1000)

    gate.server = origin(script)
    yield gate
    gate.set()


def test_counts_before_quotas(weir, gate):
    lines = ["CBandSpeed 0 0 2", "CBandLimit 500B", "CBandPeriod 1D"]
    proxy = weir(OVER + host("localhost", *lines, url=gate.server.url), workers=1)
    held = [proxy.connect().send(format_request()) for _ in range(2)]
    gate.server.wait_for_requests(2)
    assert_refused(proxy.get(), 503, within=1)
    gate.set()
    for connection in held:
        assert connection.read_response().status == 200
    assert_refused(proxy.get(), 509)


def test_rates_before_quotas(weir, gate):
    """Some requests wait, a second apart; the next would have to wait for too long, whatever its quota says."""
    lines = ["CBandSpeed 0 1 0", "CBandMaxDelay 2.5", "CBandLimit 500B", "CBandPeriod 1D"]
    proxy = weir(f"{OVER}{LOG}\n" + host("localhost", *lines, url=gate.server.url), workers=1)
    first = proxy.connect().send(format_request())
    gate.server.wait_for_requests(1)
    answer = None
    while answer is None:  # some wait for their turns; the first that would wait for too long is answered
        try:
            answer = proxy.connect().send(format_request()).read_response(deadline=0.3 / SLOWNESS)
        except Late:
            continue
    assert_refused(answer, 503, within=4)
    gate.set()
    assert first.read_response().status == 200  # now the host is over its quota
    assert_refused(proxy.get(), 503, within=4)
    wait_for(lambda: proxy.get().status == 509, 6, "its turn to be near")
    proxy.wait_for_log(r"/ 503 refused host-rate -\n", name="access.log")
    proxy.wait_for_log(r"/ 509 refused host-quota -\n", name="access.log")


def test_who_is_over_its_quota_does_not_wait_to_hear_it(weir, server):
    """… nor does it use up turns."""
    lines = ["CBandSpeed 0 1 0", "CBandLimit 500B", "CBandPeriod 1D"]
    proxy = weir(OVER + host("localhost", *lines, url=server.url), workers=1)
    fill(proxy, 1)
    began = time.monotonic()
    for _ in range(20):
        assert_refused(proxy.get(), 509)
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize("total, reason", [(500, "host-quota"), (1_000_000, "host-class-quota")])
def test_the_total_before_the_class(weir, server, total, reason):
    classes = "<CBandClass all>\nCBandClassDst 203.0.113.0/24\n</CBandClass>\n"
    lines = [f"CBandLimit {total}B", "CBandClassLimit all 500B", "CBandPeriod 1D"]
    proxy = weir(f"{TRUST}{classes}{LOG}\n" + host("localhost", *lines, url=server.url), workers=1)
    headers = {"X-Client": "203.0.113.9"}
    fill(proxy, 1, headers=headers)
    assert_refused(proxy.get(headers=headers))
    proxy.wait_for_log(rf"/ 503 refused {reason} -\n", name="access.log")


@pytest.mark.parametrize("limit, reason", [(500, "host-quota"), (1_000_000, "user-quota")])
def test_the_host_before_the_user(weir, server, limit, reason):
    user = "<CBandUser owner>\nCBandUserLimit 500B\nCBandUserPeriod 1D\n</CBandUser>\n"
    lines = ["CBandUser owner", f"CBandLimit {limit}B", "CBandPeriod 1D"]
    proxy = weir(f"{user}{LOG}\n" + host("localhost", *lines, url=server.url), workers=1)
    fill(proxy, 1)
    assert_refused(proxy.get())
    proxy.wait_for_log(rf"/ 503 refused {reason} owner\n", name="access.log")


def test_the_users_refusal_goes_before_the_hosts_exceeded_speed(weir, server):
    user = "<CBandUser owner>\nCBandUserLimit 3000B\nCBandUserPeriod 1D\n</CBandUser>\n"
    lines = ["CBandUser owner", "CBandLimit 1500B", "CBandPeriod 1D", "CBandExceededSpeed 8Mbps 0 0"]
    proxy = weir(OVER + user + host("localhost", *lines, url=server.url), workers=1)
    fill(proxy, 3)  # the third at the host's exceeded speed
    assert_refused(proxy.get(), 509)


def test_the_exceeded_request_rate(limited):
    """The second field of CBandExceededSpeed holds over quota only."""
    proxy = limited("CBandLimit 4500B", "CBandPeriod 1D", "CBandExceededSpeed 0 2 0")
    began = time.monotonic()
    fill(proxy, 5)
    assert time.monotonic() - began < 0.45
    fill(proxy, 2)
    began = time.monotonic()
    fill(proxy, 2)
    assert 0.8 < time.monotonic() - began < 1.4


def test_a_period_begins_with_the_first_request_counted(limited):
    proxy = limited("CBandLimit 500B", "CBandPeriod 1H")
    time.sleep(2.1)  # nobody asks for anything
    fill(proxy, 1)
    answer = proxy.get()
    assert_refused(answer, within=3600)
    assert int(answer.header("Retry-After")) >= 3599
