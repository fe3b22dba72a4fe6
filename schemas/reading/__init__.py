"""What several records say together, where more than one app must read it alike. Pure."""
