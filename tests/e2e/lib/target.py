"""A scrape target: answers a page the test gives, or passes an exporter's through and keeps what it passed."""

import gzip
import threading
import time

from .http_sink import Answer, HttpSink
from .net import http

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Target(HttpSink):
    """page: the text to answer, or a function(request) that returns it; upstream: a URL whose page is passed through."""

    def __init__(self, page=None, content_type=TEXT, upstream=None, compress=True, port=0, required_headers=None):
        self.page, self.content_type, self.upstream, self.compress = page, content_type, upstream, compress
        self.required = required_headers or {}
        self.passed = []  # (unix time, page text) of every page answered with 200
        self.page_lock = threading.Lock()
        super().__init__(port)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def handle(self, req, action):
        for key, value in self.required.items():
            if req.headers.get(key) != value:
                return Answer(401, b"no credentials")
        with self.page_lock:  # pages are kept in the order they are answered
            if self.upstream:
                status, headers, body = http(self.upstream, headers={"Accept": req.headers.get("Accept", "*/*")})
                if status != 200:
                    return Answer(502, b"upstream")
                content_type = headers["Content-Type"]
            else:
                page = self.page(req) if callable(self.page) else self.page
                body = page if isinstance(page, bytes) else page.encode()
                content_type = self.content_type
            self.passed.append((time.time(), body.decode(errors="replace")))
        more = {}
        if self.compress and "gzip" in req.headers.get("Accept-Encoding", ""):
            body, more = gzip.compress(body), {"Content-Encoding": "gzip"}
        return Answer(200, body, content_type, more)
