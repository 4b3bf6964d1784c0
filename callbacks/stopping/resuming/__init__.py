"""Restore what Lightning omits when a run is resumed; see resuming.md next to this folder."""
