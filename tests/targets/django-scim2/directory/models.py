"""Users and groups as a Django project has them, with the columns that django-scim2 needs."""

from django.contrib.auth.models import AbstractUser
from django.db.models import CharField, ManyToManyField
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class Group(AbstractSCIMGroupMixin):
    name = CharField(max_length=150, unique=True)


class User(AbstractSCIMUserMixin, AbstractUser):
    groups = ManyToManyField(Group, related_name="user_set")

    @property
    def scim_groups(self):
        return self.groups
