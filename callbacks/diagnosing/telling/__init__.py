"""How the doctor tells what it found: log, terminal, code to paste."""
