"""Half-fills a target before the first sync: with resources that match, with other values, and with some of nobody."""

from compare import key
from expected import IDMELON, flatten, sign_in_name

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"


def half_fill(scim, tenant, model, users=40, groups=8):
    """Returns the strangers, by their key, as they were."""
    known = [user for user in tenant["users"] if user["life"] == "live"]
    target_ids = {}
    for index, user in enumerate(known[1:users * 3:3]):
        resource = matching_user(index, user)
        target_ids[user["id"]] = scim.create("Users", resource)
        adopted = flatten(resource)
        adopted["_prefilled"] = set(adopted) - {"userName", "externalId", "active"}
        model.adopt("Users", user["id"], adopted)
    for index, group in enumerate(g for g in tenant["groups"][:groups * 2:2]):
        resource = {"schemas": [GROUP], "displayName": group["displayName"]}
        if index % 3 == 1:
            resource["externalId"] = group["id"]
        members = [target_ids[m["id"]] for m in group["members"] if m["id"] in target_ids]
        if index % 2 == 0 and members:
            resource["members"] = [{"value": id} for id in members[:3]]
        scim.create("Groups", resource)
        model.adopt("Groups", group["id"], flatten(resource))
    return strangers(scim)


def matching_user(index, user):
    """One user in one of the states in which an administrator, or an older sync, leaves it."""
    resource = {"schemas": [USER], "userName": sign_in_name(user["userPrincipalName"]), "active": True}
    kind = index % 5
    if kind == 0:  # by name, other values, and one that melonsync does not map and must leave alone
        resource |= {"title": "An older title", "nickName": "kept", "name": {"givenName": "Older"}}
    elif kind == 1:  # by externalId, under another name
        resource |= {"externalId": user["id"], "userName": f"former.{index}@corp.example"}
    elif kind == 2:  # the name in another case, disabled
        resource |= {"userName": resource["userName"].upper(), "active": False}
    elif kind == 3:  # an element of each multi-valued attribute, which the source may not have
        resource |= {"phoneNumbers": [{"type": "mobile", "value": "+1 000"}],
                     "emails": [{"type": "work", "value": "older@corp.example"}]}
    else:  # an extension value that is out of date
        resource["schemas"] = [USER, IDMELON]
        resource[IDMELON] = {"immutable_id": "b2xk", "extraAttribute1": "kept"}
    return resource


def strangers(scim):
    """Two users and two groups that no source object owns: nobody may touch them."""
    member = scim.create("Users", {"schemas": [USER], "userName": "breakglass@corp.example", "title": "Nobody's"})
    scim.create("Users", {"schemas": [USER], "userName": "other.tenant@corp.example", "active": True,
                          "externalId": "11111111-1111-4111-8111-111111111111"})
    mine = {key(r): r for r in scim.all("Users") if r["userName"] in
            ("breakglass@corp.example", "other.tenant@corp.example")}
    scim.create("Groups", {"schemas": [GROUP], "displayName": "Local administrators", "members": [{"value": member}]})
    scim.create("Groups", {"schemas": [GROUP], "displayName": "Local, empty"})
    names = ("Local administrators", "Local, empty")
    return mine | {key(r): r for r in scim.all("Groups") if r["displayName"] in names}
