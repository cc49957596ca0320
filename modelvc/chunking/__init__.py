"""Where content is cut into chunks: pure, bytes in, numbers out."""
