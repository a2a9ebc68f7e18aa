"""A sandbox, a daemon over it with `[admin] listen`, and schemathesis over its whole API. Ends what it started, by its own id."""

import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PROGRAM = os.environ["MELONSYNC"]
SCHEMATHESIS = os.environ["SCHEMATHESIS"]
HERE = pathlib.Path(__file__).resolve().parent

# Does not end by itself; tests/suite/door/events.rs reads it.
ENDLESS = "/api/v1/events"

CONFIG = """\
[state]
path = "{state}"

[admin]
listen = "127.0.0.1:{port}"
token  = {{ env = "MELONSYNC_ADMIN_TOKEN" }}

[jobs.idmelon]
mode          = "enforce"
schedule      = ""
full_schedule = ""

[jobs.idmelon.source]
kind      = "entra"
tenant_id = "{tenant_id}"
client_id = "{client_id}"
graph_url = "{graph_url}"
login_url = "{graph_url}"

[jobs.idmelon.source.credential]
client_secret = {{ env = "ENTRA_CLIENT_SECRET" }}

[jobs.idmelon.target]
kind  = "idmelon"
url   = "{scim_url}"
token = {{ env = "IDMELON_SCIM_TOKEN" }}

[jobs.idmelon.provisioning]
mapping = "idmelon"
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ended(process):
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except (urllib.error.URLError, OSError):
        return False


def asked(base, token, path, body=None):
    """The answer to one request."""
    request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    request.data = None if body is None else json.dumps(body).encode()
    return json.load(urllib.request.urlopen(request, timeout=60))


def with_what_is_there(base, token, folder):
    """The settings of schemathesis, with a job, a cycle and an object that are there: else all but the first question is answered 404."""
    cycle = asked(base, token, "/api/v1/jobs/idmelon/sync", {"full": True})["cycle"]
    while asked(base, token, f"/api/v1/cycles/{cycle}")["state"] != "ended":
        time.sleep(0.1)
    entries = asked(base, token, "/api/v1/jobs/idmelon/history?operation=create_user")["entries"]
    config = folder / "schemathesis.toml"
    config.write_text((HERE / "schemathesis.toml").read_text().format(cycle=cycle, object=entries[0]["object"]))
    return config


def checked(folder, options):
    """The exit code of schemathesis over a daemon in this folder."""
    token, port = secrets.token_hex(32), free_port()
    sandbox = subprocess.Popen([PROGRAM, "sandbox", "-o", "json", "--users", "40", "--groups", "5"],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        text, decoder, servers = "", json.JSONDecoder(), None
        while servers is None:
            text += sandbox.stdout.readline()
            try:
                servers, _ = decoder.raw_decode(text)
            except ValueError:
                continue
        config = folder / "melonsync.toml"
        config.write_text(CONFIG.format(state=folder / "state", port=port, **servers))
        env = os.environ | {"MELONSYNC_ADMIN_TOKEN": token, "ENTRA_CLIENT_SECRET": servers["client_secret"],
                            "IDMELON_SCIM_TOKEN": servers["scim_token"]}
        with open(folder / "daemon.log", "wb") as log:
            daemon = subprocess.Popen([PROGRAM, "-c", str(config), "run"], env=env, stderr=log, stdout=log, cwd=folder)
        try:
            base = f"http://127.0.0.1:{port}"
            for _ in range(300):
                if answers(f"{base}/readyz"):
                    break
                time.sleep(0.1)
            settings = with_what_is_there(base, token, folder)
            done = subprocess.run([
                SCHEMATHESIS, "--config-file", str(settings), "run", f"{base}/api/v1/openapi.json",
                "--header", f"Authorization: Bearer {token}", "--exclude-path", ENDLESS, "--seed", "20261130",
                "--max-examples", "25", "--request-timeout", "20", "--generation-database", "none", "--no-color", *options], cwd=folder)
            alive = daemon.poll() is None and answers(f"{base}/healthz")
        finally:
            code = ended(daemon)
        if not alive or code != 0:
            print(f"tests/api: the daemon did not bear it (exit {code})")
            print((folder / "daemon.log").read_text(errors="replace")[-4000:])
            return 1
        if token in (folder / "daemon.log").read_text(errors="replace"):
            print("tests/api: the token stands in the daemon's log")
            return 1
        return done.returncode
    finally:
        ended(sandbox)


def main():
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(checked(pathlib.Path(folder), sys.argv[1:]))


main()
