"""ErrorDocument: text, a path of the origin's, a URL; and the built-in page when nothing is said or the path fails."""
import pytest
from support.origin import answering, response
from support.wait import free_port


def pages(connection):
    """An origin with a page for errors; everything else there is cut off, which is a 502."""
    while (request := connection.read_request()) is not None:
        if request.target.startswith("/errors/"):
            connection.answer(b"page for " + request.target.encode(), headers={"Content-Type": "text/html", "X-Page": "yes"})
        elif request.target == "/good":
            connection.answer(b"good")
        elif request.target == "/missing":
            connection.answer(b"the origin's own", "404 Not Found")
        else:
            return


def test_the_built_in_page(weir):
    answer = weir("").get("/nowhere")
    assert answer.status == 404
    assert answer.header("Content-Type").startswith("text/html")
    assert b"404" in answer.body and b"Not Found" in answer.body
    assert int(answer.header("Content-Length")) == len(answer.body)


def test_a_page_of_text(weir):
    client = weir('ErrorDocument 404 "<b>not</b> here"').connect()
    for _ in range(2):
        answer = client.request("/nowhere")
        assert (answer.status, answer.body) == (404, b"<b>not</b> here")
        assert answer.header("Content-Type").startswith("text/html")


def test_head_gets_the_length_only(weir):
    client = weir('ErrorDocument 404 "not here"').connect()
    answer = client.request("/nowhere", "HEAD")
    assert answer.status == 404
    assert answer.header("Content-Length") == "8"
    assert client.request("/nowhere").body == b"not here"


def test_each_status_has_its_own(weir):
    proxy = weir('ErrorDocument 404 "four"\nErrorDocument 403 "three"\nErrorDocument 503 "gone"\n'
                 f"<Location /no>\nRequire all denied\n</Location>\nProxyPass /gone http://127.0.0.1:{free_port()}/")  # fmt: skip
    client = proxy.connect()
    for target, status, body in (("/x", 404, b"four"), ("/no", 403, b"three"), ("/gone", 503, b"gone")):
        answer = client.request(target)
        assert (answer.status, answer.body) == (status, body)


def test_a_body_that_is_too_large_has_one(weir):
    proxy = weir('LimitRequestBody 5\nErrorDocument 413 "mine"')
    client = proxy.connect().send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\n")
    answer = client.read_response()
    assert (answer.status, answer.body) == (413, b"mine")
    assert client.is_closed()


@pytest.mark.parametrize("request_bytes, status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
], ids=["400", "414", "505"])  # fmt: skip
def test_a_malformed_request_gets_the_built_in_page(weir, request_bytes, status):
    """As Apache has it: nothing that is configured has a hand in answering what was not understood."""
    proxy = weir(f'ErrorDocument {status} "mine"')
    client = proxy.connect().send(request_bytes)
    answer = client.read_response()
    assert answer.status == status
    assert str(status).encode() in answer.body
    assert client.is_closed()


def test_a_path_is_fetched_from_the_origin(weir, origin):
    server = origin(pages)
    proxy = weir(f"ErrorDocument 502 /errors/502.html\nProxyPass / {server.url}")
    client = proxy.connect()
    for _ in range(2):
        answer = client.request("/cut?a=b", "POST", body=b"hello")
        assert (answer.status, answer.body) == (502, b"page for /errors/502.html")
        assert answer.header("Content-Type") == "text/html"
        assert client.request("/good").body == b"good"
    fetched = [request for request in server.requests if request.target == "/errors/502.html"]
    assert [request.method for request in fetched] == ["GET", "GET"]
    assert all(request.body == b"" for request in fetched)


def test_a_path_has_the_fields_of_its_status(weir, origin):
    """RFC 9110, 15.5.6: a 405 says what is allowed; a refusal of the shaper's says when to come again."""
    server = origin(response(b"page", headers={"Retry-After": "9999"}))
    proxy = weir(f"<VirtualHost *>\nCBandSpeed 0 1 0\nCBandMaxDelay 0\nErrorDocument 405 /page\nErrorDocument 503 /page\n"
                 f"ProxyPass / {server.url}\n</VirtualHost>")  # fmt: skip
    answer = proxy.get("/", method="TRACE")
    assert (answer.status, answer.body) == (405, b"page")
    assert "GET" in answer.header("Allow")
    answers = [proxy.get("/") for _ in range(3)]
    refused = [answer for answer in answers if answer.status == 503]
    assert refused and all((answer.body, answer.header("Retry-After")) == (b"page", "1") for answer in refused)


def test_a_path_for_a_head_request(weir, origin):
    server = origin(pages)
    client = weir(f"ErrorDocument 502 /errors/502.html\nProxyPass / {server.url}").connect()
    answer = client.request("/cut", "HEAD")
    assert answer.status == 502
    assert client.request("/good").body == b"good"


def test_a_path_when_another_origin_fails(weir, origin):
    server = origin(pages)
    proxy = weir(f"ErrorDocument 503 /errors/503.html\nProxyPass /app/ http://127.0.0.1:{free_port()}/\nProxyPass / {server.url}")
    answer = proxy.get("/app/")
    assert (answer.status, answer.body) == (503, b"page for /errors/503.html")


@pytest.mark.parametrize("path", ["/cut", "/missing"])
def test_a_path_that_fails_itself(weir, origin, path):
    """The built-in page, and no second attempt for the error of the error."""
    server = origin(pages)
    proxy = weir(f"ErrorDocument 502 {path}\nProxyPass / {server.url}")
    answer = proxy.get("/other-cut")
    assert answer.status == 502
    assert b"502" in answer.body and b"the origin's own" not in answer.body
    assert len(server.requests) <= 3


def test_a_path_whose_origin_is_the_one_that_is_down(weir):
    proxy = weir(f"ErrorDocument 503 /errors/503.html\nProxyPass / http://127.0.0.1:{free_port()}/")
    answer = proxy.get("/")
    assert answer.status == 503
    assert b"503" in answer.body


def test_a_path_that_is_too_slow(weir, origin):
    def silent(connection):
        connection.read_request()
        connection.wait_closed()

    server = origin(silent)
    answer = weir(f"ProxyTimeout 1\nErrorDocument 504 /errors/504.html\nProxyPass / {server.url}").get("/")
    assert answer.status == 504
    assert b"504" in answer.body


def test_a_url_is_redirected_to(weir):
    answer = weir("ErrorDocument 404 http://errors.example/404?a=b").get("/nowhere")
    assert answer.status == 302
    assert answer.header("Location") == "http://errors.example/404?a=b"


def test_what_the_origin_says_itself_is_left_alone(weir, origin):
    server = origin(pages)
    answer = weir(f'ErrorDocument 404 "mine"\nProxyPass / {server.url}').get("/missing")
    assert (answer.status, answer.body) == (404, b"the origin's own")


def test_the_page_of_a_location_and_of_a_host(weir):
    proxy = weir(
        'ErrorDocument 404 "server"\n<VirtualHost *:*>\nServerName a\nErrorDocument 404 "host"\n'
        '<Location /in/>\nErrorDocument 404 "location"\n</Location>\n</VirtualHost>\n<VirtualHost *:*>\nServerName b\n</VirtualHost>'
    )
    client = proxy.connect()
    assert client.request("/", host="a").body == b"host"
    assert client.request("/in/x", host="a").body == b"location"
    assert client.request("/", host="b").body == b"server"


def test_a_bad_answer_of_the_page_s_origin(weir, origin):
    server = origin(answering(b"evil\r\n\r\n"), response(b"unused"))
    answer = weir(f"Workers 1\nErrorDocument 502 /errors/502.html\nProxyPass / {server.url}").get("/")
    assert answer.status == 502
    assert b"evil" not in answer.body


# --- a document that comes from elsewhere than what it stands for -----------------------------------------------------

BEHIND_A_BALANCER = """
ErrorDocument 502 /errors/502
<Proxy balancer://members>
    BalancerMember {bad}deep/path
</Proxy>
ProxyPass /errors/ {documents}errors/
ProxyPass / balancer://members/
"""


def test_a_document_beside_a_balancer_has_its_own_path(weir, origin):
    bad, documents = origin(pages), origin(pages)
    client = weir(BEHIND_A_BALANCER.format(bad=bad.url, documents=documents.url)).connect()
    answer = client.request("/x")
    assert (answer.status, answer.body) == (502, b"page for /errors/502")
    assert [request.target for request in bad.requests] == ["/deep/path/x"]


def test_a_document_beside_a_balancer_whose_origin_is_down(weir, origin):
    """Nobody asks that origin again and again, as one asks the members of a balancer."""
    proxy = weir(BEHIND_A_BALANCER.format(bad=origin(pages).url, documents=f"http://127.0.0.1:{free_port()}/"), workers=1)
    for _ in range(2):
        answer = proxy.get("/x")
        assert answer.status == 502
        assert b"Bad Gateway" in answer.body


def test_a_document_is_asked_for_again_on_a_connection_that_had_been_closed(weir, origin):
    """Whatever the client has asked, this is a GET."""

    def closing(connection):
        connection.read_request()
        connection.answer(b"first")
        connection.read_head()  # and closes, as if it had closed before

    proxy = weir("Workers 1\nErrorDocument 403 /errors/403\n<Location /no>\nRequire all denied\n</Location>\n"
                 f"ProxyPass / {origin(closing, pages).url}")  # fmt: skip
    assert proxy.get("/").body == b"first"
    answer = proxy.get("/no", method="POST", body=b"form")
    assert (answer.status, answer.body) == (403, b"page for /errors/403")
