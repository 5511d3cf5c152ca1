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


def json(proxy, target="/cband-status?json", **options):
    """The JSON document."""
    read = json_module.loads(document(proxy, target, "application/json", **options))
    assert list(read) == ["server", "hosts", "users", "classes", "clients", "blocks", "upstreams"]
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
