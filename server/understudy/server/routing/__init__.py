"""Decides who is asked. Pure: callers bring the chance, the clock and the failures."""
