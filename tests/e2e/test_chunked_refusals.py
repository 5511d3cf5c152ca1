"""Malformed chunked bodies and clients that leave: the origin never sees a complete message."""
import pytest
from support.http import CHUNKED, HOST, LINE, POST, Front, table


@pytest.fixture(name="front", scope="module")
def front_fixture():
    with Front() as front:
        yield front


CHUNKS = table(
    ("no-size", "\r\nabc\r\n0\r\n\r\n"),
    ("size-plus", "+3\r\nabc\r\n0\r\n\r\n"),
    ("size-minus", "-3\r\nabc\r\n0\r\n\r\n"),
    ("size-0x", "0x3\r\nabc\r\n0\r\n\r\n"),
    ("size-no-hexadecimal", "g\r\nabc\r\n0\r\n\r\n"),
    ("size-with-letter", "3g\r\nabc\r\n0\r\n\r\n"),
    ("size-quoted", '"3"\r\nabc\r\n0\r\n\r\n'),
    ("size-two-words", "3 3\r\nabc\r\n0\r\n\r\n"),
    ("size-with-comma", "3,3\r\nabc\r\n0\r\n\r\n"),
    ("size-fraction", "3.0\r\nabc\r\n0\r\n\r\n"),
    ("size-with-underscore", "0_3\r\nabc\r\n0\r\n\r\n"),
    ("size-nul", "3\x00\r\nabc\r\n0\r\n\r\n"),
    ("size-8-bit", "\xb3\r\nabc\r\n0\r\n\r\n"),
    ("space-before-size", " 3\r\nabc\r\n0\r\n\r\n"),
    ("tab-before-size", "\t3\r\nabc\r\n0\r\n\r\n"),
    ("space-after-size", "3 \r\nabc\r\n0\r\n\r\n"),
    ("tab-after-size", "3\t\r\nabc\r\n0\r\n\r\n"),
    ("space-after-last-size", "3\r\nabc\r\n0 \r\n\r\n"),
    ("size-of-17-digits", "00000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("size-of-100-digits", "0" * 99 + "3\r\nabc\r\n0\r\n\r\n"),
    ("size-without-end", "0" * 100000),
    ("last-size-without-end", "3\r\nabc\r\n" + "0" * 100000),
    ("size-2-to-64", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("size-2-to-64-minus-1", "ffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    ("size-2-to-63", "8000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("bare-line-feed-after-size", "3\nabc\r\n0\r\n\r\n"),
    ("bare-line-feed-after-last-size", "3\r\nabc\r\n0\n\r\n"),
    ("bare-line-feed-after-data", "3\r\nabc\n0\r\n\r\n"),
    ("bare-line-feed-as-the-end", "3\r\nabc\r\n0\r\n\n"),
    ("only-line-feeds", "3\nabc\n0\n\n"),
    ("bare-carriage-return-after-size", "3\rabc\r\n0\r\n\r\n"),
    ("bare-carriage-return-in-size", "\r3\r\nabc\r\n0\r\n\r\n"),
    ("two-carriage-returns-after-size", "3\r\r\nabc\r\n0\r\n\r\n"),
    ("bare-carriage-return-after-data", "3\r\nabc\r0\r\n\r\n"),
    ("bare-carriage-return-as-the-end", "3\r\nabc\r\n0\r\n\rX\r\n\r\n"),
    ("data-too-long", "3\r\nabcd\r\n0\r\n\r\n"),
    ("data-too-short", "3\r\nab\r\n0\r\n\r\n"),
    ("no-end-of-data", "3\r\nabc0\r\n\r\n"),
    ("two-characters-after-data", "3\r\nabcXX0\r\n\r\n"),
    ("extension-with-bare-line-feed", "3;a=b\nabc\r\n0\r\n\r\n"),
    ("extension-hiding-a-line", "3;\nxx\r\nabc\r\n0\r\n\r\n"),
    ("extension-with-bare-carriage-return", "3;a\rb\r\nabc\r\n0\r\n\r\n"),
    ("extension-with-nul", "3;a\x00b\r\nabc\r\n0\r\n\r\n"),
    ("extension-with-control", "3;a=\x01\r\nabc\r\n0\r\n\r\n"),
    ("extension-with-delete", "3;a=\x7f\r\nabc\r\n0\r\n\r\n"),
    ("extension-too-long", f"3;a={'b' * 20000}\r\nabc\r\n0\r\n\r\n"),
    ("extension-without-end", "3;a=" + "b" * 200000),
    ("trailer-space-before-colon", "3\r\nabc\r\n0\r\nX : y\r\n\r\n"),
    ("trailer-no-colon", "3\r\nabc\r\n0\r\nX\r\n\r\n"),
    ("trailer-no-name", "3\r\nabc\r\n0\r\n: y\r\n\r\n"),
    ("trailer-folded", "3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n"),
    ("trailer-begins-with-space", "3\r\nabc\r\n0\r\n X: y\r\n\r\n"),
    ("trailer-with-nul", "3\r\nabc\r\n0\r\nX: a\x00b\r\n\r\n"),
    ("trailer-with-control", "3\r\nabc\r\n0\r\nX: a\x01b\r\n\r\n"),
    ("trailer-with-bare-carriage-return", "3\r\nabc\r\n0\r\nX: a\rb\r\n\r\n"),
    ("trailer-with-bare-line-feed", "3\r\nabc\r\n0\r\nX: a\nY: b\r\n\r\n"),
    ("trailer-ended-by-line-feed", "3\r\nabc\r\n0\r\nX: a\n\r\n"),
    ("trailers-that-are-a-request", "3\r\nabc\r\n0\r\nGET / HTTP/1.1\r\n\r\n"),
)  # fmt: skip


@pytest.mark.parametrize("wait", [False, True], ids=["at-once", "after-the-head"])
@pytest.mark.parametrize("body", CHUNKS)
def test_a_malformed_chunked_body(front, body, wait):
    front.cut_off(CHUNKED, body, (400, 413) if "f" * 16 in body or "8000" in body else 400, wait)


@pytest.mark.parametrize("wait", [False, True], ids=["at-once", "after-the-head"])
def test_trailers_that_are_too_large(front, wait):
    small = "".join(f"X-{number}: {'b' * 100}\r\n" for number in range(60))
    front.cut_off(CHUNKED, f"0\r\nX: {'b' * 9000}\r\n\r\n", (400, 431), wait)
    front.cut_off(CHUNKED, f"0\r\n{small}{small}\r\n", (400, 431), wait)
    front.cut_off(CHUNKED, "0\r\n" + "X: y\r\n" * 100000, (400, 431), wait)


@pytest.mark.parametrize("body", ["", "3", "3\r\n", "3\r\nab", "3\r\nabc", "3\r\nabc\r\n", "3\r\nabc\r\n0\r\n", "3\r\nabc\r\n0\r\nX: y\r\n"])
def test_a_client_that_leaves_within_a_chunked_body(front, body):
    """Half-closed: nothing more can come. The origin never takes it for complete."""
    head = CHUNKED.replace("/TARGET", "/left")
    with front.connect() as client:
        client.send(head + body).half_close()
        raw = client.read_to_end()
    assert raw == b"" or raw.startswith(b"HTTP/1.1 400 "), raw
    front.fence()
    assert not [request for request in front.origin.complete if request.target == "/left"]


def test_a_client_that_leaves_within_a_body_of_known_length(front):
    with front.connect() as client:
        client.send(POST.replace("/TARGET", "/left") + "Content-Length: 10\r\n\r\nhello").half_close()
        raw = client.read_to_end()
    assert raw == b"" or raw.startswith(b"HTTP/1.1 400 "), raw
    front.fence()
    assert not [request for request in front.origin.complete if request.target == "/left"]


@pytest.mark.parametrize("head", ["GET", "GET / HT", LINE, LINE + HOST, LINE + HOST + "X: y", LINE + HOST + "\r"])
def test_a_client_that_leaves_within_a_head(head):
    """An origin of its own, to which nothing may come of clients that left in other tests."""
    with Front() as front:
        with front.connect() as client:
            client.send(head).half_close()
            raw = client.read_to_end()
        assert raw == b"" or raw.startswith(b"HTTP/1.1 400 "), raw
        assert front.fence() == front.origin.bytes_received()
