"""A picture as a file or text: SVG, PNG, PDF, Graphviz DOT, Mermaid, a tree in the terminal."""
