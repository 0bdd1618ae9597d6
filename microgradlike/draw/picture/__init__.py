"""From a graph of Values to positioned shapes: what is folded, what each card says, where it stands."""
