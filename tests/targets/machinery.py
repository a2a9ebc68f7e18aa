"""Processes, HTTP and SCIM listings: only the standard library. Every process started here is ended here, by its own pid."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

WORK = os.environ.get("MELONSYNC_TARGETS_WORK", os.path.abspath("target/real-targets"))
HERE = os.path.dirname(os.path.abspath(__file__))
TOKEN = "real-target-token"


class Failure(Exception):
    """A check that does not hold; the text says what was expected and what was found."""


def say(text):
    print(text, flush=True)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Process:
    """A child in a process group of its own, with its output in a file."""

    def __init__(self, name, command, cwd=None, env=None):
        self.name = name
        self.log = os.path.join(WORK, f"{name}.log")
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_for(self, url, token=None, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.child.poll() is not None:
                raise Failure(f"{self.name} ended with {self.child.returncode}:\n{self.tail()}")
            try:
                status, _ = request("GET", url, token=token)
                if status < 500:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise Failure(f"{self.name} did not answer at {url} within {seconds} s:\n{self.tail()}")

    def tail(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()[-2000:]

    def stop(self):
        if self.child.poll() is not None:
            return
        try:
            os.killpg(self.child.pid, signal.SIGTERM)
            self.child.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        except ProcessLookupError:
            self.child.wait()


def die_on_sigterm():
    """SIGTERM unwinds the stack, so that every `with Process` ends its child."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def request(method, url, body=None, token=None, kind="application/scim+json"):
    """Status and body (parsed where it is JSON). An error status is an answer, not an exception."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(url, data=data, method=method)
    asked.add_header("Accept", kind)
    if data is not None:
        asked.add_header("Content-Type", kind)
    if token:
        asked.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, parse(answer.read())
    except urllib.error.HTTPError as answer:
        return answer.code, parse(answer.read())


def parse(text):
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text.decode(errors="replace")


def get(url, token=None):
    status, body = request("GET", url, token=token, kind="application/json")
    if status != 200:
        raise Failure(f"GET {url} answered {status}: {body}")
    return body


def post(url, body, token=None):
    status, answer = request("POST", url, body, token, kind="application/json")
    if status not in (200, 201, 202, 204):
        raise Failure(f"POST {url} answered {status}: {answer}")
    return answer


class Scim:
    """The target as this check sees it: plain requests that share no code with melonsync."""

    def __init__(self, base, counts=True):
        self.base = base.rstrip("/")
        # Some servers fail where a page is asked for, and list everything where none is.
        self.page = "&count=200" if counts else ""

    def create(self, kind, resource):
        status, answer = request("POST", f"{self.base}/{kind}", resource, TOKEN)
        if status != 201:
            raise Failure(f"cannot prepare the target: POST {kind} answered {status}: {answer}")
        return answer["id"]

    def all(self, kind):
        """Every resource, by index paging; a listing that falls short is a failure of this check. A program that was killed leaves
        requests that the server still carries out: a listing that moves while it is read is read again."""
        for _ in range(10):
            found, total = self.read_once(kind)
            if len(found) == total:
                return list(found.values())
            time.sleep(0.5)
        raise Failure(f"reading back {kind}: {len(found)} of {total}")

    def read_once(self, kind):
        """What the pages brought, and how many the last of them announced."""
        found = {}
        total, start = 1, 1
        while len(found) < total:
            page = get(f"{self.base}/{kind}?startIndex={start}{self.page}", TOKEN)
            total = page["totalResults"]
            fresh = [r for r in page.get("Resources", []) if r["id"] not in found]
            if not fresh:
                break
            found.update({r["id"]: r for r in fresh})
            start += len(page["Resources"])
        return found, total
