"""What users pass in, checked and read: hyperparameters, rows of data, names that other libraries use."""
