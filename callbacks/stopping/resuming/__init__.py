"""What a resumed run needs that Lightning leaves out; see resuming.md beside this folder."""
