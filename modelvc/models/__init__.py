"""Code about tracked models that several verbs share. It neither prints nor prompts."""
