"""The recipes of a target go by kind of asset; until now there were pictures only."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

targets = sa.table("targets", sa.column("target_id", sa.String), sa.column("recipes", sa.JSON))


def upgrade() -> None:
    """What a target has are the recipes of its pictures."""
    connection = op.get_bind()
    for target_id, recipes in connection.execute(sa.select(targets)).all():
        of_target = targets.c.target_id == target_id
        connection.execute(targets.update().where(of_target).values(recipes={"picture": recipes}))
