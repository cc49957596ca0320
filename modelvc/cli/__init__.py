"""What people type and read: arguments in, words and tables out."""
