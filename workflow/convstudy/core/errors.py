"""The error raised for mistakes that the user can fix."""


class UserError(Exception):
    """A mistake in the input: one line with what is wrong, where, what is allowed and the fix."""
