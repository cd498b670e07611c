"""Tells OpenTelemetry of calls: GenAI spans and metrics, by OTLP.

The SDK is not used. Its spans are made on the path of a call and want a context to live in; here
they are made afterwards, from what is known of a call, at a fraction of the cost (`protobuf`).
"""
