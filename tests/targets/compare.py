"""Reads the target back and compares every attribute and every member with the model."""

from expected import MANAGER, flatten
from machinery import Failure

# Compared without case: RFC 7643 declares userName so, and an adopted resource keeps its own spelling.
CASELESS = ("userName",)


def key(resource):
    """What tells a resource from all others: some servers number users and groups each from 1."""
    return ("user" if "userName" in resource else "group", resource["id"])


def same(name, wanted, found):
    if name in CASELESS and isinstance(wanted, str) and isinstance(found, str):
        return wanted.lower() == found.lower()
    return wanted == found


def by_source(resources, kind, problems):
    found = {}
    for resource in resources:
        owner = resource.get("externalId")
        if owner in found:
            problems.append(f"{kind}: two resources for {owner}: {found[owner]['id']} and {resource['id']}")
        if owner:
            found[owner] = resource
    return found


def differences(model, users, groups, strangers=None):
    """All differences as text. `strangers` are resources of nobody: by their key, as they were, and must be still."""
    strangers = strangers or {}
    problems = []
    ours = {u["id"]: u for u in users if key(u) not in strangers}
    found = by_source(ours.values(), "user", problems)
    source_of = {resource["id"]: source for source, resource in found.items()}
    for id in model.users.keys() | found.keys():
        if id not in found:
            problems.append(f"user {id}: not at the target")
        elif id not in model.users:
            problems.append(f"user {id}: at the target ({found[id]['id']}), and should not be")
        else:
            flat = flatten(found[id])
            if MANAGER in flat:
                flat[MANAGER] = source_of.get(flat[MANAGER], f"unknown resource {flat[MANAGER]}")
            wanted = dict(model.users[id])
            if id not in model.live:
                flat.pop(MANAGER, None)
                wanted.pop(MANAGER, None)
            problems += attributes(f"user {id}", wanted, flat)
    theirs = [g for g in groups if key(g) not in strangers]
    problems += group_differences(model, theirs, source_of)
    for resource in [*users, *groups]:
        if resource != strangers.get(key(resource), resource):
            problems.append(f"{' '.join(key(resource))}: belongs to nobody and was changed: {resource}")
    gone = strangers.keys() - {key(r) for r in [*users, *groups]}
    problems += [f"{kind} {id}: belongs to nobody and was deleted" for kind, id in gone]
    nameless = [key(r) for r in [*ours.values(), *theirs] if not r.get("externalId")]
    problems += [f"{kind} {id}: has no externalId: created twice, or not adopted" for kind, id in nameless]
    return problems


def group_differences(model, groups, source_of):
    problems = []
    found = by_source(groups, "group", problems)
    for id in model.groups.keys() | found.keys():
        if id not in found:
            problems.append(f"group {id}: not at the target")
            continue
        if id not in model.groups:
            problems.append(f"group {id}: at the target ({found[id]['id']}), and should not be")
            continue
        problems += attributes(f"group {id}", model.groups[id], flatten(found[id]))
        listed = [m["value"] for m in found[id].get("members") or []]
        if len(listed) != len(set(listed)):
            problems.append(f"group {id}: a member twice")
        members = {source_of.get(value, f"unknown resource {value}") for value in listed}
        problems += [f"group {id}: member {m} is missing" for m in sorted(model.members[id] - members)]
        problems += [f"group {id}: member {m} should not be in it" for m in sorted(members - model.members[id])]
    return problems


def attributes(where, wanted, found):
    names = {name for name in wanted.keys() | found.keys() if name != "_prefilled"}
    return [f"{where}: {name} should be {wanted.get(name)!r}, is {found.get(name)!r}"
            for name in sorted(names) if not same(name, wanted.get(name), found.get(name))]


def expect_equal(step, model, users, groups, strangers, waiting=frozenset()):
    """`waiting`: users who leave once a second look at the source, 15 minutes later, sees the same."""
    stay = [u["externalId"] for u in users if u.get("externalId") in waiting and u["externalId"] not in model.users]
    problems = [p for p in differences(model, users, groups, strangers)
                if not any(p.startswith(f"user {id}: at the target") for id in stay)]
    if problems:
        shown = "\n  ".join(problems[:20])
        raise Failure(f"{step}: {len(problems)} differences between the tenant and the target:\n  {shown}")
