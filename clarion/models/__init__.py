"""What `clarion models` does, apart from reading the command line."""
