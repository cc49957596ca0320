"""The rich diff and the web views of nbdime. No other package uses nbdime and nbformat."""
