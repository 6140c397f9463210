"""What Alembic runs for each command: the storage's own metadata on the connection it is handed.

Without one (`alembic revision --autogenerate` while developing) it opens the database of `-x url=URL`.
"""

from alembic import context
from sqlalchemy import Connection, create_engine
from sqlmodel import SQLModel

import node.storage.tables  # noqa: F401 - fills the metadata


def run_on(connection: Connection) -> None:
    """Run the command's steps; whoever opened the transaction commits it."""
    context.configure(connection=connection, target_metadata=SQLModel.metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run_on(given)
else:
    with create_engine(context.get_x_argument(as_dictionary=True)["url"]).begin() as opened:
        run_on(opened)
