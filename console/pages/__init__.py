"""The pages, in NiceGUI.

Invariant: what a model or a user wrote reaches an element as its text, as a value of a table's fixed columns, or
escaped; never as HTML, as a prop's source, as a template or as the name of a chart's option.
"""
