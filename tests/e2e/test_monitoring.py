"""What is shipped for other programs, against a running weir: Prometheus rules, the Grafana dashboard, the munin plugin."""
import json
import os
import re
import subprocess

import pytest
from support import weir as weir_module
from support.control import CONTROL, Control
from support.origin import response
from support.wait import wait_for

EXAMPLES = f"{weir_module.ROOT}/examples"
HOSTS = """<CBandUser alice>
CBandUserLimit 1G
</CBandUser>
<CBandClass local>
CBandClassDst 127/8
</CBandClass>
DOSPageCount 1000
<VirtualHost *>
ServerName status.example
<Location /status>
SetHandler cband-status
</Location>
</VirtualHost>
<VirtualHost *>
ServerName shop.example
CBandLimit 1000000B
CBandUser alice
ProxyPass / {url}
</VirtualHost>
<VirtualHost *>
ServerName open.example
ProxyPass / {url}
</VirtualHost>"""


@pytest.fixture(name="proxy")
def proxy_fixture(weir, origin):
    def script(connection):
        while connection.read_request() is not None:
            connection.send(response(b"x" * 100_000))

    proxy = weir(f"{CONTROL}\n{HOSTS.format(url=origin(script).url)}")
    for _ in range(3):
        assert proxy.get("/", host="shop.example").status == 200
    wait_for(lambda: Control(proxy).get("/json").json()["server"]["traffic"]["requests"] == 3)
    return proxy


def families(proxy):
    """{series name: labels} that /metrics has, histograms by their parts."""
    text = Control(proxy).get("/metrics").text
    names = {}
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        for part in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
            names[name + part] = set()
    for name, labels in re.findall(r"^([a-z_]+)(?:\{(.*)\})? ", text, re.M):
        names[name].update(re.findall(r'(\w+)="', labels))
    return names


def check_expressions(proxy, expressions):
    """Each series exists, with each label that is asked for."""
    known = families(proxy)
    series = 0
    for expression in expressions:
        for name, selectors in re.findall(r"\b(weir_\w+)(?:\{([^}]*)\})?", expression):
            assert name in known, f"{name} does not exist: {expression}"
            for label in re.findall(r"(\w+) *=", selectors):
                assert label in known[name] | {"instance", "job"} or not known[name], f"{name} has no {label}: {expression}"
            series += 1
    assert series > 10


def test_alert_rules(proxy, directory):
    checked = subprocess.run(
        ["promtool", "check", "config", f"{EXAMPLES}/prometheus/prometheus.yml"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    with open(f"{EXAMPLES}/prometheus/weir-alerts.yml", encoding="utf-8") as file:
        check_expressions(proxy, file.read().split("expr:")[1:])


def test_dashboard(proxy):
    with open(f"{EXAMPLES}/grafana/weir.json", encoding="utf-8") as file:
        board = json.load(file)
    expressions = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    expressions += [variable["query"] for variable in board["templating"]["list"] if variable["type"] == "query"]
    check_expressions(proxy, expressions)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
    assert len(set(places)) == len(places)


def test_metrics_of_the_control_socket_are_well_formed(proxy):
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=Control(proxy).get("/metrics").text, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


# --- munin ---


def munin(directory, graph, *arguments, **environment):
    """What the plugin prints when it is linked as weir_GRAPH."""
    link = f"{directory}/weir_{graph}"
    if not os.path.lexists(link):
        os.symlink(f"{EXAMPLES}/munin/weir_", link)
    return subprocess.run(
        [link, *arguments], capture_output=True, text=True, timeout=60, env={**os.environ, **environment}, check=False
    )


def fields(text):
    return dict(re.findall(r"^(\w+)\.(?:label|value) (.*)$", text, re.M))


def test_munin_plugin(proxy, directory):
    graphs = munin(directory, "traffic", "suggest").stdout.split()
    assert "quota" in graphs
    for source in ({"socket": Control(proxy).path}, {"url": f"{proxy.url}status?xml"}):
        assert munin(directory, "traffic", "autoconf", **source).stdout == "yes\n"
        for graph in graphs:
            configured, shown = munin(directory, graph, "config", **source), munin(directory, graph, **source)
            assert (configured.returncode, shown.returncode) == (0, 0), configured.stderr + shown.stderr
            assert "graph_title weir: " in configured.stdout
            labels, values = fields(configured.stdout), fields(shown.stdout)
            assert labels.keys() == values.keys()
            assert all(re.fullmatch(r"[A-Za-z_]\w*", name) for name in labels)
            by_label = {labels[name]: float(value) for name, value in values.items()}
            if graph == "requests":
                assert by_label["shop.example"] == 3
                assert by_label["open.example"] == 0
            if graph == "traffic":
                assert 300_000 < by_label["shop.example"] < 310_000
            if graph == "quota":
                assert set(by_label) == {"shop.example"}
                assert 30 < by_label["shop.example"] < 31
            if graph == "blocks":
                assert by_label == {"blocked addresses": 0}


def test_munin_plugin_without_weir(directory):
    gone = {"socket": f"{directory}/none.sock"}
    assert munin(directory, "traffic", "autoconf", **gone).stdout.startswith("no (")
    assert munin(directory, "traffic", **gone).returncode == 1
    assert munin(directory, "nonsense", "config", **gone).returncode == 1
