"""scimmy-routers (npm): its GET ignores paging and always answers the first 20, and `eq` is case-sensitive."""

import os

from compare import differences
from expected import Model, sign_in_name
from installing import node_packages
from machinery import Failure, Process, Scim, TOKEN, WORK, free_port, get, say
from melonsync import Job, Sandbox, writes
from prefill import GROUP, USER

FOLDER = os.path.join(WORK, "npm")


def install():
    node_packages("npm", "scimmy")


def server(name):
    port = free_port()
    process = Process(f"{name}-server", ["node", "server.mjs", str(port), TOKEN], cwd=FOLDER)
    process.root = f"http://127.0.0.1:{port}"
    return process


def unproven_absence():
    with Sandbox("scimmy", 60, 12) as sandbox, server("scimmy") as process:
        process.wait_for(f"{process.root}/dump")
        scim = Scim(f"{process.root}/scim/v2")
        tenant = sandbox.tenant()
        model = Model()
        fill(scim, tenant)
        before = get(f"{process.root}/dump")
        job = Job("scimmy", sandbox, scim.base)
        plan, log = job.run("plan", exits=(0, 3))
        says_why(plan, log, tenant)
        job.run("sync", exits=(0, 3))
        after = get(f"{process.root}/dump")
        model.synced(sandbox.tenant())
        no_group_was_created(before, after)
        users_are_there(model, after)
        say("  again")
        summary, _ = job.run("sync", exits=(0, 3))
        again = get(f"{process.root}/dump")
        if again["writes"] != after["writes"] or writes(summary):
            raise Failure(f"nothing changed, but it wrote: {writes(summary)}, {again['writes'] - after['writes']} requests")


def fill(scim, tenant):
    """More groups than a page of this server shows, one of them of ours on the hidden part; and two users of ours."""
    for number in range(25):
        scim.create("Groups", {"schemas": [GROUP], "displayName": f"Local {number}"})
    scim.create("Groups", {"schemas": [GROUP], "displayName": tenant["groups"][0]["displayName"]})
    enabled = [user for user in tenant["users"] if user.get("accountEnabled")]
    scim.create("Users", {"schemas": [USER], "userName": sign_in_name(enabled[0]["userPrincipalName"])})
    scim.create("Users", {"schemas": [USER], "userName": sign_in_name(enabled[1]["userPrincipalName"]).upper()})


def says_why(plan, log, tenant):
    """Each source group is either adopted or left out with a reason."""
    adopted = {step["object"] for step in plan["plan"] if step["operation"] == "link_group"}
    omitted = {entry.get("object"): entry["because"] for entry in plan["omitted"]}
    created = [step["object"] for step in plan["plan"] if step["operation"] == "create_group"]
    if created:
        raise Failure(f"groups would be created although their absence is not proven: {created}")
    silent = [g["id"] for g in tenant["groups"] if g["id"] not in adopted and not omitted.get(g["id"])]
    if silent:
        raise Failure(f"groups are left out, and the plan does not say why: {silent}\n{plan['omitted'][:5]}\n{log[-800:]}")
    say(f"    groups: {len(adopted)} adopted, {len(tenant['groups']) - len(adopted)} left out, because: "
        f"{next((because for id, because in omitted.items() if id not in adopted), 'none')}")


def no_group_was_created(before, after):
    created = {g["id"] for g in after["Groups"]} - {g["id"] for g in before["Groups"]}
    if created:
        raise Failure(f"{len(created)} groups were created although their absence was not proven")
    local = [g for g in after["Groups"] if g["displayName"].startswith("Local ")]
    if local != [g for g in before["Groups"] if g["displayName"].startswith("Local ")]:
        raise Failure("a group of nobody was changed")


def users_are_there(model, after):
    """Users rely on the 409: all are there, none twice, every attribute as in the tenant."""
    users = after["Users"]
    model.groups = {}
    problems = differences(model, users, [])
    if problems:
        shown = "\n  ".join(problems[:20])
        raise Failure(f"users: {len(problems)} differences:\n  {shown}")
