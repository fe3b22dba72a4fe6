"""The stages over topics, with Faust: one process of ``clawstream process``."""
