"""Blocks in the status documents: who, why, until when, how often refused; and the counts."""
from support.dos import SLOW, ask, statuses
from support.status import STATUS, json, metrics, xml
from support.wait import wait_for

ADDRESS = "127.0.0.9"


def test_a_block_is_shown_everywhere(weir, origin):
    server = origin()
    proxy = weir(f"{STATUS}\n{SLOW}DOSBlockingPeriod 60\nDOSWhitelist 127.0.0.1\nProxyPass / {server.url}")
    assert json(proxy)["blocks"] == []
    assert statuses(proxy, ["/a", "/a", "/a", "/b"], source=ADDRESS) == [200, 200, 403, 403]
    assert ask(proxy, "/a", source="127.0.0.10").status == 200
    wait_for(lambda: len(json(proxy)["blocks"]) == 1, 5, "the block to be shown")
    (block,) = json(proxy)["blocks"]
    assert block["address"] == ADDRESS and block["reason"] == "page" and block["refused"] == 2, block
    assert 50 <= block["until"] - block["began"] <= 62
    clients = {client["address"]: client for client in json(proxy)["clients"]}
    assert clients[ADDRESS]["blocked"] is True
    assert clients["127.0.0.10"]["blocked"] is False
    found = [element.text for element in xml(proxy).iter("address")]
    assert ADDRESS in found
    values = metrics(proxy)
    assert values["weir_blocks",] == 1
    assert values["weir_blocks_total", ("reason", "page")] == 1
    refused = [value for (name, *labels), value in values.items() if name == "weir_host_refused_total" and ("reason", "blocked") in labels]
    assert refused == [2]
