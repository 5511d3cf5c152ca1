"""State files that are somebody else's, damaged, missing or full: weir serves, says so, and deletes nothing."""
# ctest: waits
import os
import resource
import signal
import sqlite3
import time

import pytest
from support.quota import fill, host, server_fixture, size_of  # noqa: F401 (fixtures)
from support.state import kill, query, scoreboard, set_aside, shell, used, wait_used
from support.wait import wait_for

LIMITED = ["CBandLimit 3500B", "CBandPeriod 1D"]


def config(server, *lines, name="a.example"):
    return f"StateFile state.db\n{host(name, *(lines or LIMITED), url=server.url)}"


def total(proxy, count, name="a.example"):
    return sum(size_of(proxy.get(host=name)) for _ in range(count))


@pytest.fixture(name="path")
def path_fixture(directory):
    return f"{directory}/state.db"


# --- scoreboards ---


def test_scoreboards_are_databases_of_their_own(weir, server, directory):
    text = (
        "StateFile state.db\n<CBandUser owner>\nCBandUserScoreboard owner.db\n</CBandUser>\n"
        + host("a.example", "CBandScoreboard a.db", "CBandUser owner", *LIMITED, url=server.url)
        + host("b.example", url=server.url)
    )
    proxy = weir(text)
    a, b = total(proxy, 4), total(proxy, 1, "b.example")
    proxy.stop()
    assert used(f"{directory}/a.db", "a.example") == a
    assert used(f"{directory}/owner.db", "owner", kind="user") == a
    assert used(f"{directory}/state.db", "b.example") == b
    assert query(f"{directory}/state.db", "SELECT name FROM quota ORDER BY name") == [("b.example",)]
    assert weir(text).get(host="a.example").status == 503


def test_a_scoreboard_without_a_state_file(weir, server, directory):
    text = host("a.example", "CBandScoreboard a.db", *LIMITED, url=server.url)
    proxy = weir(text)
    fill(proxy, 4, host="a.example")
    wait_for(lambda: used(f"{directory}/a.db", "a.example") > 3500, 5, "the flush")
    kill(proxy)
    assert weir(text).get(host="a.example").status == 503


@pytest.mark.parametrize("with_state_file", [True, False])
def test_a_folder_as_scoreboard(weir, server, directory, with_state_file):
    os.mkdir(f"{directory}/scores")
    text = host("a.example", "CBandScoreboard scores", *LIMITED, url=server.url)
    proxy = weir(f"StateFile state.db\n{text}" if with_state_file else text)
    proxy.wait_for_log(
        r"\[warn\w*\].*proxy.conf:\d+: CBandScoreboard: \S+/scores is a folder, not a file: usage is kept in "
        + ("StateFile" if with_state_file else "memory only")
    )
    sent = total(proxy, 2)
    if with_state_file:
        wait_used(f"{directory}/state.db", "a.example", sent)
    assert os.listdir(f"{directory}/scores") == []


def test_a_file_of_mod_cband_is_imported_once(weir, server, directory):
    start = int(time.time()) - 3600
    old = scoreboard(2000, start, (1500, 500, 0))
    with open(f"{directory}/a.score", "wb") as file:
        file.write(old)
    text = (
        "<CBandClass one>\nCBandClassDst 127.0.0.0/8\n</CBandClass>\n<CBandClass two>\nCBandClassDst 10.0.0.0/8\n</CBandClass>\n"
        + host("a.example", "CBandScoreboard a.score", "CBandLimit 3500B", "CBandPeriod 1D", url=server.url)
    )
    proxy = weir(text)
    proxy.wait_for_log("a.score was a scoreboard of mod_cband; it is kept as .*/a.score.mod_cband")
    proxy.wait_for_log("a.example: 2000 bytes are taken over from mod_cband")
    with open(f"{directory}/a.score.mod_cband", "rb") as file:
        assert file.read() == old
    sent = total(proxy, 1)
    wait_used(f"{directory}/a.score", "a.example", 2000 + sent)
    assert used(f"{directory}/a.score", "a.example", class_name="one") == 1500 + sent
    assert used(f"{directory}/a.score", "a.example", class_name="two") == 500
    assert query(f"{directory}/a.score", "SELECT start_s, begin_s FROM quota WHERE class = ''") == [(start, start)]
    fill(proxy, 1, host="a.example")
    assert proxy.get(host="a.example").status == 503
    proxy.stop()
    proxy = weir(text)
    assert proxy.get(host="a.example").status == 503
    assert "taken over" not in proxy.log()


def test_an_import_with_a_reload_adds_to_what_was_counted(weir, server, directory):
    proxy = weir(host("a.example", *LIMITED, url=server.url))
    sent = total(proxy, 1)
    with open(f"{directory}/a.score", "wb") as file:
        file.write(scoreboard(3000, int(time.time()) - 3600))
    proxy.reload(host("a.example", "CBandScoreboard a.score", *LIMITED, url=server.url), expect="configuration reloaded")
    wait_used(f"{directory}/a.score", "a.example", 3000 + sent)
    assert proxy.get(host="a.example").status == 503


@pytest.mark.parametrize("content", [b"x" * 56, b"hello\n", b"\0" * 44, b"SQLite format 3\0" + b"\1" * 200])
def test_any_other_file_is_set_aside(weir, server, directory, content):
    with open(f"{directory}/a.score", "wb") as file:
        file.write(content)
    proxy = weir(host("a.example", "CBandScoreboard a.score", *LIMITED, url=server.url))
    proxy.wait_for_log(r"\[error\].*a.score was damaged or no database; it is kept as .*a.score.corrupt-\d+-\d+")
    (kept,) = set_aside(directory, "a.score")
    with open(f"{directory}/{kept}", "rb") as file:
        assert file.read() == content
    wait_used(f"{directory}/a.score", "a.example", total(proxy, 1))


# --- damage ---


def test_a_damaged_database_is_set_aside(weir, server, directory, path):
    proxy = weir(config(server))
    fill(proxy, 2, host="a.example")
    proxy.stop()
    with open(path, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(3 * 4096))
    damaged = open(path, "rb").read()
    proxy = weir(config(server))
    proxy.wait_for_log("damaged or no database; it is kept as")
    (kept,) = set_aside(directory, "state.db")
    assert open(f"{directory}/{kept}", "rb").read() == damaged
    wait_used(path, "a.example", total(proxy, 3))


def test_damage_while_it_runs(weir, server, directory, path):
    """What is in memory is written to the new file."""
    proxy = weir(config(server, "CBandLimit 1G"), workers=1)
    sent = total(proxy, 3)
    wait_used(path, "a.example", sent)
    # Somebody else has written, so that weir has to read again what is damaged behind its back.
    shell(path, "INSERT INTO block VALUES ('192.0.2.1', 32, 1, '', '', '', 0, 0, 0); PRAGMA wal_checkpoint(TRUNCATE)")
    with open(path, "r+b") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(4096)
        file.write(os.urandom(size - 4096))

    def noticed():
        nonlocal sent
        sent += total(proxy, 1)
        return set_aside(directory, "state.db")

    wait_for(noticed, 20, "the damage to be seen")
    wait_used(path, "a.example", sent, deadline=10)


def test_a_file_that_is_removed_is_begun_anew(weir, server, path):
    proxy = weir(config(server, "CBandLimit 1G"))
    sent = total(proxy, 2)
    wait_used(path, "a.example", sent)
    for name in (path, path + "-wal", path + "-shm"):
        os.unlink(name)
    sent += total(proxy, 1)
    proxy.wait_for_log("was removed or replaced while it was in use")
    wait_used(path, "a.example", sent)
    proxy.wait_for_log("is written again")


# --- other people's ---


@pytest.mark.parametrize(
    "sql, said",
    [
        ("CREATE TABLE t (a)", "is a database of another program and is not touched"),
        ("PRAGMA application_id = 2003134834; PRAGMA user_version = 2; CREATE TABLE t (a)", "was made by a later weir"),
    ],
)
def test_a_database_that_is_not_ours_is_not_touched(weir, server, path, sql, said):
    with sqlite3.connect(path) as connection:
        connection.executescript(sql)
    connection.close()
    content = open(path, "rb").read()
    proxy = weir(config(server))
    proxy.wait_for_log(rf"\[error\] .*{said}")
    fill(proxy, 4, host="a.example")
    time.sleep(1.2)
    proxy.stop()
    assert open(path, "rb").read() == content
    assert proxy.log().count(said) == 1


def test_a_writer_that_stays_does_not_hold_up_traffic(weir, server, path):
    proxy = weir(config(server, "CBandLimit 1G"))
    sent = total(proxy, 1)
    wait_used(path, "a.example", sent)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    sent += total(proxy, 2)
    proxy.wait_for_log(r"\[error\] .*state.db: database is locked")
    begin = time.monotonic()
    sent += total(proxy, 20)
    assert time.monotonic() - begin < 3
    connection.execute("COMMIT")
    connection.close()
    proxy.wait_for_log(r"\[notice\] .*state.db is written again")
    wait_used(path, "a.example", sent)
    assert proxy.log().count("database is locked") == 1


# --- disks ---


def test_a_missing_folder_is_an_error_of_the_configuration(weir_command, server):
    result = weir_command("-t", config=config(server).replace("state.db", "missing/state.db"))
    assert result.returncode == 1
    assert "StateFile: there is no folder" in result.stderr


def test_a_folder_that_cannot_be_written(weir, server):
    """/sys takes no files, not even root's."""
    proxy = weir(config(server).replace("state.db", "/sys/state.db"))
    proxy.wait_for_log(r"\[error\] .*/sys/state.db.lock cannot be opened: ")
    fill(proxy, 4, host="a.example")
    assert proxy.get(host="a.example").status == 503
    time.sleep(2.2)
    assert proxy.log().count("cannot be opened") == 1, "once, not every second"


def test_a_folder_that_comes_back(weir, server, directory):
    """A disk that is mounted late: what it has and what was counted meanwhile are added."""
    os.mkdir(f"{directory}/disk")
    text = config(server).replace("state.db", "disk/state.db")
    proxy = weir(text)
    sent = total(proxy, 1)
    proxy.stop()
    os.rename(f"{directory}/disk/state.db", f"{directory}/away.db")
    os.mkdir(f"{directory}/disk/state.db")  # in its way
    proxy = weir(text)
    proxy.wait_for_log("state.db is a folder; name a file in it")
    sent += total(proxy, 1)
    os.rmdir(f"{directory}/disk/state.db")
    os.rename(f"{directory}/away.db", f"{directory}/disk/state.db")
    proxy.wait_for_log("is written again")
    wait_used(f"{directory}/disk/state.db", "a.example", sent)


def test_a_full_disk(weir, server, path):
    """No file may grow beyond 64 KiB: usage stays in memory until there is room, and the database is whole."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    proxy = weir(
        config(server, "CBandLimit 1G").replace("\n<Virtual", "\nErrorLog stderr\n<Virtual", 1),
        workers=1,
        preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, hard)),
    )
    sent = 0

    def is_full():
        nonlocal sent
        sent += total(proxy, 2)
        return "[error]" in proxy.log()

    wait_for(is_full, 30, "the disk to be full")
    proxy.wait_for_log(r"\[error\] .*state.db: (disk I/O error|database or disk is full)")
    sent += total(proxy, 50)
    resource.prlimit(proxy.pid, resource.RLIMIT_FSIZE, (hard, hard))
    proxy.wait_for_log("state.db is written again")
    wait_used(path, "a.example", sent)
    assert proxy.log().count("[error]") == 1
    assert shell(path, "PRAGMA integrity_check") == "ok"
    proxy.send_signal(signal.SIGTERM)
    proxy.wait()
    assert used(path, "a.example") == sent
