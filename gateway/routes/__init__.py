"""The handlers: each takes a request apart, calls the other rooms, and answers."""
