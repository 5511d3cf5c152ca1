"""The limits of a request, each tried at its last byte and at one more."""
import pytest
from support.client import format_request
from support.http import CHUNKED, END, HOST, LINE, Front


@pytest.fixture(name="front", scope="module")
def front_fixture():
    with Front() as front:
        yield front


@pytest.fixture(name="tight", scope="module")
def tight_fixture():
    """Small limits, so that both sides of each can be tried."""
    with Front("LimitRequestLine 100\nLimitRequestFields 5\nLimitRequestFieldSize 200\nLimitRequestBody 1000") as front:
        yield front


def line_of(length):
    """A request line of so many bytes without its CRLF."""
    return f"GET /{'a' * (length - len('GET / HTTP/1.1'))} HTTP/1.1\r\n"


def field_of(length):
    return f"X-A: {'b' * (length - 5)}\r\n"


def test_the_default_limit_of_the_request_line(front):
    assert front.taken(line_of(8190) + HOST + END).line == line_of(8190)[:-2]
    front.refused(line_of(8191) + HOST + END, 414)
    front.refused(line_of(60000) + HOST + END, 414)


def test_a_request_line_without_end(front):
    front.refused("GET /" + "a" * 9000, 414)


def test_the_limit_of_the_request_line(tight):
    assert tight.taken(line_of(100) + HOST + END).line == line_of(100)[:-2]
    tight.refused(line_of(101) + HOST + END, 414)


def test_the_default_limit_of_a_field(front):
    assert len(front.taken(LINE + HOST + field_of(8190) + END).header("X-A")) == 8185
    front.refused(LINE + HOST + field_of(8191) + END, 431)


def test_a_field_without_end(front):
    front.refused(LINE + HOST + "X-A: " + "b" * 9000, 431)


def test_the_limit_of_a_field(tight):
    assert len(tight.taken(LINE + HOST + field_of(200) + END).header("X-A")) == 195
    tight.refused(LINE + HOST + field_of(201) + END, 431)
    tight.refused(LINE + HOST + f"{'X' * 300}: b\r\n\r\n", 431)


def test_the_default_limit_of_fields(front):
    fields = [f"X-{number}: b\r\n" for number in range(1, 101)]
    assert front.taken(LINE + HOST + "".join(fields[:99]) + END).header("X-99") == "b"
    front.refused(LINE + HOST + "".join(fields) + END, 431)


def test_the_limit_of_fields(tight):
    assert tight.taken(LINE + HOST + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n" + END).header("D") == "4"
    tight.refused(LINE + HOST + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n" + END, 431)
    tight.refused(LINE + HOST + ":\r\n" * 1000 + END, (400, 431))


def test_the_limit_of_connection_s_options(front):
    """Each is looked for among the fields: not in thousands."""
    long = field_of(3000)
    assert front.taken(LINE + HOST + long + f"Connection: {'x,' * 100}\r\n" + END).all("Connection") == []
    front.refused(LINE + HOST + long + f"Connection: {'x,' * 101}\r\n" + END, 431)
    front.refused(LINE + HOST + long + f"Connection: {'x,' * 60}\r\nConnection: {'y, ' * 41}\r\n" + END, 431)
    front.refused(CHUNKED.replace(END + END, f"{END}Connection: {'x,' * 101}{END}{END}") + "0\r\n\r\n", 431)


def head_of(length):
    """A whole head of so many bytes, each part of it within its own limit."""
    head = LINE + HOST
    while length - len(head) > 16000:
        head += field_of(8000)
    rest = length - len(head) - len(END)
    head += field_of(rest // 2 - 2) + field_of(rest - rest // 2 - 2)
    assert len(head + END) == length
    return head + END


def test_a_whole_head_of_64_kib(front):
    assert len(front.taken(head_of(65536)).raw_head) > 65000
    front.refused(head_of(65537), 431)
    front.refused(head_of(80000), 431)


def test_a_head_without_end(front):
    front.refused(LINE + HOST + field_of(8000) * 20, 431)


def test_the_limit_of_the_body(tight):
    body = b"b" * 1000
    assert tight.taken(format_request("/", "POST", body=body)).body == body
    tight.refused(f"POST / HTTP/1.1\r\n{HOST}Content-Length: 1001\r\n\r\n", 413)
    tight.refused(format_request("/", "POST", body=b"b" * 1001), 413)
    tight.refused(format_request("/", "POST", body=b"b" * 1_000_000), 413)


def test_a_body_that_is_too_large_is_not_asked_for(tight):
    tight.refused(f"POST / HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n", 413)


@pytest.mark.parametrize("wait", [False, True], ids=["at-once", "after-the-head"])
def test_the_limit_of_a_chunked_body(tight, wait):
    good = "3e8\r\n" + "b" * 1000 + "\r\n"
    assert len(tight.taken(CHUNKED + good + "0\r\n\r\n").body) == 1000
    tight.cut_off(CHUNKED, good + "1\r\nb\r\n0\r\n\r\n", 413, wait)
    tight.cut_off(CHUNKED, "3e9\r\n" + "b" * 1001 + "\r\n0\r\n\r\n", 413, wait)
    tight.cut_off(CHUNKED, "1\r\nb\r\n" * 1001 + "0\r\n\r\n", 413, wait)
