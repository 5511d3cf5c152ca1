"""USR2 when the new binary is not what it should be, and of a detached process."""
import os
import shutil
import signal
import time

import pytest
from support import weir as weir_module
from support.wait import free_port, listens, wait_for

pytestmark = pytest.mark.skipif(bool(weir_module.WRAPPER), reason="the wrapper is not replaced with the binary")


@pytest.fixture(name="binary")
def binary_fixture(directory, monkeypatch):
    """A copy of the binary that a test may replace; weir is started from it."""
    path = f"{directory}/weir-copy"
    shutil.copy(weir_module.BINARY, path)
    monkeypatch.setattr(weir_module, "BINARY", path)
    return path


def put_script(path, text):
    """Puts a shell script in the place of a binary, as a package manager does: beside it, then renamed."""
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\n{text}\n")
    os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)


def test_the_path_leads_to_the_new_binary(weir, origin, binary):
    proxy = weir(f"PidFile weir.pid\nProxyPass / {origin().url}")
    shutil.copy(f"/proc/{proxy.pid}/exe", binary + ".new")
    os.rename(binary + ".new", binary)
    old = str(proxy.pid)
    proxy.send_signal(signal.SIGUSR2)
    wait_for(lambda: proxy.file("weir.pid").strip() not in ("", old), 20, proxy.log())
    proxy.main_pid = int(proxy.file("weir.pid"))
    assert os.readlink(f"/proc/{proxy.pid}/exe") == binary
    assert proxy.get("/").status == 200


def test_the_binary_is_gone(weir, origin, binary):
    proxy = weir(f"ProxyPass / {origin().url}")
    os.rename(binary, binary + ".away")
    proxy.send_signal(signal.SIGUSR2)
    proxy.wait_for_log("the new process did not start; this one goes on")
    proxy.wait_for_log("could not be executed")
    assert proxy.get("/").status == 200


@pytest.mark.parametrize(
    "script, said",
    [("exit 3", "it ended without saying why"), ("echo no way >/proc/self/fd/$WEIR_UPGRADE_FD; exit 1", r"\[error\].*: no way")],
)
def test_a_binary_that_fails(weir, origin, binary, script, said):
    proxy = weir(f"ProxyPass / {origin().url}")
    failed = "the new process did not start; this one goes on"
    for turn in (1, 2):
        put_script(binary, script)
        proxy.send_signal(signal.SIGUSR2)
        wait_for(lambda turn=turn: proxy.log().count(failed) == turn, 10, proxy.log())
        proxy.wait_for_log(said)
        assert proxy.get("/").status == 200
    proxy.reload(expect="configuration reloaded")


def test_a_binary_that_hangs(weir, origin, binary):
    """Other signals are answered in the meantime, and the end does not wait for it."""
    proxy = weir(f"ProxyPass / {origin().url}")
    put_script(binary, "exec sleep 60")
    proxy.send_signal(signal.SIGUSR2)
    proxy.wait_for_log("USR2: starting")
    proxy.send_signal(signal.SIGUSR2)
    proxy.wait_for_log("USR2: not now: another upgrade is under way")
    proxy.send_signal(signal.SIGHUP)
    proxy.wait_for_log("HUP: not now: an upgrade is under way")
    assert proxy.get("/").status == 200
    begin = time.monotonic()
    proxy.stop()
    assert time.monotonic() - begin < 5
    assert "the upgrade under way is given up" in proxy.log()


def test_a_detached_process(directory, connect):
    port = free_port()
    config = f"Listen 127.0.0.1:{port}\nPidFile weir.pid\nErrorLog error.log\nWorkers 2\n"
    assert weir_module.run("-d", config=config, directory=directory).returncode == 0

    def pid():
        with open(f"{directory}/weir.pid", encoding="ascii") as file:
            return int(file.read())

    first = pid()
    try:
        assert os.readlink(f"/proc/{first}/cwd") == "/"
        os.kill(first, signal.SIGUSR2)
        wait_for(lambda: pid() != first, 20, "the new process")
        assert connect(port).request("/").status == 404
    finally:
        os.kill(pid(), signal.SIGTERM)
    wait_for(lambda: not listens(port), 10, "the end")
    wait_for(lambda: not os.path.exists(f"{directory}/weir.pid"), 10, "the pid file to be removed")
