"""What weir tells about itself, fetched and checked: every XML that a test sees is valid, every document parses.

    proxy = weir(f"{STATUS}\nProxyPass / {server.url}")
    assert xml(proxy).find("Virtualhosts/virtualhost/usages/connections").text == "0"
    assert json(proxy)["hosts"][0]["traffic"]["requests"] == 1
    assert metrics(proxy)["weir_host_requests_total", ("code", "2xx"), ("host", "localhost")] == 1
"""
import json as json_module
import os
import re
import subprocess
from xml.etree import ElementTree

from support.wait import wait_for

SCHEMA = os.path.join(os.path.dirname(__file__), "..", "..", "..", "stats", "weir-status.xsd")

# The lines of a configuration that the functions below rely on, unless they are given another target.
STATUS = """<Location /cband-status>
SetHandler cband-status
</Location>
<Location /weir-metrics>
SetHandler weir-metrics
</Location>"""

SAMPLE = re.compile(r'([A-Za-z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def valid_xml(text):
    """The root element of weir's XML document, which must be valid against the schema."""
    checked = subprocess.run(
        ["xmllint", "--nonet", "--noout", "--schema", SCHEMA, "-"], input=text, capture_output=True, timeout=60, check=False
    )
    assert checked.returncode == 0, checked.stderr.decode("utf-8", "replace")[:2000]
    return ElementTree.fromstring(text)


def document(proxy, target, content_type, **options):
    """The body of a document that must be there and be of that type."""
    answer = proxy.get(target, **options)
    assert answer.status == 200, answer
    assert answer.header("Content-Type").split(";")[0] == content_type, answer.headers
    return answer.body


def xml(proxy, target="/cband-status?xml", **options):
    """weir's XML."""
    return valid_xml(document(proxy, target, "text/xml", **options))


def classic(proxy, target="/cband-status?xml=classic", **options):
    """mod_cband's XML: its root element, and the checks of what all of them have in common."""
    text = document(proxy, target, "text/xml", **options)
    assert text.startswith(b'<?xml version="1.0" encoding="iso-8859-1"?>\n<mod_cband>\n')
    root = ElementTree.fromstring(text)
    assert [element.tag for element in root] == ["Server", "Virtualhosts", "Users"]
    assert not any(element.attrib for element in root.iter())
    return root


def leading_number(text):
    """The number a text begins with, as scrapers of mod_cband read "512000KiB"."""
    return int(re.match(r"\d+", text).group())


def check_traffic(read):
    """What must be so in every document: sums, and limits of what can be."""
    for item in [read["server"]] + read["hosts"] + read["users"] + read["classes"]:
        if "traffic" not in item:
            continue  # cband-status-me says less of the server
        traffic = item["traffic"]
        for key in ("refused", "delayed"):
            reasons = dict(traffic[key])
            assert reasons.pop("total") == sum(reasons.values()), traffic
        statuses = ["responses_1xx", "responses_2xx", "responses_3xx", "responses_4xx", "responses_5xx", "no_response"]
        assert traffic["requests"] == sum(traffic[key] for key in statuses), traffic
        assert traffic["connections_most"] is None or traffic["connections"] <= traffic["connections_most"], traffic
    for upstream in read["upstreams"]:
        first_byte = upstream["first_byte"]
        assert first_byte["count"] == sum(bucket["count"] for bucket in first_byte["buckets"])
    if "traffic" in read["server"]:
        for key in ("bytes_out", "bytes_in", "requests", "connections"):
            assert read["server"]["traffic"][key] == sum(item["traffic"][key] for item in read["hosts"]), key


def json(proxy, target="/cband-status?json", **options):
    """The JSON document."""
    read = json_module.loads(document(proxy, target, "application/json", **options))
    check_traffic(read)
    assert list(read) == ["server", "hosts", "users", "classes", "clients", "blocks", "upstreams"]
    return read


def settled(proxy, requests, name="localhost", **options):
    """The JSON document once that host has counted so many requests and serves none: a request is counted at its end,
    which may be a moment after the client has its last byte."""

    def ready():
        read = json(proxy, **options)
        traffic = host(read, name)["traffic"]
        assert traffic["requests"] <= requests, traffic
        return traffic["requests"] == requests and traffic["connections"] == 0 and read

    return wait_for(ready, 10, f"{requests} requests to have been counted")


def same_everywhere(proxy, name="localhost"):
    """Checks that all documents tell the same of a host at which nothing happens; returns its part of the JSON."""
    read = host(json(proxy), name)
    (element,) = [item for item in xml(proxy).iter("virtualhost") if item.findtext("name") == name]
    samples = metrics(proxy)
    for key in ("bytes_out", "bytes_in", "requests", "responses_2xx", "responses_5xx", "no_response", "connections_most"):
        assert element.findtext(f"traffic/{key}") == str(read["traffic"][key]), key
    assert element.findtext("usages/total") == str(read["usages"]["total"])
    assert element.findtext("traffic/refused/total") == str(read["traffic"]["refused"]["total"])
    for direction in ("out", "in"):
        key = ("weir_host_bytes_total", ("direction", direction), ("host", name))
        assert samples[key] == read["traffic"][f"bytes_{direction}"]
    for code in ("1xx", "2xx", "3xx", "4xx", "5xx"):
        key = ("weir_host_requests_total", ("code", code), ("host", name))
        assert samples[key] == read["traffic"][f"responses_{code}"]
    refused = {dict(key[1:])["reason"]: value for key, value in samples.items() if key[0] == "weir_host_refused_total" and ("host", name) in key}
    told = {key.replace("_", "-"): value for key, value in read["traffic"]["refused"].items() if key != "total"}
    assert refused == told and sum(refused.values()) == read["traffic"]["refused"]["total"]
    labels = (("class", ""), ("name", name), ("scope", "host"))
    assert samples[("weir_quota_used_bytes", *labels)] == read["usages"]["total"]
    assert samples[("weir_quota_limit_bytes", *labels)] == read["limits"]["total"]
    assert samples[("weir_quota_allowed_bytes", *labels)] == read["limits"]["slice"]
    classic_host = classic(proxy).find(f"Virtualhosts/{name}")
    assert leading_number(classic_host.findtext("usages/total")) == read["usages"]["total"] // 1024
    return read


def host(read, name):
    """The one host of that name in a JSON document."""
    (found,) = [item for item in read["hosts"] if item["name"] == name]
    return found


def unescape(label):
    return re.sub(r"\\(.)", lambda match: "\n" if match.group(1) == "n" else match.group(1), label)


def read_metrics(text):
    """{(name, (label, value), …): number}, labels sorted by name. Each line must be the format's, no series twice."""
    samples = {}
    family = None
    for line in text.decode("utf-8").removesuffix("\n").split("\n"):
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            continue
        if line.startswith("# TYPE "):
            assert line.split(" ")[2] == family, line
            continue
        match = SAMPLE.fullmatch(line)
        assert match and match.group(1).startswith(family), line
        labels = sorted((name, unescape(value)) for name, value in LABEL.findall(match.group(2) or ""))
        key = (match.group(1), *labels)
        assert key not in samples, f"twice: {line}"
        samples[key] = float(match.group(3))
    return samples


def metrics(proxy, target="/weir-metrics", **options):
    """The Prometheus document, read by read_metrics()."""
    return read_metrics(document(proxy, target, "text/plain", **options))
