"""Stream processors: raw steps become trustworthy training data.

The stages are pure functions from a state and an event to a state and outputs; ``worker`` runs them on Faust.
"""
