"""What the service talks about: immutable values, and nothing that acts."""
