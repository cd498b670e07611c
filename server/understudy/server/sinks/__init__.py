"""Whoever reads the journal: for now, the log."""
