"""The one error that is a user's to mend."""


class UserError(Exception):
    """A mistake in input: one line that says what is wrong, where, what is allowed and the fix."""
