"""The verbs: one module, one function and one frozen result each. They neither print nor prompt."""
