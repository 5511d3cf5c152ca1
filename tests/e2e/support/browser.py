"""A real browser: Chromium without a window, which believes that every name is this machine.

    with Browser() as browser:
        browser.open(f"http://shop.example.net:{proxy.port}/cband-status")
        assert browser.texts("#hosts tbody th a") == ["shop.example.net"]
"""
import base64
import os

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from support.wait import SLOWNESS, wait_for

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",  # the tests may run as root
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * 127.0.0.1",
    "--proxy-server=direct://",
]


class Browser:
    def __init__(self):
        options = webdriver.ChromeOptions()
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.driver.set_page_load_timeout(30 * SLOWNESS)
        self.look()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def command(self, name, **arguments):
        """A command of the Chrome DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def look(self, width=1400, height=1000, dark=False):
        """The size of the window, and what the user prefers."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])

    def without_scripts(self, disabled=True):
        self.command("Emulation.setScriptExecutionDisabled", value=disabled)

    def open(self, url):
        self.driver.get(url)

    @property
    def url(self):
        return self.driver.current_url

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def sees(self, selector):
        """Whether the element is to be seen; what closed details hold is not, which is_displayed() does not know."""
        return self.driver.execute_script("return arguments[0].checkVisibility()", self.one(selector))

    def texts(self, selector):
        """The texts of all elements that are to be seen. Again from the start when the page is loaded anew meanwhile."""
        found = []

        def read():
            try:
                found[:] = [element.text for element in self.all(selector) if element.is_displayed()]
            except StaleElementReferenceException:
                return False
            return True

        wait_for(read, 2, f"a page that stays for as long as {selector} is read")
        return found

    def script(self, text):
        return self.driver.execute_script(text)

    def wait_for_reload(self, act=None, deadline=10):
        """Until another document than the one there is now has been loaded, by what act() does or by itself."""
        self.script("window.isTheOld = true")
        if act is not None:
            act()
        wait_for(
            lambda: self.script("return !window.isTheOld && document.readyState === 'complete'"), deadline, "another document"
        )

    def complaints(self):
        """What the console has of errors, such as breaches of the security policy."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, path, whole=False):
        """A PNG of the window, or of the whole page."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        options = {}
        if whole:
            width, height = self.script("return [innerWidth, document.documentElement.scrollHeight]")
            options = {
                "clip": {"x": 0, "y": 0, "width": width, "height": min(height, 8000), "scale": 1},
                "captureBeyondViewport": True,
            }
        image = self.command("Page.captureScreenshot", format="png", **options)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(image))
