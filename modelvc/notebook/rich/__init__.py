"""The rich diff and the web views of nbdime. The only package that knows nbdime and nbformat."""
