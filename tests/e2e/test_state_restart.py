"""StateFile: what was used is still used after a restart, a kill, a reload; the history; who may have the file."""
# ctest: waits
# ctest: tsan
import os
import re
import signal
import time

import pytest
from support.quota import fill, host, server_fixture, size_of  # noqa: F401 (fixtures)
from support.state import history, kill, query, shell, used, wait_used
from support.wait import wait_for
from support.weir import ROOT

LIMITED = ["CBandLimit 3500B", "CBandPeriod 1D"]


def config(server, *lines, before="", name="a.example"):
    return f"StateFile state.db\n{before}\n{host(name, *(lines or LIMITED), url=server.url)}"


def total(proxy, count, **options):
    """Bytes of so many answers."""
    return sum(size_of(proxy.get(**options)) for _ in range(count))


@pytest.fixture(name="path")
def path_fixture(directory):
    return f"{directory}/state.db"


# --- restarts ---


def test_usage_survives_a_stop(weir, server, path):
    proxy = weir(config(server))
    sent = total(proxy, 2, host="a.example")
    proxy.stop()
    assert not os.path.exists(path + "-wal"), "an orderly end leaves one file"
    assert used(path, "a.example") == sent
    proxy = weir(config(server))
    fill(proxy, 1, host="a.example")
    assert [proxy.get(host="a.example").status for _ in range(3)][-1] == 503


def test_usage_survives_a_kill(weir, server, path):
    """… but for what was counted in the last second."""
    proxy = weir(config(server))
    sent = total(proxy, 2, host="a.example")
    wait_used(path, "a.example", sent, deadline=3)
    kill(proxy)
    proxy = weir(config(server))
    more = total(proxy, 1, host="a.example")
    wait_used(path, "a.example", sent + more)


def test_an_exceeded_host_is_refused_from_the_first_request_on(weir, server):
    proxy = weir(config(server))
    fill(proxy, 4, host="a.example")
    assert proxy.get(host="a.example").status == 503
    proxy.stop()
    assert weir(config(server)).get(host="a.example").status == 503


def test_users_and_classes(weir, server, path):
    text = (
        "StateFile state.db\n<CBandClass lan>\nCBandClassDst 127.0.0.0/8\n</CBandClass>\n"
        "<CBandUser owner>\nCBandUserLimit 1M\nCBandUserClassLimit lan 3500B\n</CBandUser>\n"
        + host("a.example", "CBandUser owner", url=server.url)
        + host("b.example", "CBandUser owner", "CBandClassLimit lan 2500B", url=server.url)
    )
    proxy = weir(text)
    a, b = total(proxy, 2, host="a.example"), total(proxy, 1, host="b.example")
    proxy.stop()
    assert used(path, "owner", kind="user") == a + b
    assert used(path, "owner", kind="user", class_name="lan") == a + b
    assert used(path, "b.example", class_name="lan") == b
    proxy = weir(text)
    fill(proxy, 1, host="a.example")
    assert proxy.get(host="b.example").status == 503


def test_the_start_of_the_period_is_kept(weir, server, path):
    """A period of 6 s that began before the restart ends 6 s after its own begin."""
    lines = ["CBandLimit 1500B", "CBandPeriod 6S"]
    proxy = weir(config(server, *lines))
    fill(proxy, 2, host="a.example")
    proxy.stop()
    (start, begin), *_ = query(path, "SELECT start_s, begin_s FROM quota")
    assert start == begin <= time.time()
    proxy = weir(config(server, *lines))
    answer = proxy.get(host="a.example")
    if time.time() < start + 5:
        assert answer.status == 503
        assert int(answer.header("Retry-After")) <= start + 6 - int(time.time()) + 1
    wait_for(lambda: proxy.get(host="a.example").status == 200, 10, "the new period")
    assert time.time() >= start + 6
    wait_for(lambda: query(path, "SELECT start_s, begin_s FROM quota")[0] in [(start, start + 6 * k) for k in range(1, 9)], 5, "the grid")


def test_a_period_that_ended_meanwhile_begins_anew(weir, server, path):
    lines = ["CBandLimit 1500B", "CBandPeriod 2S"]
    proxy = weir(config(server, *lines))
    fill(proxy, 2, host="a.example")
    proxy.stop()
    (start,) = query(path, "SELECT start_s FROM quota")[0]
    wait_for(lambda: time.time() > start + 2, 5, "the end of the period")
    fill(weir(config(server, *lines)), 1, host="a.example")


def test_nothing_is_kept_without_a_state_file(weir, server, directory):
    proxy = weir(host("a.example", *LIMITED, url=server.url))
    proxy.wait_for_log("CBandLimit without StateFile: usage is kept over reloads, and forgotten at a restart")
    assert proxy.log().count("without StateFile") == 1
    fill(proxy, 4, host="a.example")
    proxy.stop()
    fill(weir(host("a.example", *LIMITED, url=server.url)), 1, host="a.example")
    assert not [name for name in os.listdir(directory) if ".db" in name]


@pytest.mark.parametrize(
    "before, line",
    [
        ("<CBandUser alice>\nCBandUserLimit 1M\n</CBandUser>", "CBandUser alice"),
        ("<CBandClass near>\nCBandClassDst 127.0.0.0/8\n</CBandClass>", "CBandClassLimit near 1M"),
    ],
)
def test_that_nothing_is_kept_is_said_of_users_and_classes_too(weir, server, before, line):
    proxy = weir(before + "\n" + host("a.example", line, url=server.url))
    proxy.wait_for_log("CBandLimit without StateFile: usage is kept over reloads, and forgotten at a restart")


def test_flush_after_so_many_requests(weir, server, path):
    """With CBandScoreFlushPeriod 1 a kill right behind the answer loses next to nothing."""
    proxy = weir(config(server, "CBandLimit 1G", before="CBandScoreFlushPeriod 1"), workers=1)
    sent, flushed_at_once = 0, 0
    for _ in range(10):
        sent += total(proxy, 1, host="a.example")
        end = time.monotonic() + 0.3
        while used(path, "a.example") != sent and time.monotonic() < end:
            time.sleep(0.005)
        flushed_at_once += used(path, "a.example") == sent
    assert flushed_at_once >= 8, "a flush a second would not have done it"


# --- reload ---


def test_a_host_that_comes_with_a_reload_has_its_usage(weir, server, path):
    proxy = weir(config(server))
    fill(proxy, 4, host="a.example")
    proxy.stop()
    proxy = weir(config(server, name="b.example"))
    proxy.reload(config(server), expect="configuration reloaded")
    assert proxy.get(host="a.example").status == 503


def test_a_reload_moves_usage_to_another_file(weir, server, directory):
    proxy = weir(config(server))
    sent = total(proxy, 2, host="a.example")
    proxy.reload(config(server).replace("state.db", "other.db"), expect="configuration reloaded")
    wait_used(f"{directory}/other.db", "a.example", sent)
    proxy.stop()
    fill(weir(config(server).replace("state.db", "other.db")), 1, host="a.example")


def test_a_state_file_that_comes_with_a_reload(weir, server, path):
    """What was counted before, and what the file has, are added."""
    proxy = weir(config(server))
    sent = total(proxy, 1, host="a.example")
    proxy.stop()
    proxy = weir(host("a.example", *LIMITED, url=server.url))
    sent += total(proxy, 2, host="a.example")
    proxy.reload(config(server), expect="configuration reloaded")
    wait_used(path, "a.example", sent)


# --- the history ---


def test_the_history_by_the_hour(weir, server, path):
    text = (
        "StateFile state.db\n<CBandClass lan>\nCBandClassDst 127.0.0.0/8\n</CBandClass>\n<CBandUser owner>\n</CBandUser>\n"
        + host("a.example", "CBandUser owner", url=server.url)
        + host("b.example", "CBandUser owner", url=server.url)
    )
    begin = time.time()
    proxy = weir(text)
    a, b = total(proxy, 3, host="a.example"), total(proxy, 2, host="b.example")
    wait_for(lambda: history(path, "user", "owner")[2] == 5, 5, "the history")
    proxy.stop()
    assert history(path, "host", "a.example")[0] == a
    assert history(path, "host", "a.example")[2] == 3
    assert history(path, "host", "a.example")[1] > 3 * len("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n") - 1
    assert history(path, "host", "b.example")[::2] == (b, 2)
    assert history(path, "user", "owner")[::2] == (a + b, 5)
    assert history(path, "class", "lan")[::2] == (a + b, 5)
    for (hour,) in query(path, "SELECT hour_s FROM usage_history"):
        assert hour % 3600 == 0 and begin - 3600 < hour <= time.time()
    proxy = weir(text)
    a += total(proxy, 1, host="a.example")
    proxy.stop()
    assert history(path, "host", "a.example")[::2] == (a, 4)


def test_old_history_goes(weir, server, path):
    proxy = weir(config(server, before="UsageHistory 10"))
    proxy.stop()
    now = int(time.time()) // 3600 * 3600
    for days in (0, 9, 11, 100):
        shell(path, f"INSERT INTO usage_history VALUES ({now - days * 86400}, 'host', 'old', 1, 1, 1)")
    proxy = weir(config(server, before="UsageHistory 10"))
    wait_for(lambda: history(path, "host", "old")[2] == 2, 5, "two rows to go")


# --- who else has the file ---


def test_a_second_weir_is_refused(weir, server, directory, weir_command):
    proxy = weir(config(server))
    other = f"Listen unix:{directory}/other.sock\n" + config(server)
    result = weir_command("-c", "second.conf", files={"second.conf": other})
    assert result.returncode == 1
    assert f"{directory}/state.db is in use by another weir, process {proxy.pid}" in result.stderr
    assert proxy.get(host="a.example").status == 200
    kill(proxy)
    fill(weir(config(server)), 1, host="a.example")


def test_sqlite3_reads_while_weir_runs(weir, server, path):
    proxy = weir(config(server, "CBandLimit 1G"))
    sent = 0
    for _ in range(5):
        sent += total(proxy, 5, host="a.example")
        wait_used(path, "a.example", sent)
        assert shell(path, "SELECT used_bytes FROM quota WHERE name = 'a.example'") == str(sent)
        assert shell(path, "PRAGMA integrity_check") == "ok"
    assert "[error]" not in proxy.log()


def test_the_queries_of_the_documentation(weir, server, path):
    proxy = weir(config(server))
    total(proxy, 1, host="a.example")
    wait_for(lambda: history(path, "host", "a.example")[2] == 1, 5, "the history")
    with open(f"{ROOT}/docs/state.md", encoding="utf-8") as file:
        queries = re.findall(r"(?s)\n    (SELECT .*?;)\n", file.read())
    assert len(queries) == 3
    for sql in queries:
        shell(path, sql)
    assert "a.example" in shell(path, queries[0])


def test_only_its_owner_may_read_it(weir, server, path):
    proxy = weir(config(server))
    for name in (path, path + "-wal", path + "-shm", path + ".lock"):
        wait_for(lambda name=name: os.path.exists(name), 5, f"{name} to be there")
        assert os.stat(name).st_mode & 0o077 == 0, name
    proxy.stop()


def test_detached(weir_command, server, directory, path):
    """-d moves to /: the path is the folder's of the configuration."""
    text = f"Listen unix:{directory}/a.sock\nPidFile weir.pid\nErrorLog error.log\n" + config(server)
    assert weir_command("-d", config=text).returncode == 0
    with open(f"{directory}/weir.pid", encoding="ascii") as file:
        pid = int(file.read())
    assert os.path.exists(path)
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"{directory}/weir.pid"), 10, "its end")
