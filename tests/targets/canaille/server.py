"""canaille with its in-memory store: an identity provider whose SCIM API has no externalId and no filters.

usage: python server.py PORT TOKEN
"""

import datetime
import sys

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from werkzeug.serving import WSGIRequestHandler, make_server

PORT, TOKEN = sys.argv[1:]


class Quiet(WSGIRequestHandler):
    def log_request(self, *_):
        pass


def permit(app):
    """A client with a token that lasts: what an administrator makes in canaille's pages."""
    now = datetime.datetime.now(datetime.timezone.utc)
    with app.app_context(), Backend.instance.session():
        client = models.Client(client_id="melonsync", client_name="melonsync", client_uri="http://127.0.0.1")
        Backend.instance.save(client)
        Backend.instance.save(models.Token(
            token_id="melonsync", access_token=TOKEN, subject=None, audience=[client], client=client,
            scope=["openid"], issue_date=now, lifetime=86400))


if __name__ == "__main__":
    application = create_app({
        "SECRET_KEY": "not-secret", "SERVER_NAME": f"127.0.0.1:{PORT}", "PREFERRED_URL_SCHEME": "http",
        "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False, "LOGGING": {
            "version": 1, "root": {"level": "ERROR", "handlers": []}}},
        "CANAILLE_SCIM": {}, "CANAILLE_OIDC": {},
    })
    permit(application)
    make_server("127.0.0.1", int(PORT), application, request_handler=Quiet).serve_forever()
