"""Max-Forwards (RFC 9110, 7.6.2): OPTIONS and TRACE count the proxies that they pass."""

import pytest


def ask(weir, origin, method, value, configuration=""):
    server = origin()
    proxy = weir(f"{configuration}\nProxyPass / {server.url}")
    answer = proxy.connect().request("/", method=method, headers={"Max-Forwards": value})
    return answer, server


def test_options_ends_here(weir, origin):
    answer, server = ask(weir, origin, "OPTIONS", "0")
    assert answer.status == 200
    assert "GET" in answer.header("Allow")
    assert not server.requests


@pytest.mark.parametrize("value, sent", [("1", "0"), ("10", "9"), ("many", "many")])
def test_options_is_counted_down(weir, origin, value, sent):
    answer, server = ask(weir, origin, "OPTIONS", value)
    assert answer.status == 200
    assert server.requests[0].header("Max-Forwards") == sent


def test_trace_is_counted_where_it_is_let_through(weir, origin):
    answer, server = ask(weir, origin, "TRACE", "3", "TraceEnable On")
    assert answer.status == 200
    assert server.requests[0].header("Max-Forwards") == "2"


def test_other_methods_are_not_counted(weir, origin):
    answer, server = ask(weir, origin, "GET", "0")
    assert answer.status == 200
    assert server.requests[0].header("Max-Forwards") == "0"
