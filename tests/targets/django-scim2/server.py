"""django-scim2 with its stock adapters: users and groups in an in-memory database, one request at a time.

usage: python server.py PORT TOKEN
"""

import os
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

PORT, TOKEN = sys.argv[1:]
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

settings.configure(
    SECRET_KEY="not-secret", ALLOWED_HOSTS=["*"], ROOT_URLCONF="directory.urls", AUTH_USER_MODEL="directory.User",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_scim", "directory"],
    MIDDLEWARE=["directory.bearer.Bearer", "django_scim.middleware.SCIMAuthCheckMiddleware"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField", USE_TZ=True, BEARER_TOKEN=TOKEN,
    SCIM_SERVICE_PROVIDER={
        "SCHEME": "http", "NETLOC": f"127.0.0.1:{PORT}", "GROUP_MODEL": "directory.models.Group",
        "AUTHENTICATION_SCHEMES": [{"type": "oauthbearertoken", "name": "Bearer", "description": "A fixed token"}],
    },
)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


class Server(WSGIServer):
    # The default of five makes a client with 64 connections wait a second for each that finds no place.
    request_queue_size = 256


if __name__ == "__main__":
    django.setup()
    call_command("migrate", run_syncdb=True, verbosity=0)
    make_server("127.0.0.1", int(PORT), get_wsgi_application(), Server, Quiet).serve_forever()
