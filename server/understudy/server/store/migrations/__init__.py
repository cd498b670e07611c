"""How the tables came to be, one step at a time; alembic reads this folder, nothing imports it."""
