"""Who reads the journal beside the records: for now, the log."""
