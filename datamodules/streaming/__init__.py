"""Images streamed with litdata, for data larger than one machine."""
