"""What several verbs share about tracked models. Nothing here prints or asks."""
