"""Exact tokens: what is known of earlier ones, and whether those of an answer may train."""
