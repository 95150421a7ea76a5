"""One folder per service; services import `shared`, never each other."""
