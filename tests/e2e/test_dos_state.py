"""Blocks outlive a restart, a kill and a successor, in the StateFile; and end when they would have."""
# ctest: tsan
import signal

import pytest
from support.dos import SLOW, ask, statuses
from support.state import kill, query
from support.wait import wait_for

ADDRESS = "127.0.0.9"


@pytest.fixture(name="start")
def start_fixture(weir, origin):
    server = origin()

    def start(lines="", state="StateFile state.db"):
        return weir(f"{state}\n{SLOW}DOSBlockingPeriod 60\n{lines}\nProxyPass / {server.url}")

    return start


def block(proxy):
    assert statuses(proxy, ["/a", "/a", "/a"], source=ADDRESS) == [200, 200, 403]


def rows(directory):
    return query(f"{directory}/state.db", "SELECT address, prefix_bits, reason, log_only FROM block")


def wait_written(directory, expected):
    wait_for(lambda: rows(directory) == expected, 5, f"the table of blocks to be {expected}")


def test_a_block_survives_a_stop(start, directory):
    proxy = start()
    block(proxy)
    proxy.stop()
    assert rows(directory) == [(ADDRESS, 32, "page", 0)]
    proxy = start()
    assert ask(proxy, "/b", source=ADDRESS).status == 403
    assert ask(proxy, "/b", source="127.0.0.10").status == 200


def test_a_block_survives_a_kill(start, directory):
    """… but of the last second."""
    proxy = start()
    block(proxy)
    wait_written(directory, [(ADDRESS, 32, "page", 0)])
    kill(proxy)
    assert ask(start(), "/b", source=ADDRESS).status == 403


def test_a_block_that_has_ended_does_not_come_back(start, directory):
    proxy = start("DOSBlockingPeriod 3")
    block(proxy)
    wait_written(directory, [(ADDRESS, 32, "page", 0)])
    wait_written(directory, [])
    proxy.stop()
    assert ask(start(), "/b", source=ADDRESS).status == 200


def test_a_renewed_block_is_written_with_its_new_end(start, directory):
    proxy = start()
    block(proxy)
    wait_written(directory, [(ADDRESS, 32, "page", 0)])
    first = query(f"{directory}/state.db", "SELECT until_s FROM block")[0][0]

    def later():
        assert ask(proxy, "/a", source=ADDRESS).status == 403
        until = query(f"{directory}/state.db", "SELECT until_s FROM block")
        return until and until[0][0] > first

    wait_for(later, 10, "the end to move on")


def test_a_reload_keeps_blocks(start):
    proxy = start()
    block(proxy)
    proxy.send_signal(signal.SIGHUP)
    proxy.wait_for_log("configuration reloaded")
    assert ask(proxy, "/b", source=ADDRESS).status == 403


def test_rows_that_are_no_blocks_are_passed_over(start, directory):
    import sqlite3  # pylint: disable=import-outside-toplevel

    start().stop()
    connection = sqlite3.connect(f"{directory}/state.db")
    with connection:
        for address, bits, reason in [("nonsense", 32, "page"), ("192.0.2.1", 99, "page"), ("192.0.2.1", 32, "no reason"), ("", 0, "")]:
            connection.execute(
                "INSERT INTO block VALUES (?, ?, 9999999999, ?, 'host', 'x', 0, 0, 0)", (address, bits, reason)
            )
    connection.close()
    proxy = start()
    assert ask(proxy, "/", source=ADDRESS).status == 200
    assert "go on" not in proxy.log()


def test_without_a_state_file_blocks_are_forgotten(start):
    proxy = start(state="")
    block(proxy)
    proxy.stop()
    assert ask(start(state=""), "/b", source=ADDRESS).status == 200
