"""The command line: one thin command per app, over every app and imported by none."""
