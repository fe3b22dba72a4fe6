"""How far consumer groups are behind, in records and seconds, as a table and for Prometheus."""
