"""How the doctor reports what it found: log, terminal, code to paste."""
