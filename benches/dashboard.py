#!/usr/bin/env python3
"""Measures the pages of a running daemon over `melonsync sandbox`, and checks the limits. Exits with 1 when one is missed.

    benches/dashboard.py [--users 100000] [--repeat 20] [--engine redb] [--changed 2000]     Linux; MELONSYNC names a ready program

    pages     for each page: the time from the request to the whole answer (p95), and its size compressed
    search    the same for what typing asks: three beginnings of names, and one that nobody has
    tables    the time of each whole table as CSV; it has no limit
    assets    all that pages load, compressed
    paint     first contentful paint of overview, people and one person in Chromium; skipped where node, Chromium or puppeteer-core
              (as tests/browser/run installs it into target/browser-check) is missing

Pages are asked on loopback, so that the time is the server's. `compressed` is what gzip makes of it: the daemon sends it as it is.
"""

import argparse
import gzip
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

import cycle
from daemon import Daemon, Reports, change, configured, truth
import machinery

TOKEN = "0123456789abcdef" * 4
PAINT = """
const { createRequire } = require("node:module");
const puppeteer = createRequire(process.env.TOOLS + "/package.json")("puppeteer-core");
(async () => {
  const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM, userDataDir: process.env.FOLDER,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"] });
  const page = await browser.newPage();
  await page.goto(process.env.BASE + "/login");
  await page.type("#token", process.env.TOKEN);
  await Promise.all([page.waitForNavigation(), page.click("#login button")]);
  const found = {};
  for (const path of JSON.parse(process.env.PAGES)) {
    const times = [];
    for (let at = 0; at < 5; at += 1) {
      await page.goto(process.env.BASE + path, { waitUntil: "load" });
      times.push(await page.evaluate(() => new Promise((done) => new PerformanceObserver((list) => {
        const paint = list.getEntries().find((entry) => entry.name === "first-contentful-paint");
        if (paint) done(paint.startTime);
      }).observe({ type: "paint", buffered: true }))));
    }
    found[path] = times.sort((a, b) => a - b)[2];
  }
  console.log(JSON.stringify(found));
  await browser.close();
})();
"""


class Visitor:
    """Somebody who is logged in, over one connection."""

    def __init__(self, port):
        self.port = port
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        body = urllib.parse.urlencode({"token": TOKEN})
        status, headers, _ = self.ask("POST", "/session", body, {
            "Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{port}"})
        if status != 303:
            sys.exit(f"the login was answered with {status}")
        self.cookie = headers["set-cookie"].split(";")[0]

    def ask(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {"Cookie": self.cookie})
        answer = self.connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def timed(self, path):
        """The seconds until the whole of a page is there, and the page."""
        began = time.monotonic()
        status, _, body = self.ask("GET", path)
        took = time.monotonic() - began
        if status != 200:
            sys.exit(f"{path} was answered with {status}: {body[:300]!r}")
        return took, body


def p95(times):
    return sorted(times)[max(0, -(-95 * len(times) // 100) - 1)]


def listening(sandbox, engine):
    """Puts an address and a token into the config."""
    configured(sandbox, engine=engine)
    port = cycle.free_port()
    place = os.path.join(sandbox.folder, "token")
    with open(place, "w", encoding="utf-8") as file:
        file.write(TOKEN)
    with open(sandbox.config, encoding="utf-8") as file:
        text = file.read()
    with open(sandbox.config, "w", encoding="utf-8") as file:
        file.write(f'[admin]\nlisten = "127.0.0.1:{port}"\ntoken = {{ file = "{place}" }}\n\n{text}')
    return port


def happened(sandbox, daemon, changed):
    """Something to see: changes, a mass disable that is withheld, and somebody on hold."""
    users = truth(sandbox)["users"]
    for number, user in enumerate(users[: min(changed, len(users) // 4)]):
        change(sandbox, user, {"jobTitle": f"Captain {number}"})
    daemon.order("sync", {"full": False})
    for user in users[: min(changed, len(users) // 4)]:
        change(sandbox, user, {"accountEnabled": False})
    daemon.order("sync", {"full": False})
    daemon.ask("POST", "/api/v1/jobs/bench/holds", {"objects": [users[-1]["id"]], "comment": "a bench"})
    return users


def measure(reports, sandbox, args):
    port = listening(sandbox, args.engine)
    sandbox.sync()
    with Daemon(sandbox, "dashboard-daemon") as daemon:
        users = happened(sandbox, daemon, args.changed)
        visitor, job = Visitor(port), "/jobs/bench"
        one = f"{job}/objects/{users[7]['id']}"
        pages = ["/", job, f"{job}/cycles/last", f"{job}/objects", f"{job}/objects?state=linked", f"{job}/objects?kind=group", one,
                 f"{job}/withheld", f"{job}/drift", f"{job}/escrow", f"{job}/history", f"{job}/health", f"{job}/what-if"]
        visitor.timed("/")
        for path in pages:
            shown = path.replace(users[7]["id"], "ID")
            answers = [visitor.timed(path) for _ in range(args.repeat)]
            reports.add(f"{shown}, p95", 1000 * p95([took for took, _ in answers]), 100, "ms")
            size = len(gzip.compress(answers[-1][1])) / 1000
            # The first page is the one that somebody waits for; a review of 500 lines is long.
            reports.add(f"{shown}, compressed", size, 60 if path == "/" else 120, "kB")
        names = [str(users[at].get("displayName", "x"))[:3].lower() for at in (3, len(users) // 2, len(users) - 3)]
        for text in [*names, "nobody has this"]:
            path = f"{job}/objects?{urllib.parse.urlencode({'query': text, 'kind': 'user', 'state': ''})}"
            reports.add(f"search for {text!r}, p95", 1000 * p95([visitor.timed(path)[0] for _ in range(args.repeat)]), 50, "ms")
        for name in ("objects", "withheld", "drift", "escrow", "history"):
            took, body = visitor.timed(f"{job}/{name}.csv")
            print(f"      {name}.csv: {took:.3g} s, {len(body) / 1e6:.3g} MB", flush=True)
        assets = {name for path in pages for name in re.findall(r'"(/assets/[^"]+)"', visitor.timed(path)[1].decode())}
        total = sum(len(gzip.compress(visitor.timed(path)[1])) for path in assets) / 1000
        reports.add(f"{len(assets)} assets, compressed", total, 120, "kB")
        print(f"      resident: {daemon.resident():.0f} MB", flush=True)
        paint(reports, port, ["/", f"{job}/objects", one], users[7]["id"])


def paint(reports, port, pages, name):
    tools = os.path.join(cycle.ROOT, "target", "browser-check")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not (shutil.which("node") and chromium and os.path.isdir(os.path.join(tools, "node_modules", "puppeteer-core"))):
        print("      paint: skipped: node, chromium or puppeteer-core is missing (tests/browser/run installs it)")
        return
    folder = os.path.join(cycle.WORK, "chromium")
    environment = {**os.environ, "TOOLS": tools, "CHROMIUM": chromium, "FOLDER": folder, "TOKEN": TOKEN,
                   "BASE": f"http://127.0.0.1:{port}", "PAGES": json.dumps(pages)}
    ran = subprocess.run(["node", "-e", PAINT], env=environment, capture_output=True, text=True, check=False, timeout=600)
    if ran.returncode != 0:
        sys.exit(f"paint: {ran.stderr[-1000:]}")
    for path, millis in json.loads(ran.stdout).items():
        print(f"      {path.replace(name, 'ID')}, first contentful paint: {millis:.0f} ms (median of 5)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--engine", choices=["redb", "sled"], default="redb")
    parser.add_argument("--changed", type=int, default=2000, help="so many change, and are then disabled at once")
    args = parser.parse_args()
    if "MELONSYNC" not in os.environ:
        subprocess.run(["cargo", "build", "--release", "--locked"], cwd=cycle.ROOT, check=True)
    shutil.rmtree(cycle.WORK, ignore_errors=True)
    os.makedirs(cycle.WORK)
    machinery.die_on_sigterm()
    reports = Reports()
    with cycle.Sandbox("dashboard", args.users, max(1, args.users // 100)) as sandbox:
        measure(reports, sandbox, args)
    sys.exit(1 if reports.missed else 0)


if __name__ == "__main__":
    main()
