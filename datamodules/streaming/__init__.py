"""Images that stream through litdata, for data larger than one machine."""
