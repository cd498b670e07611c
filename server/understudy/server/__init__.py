"""The service. Importing this pulls nothing; each module names what it needs."""
