"""The verbs: a module holds one verb or a small family, and their frozen results. They neither print nor prompt."""
