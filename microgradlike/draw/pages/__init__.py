"""Pictures that move: pages to step through, animations, displays in a notebook."""
