"""An ordinary Flask service: it serves one URL rule and calls other services with requests.

It holds no tracing code and passes no header on. Under opentelemetry-instrument its spans and their context are the
SDK's own work, which is what makes it worth having in a mesh under test.

Environment: APP_ROUTE (URL rule), APP_CALLS (JSON list of {"method", "url"}; an empty method is the request's own),
APP_LISTEN (HOST:PORT), APP_SOURCE (address that calls come from, where a pod is only an address).
"""

import json
import logging
import os
import signal
import sys
import time

import requests
from flask import Flask, Response, request, stream_with_context
from requests.adapters import HTTPAdapter
from werkzeug.serving import WSGIRequestHandler, run_simple

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
CALL_SECONDS = 10
AFTER_SECONDS = 0.002

app = Flask("sdk-app")
calls = json.loads(os.environ.get("APP_CALLS", "[]"))


class FromAddress(HTTPAdapter):
    """Connects from one address of this machine."""

    def __init__(self, address):
        self.source = (address, 0)
        super().__init__(pool_maxsize=64)

    def init_poolmanager(self, *arguments, **options):
        super().init_poolmanager(*arguments, source_address=self.source, **options)

    def proxy_manager_for(self, proxy, **options):
        return super().proxy_manager_for(proxy, source_address=self.source, **options)


http = requests.Session()
if os.environ.get("APP_SOURCE"):
    http.mount("http://", FromAddress(os.environ["APP_SOURCE"]))


def call(method, url):
    try:
        return http.request(method, url, timeout=CALL_SECONDS).status_code
    except requests.RequestException:
        return 0


def streamed(body):
    """The answer, then some work that the client need not wait for. The SDK ends the request's span after that, so it
    outlives the span of the proxy in front."""
    yield body
    time.sleep(AFTER_SECONDS)


@app.route(os.environ.get("APP_ROUTE", "/"), methods=METHODS)
def serve(**_):
    statuses = [call(one["method"] or request.method, one["url"]) for one in calls]
    if any(status == 0 or status >= 500 for status in statuses):
        status = 503
    else:
        status = next((status for status in statuses if status >= 400), 200)
    body = json.dumps({"calls": statuses}).encode() + b"\n"
    answer = Response(stream_with_context(streamed(body)), status, content_type="application/json")
    answer.content_length = len(body)
    return answer


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that what is batched is still exported
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    WSGIRequestHandler.protocol_version = "HTTP/1.1"
    host, port = os.environ.get("APP_LISTEN", "0.0.0.0:8080").rsplit(":", 1)
    run_simple(host, int(port), app, threaded=True)
