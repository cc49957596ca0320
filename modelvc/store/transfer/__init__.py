"""Objects from one store to another: upload and download."""
