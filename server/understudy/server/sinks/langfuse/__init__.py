"""Tells Langfuse of calls: generations by OTLP, opinions as scores."""
