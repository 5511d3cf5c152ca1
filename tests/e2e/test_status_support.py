"""The helpers that fetch and check status documents notice what is wrong."""
import pytest
from support import status

HEAD = "<weir><Server><uptime>1</uptime></Server>"
SECTIONS = "<Virtualhosts/><Users/><Classes/><Clients/><Blocks/><Upstreams/></weir>"


def test_valid_xml():
    assert status.valid_xml(f"{HEAD}{SECTIONS}".encode()).find("Server/uptime").text == "1"


@pytest.mark.parametrize("text", [f"{HEAD}</weir>", f"{HEAD}<more/>{SECTIONS}", HEAD], ids=["sections", "unknown", "ill-formed"])
def test_invalid_xml(text):
    with pytest.raises(AssertionError):
        status.valid_xml(text.encode())


def test_metrics():
    text = b'# HELP weir_a Help\n# TYPE weir_a gauge\nweir_a 1\nweir_a{b="c\\"d\\\\",a="\\n"} 2.5e3\n'
    assert status.read_metrics(text) == {("weir_a",): 1, ("weir_a", ("a", "\n"), ("b", 'c"d\\')): 2500}


@pytest.mark.parametrize("line", [b"weir_a 1\nweir_a 1", b'weir_a{b="\\x"} 1', b"weir_b 1", b"weir_a", b"weir_a{b=c} 1"])
def test_bad_metrics(line):
    with pytest.raises((AssertionError, ValueError)):
        status.read_metrics(b"# HELP weir_a Help\n# TYPE weir_a gauge\n" + line + b"\n")


def test_leading_number():
    assert status.leading_number("512000KiB") == 512000
