"""One verb, one module, one frozen result. Nothing here prints or asks."""
