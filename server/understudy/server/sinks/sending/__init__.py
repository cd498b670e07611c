"""How sinks reach their receivers: a bounded queue, one thread, patience, and two ways to deliver."""
