"""The address of the studies' PostgreSQL, which the environment holds as it may have a password."""

import os
from typing import Any

from convstudy.core.errors import UserError

URL_VARIABLE = "CONVSTUDY_STORAGE"


URL_EXAMPLE = "postgresql://USER@HOST/DATABASE"


def postgres_url() -> Any:
    """Take the URL from the environment, for the driver that is installed.

    Raises:
        UserError: If it is missing or malformed. The line does not repeat it.
    """
    import sqlalchemy

    text = os.environ.get(URL_VARIABLE, "")
    allowed = f"allowed is {URL_EXAMPLE}, with :PASSWORD after USER or a ~/.pgpass"
    if not text:
        raise UserError(
            f"search.storage: postgresql, but the environment variable {URL_VARIABLE} is not set;"
            f" {allowed}; export it before the run"
        )
    try:
        url = sqlalchemy.make_url(text)
        if url.drivername not in ("postgresql", "postgresql+psycopg") or not url.database:
            raise ValueError
    except (ValueError, sqlalchemy.exc.ArgumentError):
        raise UserError(f"{URL_VARIABLE}: no URL of a PostgreSQL; {allowed}; mend it") from None
    return url.set(drivername="postgresql+psycopg")
