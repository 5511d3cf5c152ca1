"""One test for every rule of framing and of field lines: the refusal, the close, and what the origin did not receive."""
import pytest
from support.http import END, HOST, LINE, POST, Front, table

CONTROLS = [code for code in range(0x20) if code not in (0x09, 0x0A, 0x0D)] + [0x7F]


@pytest.fixture(name="front", scope="module")
def front_fixture():
    with Front() as front:
        yield front


# --- framing: Content-Length and Transfer-Encoding -------------------------------------------------------------------


FRAMING = table(
    ("length-and-coding", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", 400),
    ("coding-and-length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n", 400),
    ("zero-length-and-coding", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", 400),
    ("length-and-unknown-coding", "Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello", 400),
    ("two-equal-lengths", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello", 400),
    ("two-different-lengths", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello!", 400),
    ("lengths-far-apart", "Content-Length: 5\r\nX: y\r\ncontent-length: 0\r\n", "hello", 400),
    ("list-of-equal-lengths", "Content-Length: 5, 5\r\n", "hello", 400),
    ("list-of-different-lengths", "Content-Length: 5,6\r\n", "hello", 400),
    ("length-with-comma", "Content-Length: 5,\r\n", "hello", 400),
    ("length-after-comma", "Content-Length: ,5\r\n", "hello", 400),
    ("length-plus", "Content-Length: +5\r\n", "hello", 400),
    ("length-minus", "Content-Length: -1\r\n", "", 400),
    ("length-minus-zero", "Content-Length: -0\r\n", "", 400),
    ("length-with-letter", "Content-Length: 5x\r\n", "hello", 400),
    ("length-empty", "Content-Length:\r\n", "", 400),
    ("length-blank", "Content-Length:  \t\r\n", "", 400),
    ("length-hexadecimal", "Content-Length: 0x5\r\n", "hello", 400),
    ("length-exponent", "Content-Length: 1e1\r\n", "helloworld", 400),
    ("length-fraction", "Content-Length: 5.0\r\n", "hello", 400),
    ("length-quoted", 'Content-Length: "5"\r\n', "hello", 400),
    ("length-two-words", "Content-Length: 5 5\r\n", "hello", 400),
    ("length-with-parameter", "Content-Length: 5;q=1\r\n", "hello", 400),
    ("length-8-bit-digit", "Content-Length: \xb2\r\n", "hello", 400),
    ("length-2-to-64", "Content-Length: 18446744073709551616\r\n", "", 400),
    ("length-2-to-64-and-5", "Content-Length: 18446744073709551621\r\n", "hello", 400),
    ("length-of-40-digits", f"Content-Length: {'9' * 40}\r\n", "", 400),
    ("length-2-to-63", "Content-Length: 9223372036854775808\r\n", "", (400, 413)),
    ("length-beyond-the-default-limit", "Content-Length: 1073741825\r\n", "", 413),
    ("length-largest", "Content-Length: 9223372036854775807\r\n", "", 413),
    ("coding-not-last", "Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n", 400),
    ("coding-gzip-alone", "Transfer-Encoding: gzip\r\n", "0\r\n\r\n", 400),
    ("coding-identity", "Transfer-Encoding: identity\r\n", "0\r\n\r\n", 400),
    ("coding-empty", "Transfer-Encoding:\r\n", "0\r\n\r\n", 400),
    ("coding-only-commas", "Transfer-Encoding: , ,\r\n", "0\r\n\r\n", 400),
    ("coding-xchunked", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n", 400),
    ("coding-chunkedx", "Transfer-Encoding: chunkedx\r\n", "0\r\n\r\n", 400),
    ("coding-quoted", 'Transfer-Encoding: "chunked"\r\n', "0\r\n\r\n", 400),
    ("coding-two-words", "Transfer-Encoding: chunked foo\r\n", "0\r\n\r\n", 400),
    ("coding-with-parameter", "Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n", (400, 501)),
    ("coding-semicolon", "Transfer-Encoding: chunked;\r\n", "0\r\n\r\n", (400, 501)),
    ("coding-twice", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n", 400),
    ("coding-in-two-fields", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", 400),
    ("coding-chunked-then-identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n", 400),
    ("coding-unknown-then-chunked", "Transfer-Encoding: foo, chunked\r\n", "0\r\n\r\n", 501),
    ("coding-gzip-then-chunked", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n", 501),
    ("coding-identity-then-chunked", "Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n", 501),
    ("coding-unknown-in-its-own-field", "Transfer-Encoding: foo\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n", 501),
    ("coding-vertical-tab", "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n", 400),
    ("coding-8-bit-space", "Transfer-Encoding: \xa0chunked\r\n", "0\r\n\r\n", 400),
)


@pytest.mark.parametrize("fields, body, status", FRAMING)
def test_framing(front, fields, body, status):
    front.refused(POST.replace("/TARGET", "/") + fields + END + body, status)


@pytest.mark.parametrize("fields, body, status", FRAMING)
def test_framing_of_a_get(front, fields, body, status):
    """The same on a method that usually has no body, with a second request smuggled behind it."""
    front.refused(LINE + HOST + fields + END + body + "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n", status)


@pytest.mark.parametrize("version", ["1.0"])
@pytest.mark.parametrize("fields", ["", "Connection: keep-alive\r\n", "Content-Length: 5\r\n"])
def test_a_transfer_coding_in_http_1_0(front, version, fields):
    front.refused(f"POST / HTTP/{version}\r\nHost: a\r\n{fields}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)


# --- field lines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", table(
    ("space-before-colon", "X-A : b"),
    ("tab-before-colon", "X-A\t: b"),
    ("space-before-colon-of-coding", "Transfer-Encoding : chunked"),
    ("space-before-colon-of-length", "Content-Length : 5"),
    ("space-before-colon-of-host", "Host : other"),
    ("space-in-name", "X A: b"),
    ("no-name", ": b"),
    ("only-a-colon", ":"),
    ("no-colon", "X-A"),
    ("no-colon-but-words", "hello world"),
    ("second-request-line", "GET /other HTTP/1.1"),
    ("name-in-parentheses", "(X): b"),
    ("name-in-quotes", '"X": b'),
    ("name-with-slash", "X/A: b"),
    ("name-with-at", "X@A: b"),
    ("name-with-brackets", "[X]: b"),
    ("name-with-braces", "{X}: b"),
    ("name-with-comma", "X,A: b"),
    ("name-with-semicolon", "X;A: b"),
    ("name-with-equals", "X=A: b"),
    ("name-with-question-mark", "X?: b"),
    ("name-with-backslash", "X\\A: b"),
    ("name-with-less-than", "<X>: b"),
    ("name-8-bit", "X\xe4: b"),
    ("name-control", "X\x01: b"),
    ("name-delete", "X\x7f: b"),
    ("name-nul", "X\x00: b"),
))
@pytest.mark.parametrize("place", ["first", "last"])
def test_a_bad_field_line(front, field, place):
    fields = f"{field}\r\n{HOST}" if place == "first" else f"{HOST}{field}\r\n"
    front.refused(LINE + fields + END, 400)


@pytest.mark.parametrize("field", table(
    ("space", "X-A: b\r\n c"),
    ("tab", "X-A: b\r\n\tc"),
    ("empty-continuation", "X-A: b\r\n "),
    ("colon-in-continuation", "X-A: b\r\n X-B: c"),
    ("before-the-value", "X-A:\r\n b"),
    ("of-the-host", "Host:\r\n localhost"),
    ("of-the-coding", "Transfer-Encoding:\r\n chunked"),
    ("of-the-length", "Content-Length: 1\r\n 0"),
))
def test_obsolete_folding(front, field):
    fields = field if field.startswith("Host") else f"Host: localhost\r\n{field}"
    front.refused(f"{LINE}{fields}\r\n\r\n", 400)


@pytest.mark.parametrize("space", [" ", "\t"])
def test_white_space_before_the_first_field(front, space):
    front.refused(f"{LINE}{space}{HOST}\r\n", 400)
    front.refused(f"{LINE}{space}X: y\r\n{HOST}\r\n", 400)


@pytest.mark.parametrize("code", CONTROLS, ids=[f"{code:02x}" for code in CONTROLS])
@pytest.mark.parametrize("place", ["begin", "middle", "end"])
def test_a_control_character_in_a_value(front, code, place):
    value = {"begin": f"{chr(code)}ab", "middle": f"a{chr(code)}b", "end": f"ab{chr(code)}"}[place]
    front.refused(f"{LINE}{HOST}X-A: {value}\r\n\r\n", 400)


@pytest.mark.parametrize("code", CONTROLS, ids=[f"{code:02x}" for code in CONTROLS])
@pytest.mark.parametrize("place", ["method", "target", "version", "name", "host"])
def test_a_control_character_elsewhere(front, code, place):
    control = chr(code)
    words = {"method": "GET", "target": "/a", "version": "HTTP/1.1", "name": "X-A", "host": "localhost"}
    words[place] = words[place][:1] + control + words[place][1:]
    front.refused(
        f"{words['method']} {words['target']} {words['version']}\r\nHost: {words['host']}\r\n{words['name']}: b\r\n\r\n", 400
    )


@pytest.mark.parametrize("head", table(
    ("before-the-method", f"\r{LINE}{HOST}{END}"),
    ("in-the-method", f"G\rET / HTTP/1.1\r\n{HOST}{END}"),
    ("instead-of-the-first-space", f"GET\r/ HTTP/1.1\r\n{HOST}{END}"),
    ("in-the-target", f"GET /a\rb HTTP/1.1\r\n{HOST}{END}"),
    ("at-the-target's-end", f"GET /a\r HTTP/1.1\r\n{HOST}{END}"),
    ("in-the-version", f"GET / HTTP\r/1.1\r\n{HOST}{END}"),
    ("after-the-version", f"GET / HTTP/1.1\r\r\n{HOST}{END}"),
    ("as-the-request-line's-end", f"GET / HTTP/1.1\r{HOST}{END}"),
    ("in-a-name", f"{LINE}{HOST}X\r-A: b\r\n{END}"),
    ("before-a-name", f"{LINE}{HOST}\rX-A: b\r\n{END}"),
    ("before-a-colon", f"{LINE}{HOST}X-A\r: b\r\n{END}"),
    ("after-a-colon", f"{LINE}{HOST}X-A:\rb\r\n{END}"),
    ("in-a-value", f"{LINE}{HOST}X-A: b\rc\r\n{END}"),
    ("at-a-value's-end", f"{LINE}{HOST}X-A: b\r\r\n{END}"),
    ("as-a-value", f"{LINE}{HOST}X-A: \r\r\n{END}"),
    ("as-a-line's-end", f"{LINE}{HOST}X-A: b\rX-B: c\r\n{END}"),
    ("in-the-host", f"{LINE}Host: local\rhost\r\n{END}"),
    ("in-the-length", f"{LINE}{HOST}Content-Length: 1\r0\r\n{END}"),
    ("in-the-coding", f"{LINE}{HOST}Transfer-Encoding: chunk\red\r\n{END}"),
    ("hiding-a-coding", f"{LINE}{HOST}X-A: b\rTransfer-Encoding: chunked\r\n{END}"),
    ("in-the-empty-line", f"{LINE}{HOST}\r\r\n{END}"),
    ("twice-as-the-end", f"{LINE}{HOST}\r\r{LINE}{HOST}{END}"),
))
def test_a_bare_carriage_return(front, head):
    front.refused(head, 400, half_close=True)


@pytest.mark.parametrize("head", table(
    ("everywhere", "GET / HTTP/1.1\nHost: localhost\n\n"),
    ("after-the-request-line", f"GET / HTTP/1.1\n{HOST}{END}"),
    ("after-a-field", f"{LINE}Host: localhost\n{END}"),
    ("after-a-later-field", f"{LINE}{HOST}X-A: b\nX-B: c\r\n{END}"),
    ("as-the-empty-line", f"{LINE}{HOST}\n"),
    ("in-a-value", f"{LINE}{HOST}X-A: b\nTransfer-Encoding: chunked\r\n{END}"),
    ("then-carriage-return", "GET / HTTP/1.1\n\rHost: localhost\n\r\n\r"),
    ("in-the-target", f"GET /a\nb HTTP/1.1\r\n{HOST}{END}"),
    ("in-the-method", f"G\nET / HTTP/1.1\r\n{HOST}{END}"),
))
def test_a_bare_line_feed(front, head):
    front.refused(head, 400)


@pytest.mark.parametrize("head", table(
    ("byte-by-byte", f"{LINE}{HOST}X-A : b\r\n{END}"),
    ("folding", f"{LINE}{HOST}X-A: b\r\n c\r\n{END}"),
    ("bare-cr", f"{LINE}{HOST}X-A: b\rc\r\n{END}"),
    ("length-and-coding", f"{LINE}{HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n{END}"),
))
def test_what_comes_in_small_pieces_is_judged_alike(front, head):
    front.refused(head, 400, piece=1)
    front.refused(head, 400, piece=7)
