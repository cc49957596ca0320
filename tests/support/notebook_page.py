"""A page of nbdime's web tools, as a browser holds it.

`python -m tests.support.notebook_page URL` is the browser of a person who saves what they see, and closes the page.
"""

from __future__ import annotations

import http.cookiejar
import json
import re
import sys
import time
import urllib.request
from typing import Any


class Page:
    """A page of a tool that runs, with the cookie that its forms need."""

    @classmethod
    def open(cls, url: str) -> Page:
        """The page at URL, which may be known before anything listens there."""
        deadline = time.monotonic() + 20
        while True:
            try:
                return cls(url)
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def __init__(self, url: str) -> None:
        self.top = url.rpartition("/")[0]
        self.jar = http.cookiejar.CookieJar()
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar)).open
        self.html = self._open(url).read().decode()

    def post(self, path: str, value: Any) -> Any:
        token = next(cookie.value for cookie in self.jar if cookie.name == "_xsrf")
        headers = {"X-XSRFToken": str(token), "Content-Type": "application/json"}
        return self._open(urllib.request.Request(f"{self.top}{path}", json.dumps(value).encode(), headers)).read()

    def close(self) -> None:
        self.post("/api/closetool", {"exitCode": 0})


if __name__ == "__main__":
    found = Page.open(sys.argv[1])
    if "mergetool" in sys.argv[1]:
        named = re.search(r"<script id='nbdime-config-data'[^>]*>(.*?)</script>", found.html, re.DOTALL)
        assert named
        files = json.loads(named[1])
        merged = json.loads(found.post("/api/merge", {name: files[name] for name in ("base", "local", "remote")}))
        found.post("/api/store", {"merged": merged["base"]})
    found.close()
