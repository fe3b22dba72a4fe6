"""The handlers: each takes a request apart, asks whose its trajectory is, calls the other rooms, and answers."""
