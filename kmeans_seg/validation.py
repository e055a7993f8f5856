"""Checks of everything that a caller hands in: every ValueError and TypeError of the package.

A message says what was wrong, with its value, and what to do instead.
What comes back is ready for the strict core, which checks nothing again.
"""
