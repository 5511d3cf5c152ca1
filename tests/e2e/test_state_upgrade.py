"""USR2: two processes count for the same hosts for a while, and nothing is counted twice or lost."""
# ctest: tsan
import signal

import pytest
from support import weir as weir_module
from support.client import format_request
from support.quota import fill, host, server_fixture, size_of  # noqa: F401 (fixtures)
from support.state import history, kill, query, used, wait_used
from support.wait import wait_for

pytestmark = pytest.mark.skipif(bool(weir_module.WRAPPER), reason="the wrapper is not replaced with the binary")


@pytest.fixture(name="path")
def path_fixture(directory):
    return f"{directory}/state.db"


def config(server, *lines):
    return (
        "StateFile state.db\nPidFile weir.pid\nGracefulShutdownTimeout 60\n"
        "<CBandClass lan>\nCBandClassDst 127.0.0.0/8\n</CBandClass>\n" + host("a.example", *lines, url=server.url)
    )


def replace(proxy):
    """USR2, until the new process serves."""
    old = str(proxy.pid)
    proxy.send_signal(signal.SIGUSR2)
    wait_for(lambda: proxy.file("weir.pid").strip() not in ("", old), 20, proxy.log())
    proxy.wait_for_log(f"process {proxy.file('weir.pid').strip()} serves now")
    proxy.main_pid = int(proxy.file("weir.pid"))


def total(proxy, count):
    return sum(size_of(proxy.get(host="a.example")) for _ in range(count))


SIZE = 30_000_000  # more than all buffers on the way


def slow_download(proxy, connect, size=SIZE):
    """A response of which only the beginning was read."""
    client = connect(proxy.port, receive_buffer=16384)
    client.send(format_request(f"/{size}", host="a.example"))
    return client, client.read_head()


def test_usage_goes_with_it(weir, server, path):
    proxy = weir(config(server, "CBandLimit 3500B", "CBandPeriod 1D"))
    fill(proxy, 4, host="a.example")
    replace(proxy)
    assert proxy.get(host="a.example").status == 503
    sent = used(path, "a.example")
    proxy.stop()
    assert used(path, "a.example") == sent > 3500


def test_what_the_old_one_sends_counts_in_the_new_one(weir, server, path, connect):
    proxy = weir(config(server, "CBandLimit 1G"), workers=1)
    client, head = slow_download(proxy, connect)
    replace(proxy)
    sent = total(proxy, 3)
    assert len(client.read_exactly(SIZE)) == SIZE
    sent += len(head.raw_head) + SIZE
    wait_used(path, "a.example", sent, deadline=10)
    assert used(path, "a.example", class_name="lan") == sent
    sent += total(proxy, 1)
    wait_used(path, "a.example", sent)
    wait_for(lambda: history(path, "host", "a.example")[::2] == (sent, 5), 5, "the history of both")
    assert query(path, "SELECT count(*) FROM handover") == [(0,)]
    proxy.stop()
    assert used(path, "a.example") == sent, "in memory it is the same"


def test_what_the_old_one_sends_exceeds_the_quota_in_the_new_one(weir, server, connect):
    proxy = weir(config(server, "CBandLimit 20M", "CBandPeriod 1D"), workers=1)
    client, _ = slow_download(proxy, connect)
    replace(proxy)
    fill(proxy, 2, host="a.example")
    client.read_exactly(SIZE)
    wait_for(lambda: proxy.get(host="a.example").status == 503, 10, "the quota to be exceeded")


def test_the_new_one_ends_first(weir, server, path, connect):
    """What the old one counts behind its end is found by the next start."""
    proxy = weir(config(server, "CBandLimit 1G"), workers=1)
    client, head = slow_download(proxy, connect)
    old = proxy.pid
    replace(proxy)
    sent = total(proxy, 2)
    wait_for(lambda: history(path, "host", "a.example")[2] == 2, 5, "a flush of the two")
    kill(proxy)
    client.read_exactly(SIZE)
    sent += len(head.raw_head) + SIZE
    wait_for(lambda: proxy.process.poll() is not None, 20, f"process {old} to end")
    next_one = weir(config(server, "CBandLimit 1G"))
    wait_used(path, "a.example", sent)
    sent += total(next_one, 1)
    wait_used(path, "a.example", sent)


def test_replaced_twice(weir, server, path, connect):
    proxy = weir(config(server, "CBandLimit 1G"), workers=1)
    downloads, sent = [], 0
    for _ in range(3):
        downloads.append(slow_download(proxy, connect))
        sent += total(proxy, 2)
        if len(downloads) < 3:
            replace(proxy)
    for client, head in downloads:
        client.read_exactly(SIZE)
        sent += len(head.raw_head) + SIZE
    wait_used(path, "a.example", sent, deadline=10)
    proxy.stop()
    assert used(path, "a.example") == sent


def test_an_upgrade_that_fails_leaves_the_state_where_it_was(weir, server, path):
    """The new process takes the state, and then cannot write its pid file."""
    proxy = weir(config(server, "CBandLimit 1G"), workers=1)
    sent = total(proxy, 2)
    good = config(server, "CBandLimit 1G")
    proxy.write_config(good.replace("weir.pid", "/sys/weir.pid"))
    proxy.send_signal(signal.SIGUSR2)
    proxy.wait_for_log("the new process did not start; this one goes on")
    proxy.write_config(good)
    sent += total(proxy, 1)
    wait_used(path, "a.example", sent)
    proxy.reload(good, expect="configuration reloaded")
    sent += total(proxy, 1)
    proxy.stop()
    assert used(path, "a.example") == sent
    assert query(path, "SELECT count(*) FROM handover") == [(0,)]


def test_another_weir_is_still_refused(weir, server, directory, weir_command):
    proxy = weir(config(server))
    replace(proxy)
    other = f"Listen unix:{directory}/other.sock\nStateFile state.db\n"
    result = weir_command("-c", "second.conf", files={"second.conf": other})
    assert result.returncode == 1
    assert f"in use by another weir, process {proxy.pid}" in result.stderr
