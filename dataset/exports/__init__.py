"""A dataset in the forms that others read."""

from clawstream.dataset.exports.export import FORMS, export

__all__ = ["FORMS", "export"]
