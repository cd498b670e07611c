"""What answers and pairs say about the models that gave them. Pure."""
