"""A request with the token is one of a user who is signed in: django-scim2 asks only for that."""

from types import SimpleNamespace

from django.conf import settings


class Bearer:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        known = request.headers.get("Authorization") == f"Bearer {settings.BEARER_TOKEN}"
        request.user = SimpleNamespace(is_authenticated=known)
        return self.get_response(request)
