"""Fixtures of the end-to-end tests. A test reads: configuration, act, expect.

    def test_it(weir, origin):
        server = origin(response(b"hello"))
        proxy = weir(f"ProxyPass / {server.url}")
        assert proxy.get("/").body == b"hello"
"""
import os
import tempfile

import pytest
from support import weir as weir_module
from support.apache import Apache
from support.client import Connection, open_connections
from support.origin import Origin
from support.weir import Weir, adopt_orphans

adopt_orphans()


@pytest.fixture(name="directory")
def directory_fixture():
    """A directory of the test's own that everybody may read along (weir may drop its privileges)."""
    with tempfile.TemporaryDirectory(prefix="weir-test-") as path:
        os.chmod(path, 0o755)
        yield path


@pytest.fixture(name="weir")
def weir_fixture(directory):
    """weir(config_text, **options of Weir) starts one; at the end all are stopped with TERM, must exit 0, and are checked."""
    running = []

    def start(config, **options):
        options.setdefault("name", "proxy.conf" if not running else f"proxy{len(running) + 1}.conf")
        proxy = Weir.__new__(Weir)
        running.append(proxy)
        proxy.__init__(config, directory, **options)
        return proxy

    yield start
    for connection in list(open_connections):
        connection.close()
    problems = []
    for proxy in running:
        if not hasattr(proxy, "process"):
            continue
        for step in (proxy.stop, proxy.check) if proxy.exit_code is None else (proxy.check,):
            try:
                step()
            except AssertionError as problem:
                problems.append(str(problem))
    assert not problems, "\n".join(problems)


@pytest.fixture(name="weir_command")
def weir_command_fixture(directory):
    """weir_command("-t", config="…") runs weir to its end in a directory of its own and returns what it said."""

    def run(*arguments, **options):
        options.setdefault("directory", directory)
        return weir_module.run(*arguments, **options)

    return run


@pytest.fixture(name="apache", scope="session")
def apache_fixture():
    """The real Apache that all tests of a file share. A test that stops it must start it again."""
    server = Apache()
    yield server
    server.remove()


@pytest.fixture(name="origin")
def origin_fixture():
    """origin(script, …) starts a scripted origin (see support/origin.py); all are stopped at the end."""
    running = []

    def start(*scripts, **options):
        server = Origin(*scripts, **options)
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture(name="connect")
def connect_fixture():
    """connect(port, …) opens a raw client connection that is closed at the end."""
    opened = []

    def start(*arguments, **options):
        connection = Connection(*arguments, **options)
        opened.append(connection)
        return connection

    yield start
    for connection in opened:
        connection.close()
