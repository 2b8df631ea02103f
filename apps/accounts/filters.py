"""How people, roles and teams are narrowed down."""

from admin_ext.filtering.filters import RelatedFilter
from admin_ext.filtering.filterset import FilterSet
from apps.accounts.models import Role, Team, User


class UserFilterSet(FilterSet):
    # Asked of roles: the right to see them is theirs, not that of Django's groups.
    groups = RelatedFilter(Role, label="Roles")

    class Meta:
        model = User
        fields = ["username", "last_name", "email", "groups", "is_active", "last_login"]


class RoleFilterSet(FilterSet):
    class Meta:
        model = Role
        fields = ["name"]


class TeamFilterSet(FilterSet):
    class Meta:
        model = Team
        fields = ["name", "lead"]
