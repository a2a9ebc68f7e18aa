"""Runs the program: `melonsync sandbox` as the source, and `sync` and `plan` with a config written for one target."""

import json
import os
import signal
import subprocess
import time

from machinery import Failure, Process, TOKEN, WORK, free_port, get, post, say

PROGRAM = os.environ.get("MELONSYNC", "target/release/melonsync")

CONFIG = """\
[state]
path = "{state}"

[jobs.real]
mode = "enforce"

[jobs.real.source]
kind      = "entra"
tenant_id = "{tenant_id}"
client_id = "{client_id}"
graph_url = "{graph}"
login_url = "{graph}"
{source}

[jobs.real.source.credential]
client_secret = {{ env = "ENTRA_CLIENT_SECRET" }}

[jobs.real.target]
kind  = "idmelon"
url   = "{target}"
token = {{ env = "IDMELON_SCIM_TOKEN" }}
request_timeout = "{timeout}"

[jobs.real.provisioning]
mapping                      = "{mapping}"
deletion_threshold           = {{ count = 500, percent = 100 }}
membership_removal_threshold = "100%"

[jobs.real.provisioning.groups]
adopt              = "unclaimed"
deletion_threshold = 500
"""


class Sandbox(Process):
    """The sample tenant, in a process of its own; only its Graph side is used."""

    def __init__(self, name, users, groups):
        self.graph = f"http://127.0.0.1:{free_port()}"
        address = self.graph.removeprefix("http://")
        super().__init__(f"{name}-sandbox", [
            PROGRAM, "sandbox", "--users", str(users), "--groups", str(groups),
            "--graph-listen", address, "--scim-listen", f"127.0.0.1:{free_port()}"])

    def __enter__(self):
        self.wait_for(f"{self.graph}/sandbox/credentials")
        self.credentials = get(f"{self.graph}/sandbox/credentials")
        return self

    def tenant(self):
        return get(f"{self.graph}/sandbox/tenant")

    def mutate(self, **what):
        return post(f"{self.graph}/sandbox/mutate", what)

    def control(self, what, **fields):
        """Any of the sandbox's controls (src/sandbox/control.rs)."""
        return post(f"{self.graph}/sandbox/{what}", fields)

    def forget_tokens(self):
        post(f"{self.graph}/sandbox/forget-tokens", {})


class Job:
    """One config and its state folder."""

    def __init__(self, name, sandbox, target, source="", mapping="idmelon@1", timeout="3s"):
        self.folder = os.path.join(WORK, name)
        os.makedirs(self.folder, exist_ok=True)
        self.config = os.path.join(self.folder, "melonsync.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(state=os.path.join(self.folder, "state"), graph=sandbox.graph, target=target,
                                     source=source, mapping=mapping, timeout=timeout,
                                     tenant_id=sandbox.credentials["tenant_id"],
                                     client_id=sandbox.credentials["client_id"]))
        self.environment = {**os.environ, "IDMELON_SCIM_TOKEN": TOKEN, "NO_COLOR": "1",
                            "ENTRA_CLIENT_SECRET": sandbox.credentials["client_secret"]}

    def command(self, *verb):
        return [PROGRAM, "--config", self.config, "--output", "json", *verb]

    def run(self, *verb, exits=(0,)):
        """Summary and log of one run; any other exit code is a failure."""
        began = time.monotonic()
        done = subprocess.run(self.command(*verb), env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=600, check=False)
        with open(os.path.join(self.folder, "commands.log"), "a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(verb)} -> {done.returncode}\n{done.stdout}\n{done.stderr}\n")
        if done.returncode not in exits:
            raise Failure(f"melonsync {' '.join(verb)} exited with {done.returncode}, expected {exits}:\n"
                          f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}")
        try:
            summary = json.loads(done.stdout)
        except ValueError as error:
            raise Failure(f"melonsync {' '.join(verb)}: stdout is not one JSON document: {error}\n"
                          f"{done.stdout[-500:]}") from error
        say(f"    {' '.join(verb)}: {summary.get('outcome')}, exit {done.returncode}, "
            f"{time.monotonic() - began:.1f} s, {nonzero(summary.get('operations', {}))}")
        return summary, done.stderr

    def killed(self, after):
        """A `sync` that is killed with SIGKILL after so many seconds."""
        with open(os.path.join(self.folder, "killed.log"), "ab") as log:
            child = subprocess.Popen(self.command("sync"), env=self.environment, stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log)
            time.sleep(after)
            child.send_signal(signal.SIGKILL)
            child.wait()
        return child.returncode == -signal.SIGKILL


def nonzero(counts):
    shown = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    return shown or "no operation"


def writes(summary):
    """Operations that send something; `link_*` is an adoption, which has no request of its own."""
    return {name: n for name, n in summary["operations"].items() if n and not name.startswith("link_")}
