"""What one does with a graph of Values: choose the engine, differentiate, copy, explain, write it as a program."""
