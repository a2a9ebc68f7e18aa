"""scim2-server (PyPI): a strict server with the IDmelon extension, index and cursor paging, in memory."""

import json
import os
import random
import time

from compare import expect_equal
from expected import Model
from installing import python_packages
from machinery import Failure, HERE, Process, Scim, TOKEN, WORK, free_port, say
from melonsync import Job, Sandbox, writes
from prefill import half_fill

# Pinned: a target that changes under the check would make its failures ambiguous.
PACKAGE = "scim2-server[cursor]==0.8.3"
SETTINGS = os.path.join(HERE, "scim2-server")
VENV = os.path.join(WORK, "venv")
USERS, GROUPS = 300, 30


def install():
    python_packages("venv", [PACKAGE])


def server(name, schemas=os.path.join(SETTINGS, "schemas.json")):
    port = free_port()
    process = Process(f"{name}-server", [
        os.path.join(VENV, "bin", "scim2-server"), "--hostname", "127.0.0.1", "--port", str(port),
        "--bearer-token", TOKEN, "--schema", schemas,
        "--resource-type", os.path.join(SETTINGS, "resource-types.json"),
        "--service-provider-config", os.path.join(SETTINGS, "spc.json")])
    process.base = f"http://127.0.0.1:{port}/v2"
    return process


class World:
    """Tenant, target, job and model of one scenario."""

    def __init__(self, name, sandbox, process, without=()):
        process.wait_for(f"{process.base}/ServiceProviderConfig", TOKEN)
        self.sandbox = sandbox
        self.scim = Scim(process.base)
        self.job = Job(name, sandbox, process.base)
        self.model = Model(without)
        self.strangers = {}
        self.waiting = set()

    def holds(self):
        return self.scim.all("Users"), self.scim.all("Groups")

    def sync_and_compare(self, step, kind=None):
        """One sync that converges, the target compared, and a second one that writes nothing."""
        summary, log = self.job.run("sync")
        self.model.synced(self.sandbox.tenant())
        converged(step, summary)
        self.waiting |= waiting(summary)
        if kind and summary["kind"] != kind:
            raise Failure(f"{step}: kind should be {kind}, is {summary['kind']}")
        expect_equal(step, self.model, *self.holds(), self.strangers, self.waiting)
        self.quiet(f"{step}, again")
        return summary, log

    def quiet(self, step):
        """Nothing changed: no operation, no request to the target, and the target is the same to the last version."""
        before = self.holds()
        summary, _ = self.job.run("sync")
        converged(step, summary)
        if writes(summary):
            raise Failure(f"{step}: nothing changed, but it wrote {writes(summary)}")
        if self.holds() != before:
            raise Failure(f"{step}: nothing changed, but the target did")
        return summary


def converged(step, summary):
    if summary["outcome"] != "converged" or summary["failed"] or summary["withheld"]["count"]:
        raise Failure(f"{step}: outcome {summary['outcome']}, failed {summary['failed'][:5]}, {summary['withheld']}")


def waiting(summary):
    """Who leaves once a second look at the source sees the same: a replica may be behind, where absence is the only evidence."""
    return {entry["object"] for entry in summary["pending"] if entry["operation"] in ("delete_user", "disable_user")}


def life_of_a_job():
    with Sandbox("life", USERS, GROUPS) as sandbox, server("life") as process:
        world = World("life", sandbox, process)
        world.strangers = half_fill(world.scim, sandbox.tenant(), world.model)
        say("  initial, into a half-filled target")
        planned, _ = world.job.run("plan")
        applied, _ = world.sync_and_compare("initial", "initial")
        if planned["operations"] != applied["operations"]:
            raise Failure(f"plan and sync disagree: {planned['operations']} and {applied['operations']}")
        summary = world.quiet("no change")
        if summary["target"]["requests"] or summary["kind"] != "incremental":
            raise Failure(f"no change: {summary['kind']} with {summary['target']['requests']} requests to the target")
        for step in range(1, 4):
            say(f"  incremental, every kind of change, step {step}")
            sandbox.mutate(every_kind=True, step=step)
            world.sync_and_compare(f"step {step}")
        say("  reset: the source has forgotten the delta tokens, and has changed meanwhile")
        sandbox.forget_tokens()
        sandbox.mutate(every_kind=True, step=4)
        world.sync_and_compare("reset")
        say("  full: the target is read back")
        summary, _ = world.job.run("sync", "--full")
        converged("full", summary)
        if writes(summary):
            raise Failure(f"full: everything is equal, but it wrote {writes(summary)}")
        expect_equal("full", world.model, *world.holds(), world.strangers, world.waiting)


def killed_and_run_again():
    """Fifty kills at random moments, ten in each of five worlds. KILLS=n for more, SEED=n to begin elsewhere."""
    worlds = -(-int(os.environ.get("KILLS", "50")) // 10)
    first = int(os.environ.get("SEED", "1"))
    for seed in range(first, first + worlds):
        killed_world(seed)


def killed_world(seed):
    dice = random.Random(seed)
    name = f"killed-{seed}"
    with Sandbox(name, USERS, GROUPS) as sandbox, server(name) as process:
        world = World(name, sandbox, process)
        # Long enough now and then for an open create to be resolved, which waits for request_timeout.
        moments = [dice.uniform(0.05, 0.6) if dice.random() < 0.7 else dice.uniform(3.0, 4.0) for _ in range(10)]
        killed = sum(world.job.killed(after=moment) for moment in moments)
        say(f"    seed {seed}: killed {killed} times, {len(world.scim.all('Users'))} users at the target")
        # An open intent is not resolved before request_timeout (3 s in this config) has passed since it was sent.
        time.sleep(3.5)
        world.sync_and_compare("after the kills")


def without_description():
    schemas = os.path.join(WORK, "schemas-without-description.json")
    with open(os.path.join(SETTINGS, "schemas.json"), encoding="utf-8") as file:
        held = json.load(file)
    for schema in held:
        if schema["name"] == "Group":
            schema["attributes"] = [a for a in schema["attributes"] if a["name"] != "description"]
    with open(schemas, "w", encoding="utf-8") as file:
        json.dump(held, file)
    with Sandbox("plain", 60, 12) as sandbox, server("plain", schemas) as process:
        world = World("plain", sandbox, process, without=("description",))
        summary, log = world.sync_and_compare("initial", "initial")
        if "description" not in log and "description" not in str(summary):
            raise Failure("the target has no group `description`, and neither log nor summary says so")
        sandbox.mutate(every_kind=True, step=1)
        world.sync_and_compare("every kind of change")
