"""`./dev bench`: nybble beside its peers and beside the limits of the machine, in one run."""
