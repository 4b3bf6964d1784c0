"""What the programs of the clinic are trained on: small sets, real or made up."""
