"""The demo: a small policy, made on the spot, that agents teach a task through the whole loop."""
