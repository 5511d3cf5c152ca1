"""The status page in a real browser: rows, order, refresh, reset, with and without JavaScript, on a desk and on a phone.

WEIR_SCREENSHOTS=docs/images takes the pictures of README.md anew, of a snapshot that is always the same.
"""
import os
import subprocess

import pytest
from support import weir as weir_module
from support.browser import Browser
from support.quota import writer
from support.wait import wait_for

STATUS = """<Location /cband-status>
SetHandler cband-status
</Location>
<Location /me>
SetHandler cband-status-me
</Location>"""

HOSTS = {
    "shop.example.net": "CBandUser acme\nCBandLimit 300Mi\nCBandPeriod 4W\nCBandSpeed 20Mbps 250 200\nCBandClassLimit bots 20Mi",
    "media.example.net": "CBandUser acme\nCBandLimit 3000B\nCBandPeriod 4W\nCBandExceededSpeed 512kbps 50 50",
    "blog.example.org": "CBandUser river\nCBandLimit 4M\nCBandPeriod 1W\nCBandPeriodSlice 1D",
    "forum.example.org": "CBandUser river\nCBandLimit 2000B\nCBandPeriod 1D\nCBandSpeed 4Mbps 20 40",
    "files.example.org": "CBandUser river\nCBandLimit 900K\nCBandPeriod 1D\nCBandSpeed 8Mbps 0 30",
    "api.example.com": "",
    "static.example.com": "CBandLimit 2Mi\nCBandPeriod 1M\nCBandSpeed 50Mbps 0 400",
    "old.example.com": "CBandLimit 5M\nCBandDryRun On",
}


@pytest.fixture(name="browser", scope="module")
def browser_fixture():
    with Browser() as browser:
        yield browser


@pytest.fixture(name="page")
def page_fixture(weir, origin, browser):
    """page(path) opens a status page of a weir whose hosts have had traffic, and returns its URL without a query."""
    server = origin(writer())
    hosts = "\n".join(
        f"<VirtualHost *>\nServerName {name}\n{lines}\nProxyPass / {server.url}\n</VirtualHost>" for name, lines in HOSTS.items()
    )
    proxy = weir(
        "<CBandClass bots>\nCBandClassDst 192.0.2/24\n</CBandClass>\n"
        "<CBandUser acme>\nCBandUserLimit 800Mi\nCBandUserPeriod 4W\n</CBandUser>\n"
        "<CBandUser river>\nCBandUserLimit 150M\nCBandUserPeriod 1W\n</CBandUser>\n"
        f"{STATUS}\n{hosts}\n"
    )
    for count, name in enumerate(HOSTS):
        for _ in range(4 + count % 3):
            proxy.get(f"/{1000 + 90000 * (count % 2 == 0)}", host=name)
    browser.driver.delete_all_cookies()
    browser.without_scripts(False)
    browser.look()

    def open_page(path="/cband-status", query="", host="static.example.com"):
        url = f"http://{host}:{proxy.port}{path}"
        browser.open(url + query)
        return url

    open_page.proxy = proxy
    open_page()
    browser.script("sessionStorage.clear()")
    yield open_page
    assert browser.complaints() == []


def names(browser):
    """Hosts as they stand on the page, without those that only the server has."""
    found = browser.script(
        "return Array.from(document.querySelectorAll('#hosts tbody tr:not([hidden]) th'), cell => cell.dataset.v)"
    )
    return [name for name in found if name in HOSTS]


def cell(browser, name, column):
    return browser.one(f'#hosts tr:has(th[data-v="{name}"]) td.{column}').text


def test_rows(page, browser):
    page()
    assert sorted(names(browser)) == sorted(HOSTS)
    assert cell(browser, "forum.example.org", "state") == "refused"
    assert cell(browser, "media.example.net", "state") == "slowed"
    assert cell(browser, "shop.example.net", "state") == "within"
    assert cell(browser, "old.example.com", "state") == "within\ndry run"
    assert cell(browser, "shop.example.net", "user") == "acme"
    assert cell(browser, "shop.example.net", "total").endswith("300 MiB")
    assert cell(browser, "shop.example.net", "rps").endswith("of 250")
    assert cell(browser, "api.example.com", "refresh") == "never"
    headline = browser.one("h1").text
    assert "exceeded" in headline and "hosts" in headline, headline
    assert browser.texts("#users tbody th") == ["acme\n2 hosts", "river\n3 hosts"]
    assert browser.texts("#origins tbody td.state") == ["usable"]
    assert any("127.0.0.1" in text for text in browser.texts("#clients tbody th"))


def test_security_policy(page):
    """Nothing but weir's own style and script; test_rows and the others show that it does not stop these."""
    policy = page.proxy.get("/cband-status").header("Content-Security-Policy")
    assert policy is not None and policy.startswith("default-src 'none';") and "unsafe" not in policy


def test_bars_grow_with_usage(page, browser):
    page()
    filled = {
        name: float(browser.one(f'#hosts tr:has(th[data-v="{name}"]) td.total .fill').get_attribute("width"))
        for name in ("shop.example.net", "files.example.org", "forum.example.org")
    }
    assert 0 < filled["shop.example.net"] < 1 < filled["files.example.org"] < filled["forum.example.org"] == 100, filled


def test_sorting_at_once(page, browser):
    """By the script: no request is made."""
    page()
    browser.script("window.isTheOld = true")
    browser.one("#hosts thead th.name a").click()
    assert names(browser) == sorted(HOSTS)
    assert browser.one("#hosts thead th.name").get_attribute("aria-sort") == "ascending"
    browser.one("#hosts thead th.name a").click()
    assert names(browser) == sorted(HOSTS, reverse=True)
    browser.one("#hosts thead th.state a").click()
    assert set(names(browser)[:2]) == {"forum.example.org", "media.example.net"}
    assert browser.script("return window.isTheOld === true")
    browser.driver.refresh()
    assert set(names(browser)[:2]) == {"forum.example.org", "media.example.net"}, "the order is not kept"


def test_sorting_without_scripts(page, browser):
    browser.without_scripts()
    page(query="?unit=K")
    browser.one("#hosts thead th.name a").click()
    wait_for(lambda: "sort=" in browser.url, 10, "the link to be followed")
    assert "unit=K" in browser.url
    assert names(browser) == sorted(HOSTS)
    assert cell(browser, "old.example.com", "total").endswith("5 000 KB".replace(" ", "\u202f", 1))


def test_filter(page, browser):
    page()
    field = browser.one("#hosts input[type=search]")
    field.send_keys("river")
    assert sorted(names(browser)) == ["blog.example.org", "files.example.org", "forum.example.org"]
    field.clear()
    field.send_keys("SHOP")
    assert names(browser) == ["shop.example.net"]
    browser.script("sessionStorage.clear()")
    page(query="?filter=river")
    assert sorted(names(browser)) == ["blog.example.org", "files.example.org", "forum.example.org"]


def test_refresh(page, browser):
    """The page loads itself again, shows what has changed, and keeps its order."""
    page(query="?refresh=2")
    browser.one("#hosts thead th.name a").click()
    before = cell(browser, "api.example.com", "total")
    page.proxy.get("/500000", host="api.example.com")
    browser.wait_for_reload()
    total = '#hosts tr:has(th[data-v="api.example.com"]) td.total'
    wait_for(lambda: any(text not in ("", before) for text in browser.texts(total)), 15, "the new usage")
    assert names(browser) == sorted(HOSTS)


def test_reset_asks_and_resets(page, browser):
    page()
    assert page.proxy.get("/", host="forum.example.org").status == 503
    row = '#hosts tr:has(th[data-v="forum.example.org"])'
    assert not browser.sees(f"{row} button")
    browser.one(f"{row} summary").click()
    assert browser.sees(f"{row} button")
    assert browser.one(f"{row} form").text.startswith("Set the usage of forum.example.org back to 0?")
    browser.wait_for_reload(browser.one(f"{row} button").click)
    wait_for(lambda: page.proxy.get("/", host="forum.example.org").status == 200, 10, "the host to be served again")
    assert "reset" not in browser.url


def test_me_shows_nothing_of_others(page, browser):
    page("/me", host="shop.example.net")
    assert sorted(names(browser)) == ["media.example.net", "shop.example.net"]
    assert browser.texts("#users tbody th") == ["acme\n2 hosts"]
    assert browser.all("form[method=post]") == [] and browser.all("#server, #internals, #origins") == []
    page("/me", host="api.example.com")
    assert names(browser) == ["api.example.com"]


@pytest.mark.parametrize("width", [390, 768, 1024, 1400])
def test_no_window_is_too_narrow(page, browser, width):
    browser.look(width=width)
    page()
    assert browser.script("return document.documentElement.scrollWidth") <= width


LOOKS = {"light": {}, "dark": {"dark": True}, "narrow": {"width": 390, "height": 844}}


@pytest.mark.parametrize("look", LOOKS)
def test_light_and_dark(page, browser, directory, look):
    browser.look(**LOOKS[look])
    page(query="?refresh=15")
    browser.screenshot(f"{directory}/status-{look}.png", whole=True)
    assert os.path.getsize(f"{directory}/status-{look}.png") > 10000
    paper = browser.script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(int(part) for part in paper[4:-1].split(",")) < 200) == (look == "dark"), paper


@pytest.mark.skipif("WEIR_SCREENSHOTS" not in os.environ, reason="WEIR_SCREENSHOTS does not say where pictures shall go")
@pytest.mark.parametrize("look", LOOKS)
def test_pictures(browser, directory, look):
    sample = os.path.join(os.path.dirname(weir_module.BINARY), "tests", "unit", "unit_stats_page")
    subprocess.run([sample, directory], check=True)
    browser.look(**LOOKS[look])
    browser.open(f"file://{directory}/status.html")
    browser.screenshot(os.path.join(weir_module.ROOT, os.environ["WEIR_SCREENSHOTS"], f"status-{look}.png"))
